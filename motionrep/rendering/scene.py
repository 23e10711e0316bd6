"""One picture of a scene: lit surfaces and their soft shadow, in front of a backdrop.

World axes: right-handed, metres, y up, floor at y = 0. Colours are display values (sRGB) between 0 and 1.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backdrop import Backdrop, as_bytes
from motionrep.rendering.backends.raster_layer import raster_layer
from motionrep.rendering.projection import image_window, rotation_and_eye
from motionrep.rendering.shadow import add_shadow, cast_shadow
from motionrep.rendering.surfaces import Layer, Surface, joined, vertex_normals


def draw(
    surfaces: Sequence[Surface], backdrop: Backdrop, supersample: int = 2, layer: Layer = raster_layer
) -> UInt8[Tensor, "height width channels"]:
    """The surfaces in front of a backdrop; each pixel is the mean of `supersample` squared samples.

    The picture has three channels, or four in front of a transparent backdrop. The colour is then not multiplied by
    the opacity (straight alpha, as in PNG), and the shadow is translucent black.

    Args:
        layer: Draws the lit surfaces. Light, floor and shadow are the same for all layers.
    """
    picture = backdrop.empty.clone()
    if not surfaces:
        return picture
    whole = joined(surfaces)
    shadow = cast_shadow(whole.vertex_m, whole.faces) if bool((backdrop.floor_opacity > 0).any()) else None
    points = whole.vertex_m if shadow is None else torch.cat([whole.vertex_m, shadow.corner_m])
    left, top, right, bottom = image_window(points, backdrop.camera)
    if left < right and top < bottom:
        part = backdrop.cropped(left, top, right, bottom)
        image = part.canvas()
        if shadow is not None:
            add_shadow(image, shadow, part)
        _add_surface(image, whole, part.camera, supersample, layer)
        picture[top:bottom, left:right] = as_bytes(image)
    return picture


def _add_surface(image: Tensor, surface: Surface, camera: PinholeCamera, supersample: int, layer: Layer) -> None:
    left, top, right, bottom = image_window(surface.vertex_m, camera)
    if left >= right or top >= bottom:
        return
    x, y = camera.center_px
    window = replace(camera, center_px=(x - left, y - top), width_px=right - left, height_px=bottom - top)
    drawn = layer(replace(surface, color=_lit_color(surface, camera)), window, supersample)
    image[top:bottom, left:right].mul_(1 - drawn[..., 3:]).add_(drawn[..., : image.shape[2]])


def _lit_color(surface: Surface, camera: PinholeCamera) -> Float[Tensor, "vertices 3"]:
    """Colour of each vertex as the camera sees it.

    Light comes from the sky, from the floor, and from a wide key light at the camera's upper left. Grazing angles are
    darker.
    """
    point_m, normal = surface.vertex_m, vertex_normals(surface.vertex_m, surface.faces)
    rotation, eye = rotation_and_eye(camera, point_m.device)
    to_eye = normalize(eye - point_m, dim=-1)
    key = normalize(point_m.new_tensor([-0.45, -0.65, -0.75]) @ rotation, dim=0)
    sky = 0.5 + 0.5 * normal[:, 1]
    wrapped = ((normal @ key + 0.35) / 1.35).clamp(min=0)
    facing = (normal * to_eye).sum(-1).clamp(0, 1)
    shine = (normal * normalize(key + to_eye, dim=-1)).sum(-1).clamp(min=0) ** 24
    brightness = (0.38 + 0.26 * sky + 0.50 * wrapped) * (1 - 0.3 * (1 - facing) ** 3)
    return (surface.color * brightness[:, None] + 0.06 * shine[:, None]).clamp(0, 1)
