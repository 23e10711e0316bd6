"""The back end "raster": motionrep's own rasteriser, in torch."""

from collections.abc import Callable
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera, to_camera
from motionrep.rendering.projection import screen_points
from motionrep.rendering.raster import Fragments, rasterize
from motionrep.rendering.surfaces import Layer, Surface

Rasterize = Callable[[Tensor, Tensor, int, int], Fragments]  # as `raster.rasterize`


def open_raster(device: torch.device) -> tuple[str, Layer]:
    """What it draws with, and the layer; works on every device."""
    return "our own rasteriser", raster_layer


def raster_layer(
    surface: Surface, camera: PinholeCamera, supersample: int, rasterize: Rasterize = rasterize
) -> Float[Tensor, "height width 4"]:
    """A `Layer` by a rasteriser; each pixel is the mean of its samples."""
    columns, rows = camera.width_px * supersample, camera.height_px * supersample
    screen = screen_points(to_camera(surface.vertex_m, camera), camera)
    seen = rasterize(screen[None] * screen.new_tensor([supersample, supersample, 1]), surface.faces, columns, rows)
    color = torch.cat([surface.color, torch.ones_like(surface.color[:, :1])], 1)
    sample = seen.interpolate(color[None], surface.faces)
    picture = screen.new_zeros(rows * columns, 4).index_copy_(0, seen.pixel, sample)
    return _box_mean(picture.reshape(rows, columns, 4), supersample)


def _box_mean(picture: Tensor, size: int) -> Tensor:
    """Mean of blocks of size x size pixels of a picture (rows, columns, channels)."""
    rows, columns, channels = picture.shape
    lines = picture.reshape(rows // size, size, columns * channels)
    line = reduce(torch.add, lines.unbind(1))
    blocks = line.reshape(rows // size, columns // size, size, channels)
    return reduce(torch.add, blocks.unbind(2)) / size**2
