"""The soft shadow that surfaces cast on the floor."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample

from motionrep.rendering.backdrop import Backdrop
from motionrep.rendering.projection import image_window
from motionrep.rendering.raster import rasterize

_SLANT = (-0.16, -0.2)  # horizontal shift of a point's shadow per metre of height, away from both views
_DARKNESS = 0.42
_BLUR_M = 0.035
_TEXEL_M = 0.015
_MOST_TEXELS = 512


@dataclass(frozen=True)
class Shadow:
    """A shadow as a texture on the floor. `low_m` is (x, z) of its first corner, `corner_m` holds all four corners."""

    mask: Float[Tensor, "1 1 rows columns"]
    low_m: Float[Tensor, "2"]
    size_m: Float[Tensor, "2"]
    corner_m: Float[Tensor, "4 3"]


def cast_shadow(vertex_m: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Shadow:
    """The parallel projection of a surface onto the floor, blurred."""
    height = vertex_m[:, 1:2].clamp(min=0)
    flat = vertex_m[:, [0, 2]] + height * height.new_tensor(_SLANT)
    margin = 4 * _BLUR_M
    low, high = flat.amin(0) - margin, flat.amax(0) + margin
    (left_m, near_m), (right_m, far_m) = torch.stack([low, high]).tolist()  # a GPU is waited for once
    sides_m = right_m - left_m, far_m - near_m
    texel_m = max(_TEXEL_M, max(sides_m) / _MOST_TEXELS)
    width, rows = (math.ceil(side_m / texel_m) for side_m in sides_m)
    texture_point = torch.cat([(flat - low) / texel_m, torch.ones_like(height)], 1)
    mask = vertex_m.new_zeros(rows * width)
    mask[rasterize(texture_point[None], faces, width, rows, back_faces="show").pixel] = 1
    mask = _blurred(mask.reshape(1, 1, rows, width), _BLUR_M / texel_m)
    corner = [[left_m, 0, near_m], [left_m, 0, far_m], [right_m, 0, near_m], [right_m, 0, far_m]]
    return Shadow(mask, low, low.new_tensor([width, rows]) * texel_m, vertex_m.new_tensor(corner))


def add_shadow(image: Float[Tensor, "height width channels"], shadow: Shadow, backdrop: Backdrop) -> None:
    """Draws on the backdrop's `canvas`: darkens the floor, or makes it opaque where it is transparent."""
    left, top, right, bottom = image_window(shadow.corner_m, backdrop.camera)
    if left >= right or top >= bottom:
        return
    grid = (backdrop.floor_m[top:bottom, left:right] - shadow.low_m) / shadow.size_m * 2 - 1
    shade = grid_sample(shadow.mask, grid[None], align_corners=False)[0, 0]
    shade = _DARKNESS * (shade * backdrop.floor_opacity[top:bottom, left:right])[..., None]
    part = image[top:bottom, left:right]
    part.mul_(1 - shade)
    if backdrop.color is None:
        part[..., 3:] += shade


def _blurred(mask: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of a picture (1, 1, rows, columns)."""
    radius = max(1, math.ceil(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=mask.device) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    mask = conv2d(mask, kernel[None, None, None], padding=(0, radius))
    return conv2d(mask, kernel[None, None, :, None], padding=(radius, 0))
