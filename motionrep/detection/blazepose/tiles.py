"""Where the person detector looks: the whole picture, and squares of it, in which people are larger.

A place is its top, left, height and width in pixels; it may reach beyond the picture, which is black there.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

SIZE = 224  # of the person detector's picture
_SMALLEST = 50  # height of a person in there who is found well
_SMALLEST_PX = 60  # height of a person in the picture who shall be found
_BODY = 0.8  # height of a person in sides of the region
_BEYOND = 0.1  # how far a person may reach beyond a place, in its sides
_LARGEST = 1.6  # side of a person's region in sides of the place; larger where the picture's edge cuts the person

Place = tuple[int, int, int, int]


def coarse_places(height: int, width: int) -> list[Place]:
    """The whole picture, and squares along its longer side; each covers half of the next, or more."""
    side = min(height, width)
    rows, columns = _starts(height, side, side // 2), _starts(width, side, side // 2)
    squares = [(top, left, side, side) for top in rows for left in columns]
    return [(0, 0, height, width)] if len(squares) == 1 else [(0, 0, height, width), *squares]


def fine_places(height: int, width: int) -> list[Place]:
    """Smaller and smaller squares, until people of 60 px are large enough. They share what one person takes up."""
    side, places = min(height, width), []
    while side * _SMALLEST / SIZE > 1.1 * _SMALLEST_PX:
        person = side * _SMALLEST // SIZE  # larger ones are found in the squares before
        side = -(-side // 2)
        rows, columns = _starts(height, side, side - person), _starts(width, side, side - person // 2)
        places += [(top, left, side, side) for top in rows for left in columns]
    return places


def around(region: Float[Tensor, " 4"]) -> Place:
    """A square around a person's region, in which the person has the size that is found best."""
    side = max(round(2 * float(region[2])), 8)
    x, y = region[:2].tolist()
    return round(y - side / 2), round(x - side / 2), side, side


def letterboxed(
    picture: UInt8[Tensor, "height width 3"], place: Place
) -> tuple[Float[Tensor, "3 size size"], tuple[float, float], float]:
    """A place in the middle of a black square, where the picture's corner is in there, and how much smaller it is."""
    top, left, height, width = place
    scale = SIZE / max(height, width)
    low, high = (max(top, 0), max(left, 0)), (min(top + height, picture.shape[0]), min(left + width, picture.shape[1]))
    square = torch.zeros(3, SIZE, SIZE, device=picture.device)
    y, x = (SIZE - height * scale) / 2 - top * scale, (SIZE - width * scale) / 2 - left * scale
    first = round(y + low[0] * scale), round(x + low[1] * scale)
    size = [max(round((end - start) * scale), 1) for start, end in zip(low, high, strict=True)]
    size = [min(length, SIZE - start) for length, start in zip(size, first, strict=True)]
    if high[0] > low[0] and high[1] > low[1] and min(size) > 0:
        part = picture[low[0] : high[0], low[1] : high[1]].permute(2, 0, 1)[None].float() / 255
        small = F.interpolate(part, size=size, mode="bilinear", antialias=True)[0]
        square[:, first[0] : first[0] + size[0], first[1] : first[1] + size[1]] = small
    return square, (first[1] - low[1] * scale, first[0] - low[0] * scale), scale


def within(region: Float[Tensor, "people 4"], place: Place, height: int, width: int) -> Bool[Tensor, " people"]:
    """Who was seen whole in a place, head and feet included. Edges of the picture itself may cut people.

    Parts of people look like other, smaller or larger ones. The whole person is seen in another place.
    """
    top, left, rows, columns = place
    up = _BODY / 2 * region[:, 2:3] * torch.stack([region[:, 3].sin(), -region[:, 3].cos()], -1)
    ends = torch.stack([region[:, :2] - up, region[:, :2] + up], 1)
    more = _BEYOND * max(rows, columns)
    low = torch.tensor([left - more if left > 0 else -torch.inf, top - more if top > 0 else -torch.inf])
    high = torch.tensor([
        left + columns + more if left + columns < width else torch.inf,
        top + rows + more if top + rows < height else torch.inf,
    ])  # fmt: skip
    inside = (region[:, :2] >= 0) & (region[:, :2] <= torch.tensor([width, height]))
    small = region[:, 2] < _LARGEST * max(rows, columns)
    return ((ends >= low[None, None]) & (ends <= high[None, None])).all(-1).all(-1) & inside.all(-1) & small


def _starts(length: int, side: int, step: int) -> list[int]:
    """Where squares begin that cover a length, evenly, at most a step apart."""
    rest = length - side
    count = math.ceil(rest / step)
    return [round(rest * i / count) for i in range(count + 1)] if count > 0 else [0]
