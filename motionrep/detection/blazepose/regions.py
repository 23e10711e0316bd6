"""Square regions around people, turned so that the person stands upright in them, and their pictures.

A region is x and y of its centre, the length of a side, all in pixels, and its angle in radians: how far it is turned
clockwise in the picture. Pixels are counted from the corner of the picture, so the centre of the first one is 0.5.
"""

import math

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

_MARGIN = 1.25
# How far a region may be from the one that its landmarks imply, before the landmarks are looked for again.
_SHIFT = 0.1  # of the side
_SCALE = 1.25
_TURN_RAD = math.radians(25)


def region_of(hips_px: Float[Tensor, "*batch 2"], end_px: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 4"]:
    """The region of a person, from the middle of the hips and the point on the circle around body and limbs above."""
    up = end_px - hips_px
    side = 2 * _MARGIN * torch.linalg.norm(up, dim=-1)
    angle = torch.atan2(up[..., 0], -up[..., 1])
    return torch.cat([hips_px, torch.stack([side, angle], -1)], -1)


def to_picture(
    point: Float[Tensor, "*batch points 2"], region: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "*batch points 2"]:
    """From a region, where its corners are 0 and 1, to pixels of the picture."""
    x, y = ((point - 0.5) * region[..., None, 2:3]).unbind(-1)
    cos, sin = torch.cos(region[..., None, 3]), torch.sin(region[..., None, 3])
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1) + region[..., None, :2]


def crops(
    picture: UInt8[Tensor, "height width 3"], regions: Float[Tensor, "regions 4"], size: int
) -> Float[Tensor, "regions 3 size size"]:
    """The pictures of regions, from 0 to 1. What lies outside repeats the edge, as in the source."""
    height, width = picture.shape[:2]
    steps = (torch.arange(size, device=picture.device) + 0.5) / size
    places = torch.stack([steps.repeat(size), steps.repeat_interleave(size)], -1)
    x, y = (to_picture(places.expand(len(regions), -1, -1), regions) - 0.5).unbind(-1)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.long(), y.long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    pixels = picture.reshape(-1, 3)  # only those that are needed become floats; pictures are large

    def at(row: Tensor, column: Tensor) -> Tensor:
        return pixels.index_select(0, (row * width + column).flatten()).float().unflatten(0, row.shape)

    across, down = (x - left)[..., None], (y - top)[..., None]
    above = torch.lerp(at(top, left), at(top, right), across)
    value = torch.lerp(above, torch.lerp(at(bottom, left), at(bottom, right), across), down) / 255
    return value.transpose(1, 2).unflatten(-1, (size, size))  # regions 3 size size


def differ(some: Float[Tensor, "*batch 4"], others: Float[Tensor, "*batch 4"]) -> Bool[Tensor, "*batch"]:
    """Whether two regions are too different for one to stand for the other."""
    shift = torch.linalg.norm(some[..., :2] - others[..., :2], dim=-1) / others[..., 2]
    scale = (some[..., 2] / others[..., 2]).log().abs()
    turn = torch.remainder(some[..., 3] - others[..., 3] + math.pi, 2 * math.pi) - math.pi
    return (shift > _SHIFT) | (scale > math.log(_SCALE)) | (turn.abs() > _TURN_RAD)


def between(
    start: Float[Tensor, " 4"], end: Float[Tensor, " 4"], share: Float[Tensor, " frames"]
) -> Float[Tensor, "frames 4"]:
    """Regions on the way from one to another; 0 is the start, 1 the end. Angles take the shorter way."""
    step = end - start
    turn = torch.remainder(step[3] + math.pi, 2 * math.pi) - math.pi
    return start + share[:, None] * torch.cat([step[:3], turn[None]])


def smoothed(regions: Float[Tensor, "frames 4"]) -> Float[Tensor, "frames 4"]:
    """Each region with a quarter of each neighbour in time; the first and the last keep themselves for a neighbour."""
    padded = torch.cat([regions[:1], regions, regions[-1:]])
    angle = padded[:, 3:]
    values = torch.cat([padded[:, :3], angle.cos(), angle.sin()], -1)
    mean = (values[:-2] + 2 * values[1:-1] + values[2:]) / 4
    return torch.cat([mean[:, :3], torch.atan2(mean[:, 4:], mean[:, 3:4])], -1)
