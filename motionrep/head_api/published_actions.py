"""MotionBERT's heads for actions and for one-shot recognition: they read two persons at once, in one box."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.embedding.encoding import encode
from motionrep.encoders import Encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction, MotionBERTEmbedding
from motionrep.head_api.contract import require_same_encoder
from motionrep.keypoints.ntu_actions import NTU_ACTIONS
from motionrep.layouts import H36M_17
from motionrep.types import ActionScores, Keypoints, MotionEmbedding

_PERSONS = 2
_ONE_SHOT_FRAMES = 100


class _OnTwoPersons(nn.Module):
    """A head that always reads two persons, as it was trained: both in one box, and the mean of both.

    Since an embedding has a box of its own, the persons' keypoints are encoded again. Published numbers are of clips
    that were stretched to `stretched_to` frames.
    """

    trained_on: str | None = None

    def __init__(self, published: nn.Module, encoder: Encoder, stretched_to: int) -> None:
        super().__init__()
        self.published, self.encoder, self.config, self.stretched_to = published, encoder, {}, stretched_to

    def of_clip(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> Float[Tensor, " outputs"]:
        """What the head gives for a whole clip of one person, or of the first two of several.

        Raises:
            ValueError: An embedding of another encoder, or two persons of different lengths.
        """
        persons = [embedding] if isinstance(embedding, MotionEmbedding) else list(embedding)[:_PERSONS]
        for person in persons:
            require_same_encoder(self, person)
        if len({person.keypoints.frame_count for person in persons}) > 1:
            raise ValueError("two persons of a clip must have as many frames; got embeddings of different lengths")
        points = torch.stack([_in_picture(person.keypoints) for person in persons])
        return self.of_inputs(in_one_box(points, self.encoder.crop_ratio), persons[0].fps)

    @torch.no_grad()
    def of_inputs(
        self,
        inputs: Float[Tensor, "persons frames 17 3"],
        fps: float,
        device: str | torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, " outputs"]:
        """The same from what `in_one_box` gives; computed where the head is unless `device` says."""
        own = next(self.published.parameters()).device
        place = own if device is None else torch.device(device)
        of = [encode(one.cpu(), fps, self.encoder, overlap=0, device=place, dtype=dtype) for one in inputs]
        means = torch.stack([values.mean(0, keepdim=True) for values in of])[None]
        return self.published(means.to(own))[0].float()


class PublishedAction(_OnTwoPersons):
    """MotionBERT's action head, whose classes are those of NTU RGB+D where there are 60 or 120."""

    def __init__(self, action: MotionBERTAction, encoder: Encoder) -> None:
        super().__init__(action, encoder, encoder.frames)
        count = action.fc2.out_features
        self.labels = NTU_ACTIONS[:count] if count in (60, 120) else tuple(f"class {n}" for n in range(count))

    def forward(
        self, representation: Float[Tensor, "batch persons frames joints channels"], valid: Any = None
    ) -> dict[str, Tensor]:
        return {"logit": self.published(representation).float()}

    def predict(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> ActionScores:
        """Scores of a whole clip of one person, or of the first two of several; raises as `of_clip`."""
        return ActionScores(self.of_clip(embedding), self.labels)


class PublishedOneShot(_OnTwoPersons):
    """MotionBERT's head for one-shot recognition: unit vectors, of which those of the same action are near each other.

    The published configurations stretch clips to 100 frames, which the checkpoint does not tell.
    """

    def __init__(self, vectors: MotionBERTEmbedding, encoder: Encoder) -> None:
        super().__init__(vectors, encoder, min(_ONE_SHOT_FRAMES, encoder.frames))

    def forward(
        self, representation: Float[Tensor, "batch persons frames joints channels"], valid: Any = None
    ) -> dict[str, Tensor]:
        return {"vector": self.published(representation).float()}

    def predict(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> Any:
        """Raises ValueError: a vector is no result for a clip; `of_clip` gives it."""
        raise ValueError(
            f"the head of {self.trained_on} gives vectors for one-shot recognition and no result for a clip; score it "
            "with motionrep evaluate --protocol ntu120-oneshot, or get the vectors of clips by head.of_clip(embeddings)"
        )


def in_one_box(points: Float[Tensor, "persons frames 17 3"], ratio: float) -> Float[Tensor, "2 frames 17 3"]:
    """Two persons as MotionBERT's action models read them (`crop_scale` of lib/utils/utils_data.py).

    The square box is around all points with confidence of both persons and all frames, its side `ratio` times theirs;
    x and y run from -1 to 1 in it and are cut off there. Points without confidence are moved like the others. Who is
    absent has zeros before that, the place where the middle of a square picture is. Fewer than four points with
    confidence give zeros.

    Args:
        points: x and y in units of half the picture's longer side, from the middle of a square one; and confidence.
    """
    absent = points.new_zeros(_PERSONS - len(points), *points.shape[1:])
    both = torch.cat([points, absent])
    seen_xy = both[both[..., 2] != 0][:, :2]
    if len(seen_xy) < 4:
        return torch.zeros_like(both)
    low, high = seen_xy.amin(0), seen_xy.amax(0)
    side = ratio * (high - low).max()
    if side == 0:
        return torch.zeros_like(both)
    inside = (2 * both[..., :2] - low - high) / side
    return torch.cat([inside, both[..., 2:]], -1).clamp(-1, 1)


def _in_picture(person: Keypoints) -> Float[Tensor, "frames 17 3"]:
    clip = person.as_h36m_17()
    assert clip.layout == H36M_17
    xy = 2 * clip.xy_px / max(clip.width_px, clip.height_px) - 1
    return torch.cat([xy.where(xy.isfinite(), 0), clip.confidence.clamp(max=1)[..., None]], -1).cpu()
