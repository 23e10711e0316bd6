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

from motionrep.cameras import PinholeCamera

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
        """A value of the vertices at each fragment."""
        corner = faces[self.face] + (self.image * value.shape[1])[:, None]
        flat = value.reshape(-1, value.shape[2])
        first, second, third = (flat[corner[:, i]] * self.barycentric[:, i, None] for i in range(3))
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
    corner = screen.double()
    corner = torch.stack([corner[..., 0] - 0.5 * corner[..., 2], corner[..., 1] - 0.5 * corner[..., 2], corner[..., 2]])
    first, second, third = corner[:, :, faces.long().T].unbind(2)  # each: 3 batch faces
    edge = torch.stack([_cross(second, third), _cross(third, first), _cross(first, second)])  # opposite each corner
    volume = (edge[0] * first).sum(0)  # negative: we see the outside
    low, high = torch.aminmax(torch.stack([first[2], second[2], third[2]]), dim=0)
    y = torch.stack([first[1] / first[2], second[1] / second[2], third[1] / third[2]])
    crosses = low < NEAR_M
    top = torch.where(crosses, 0, y.amin(0).ceil().clamp(0, height_px)).long()
    bottom = torch.where(crosses, height_px, y.amax(0).ceil().clamp(0, height_px)).long()
    wanted = (volume < 0) if back_faces == "hide" else (volume != 0)
    image, face = (wanted & (high > NEAR_M) & (bottom > top)).nonzero(as_tuple=True)

    top, rows, volume = top[image, face], (bottom - top)[image, face], volume[image, face]
    edge = edge[:, :, image, face] * volume.sign()
    inverse_depth = (edge[0] + edge[1] + edge[2]) / volume.abs()
    in_front = inverse_depth.new_tensor([[0], [0], [1 / NEAR_M]]) - inverse_depth
    planes = [in_front, *edge] if bool(crosses.any()) else [*edge]

    row_face, step = _expand(rows)
    row_y = top[row_face] + step
    left = torch.zeros_like(row_y, dtype=corner.dtype)
    right = torch.full_like(left, width_px)
    lines = []
    for plane in planes:  # slope * x + offset >= 0 inside
        slope, offset = plane[0][row_face], plane[1][row_face] * row_y + plane[2][row_face]
        crossing = -offset / slope
        left = torch.where(slope > 0, torch.maximum(left, crossing), left)
        right = torch.where(slope < 0, torch.minimum(right, crossing), right)
        right = right.masked_fill((slope == 0) & (offset < 0), 0)
        lines.append((slope, offset))
    left, right = left.ceil(), right.ceil()
    lines.append((inverse_depth[0][row_face], inverse_depth[1][row_face] * row_y + inverse_depth[2][row_face]))
    slopes = torch.stack([slope for slope, _ in lines[-4:]], 1).float()
    starts = torch.stack([slope * left + offset for slope, offset in lines[-4:]], 1).float()

    row, step = _expand((right - left).clamp(min=0).long())
    pixel = ((image[row_face] * height_px + row_y) * width_px + left.long())[row] + step
    nearness = slopes[:, 3][row] * step + starts[:, 3][row]
    key = nearness.view(torch.int32).long() << 32 | row  # the bits of positive floats sort like the floats
    best = key.new_full((screen.shape[0] * height_px * width_px,), -1).scatter_reduce_(0, pixel, key, "amax")
    seen = (best[pixel] == key).nonzero()[:, 0]

    row = row[seen]
    weight = torch.addcmul(starts[:, :3][row], slopes[:, :3][row], step[seen, None].float())
    weight = weight / (weight[:, 0] + weight[:, 1] + weight[:, 2])[:, None]
    owner = row_face[row]
    return Fragments(pixel[seen], image[owner], face[owner], weight, 1 / nearness[seen])


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product along the first axis; the same numbers with the sign changed when a and b change places."""
    return torch.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _expand(count: Int[Tensor, " items"]) -> tuple[Int[Tensor, " total"], Int[Tensor, " total"]]:
    """For counts 2, 0, 3: item 0 0 2 2 2 and step 0 1 0 1 2."""
    item = torch.repeat_interleave(count)
    start = count.cumsum(0) - count
    return item, torch.arange(len(item), device=count.device) - start[item]
