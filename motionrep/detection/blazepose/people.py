"""Finds people in whole pictures, with BlazePose's person detector."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motionrep.detection.blazepose.network import Network
from motionrep.detection.blazepose.regions import region_of

_SIZE = 224
_STRIDES = (8, 16, 32, 32, 32)  # two anchors for each place and entry
_SCORE = 0.5
_SAME = 0.3  # overlap from which two boxes are of one person


@dataclass(frozen=True)
class Found:
    """The people in one picture, surest first."""

    region: Float[Tensor, "people 4"]
    score: Float[Tensor, " people"]


class PersonFinder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.anchor = _anchors()

    def find(self, pictures: list[Float[Tensor, "3 height width"]]) -> list[Found]:
        """The people in each picture. Values of pictures go from 0 to 1."""
        if not pictures:
            return []
        boxed = [_letterboxed(picture) for picture in pictures]
        result = self.network(torch.stack([square for square, _, _ in boxed]) * 2 - 1)
        scores = result["score_logit"][..., 0].sigmoid().cpu()
        return [
            self._found(box, score, shift.cpu(), scale)
            for box, score, (_, shift, scale) in zip(result["boxes"].cpu(), scores, boxed, strict=True)
        ]

    def _found(self, box: Tensor, score: Tensor, shift: Tensor, scale: float) -> Found:
        sure = score > _SCORE
        box, score, anchor = box[sure] / _SIZE, score[sure], self.anchor[sure]
        centre, half = box[:, :2] + anchor, box[:, 2:4] / 2
        points = box[:, 4:8].unflatten(-1, (2, 2)) + anchor[:, None]
        corners = torch.cat([centre - half, centre + half], -1)
        regions, scores = [], []
        left = score.argsort(descending=True)
        while len(left):
            same = _overlap(corners[left[0]], corners[left]) > _SAME
            same[0] = True
            group = left[same]
            weight = score[group] / score[group].sum()
            hips, end = ((weight[:, None, None] * points[group]).sum(0) * _SIZE - shift) / scale
            regions.append(region_of(hips, end))
            scores.append(score[left[0]])
            left = left[~same]
        if not regions:
            return Found(torch.zeros(0, 4), torch.zeros(0))
        return Found(torch.stack(regions), torch.stack(scores))


def _anchors() -> Float[Tensor, "anchors 2"]:
    """Centres of the anchors in the order of the network's boxes; all have the size 1. Equal strides share places."""
    parts = []
    for stride in dict.fromkeys(_STRIDES):
        count = _SIZE // stride
        place = (torch.arange(count) + 0.5) / count
        grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1).reshape(-1, 2)
        parts.append(grid.repeat_interleave(2 * _STRIDES.count(stride), 0))
    return torch.cat(parts)


def _letterboxed(picture: Float[Tensor, "3 height width"]) -> tuple[Tensor, Tensor, float]:
    """The picture in the middle of a black square, where its corner is in there, and how much smaller it is."""
    height, width = picture.shape[-2:]
    scale = _SIZE / max(height, width)
    small = max(round(height * scale), 1), max(round(width * scale), 1)
    resized = F.interpolate(picture[None], size=small, mode="bilinear", antialias=True)[0]
    top, left = (_SIZE - small[0]) // 2, (_SIZE - small[1]) // 2
    square = F.pad(resized, (left, _SIZE - small[1] - left, top, _SIZE - small[0] - top))
    return square, picture.new_tensor([left, top]), scale


def _overlap(box: Float[Tensor, " 4"], boxes: Float[Tensor, "boxes 4"]) -> Float[Tensor, " boxes"]:
    """Area that both share over the area that either covers."""
    low, high = torch.maximum(box[:2], boxes[:, :2]), torch.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return shared / (area + (box[2:] - box[:2]).prod() - shared).clamp(min=1e-9)
