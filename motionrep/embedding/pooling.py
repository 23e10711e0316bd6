"""Pools the frames and the persons of a clip into one vector. Unseen persons and frames do not count."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.types import MotionEmbedding


def over_time(
    values: Float[Tensor, "*batch frames joints channels"], valid: Bool[Tensor, "*batch frames"]
) -> Float[Tensor, "*batch joints 2*channels"]:
    """Mean and standard deviation over the valid frames. Without any, the mean is 0 and the deviation 0.001."""
    there = valid[..., None, None]
    values = values.where(there, 0)  # a product with 0 would let NaN through
    weight = there.to(values) / valid.sum(-1).clamp(min=1)[..., None, None, None].to(values)
    mean = (values * weight).sum(-3)
    spread = (((values - mean[..., None, :, :]) ** 2 * weight).sum(-3) + 1e-6).sqrt()
    return torch.cat([mean, spread], dim=-1)


def over_persons(
    vector: Float[Tensor, "batch persons channels"], present: Bool[Tensor, "batch persons"]
) -> Float[Tensor, "batch channels"]:
    """Mean over the persons that are present; 0 if nobody is."""
    total = vector.where(present[..., None], 0).sum(1)
    return total / present.sum(1, keepdim=True).clamp(min=1).to(vector)


def side_by_side(
    persons: MotionEmbedding | Sequence[MotionEmbedding],
) -> tuple[Float[Tensor, "1 persons frames joints channels"], Bool[Tensor, "1 persons frames"]]:
    """The persons of one clip as a batch of one, and the frames in which each was seen.

    Tracks are aligned in time by their first frames (`Keypoints.first_frame`). The frames of the batch run from the
    earliest first frame to the latest last one.

    Raises:
        ValueError: No persons, nobody seen in any frame, or persons of different encoders or frame rates.
    """
    persons = [persons] if isinstance(persons, MotionEmbedding) else list(persons)
    if not persons:
        raise ValueError("no embedding; give those of the persons of one clip")
    for name in ("encoder", "encoder_digest", "fps"):
        if len(values := {getattr(person, name) for person in persons}) > 1:
            raise ValueError(f"the persons of one clip share {name}, got {', '.join(sorted(map(str, values)))}")
    start = min(person.keypoints.first_frame for person in persons)
    end = max(person.keypoints.first_frame + person.keypoints.frame_count for person in persons)
    values = persons[0].values.new_zeros(len(persons), end - start, *persons[0].values.shape[1:])
    valid = torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device)
    for row, person in enumerate(persons):
        first = person.keypoints.first_frame - start
        there = slice(first, first + person.keypoints.frame_count)
        values[row, there], valid[row, there] = person.values, person.seen_frames().to(values.device)
    if not bool(valid.any()):
        raise ValueError("every keypoint of every frame has confidence 0: nobody was seen, so there is no action")
    return values[None], valid[None]
