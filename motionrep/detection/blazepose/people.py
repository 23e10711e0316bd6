"""Finds people in whole pictures, with BlazePose's person detector."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motionrep.detection.blazepose.network import Network
from motionrep.detection.blazepose.regions import region_of
from motionrep.detection.blazepose.tiles import SIZE, Place, letterboxed, within
from motionrep.detection.blazepose.workers import Workers

_STRIDES = (8, 16, 32, 32, 32)  # two anchors for each place and entry
_SCORE = 0.5
_TOGETHER = 16  # as many places as go through the network at once
_SAME = 0.3  # overlap from which two boxes are of one person
_NEAR = 0.2  # distance between the middles of two regions of one person, in sides
_AS_LARGE = 0.7  # their ratio at most, as a logarithm


@dataclass(frozen=True)
class Found:
    """The people in one picture, surest first."""

    region: Float[Tensor, "people 4"]
    score: Float[Tensor, " people"]


class PersonFinder:
    """The person detector, on places of a picture."""

    def __init__(self, network: Network, workers: Workers) -> None:
        self.network, self.workers = network, workers
        self.anchor = _anchors()

    def find(self, pictures: list[UInt8[Tensor, "height width 3"]], places: list[list[Place]]) -> list[Found]:
        """The people in places of each picture."""
        wanted = [(picture, place) for picture, some in zip(pictures, places, strict=True) for place in some]
        found = [one for part in self.workers.parts(self._in_places, wanted, _TOGETHER) for one in part]
        bounds = [sum(len(some) for some in places[:i]) for i in range(len(places) + 1)]
        return [_each_once(found[start:stop]) for start, stop in pairwise(bounds)]

    @torch.inference_mode()
    def _in_places(self, wanted: list[tuple[Tensor, Place]]) -> list[Found]:
        boxed = [letterboxed(picture, place) for picture, place in wanted]
        result = self.network(torch.stack([square for square, _, _ in boxed]) * 2 - 1)
        boxes, scores = result["boxes"].cpu(), result["score_logit"][..., 0].sigmoid().cpu()
        found = []
        for i, (picture, place) in enumerate(wanted):
            some = self._found(boxes[i], scores[i], torch.tensor(boxed[i][1]), boxed[i][2])
            whole = within(some.region, place, picture.shape[0], picture.shape[1])
            found.append(Found(some.region[whole], some.score[whole]))
        return found

    def _found(self, box: Tensor, score: Tensor, shift: Tensor, scale: float) -> Found:
        sure = score > _SCORE
        box, score, anchor = box[sure] / SIZE, score[sure], self.anchor[sure]
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
            hips, end = ((weight[:, None, None] * points[group]).sum(0) * SIZE - shift) / scale
            regions.append(region_of(hips, end))
            scores.append(score[left[0]])
            left = left[~same]
        if not regions:
            return Found(torch.zeros(0, 4), torch.zeros(0))
        return Found(torch.stack(regions), torch.stack(scores))


def _each_once(found: list[Found]) -> Found:
    """The people of several places, each once; of two that are the same person, the surer one."""
    region = torch.cat([torch.zeros(0, 4), *(some.region for some in found)])
    score = torch.cat([torch.zeros(0), *(some.score for some in found)])
    kept: list[int] = []
    for i in score.argsort(descending=True).tolist():
        if not any(same_person(region[i], region[other]) for other in kept):
            kept.append(i)
    return Found(region[kept], score[kept])


def same_person(some: Float[Tensor, " 4"], other: Float[Tensor, " 4"]) -> bool:
    """Whether two regions in one picture are of one person."""
    distance, side = (some[:2] - other[:2]).norm(), torch.minimum(some[2], other[2])
    return bool(distance < _NEAR * side) and bool((some[2] / other[2]).log().abs() < _AS_LARGE)


def _anchors() -> Float[Tensor, "anchors 2"]:
    """Centres of the anchors in the order of the network's boxes; all have the size 1. Equal strides share places."""
    parts = []
    for stride in dict.fromkeys(_STRIDES):
        count = SIZE // stride
        place = (torch.arange(count) + 0.5) / count
        grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1).reshape(-1, 2)
        parts.append(grid.repeat_interleave(2 * _STRIDES.count(stride), 0))
    return torch.cat(parts)


def _overlap(box: Float[Tensor, " 4"], boxes: Float[Tensor, "boxes 4"]) -> Float[Tensor, " boxes"]:
    """Area that both share over the area that either covers."""
    low, high = torch.maximum(box[:2], boxes[:, :2]), torch.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return shared / (area + (box[2:] - box[:2]).prod() - shared).clamp(min=1e-9)
