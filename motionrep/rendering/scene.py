"""One picture of a scene: lit surfaces, a checkered floor that fades out, and a soft shadow on it.

World axes: right-handed, metres, y up, floor at y = 0. Colours are display values (sRGB) between 0 and 1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, normalize

from motionrep.geometry.cameras import PinholeCamera, to_camera
from motionrep.rendering.raster import NEAR_M, Fragments, rasterize, screen_points

_TOP, _BOTTOM = (0.975, 0.98, 0.985), (0.92, 0.925, 0.935)  # background
_TILES = (0.90, 0.905, 0.915), (0.78, 0.79, 0.81)
_TILE_M = 0.5
_FADE_M = (1.4, 4.2)
_SHADOW_SLANT = (-0.16, -0.2)  # horizontal shift of a point's shadow per metre of height, away from both views
_SHADOW_DARKNESS = 0.42
_SHADOW_BLUR_M = 0.035
_SHADOW_TEXEL_M = 0.015
_SHADOW_TEXELS = 512


@dataclass(frozen=True)
class Surface:
    """One thing to draw: a triangle mesh in world axes, its faces counter-clockwise seen from outside."""

    vertex_m: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]
    color: Float[Tensor, "vertices 3"]


@dataclass(frozen=True)
class Backdrop:
    """What a camera sees behind the surfaces; the same for every frame while the camera stands still.

    `color` is the empty picture, floor included; None is transparent. `floor_m` is where (x, z) each pixel's ray meets
    the floor, `floor_opacity` how much of a shadow shows there, 0 where there is no floor. For a video with a camera
    that stands still, `dataclasses.replace(backdrop, color=frame)` puts each frame behind.
    """

    camera: PinholeCamera
    color: Float[Tensor, "height width 3"] | None
    floor_m: Float[Tensor, "height width 2"]
    floor_opacity: Float[Tensor, "height width"]

    @cached_property
    def empty(self) -> UInt8[Tensor, "height width channels"]:
        """The picture without surfaces, three or four channels."""
        return _bytes(self._canvas())

    def cropped(self, left: int, top: int, right: int, bottom: int) -> "Backdrop":
        """A rectangle of it, as a camera with a smaller image sees it."""
        x, y = self.camera.center_px
        camera = replace(self.camera, center_px=(x - left, y - top), width_px=right - left, height_px=bottom - top)
        area = (slice(top, bottom), slice(left, right))
        color = None if self.color is None else self.color[area]
        return Backdrop(camera, color, self.floor_m[area], self.floor_opacity[area])

    def _canvas(self) -> Tensor:
        """A copy to draw on, colour multiplied by opacity."""
        return self.floor_opacity.new_zeros(*self.floor_opacity.shape, 4) if self.color is None else self.color.clone()


# Draws a surface in its own colours as a camera sees it, with a number of samples per pixel along x and y. Gives colour
# times opacity, and opacity: (height, width, 4) between 0 and 1.
Layer = Callable[[Surface, PinholeCamera, int], Tensor]
Rasterize = Callable[[Tensor, Tensor, int, int], Fragments]  # as `raster.rasterize`


def make_backdrop(
    camera: PinholeCamera,
    floor_center_m: Float[Tensor, "3"] | None,
    device: torch.device | str = "cpu",
    behind: Float[Tensor, "height width 3"] | Literal["studio", "transparent"] = "studio",
) -> Backdrop:
    """The empty scene.

    Args:
        floor_center_m: The floor fades out around it; None means no floor, and no shadow.
        behind: "studio" is light grey with a checkered floor. A picture (display values 0 to 1, of the camera's size)
            or "transparent" has no tiles, only the shadow.

    Raises:
        ValueError: A picture that does not have the size of the camera's image.
    """
    width, height = camera.width_px, camera.height_px
    if isinstance(behind, Tensor) and behind.shape != (height, width, 3):
        raise ValueError(
            f"the picture behind has shape {tuple(behind.shape)}, the camera's image needs {(height, width, 3)}; "
            "resize it, or use views.fitted on the camera"
        )
    ramp = torch.linspace(0, 1, height, device=device)[:, None, None]
    color = ramp.new_tensor(_TOP) * (1 - ramp) + ramp.new_tensor(_BOTTOM) * ramp
    color = color.expand(height, width, 3)
    rotation, eye = _pose(camera, device)
    if floor_center_m is None or eye[1] < 0.05:
        floor_m, opacity = color.new_zeros(height, width, 2), color.new_zeros(height, width)
    else:
        floor_m, opacity, light = _floor(camera, rotation, eye, floor_center_m)
        bright, dark = (color.new_tensor(tile) for tile in _TILES)
        color = torch.lerp(color, dark + light[..., None] * (bright - dark), opacity[..., None])
    if not isinstance(behind, str):
        return Backdrop(camera, behind.to(color), floor_m, opacity)
    return Backdrop(camera, color if behind == "studio" else None, floor_m, opacity)


def _floor(camera: PinholeCamera, rotation: Tensor, eye: Tensor, center_m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each pixel meets the floor, how opaque the floor is there, and the checkers, 0 dark to 1 bright."""
    width, height, device = camera.width_px, camera.height_px, eye.device
    x = (torch.arange(width + 1, device=device) + 0.5 - camera.center_px[0]) / camera.focal_px
    y = (torch.arange(height + 1, device=device) + 0.5 - camera.center_px[1]) / camera.focal_px
    ray = [rotation[0, axis] * x + rotation[1, axis] * y[:, None] + rotation[2, axis] for axis in range(3)]
    reach = eye[1] / (-ray[1]).clamp(min=1e-4)
    floor_m, stripes = [], []
    for axis in (0, 2):
        hit = eye[axis] + ray[axis] * reach
        footprint = (hit[:-1, 1:] - hit[:-1, :-1]).abs() + (hit[1:, :-1] - hit[:-1, :-1]).abs()
        floor_m.append(hit[:-1, :-1])
        stripes.append(_square_wave(floor_m[-1] / _TILE_M, footprint / _TILE_M))
    light = 0.5 + 0.5 * stripes[0] * stripes[1]
    distance = torch.hypot(floor_m[0] - float(center_m[0]), floor_m[1] - float(center_m[2]))
    near = 1 - ((distance - _FADE_M[0]) / (_FADE_M[1] - _FADE_M[0])).clamp(0, 1)
    opacity = near * near * (3 - 2 * near) * (ray[1][:-1, :-1] < -1e-3)
    return torch.stack(floor_m, -1), opacity, light


def vertex_normals(vertex_m: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "vertices 3"]:
    """Unit normals, the mean of the adjoining faces' weighted by area; they point outside."""
    corner = vertex_m[faces]
    normal = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = torch.zeros_like(vertex_m)
    for i in range(3):
        total.index_add_(0, faces[:, i], normal)
    return normalize(total, dim=-1)


def draw(
    surfaces: Sequence[Surface], backdrop: Backdrop, supersample: int = 2, layer: Layer | None = None
) -> UInt8[Tensor, "height width channels"]:
    """The surfaces in front of a backdrop; each pixel is the mean of `supersample` squared samples.

    Three channels, or four in front of a transparent backdrop: the colour is then not multiplied by the opacity
    (straight alpha, as in PNG), and the shadow is translucent black.

    Args:
        layer: Draws the lit surfaces, `raster_layer` when None. Light, floor and shadow are the same for all.
    """
    picture = backdrop.empty.clone()
    if not surfaces:
        return picture
    whole = joined(surfaces)
    shadow = _shadow(whole.vertex_m, whole.faces) if bool((backdrop.floor_opacity > 0).any()) else None
    points = whole.vertex_m if shadow is None else torch.cat([whole.vertex_m, shadow.corner_m])
    left, top, right, bottom = _window(points, backdrop.camera)
    if left < right and top < bottom:
        part = backdrop.cropped(left, top, right, bottom)
        image = part._canvas()
        if shadow is not None:
            _add_shadow(image, shadow, part)
        _add_surface(image, whole, part.camera, supersample, layer or raster_layer)
        picture[top:bottom, left:right] = _bytes(image)
    return picture


def raster_layer(
    surface: Surface, camera: PinholeCamera, supersample: int, rasterize: Rasterize = rasterize
) -> Float[Tensor, "height width 4"]:
    """What the camera sees of a surface, in its own colours: a `Layer`, by a rasteriser and means of its samples."""
    columns, rows = camera.width_px * supersample, camera.height_px * supersample
    screen = screen_points(to_camera(surface.vertex_m, camera), camera)
    seen = rasterize(screen[None] * screen.new_tensor([supersample, supersample, 1]), surface.faces, columns, rows)
    color = torch.cat([surface.color, torch.ones_like(surface.color[:, :1])], 1)
    sample = seen.interpolate(color[None], surface.faces)
    picture = screen.new_zeros(rows * columns, 4).index_copy_(0, seen.pixel, sample)
    return _box_mean(picture.reshape(rows, columns, 4), supersample)


def joined(surfaces: Sequence[Surface]) -> Surface:
    """All surfaces as one."""
    if len(surfaces) == 1:
        return surfaces[0]
    counts = [len(surface.vertex_m) for surface in surfaces]
    faces = [surface.faces + sum(counts[:index]) for index, surface in enumerate(surfaces)]
    return Surface(
        torch.cat([surface.vertex_m for surface in surfaces]),
        torch.cat(faces),
        torch.cat([surface.color for surface in surfaces]),
    )


def _add_surface(image: Tensor, surface: Surface, camera: PinholeCamera, supersample: int, layer: Layer) -> None:
    left, top, right, bottom = _window(surface.vertex_m, camera)
    if left >= right or top >= bottom:
        return
    x, y = camera.center_px
    window = replace(camera, center_px=(x - left, y - top), width_px=right - left, height_px=bottom - top)
    drawn = layer(replace(surface, color=_light(surface, camera)), window, supersample)
    image[top:bottom, left:right].mul_(1 - drawn[..., 3:]).add_(drawn[..., : image.shape[2]])


def _light(surface: Surface, camera: PinholeCamera) -> Tensor:
    """Colour of each vertex as the camera sees it.

    Light from the sky and the floor, a wide key light from the camera's upper left, and darker grazing angles.
    """
    point_m, normal = surface.vertex_m, vertex_normals(surface.vertex_m, surface.faces)
    rotation, eye = _pose(camera, point_m.device)
    to_eye = normalize(eye - point_m, dim=-1)
    key = normalize(point_m.new_tensor([-0.45, -0.65, -0.75]) @ rotation, dim=0)
    sky = 0.5 + 0.5 * normal[:, 1]
    wrapped = ((normal @ key + 0.35) / 1.35).clamp(min=0)
    facing = (normal * to_eye).sum(-1).clamp(0, 1)
    shine = (normal * normalize(key + to_eye, dim=-1)).sum(-1).clamp(min=0) ** 24
    brightness = (0.38 + 0.26 * sky + 0.50 * wrapped) * (1 - 0.3 * (1 - facing) ** 3)
    return (surface.color * brightness[:, None] + 0.06 * shine[:, None]).clamp(0, 1)


@dataclass(frozen=True)
class _Shadow:
    """A soft shadow as a texture on the floor: `low` is (x, z) of its first corner, `corner_m` has all four."""

    mask: Float[Tensor, "1 1 rows columns"]
    low: Float[Tensor, "2"]
    size_m: Float[Tensor, "2"]
    corner_m: Float[Tensor, "4 3"]


def _shadow(vertex_m: Tensor, faces: Tensor) -> _Shadow:
    """The surface's parallel projection onto the floor, blurred."""
    height = vertex_m[:, 1:2].clamp(min=0)
    flat = vertex_m[:, [0, 2]] + height * height.new_tensor(_SHADOW_SLANT)
    margin = 4 * _SHADOW_BLUR_M
    low, high = flat.amin(0) - margin, flat.amax(0) + margin
    texel_m = max(_SHADOW_TEXEL_M, float((high - low).max()) / _SHADOW_TEXELS)
    width, rows = (math.ceil(float(n) / texel_m) for n in high - low)
    texture_point = torch.cat([(flat - low) / texel_m, torch.ones_like(height)], 1)
    mask = vertex_m.new_zeros(rows * width)
    mask[rasterize(texture_point[None], faces, width, rows, back_faces="show").pixel] = 1
    mask = _blurred(mask.reshape(1, 1, rows, width), _SHADOW_BLUR_M / texel_m)
    corner = [[low[0], 0, low[1]], [low[0], 0, high[1]], [high[0], 0, low[1]], [high[0], 0, high[1]]]
    return _Shadow(mask, low, low.new_tensor([width, rows]) * texel_m, vertex_m.new_tensor(corner))


def _add_shadow(image: Tensor, shadow: _Shadow, backdrop: Backdrop) -> None:
    """Darkens the floor of `image`, or covers it where it is transparent."""
    left, top, right, bottom = _window(shadow.corner_m, backdrop.camera)
    if left >= right or top >= bottom:
        return
    grid = (backdrop.floor_m[top:bottom, left:right] - shadow.low) / shadow.size_m * 2 - 1
    shade = grid_sample(shadow.mask, grid[None], align_corners=False)[0, 0]
    shade = _SHADOW_DARKNESS * (shade * backdrop.floor_opacity[top:bottom, left:right])[..., None]
    part = image[top:bottom, left:right]
    part.mul_(1 - shade)
    if backdrop.color is None:
        part[..., 3:] += shade


def _bytes(image: Tensor) -> Tensor:
    """0 to 255; the colour of a picture with four channels is no longer multiplied by its opacity."""
    if image.shape[2] == 4:
        image = torch.cat([image[..., :3] / image[..., 3:].clamp(min=1e-6), image[..., 3:]], -1)
    return (image * 255).add_(0.5).clamp_(0, 255).byte()


def _window(point_m: Tensor, camera: PinholeCamera) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the image that lies between the points (world axes)."""
    screen = screen_points(to_camera(point_m, camera), camera)
    if float(screen[:, 2].min()) < NEAR_M:
        return 0, 0, camera.width_px, camera.height_px
    xy = screen[:, :2] / screen[:, 2:]
    (left, top), (right, bottom) = xy.amin(0).floor().tolist(), xy.amax(0).ceil().tolist()
    return max(0, int(left)), max(0, int(top)), min(camera.width_px, int(right)), min(camera.height_px, int(bottom))


def _pose(camera: PinholeCamera, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Rotation camera from world, and the eye's place in the world."""
    transform = camera.camera_from_world.to(device, torch.float32)
    rotation = transform[:3, :3]
    return rotation, -rotation.T @ transform[:3, 3]


def _square_wave(x: Tensor, width: Tensor) -> Tensor:
    """Mean over `width` of the wave that is 1 on even and -1 on odd unit intervals."""

    def integral(t: Tensor) -> Tensor:
        return 1 - (t - 2 * (t / 2).floor() - 1).abs()

    width = width.clamp(min=1e-4)
    return ((integral(x + width / 2) - integral(x - width / 2)) / width).clamp(-1, 1)


def _box_mean(picture: Tensor, size: int) -> Tensor:
    """Mean of blocks of size x size pixels of a picture (rows, columns, channels)."""
    rows, columns, channels = picture.shape
    lines = picture.reshape(rows // size, size, columns * channels)
    line = reduce(torch.add, lines.unbind(1))
    blocks = line.reshape(rows // size, columns // size, size, channels)
    return reduce(torch.add, blocks.unbind(2)) / size**2


def _blurred(mask: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of a picture (1, 1, rows, columns)."""
    radius = max(1, math.ceil(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=mask.device) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    mask = conv2d(mask, kernel[None, None, None], padding=(0, radius))
    return conv2d(mask, kernel[None, None, :, None], padding=(radius, 0))
