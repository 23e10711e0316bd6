"""Which face covers which pixel: a z-buffer for triangle meshes in plain torch, batched, on any device with float64.

Method: edges of a triangle are planes through the eye, so corners behind the eye need no clipping (homogeneous
rasterisation, Olano & Greer 1997). Every image row of every triangle gets its span of pixels from the edge equations;
all spans together are one flat list of fragments, and a scatter-maximum of 1 / depth keeps the nearest per pixel.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera

NEAR_M = 0.05


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
        """A value of the vertices at each fragment; gradients go to the value."""
        channels = value.shape[2]
        corner = value.reshape(-1, channels).index_select(0, _corners(faces, *value.shape[:2]).T.reshape(-1))
        corner = corner.reshape(-1, 3 * channels).index_select(0, self.image * len(faces) + self.face)
        first, second, third = (
            corner[:, i * channels : (i + 1) * channels] * self.barycentric[:, i, None] for i in range(3)
        )
        return first + second + third


def screen_points(point_camera_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 3"]:
    """Homogeneous pixels `(x * depth, y * depth, depth)` of points in camera axes, behind the camera too."""
    depth = point_camera_m[..., 2:]
    center = point_camera_m.new_tensor(camera.center_px)
    return torch.cat([point_camera_m[..., :2] * camera.focal_px + center * depth, depth], dim=-1)


def rasterize(
    screen: Float[Tensor, "batch vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width_px: int,
    height_px: int,
    back_faces: Literal["hide", "show"] = "hide",
) -> Fragments:
    """The nearest face at every pixel centre. A pixel on the edge of two faces belongs to exactly one of them.

    Args:
        screen: Homogeneous pixels as of `screen_points`; a pixel centre has coordinates ending in .5.
        faces: Counter-clockwise seen from outside, which is what "back" refers to.
    """
    x, y, depth = screen.double().reshape(-1, 3).unbind(1)
    corner = torch.stack([x - 0.5 * depth, y - 0.5 * depth, depth])
    first, second, third = (corner.index_select(1, index) for index in _corners(faces, *screen.shape[:2]))
    opposite = _cross(second, third)
    volume = (opposite * first).sum(0)  # negative: we see the outside
    chosen = ((volume < 0) if back_faces == "hide" else (volume != 0)).nonzero()[:, 0]
    first, second, third, opposite = (part.index_select(1, chosen) for part in (first, second, third, opposite))
    volume = volume.index_select(0, chosen)

    depths = torch.stack([first[2], second[2], third[2]])
    y = torch.stack([first[1], second[1], third[1]]) / depths
    crosses = depths.amin(0) < NEAR_M
    top = torch.where(crosses, 0, y.amin(0).ceil().clamp(0, height_px)).long()
    bottom = torch.where(crosses, height_px, y.amax(0).ceil().clamp(0, height_px)).long()
    bottom = torch.where(depths.amax(0) > NEAR_M, bottom, top)

    edges = [edge * volume.sign() for edge in (opposite, _cross(third, first), _cross(first, second))]
    inverse_depth = (edges[0] + edges[1] + edges[2]) / volume.abs()
    in_front = inverse_depth.new_tensor([[0], [0], [1 / NEAR_M]]) - inverse_depth
    planes = [in_front, *edges, inverse_depth] if bool(crosses.any()) else [*edges, inverse_depth]

    row_face, step = _expand((bottom - top).clamp(min=0))
    row_y = top.index_select(0, row_face) + step
    plane = torch.cat(planes).index_select(1, row_face)
    slope, offset = plane[0::3], plane[1::3] * row_y + plane[2::3]  # slope * x + offset >= 0 inside
    rising, falling, crossing = slope[:-1] > 0, slope[:-1] < 0, -offset[:-1] / slope[:-1]
    left = torch.where(rising, crossing, 0).amax(0).clamp(min=0).ceil()
    right = torch.where(falling, crossing, width_px).amin(0).clamp(max=width_px).ceil()
    right = right.masked_fill(((slope[:-1] == 0) & (offset[:-1] < 0)).any(0), 0)
    start = (slope[-4:] * left + offset[-4:]).float()
    slope = slope[-4:].float()

    row, step = _expand((right - left).clamp(min=0).long())
    first_pixel = (
        (chosen // max(len(faces), 1)).index_select(0, row_face) * height_px + row_y
    ) * width_px + left.long()
    pixel = first_pixel.index_select(0, row) + step
    nearness = slope[3].index_select(0, row) * step + start[3].index_select(0, row)
    key = nearness.view(torch.int32).long() << 32 | row  # the bits of positive floats sort like the floats
    best = key.new_full((screen.shape[0] * height_px * width_px,), -1).scatter_reduce_(0, pixel, key, "amax")
    seen = (best.index_select(0, pixel) == key).nonzero()[:, 0]

    row, step = row.index_select(0, seen), step.index_select(0, seen)
    weight = start[:3].index_select(1, row) + slope[:3].index_select(1, row) * step
    owner = chosen.index_select(0, row_face.index_select(0, row))
    return Fragments(
        pixel.index_select(0, seen),
        owner // max(len(faces), 1),
        owner % max(len(faces), 1),
        (weight / weight.sum(0)).T,
        1 / nearness.index_select(0, seen),
    )


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
