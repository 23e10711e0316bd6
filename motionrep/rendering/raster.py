"""Which face covers which pixel: a z-buffer for triangle meshes in plain torch, batched, on any device with float64.

Method: the edges of a triangle are planes through the eye, so corners behind the eye need no clipping (homogeneous
rasterisation, Olano & Greer 1997). The edge equations give every image row of every triangle its span of pixels. All
spans together are one flat list of fragments, and a scatter-maximum of 1 / depth keeps the nearest one per pixel.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from motionrep.rendering.projection import NEAR_M


@dataclass(frozen=True)
class Fragments:
    """The visible surface: one entry per covered pixel, in no particular order.

    `pixel` counts through the whole batch: `(image * height_px + row) * width_px + column`. `barycentric` weighs the
    corners of `face` in space, not on the image, so attributes are interpolated in perspective.
    """

    pixel: Int[Tensor, " fragments"]
    image: Int[Tensor, " fragments"]
    face: Int[Tensor, " fragments"]
    barycentric: Float[Tensor, "fragments 3"]
    depth: Float[Tensor, " fragments"]

    def interpolate(
        self, value: Float[Tensor, "batch vertices channels"], faces: Int[Tensor, "faces 3"]
    ) -> Float[Tensor, "fragments channels"]:
        """A value of the vertices at each fragment. Gradients flow to the value."""
        channels = value.shape[2]
        corner = value.reshape(-1, channels).index_select(0, _corners(faces, *value.shape[:2]).T.reshape(-1))
        corner = corner.reshape(-1, 3 * channels).index_select(0, self.image * len(faces) + self.face)
        first, second, third = (
            corner[:, i * channels : (i + 1) * channels] * self.barycentric[:, i, None] for i in range(3)
        )
        return first + second + third


def rasterize(
    screen: Float[Tensor, "batch vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width_px: int,
    height_px: int,
    back_faces: Literal["hide", "show"] = "hide",
) -> Fragments:
    """The nearest face at every pixel centre. A pixel on the edge of two faces belongs to exactly one of them.

    Args:
        screen: Homogeneous pixels, as `projection.screen_points` returns them; pixel centres end in .5.
        faces: Counter-clockwise seen from outside; the other side is the back.
    """
    triangles = _triangles(screen, faces, back_faces)
    top, bottom, crosses_near = _row_range(triangles, height_px)
    planes = _planes(triangles, bool(crosses_near.any()))
    row_triangle, step = _expand((bottom - top).clamp(min=0))
    row_y = top.index_select(0, row_triangle) + step
    left, right, start, slope = _spans(planes.index_select(1, row_triangle), row_y, width_px)

    row, step = _expand((right - left).clamp(min=0).long())
    image = triangles.number // max(len(faces), 1)
    first_pixel = (image.index_select(0, row_triangle) * height_px + row_y) * width_px + left.long()
    pixel = first_pixel.index_select(0, row) + step
    nearness = slope[3].index_select(0, row) * step + start[3].index_select(0, row)
    key = nearness.view(torch.int32).long() << 32 | row  # the bits of positive floats sort like the floats
    best = key.new_full((screen.shape[0] * height_px * width_px,), -1).scatter_reduce_(0, pixel, key, "amax")
    seen = (best.index_select(0, pixel) == key).nonzero()[:, 0]

    row, step = row.index_select(0, seen), step.index_select(0, seen)
    weight = start[:3].index_select(1, row) + slope[:3].index_select(1, row) * step
    number = triangles.number.index_select(0, row_triangle.index_select(0, row))
    return Fragments(
        pixel.index_select(0, seen),
        number // max(len(faces), 1),
        number % max(len(faces), 1),
        (weight / weight.sum(0)).T,
        1 / nearness.index_select(0, seen),
    )


class _Triangles(NamedTuple):
    """The triangles that may be seen. `number` counts through the whole batch; `corner` holds homogeneous pixels.

    `opposite` is the cross product of the second and third corner. `volume`, the determinant of the corners, is
    negative where the outside is seen.
    """

    number: Int[Tensor, " triangles"]
    corner: tuple[Float64[Tensor, "3 triangles"], Float64[Tensor, "3 triangles"], Float64[Tensor, "3 triangles"]]
    opposite: Float64[Tensor, "3 triangles"]
    volume: Float64[Tensor, " triangles"]


def _triangles(screen: Tensor, faces: Tensor, back_faces: str) -> _Triangles:
    x, y, depth = screen.double().reshape(-1, 3).unbind(1)
    corner = torch.stack([x - 0.5 * depth, y - 0.5 * depth, depth])
    first, second, third = (corner.index_select(1, index) for index in _corners(faces, *screen.shape[:2]))
    opposite = _cross(second, third)
    volume = (opposite * first).sum(0)
    chosen = ((volume < 0) if back_faces == "hide" else (volume != 0)).nonzero()[:, 0]
    first, second, third, opposite = (part.index_select(1, chosen) for part in (first, second, third, opposite))
    return _Triangles(chosen, (first, second, third), opposite, volume.index_select(0, chosen))


def _row_range(
    triangles: _Triangles, height_px: int
) -> tuple[Int[Tensor, " triangles"], Int[Tensor, " triangles"], Bool[Tensor, " triangles"]]:
    """First image row of each triangle, the row after its last one, and whether it crosses the near plane."""
    depths = torch.stack([corner[2] for corner in triangles.corner])
    y = torch.stack([corner[1] for corner in triangles.corner]) / depths
    crosses_near = depths.amin(0) < NEAR_M
    top = torch.where(crosses_near, 0, y.amin(0).ceil().clamp(0, height_px)).long()
    bottom = torch.where(crosses_near, height_px, y.amax(0).ceil().clamp(0, height_px)).long()
    bottom = torch.where(depths.amax(0) > NEAR_M, bottom, top)
    return top, bottom, crosses_near


def _planes(triangles: _Triangles, clipped: bool) -> Float64[Tensor, "planes_times_3 triangles"]:
    """Planes (a, b, c), positive inside the triangle: `a * x + b * y + c`. The last four are the edges and 1 / depth.

    The values of the edges are barycentric weights divided by the depth. If `clipped`, the first plane is positive
    behind the near plane.
    """
    first, second, third = triangles.corner
    edges = [
        edge * triangles.volume.sign() for edge in (triangles.opposite, _cross(third, first), _cross(first, second))
    ]
    inverse_depth = (edges[0] + edges[1] + edges[2]) / triangles.volume.abs()
    if not clipped:
        return torch.cat([*edges, inverse_depth])
    in_front = -inverse_depth
    in_front[2] += 1 / NEAR_M
    return torch.cat([in_front, *edges, inverse_depth])


def _spans(
    plane: Float64[Tensor, "planes_times_3 rows"], row_y: Int[Tensor, " rows"], width_px: int
) -> tuple[Float64[Tensor, " rows"], Float64[Tensor, " rows"], Float[Tensor, "4 rows"], Float[Tensor, "4 rows"]]:
    """First column of each row, the column after its last one, and the last four planes.

    The planes are given by their values at the first column and their slopes along the row. A row that is not covered
    ends before it begins.
    """
    slope, offset = plane[0::3], plane[1::3] * row_y + plane[2::3]  # slope * x + offset >= 0 inside
    rising, falling, crossing = slope[:-1] > 0, slope[:-1] < 0, -offset[:-1] / slope[:-1]
    left = torch.where(rising, crossing, 0).amax(0).clamp(min=0).ceil()
    right = torch.where(falling, crossing, width_px).amin(0).clamp(max=width_px).ceil()
    right = right.masked_fill(((slope[:-1] == 0) & (offset[:-1] < 0)).any(0), 0)
    start = (slope[-4:] * left + offset[-4:]).float()
    return left, right, start, slope[-4:].float()


def _corners(faces: Tensor, batch: int, vertices: int) -> Tensor:
    """Where the three corners of each face of each image are among the vertices of all images: (3, batch * faces)."""
    index = faces.long().T
    shift = torch.arange(batch, device=faces.device) * vertices
    return (index[:, None] + shift[:, None]).reshape(3, -1) if batch > 1 else index


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product along the first axis; the same numbers with the sign changed when a and b change places."""
    return torch.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _expand(count: Int[Tensor, " items"]) -> tuple[Int[Tensor, " total"], Int[Tensor, " total"]]:
    """For counts 2, 0, 3: item 0 0 2 2 2 and step 0 1 0 1 2."""
    item = torch.repeat_interleave(count)
    start = count.cumsum(0) - count
    return item, torch.arange(len(item), device=count.device) - start.index_select(0, item)
