"""MotionBERT's action head as a head that predicts clips: it reads two persons at once, in one box."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.embedding.encoding import encode
from motionrep.encoders import Encoder
from motionrep.encoders.motionbert_heads import MotionBERTAction
from motionrep.head_api.contract import require_same_encoder
from motionrep.layouts import H36M_17
from motionrep.types import ActionScores, Keypoints, MotionEmbedding

_PERSONS = 2


class PublishedAction(nn.Module):
    """MotionBERT's action head, whose classes are those of NTU RGB+D where there are 60 or 120.

    It always reads two persons, as it was trained: both in one box, and the mean of both. Since an embedding has a box
    of its own, `predict` encodes the persons' keypoints again. Published numbers are of clips that were stretched to
    the encoder's frames, `stretched_to`.
    """

    trained_on: str | None = None

    def __init__(self, action: MotionBERTAction, encoder: Encoder) -> None:
        super().__init__()
        self.action, self.encoder, self.config, self.stretched_to = action, encoder, {}, encoder.frames
        count = action.fc2.out_features
        self.labels = tuple(f"A{n + 1:03d}" if count in (60, 120) else f"class {n}" for n in range(count))

    def forward(
        self, representation: Float[Tensor, "batch persons frames joints channels"], valid: Any = None
    ) -> dict[str, Tensor]:
        return {"logit": self.action(representation).float()}

    def predict(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> ActionScores:
        """Scores of a whole clip of one person, or of the first two of several.

        Raises:
            ValueError: An embedding of another encoder, or two persons of different lengths.
        """
        persons = [embedding] if isinstance(embedding, MotionEmbedding) else list(embedding)[:_PERSONS]
        for person in persons:
            require_same_encoder(self, person)
        if len({person.keypoints.frame_count for person in persons}) > 1:
            raise ValueError("two persons of a clip must have as many frames; got embeddings of different lengths")
        points = torch.stack([_in_picture(person.keypoints) for person in persons])
        return ActionScores(self.logit_of(in_one_box(points, self.encoder.crop_ratio), persons[0].fps), self.labels)

    @torch.no_grad()
    def logit_of(
        self,
        inputs: Float[Tensor, "persons frames 17 3"],
        fps: float,
        device: str | torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Float[Tensor, " classes"]:
        """Scores of a clip, from what `in_one_box` gives; computed where the head is unless `device` says."""
        place = self.action.fc1.weight.device if device is None else torch.device(device)
        of = [encode(one.cpu(), fps, self.encoder, overlap=0, device=place, dtype=dtype) for one in inputs]
        means = torch.stack([values.mean(0, keepdim=True) for values in of])[None]
        return self(means.to(self.action.fc1.weight.device))["logit"][0]


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
