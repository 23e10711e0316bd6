"""What stands behind the surfaces of a scene: a grey studio with a checkered floor, a picture, or nothing.

World axes: right-handed, metres, y up, floor at y = 0. Colours are display values (sRGB) between 0 and 1.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.projection import rotation_and_eye

_TOP, _BOTTOM = (0.975, 0.98, 0.985), (0.92, 0.925, 0.935)
_TILES = (0.90, 0.905, 0.915), (0.78, 0.79, 0.81)
_TILE_M = 0.5
_FADE_M = (1.4, 4.2)
_LOWEST_EYE_M = 0.05


@dataclass(frozen=True)
class Backdrop:
    """What a camera sees behind the surfaces. It is the same for every frame while the camera stands still.

    `color` is the empty picture, floor included; None is transparent. `floor_m` is the place (x, z) at which each
    pixel's ray meets the floor. `floor_opacity` says how much of a shadow shows there, and is 0 where there is no
    floor. For a video from a camera that stands still, `dataclasses.replace(backdrop, color=frame)` puts each frame
    behind the surfaces.
    """

    camera: PinholeCamera
    color: Float[Tensor, "height width 3"] | None
    floor_m: Float[Tensor, "height width 2"]
    floor_opacity: Float[Tensor, "height width"]

    @cached_property
    def empty(self) -> UInt8[Tensor, "height width channels"]:
        """The picture without surfaces, with three channels, or four if it is transparent."""
        return as_bytes(self.canvas())

    def canvas(self) -> Float[Tensor, "height width channels"]:
        """A copy to draw on: three channels, or four with the colour multiplied by the opacity."""
        return self.floor_opacity.new_zeros(*self.floor_opacity.shape, 4) if self.color is None else self.color.clone()

    def cropped(self, left: int, top: int, right: int, bottom: int) -> "Backdrop":
        """A rectangle of it, as a camera with a smaller image sees it."""
        x, y = self.camera.center_px
        camera = replace(self.camera, center_px=(x - left, y - top), width_px=right - left, height_px=bottom - top)
        area = (slice(top, bottom), slice(left, right))
        color = None if self.color is None else self.color[area]
        return Backdrop(camera, color, self.floor_m[area], self.floor_opacity[area])


def make_backdrop(
    camera: PinholeCamera,
    floor_center_m: Float[Tensor, "3"] | None,
    device: torch.device | str = "cpu",
    behind: Float[Tensor, "height width 3"] | Literal["studio", "transparent"] = "studio",
) -> Backdrop:
    """The empty scene.

    Args:
        floor_center_m: The floor fades out around this point; None means no floor and no shadow.
        behind: "studio" is light grey with a checkered floor. "transparent" and a picture (display values 0 to 1, of
            the size of the camera's image) have no tiles; only the shadow shows on the floor.

    Raises:
        ValueError: A picture that does not have the size of the camera's image.
    """
    width, height = camera.width_px, camera.height_px
    if isinstance(behind, Tensor) and behind.shape != (height, width, 3):
        raise ValueError(
            f"the picture behind has shape {tuple(behind.shape)}, the camera's image needs {(height, width, 3)}; "
            "resize the picture, or fit the camera to it with rendering.stage.fitted"
        )
    ramp = torch.linspace(0, 1, height, device=device)[:, None, None]
    color = ramp.new_tensor(_TOP) * (1 - ramp) + ramp.new_tensor(_BOTTOM) * ramp
    color = color.expand(height, width, 3)
    rotation, eye = rotation_and_eye(camera, device)
    if floor_center_m is None or eye[1] < _LOWEST_EYE_M:
        floor_m, opacity = color.new_zeros(height, width, 2), color.new_zeros(height, width)
    else:
        floor_m, opacity, light = _floor(camera, rotation, eye, floor_center_m)
        bright, dark = (color.new_tensor(tile) for tile in _TILES)
        color = torch.lerp(color, dark + light[..., None] * (bright - dark), opacity[..., None])
    if not isinstance(behind, str):
        return Backdrop(camera, behind.to(color), floor_m, opacity)
    return Backdrop(camera, color if behind == "studio" else None, floor_m, opacity)


def as_bytes(image: Float[Tensor, "height width channels"]) -> UInt8[Tensor, "height width channels"]:
    """The picture in 0 to 255. With four channels, the colour is divided by the opacity (straight alpha)."""
    if image.shape[2] == 4:
        image = torch.cat([image[..., :3] / image[..., 3:].clamp(min=1e-6), image[..., 3:]], -1)
    return (image * 255).add_(0.5).clamp_(0, 255).byte()


def _floor(camera: PinholeCamera, rotation: Tensor, eye: Tensor, center_m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each pixel meets the floor, how opaque the floor is there, and its tiles from 0 (dark) to 1 (bright)."""
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


def _square_wave(x: Tensor, width: Tensor) -> Tensor:
    """Mean over `width` of the wave that is 1 on even and -1 on odd unit intervals."""

    def integral(t: Tensor) -> Tensor:
        return 1 - (t - 2 * (t / 2).floor() - 1).abs()

    width = width.clamp(min=1e-4)
    return ((integral(x + width / 2) - integral(x - width / 2)) / width).clamp(-1, 1)
