"""Finds people in whole pictures, with BlazePose's person detector."""

import math
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
_NEAR = 0.2  # distance between the middles of two regions of one person, in sides
_AS_LARGE = 0.7  # their ratio at most, as a logarithm


@dataclass(frozen=True)
class Found:
    """The people in one picture, surest first."""

    region: Float[Tensor, "people 4"]
    score: Float[Tensor, " people"]


class PersonFinder:
    """The person detector, on the whole picture and on squares of it, in which people are larger."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.anchor = _anchors()

    def find(self, pictures: list[Float[Tensor, "3 height width"]]) -> list[Found]:
        """The people in each picture. Values of pictures go from 0 to 1."""
        return [self._in_picture(picture) for picture in pictures]

    def _in_picture(self, picture: Float[Tensor, "3 height width"]) -> Found:
        places = [(0, 0, *picture.shape[1:]), *_squares(*picture.shape[1:])]
        boxed = [_letterboxed(picture[:, y : y + height, x : x + width]) for y, x, height, width in places]
        result = self.network(torch.stack([square for square, _, _ in boxed]) * 2 - 1)
        logits = result["score_logit"][..., 0].cpu()
        found = []
        for i, (y, x, _, _) in enumerate(places):
            part = self._found(result["boxes"][i].cpu(), logits[i].sigmoid(), boxed[i][1].cpu(), boxed[i][2])
            found += list(zip(part.region + torch.tensor([x, y, 0, 0]), part.score, strict=True))
        kept: list[tuple[Tensor, Tensor]] = []
        for region, score in sorted(found, key=lambda one: -float(one[1])):
            if not any(same_person(region, other) for other, _ in kept):
                kept.append((region, score))
        if not kept:
            return Found(torch.zeros(0, 4), torch.zeros(0))
        return Found(*(torch.stack(values) for values in zip(*kept, strict=True)))

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


def same_person(some: Float[Tensor, " 4"], other: Float[Tensor, " 4"]) -> bool:
    """Whether two regions in one picture are of one person."""
    distance, side = (some[:2] - other[:2]).norm(), torch.minimum(some[2], other[2])
    return bool(distance < _NEAR * side) and bool((some[2] / other[2]).log().abs() < _AS_LARGE)


def _squares(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of squares along the longer side; each covers half of the next, or more."""
    side = min(height, width)
    rest = max(height, width) - side
    steps = math.ceil(2 * rest / side)
    starts = [round(rest * i / steps) for i in range(steps + 1)] if steps else []
    return [(start, 0, side, side) if height > width else (0, start, side, side) for start in starts]


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
