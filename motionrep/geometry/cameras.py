"""Pinhole cameras: x right, y down, z forward; pixels from the image's top left corner."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.checks.values import (
    LARGEST_M,
    number,
    picture_size,
    require_clip,
    require_rotations,
    require_shape,
    require_within,
)

DEFAULT_HFOV_DEG = 50.0
_FITTED_HFOV_DEG = (15.0, 110.0)

_LARGEST_FOCAL_PX = 1e7
_LEVEL_DEG, _TILTED_DEG = 15.0, 60.0
# What is known of a camera's world: y is up and 0 on the floor; y is up; or nothing, nor how long its metre is.
World = Literal["floor", "upright", "any"]


@dataclass(frozen=True)
class PinholeCamera:
    """One camera, without lens distortion.

    Attributes:
        camera_from_world: A rigid 4 x 4 transform, metres, column vectors. A camera that moves has one for each frame
            of the video, from its frame 0.
        world: "floor" where y is up and 0 on the floor, "upright" where y is up, "any" where only a camera that moves
            is known up to axes, origin and scale. Recovery finds the rest (`fitting.floor`).
    """

    focal_px: float
    center_px: tuple[float, float]
    width_px: int
    height_px: int
    camera_from_world: Float[Tensor, "*frames 4 4"] = field(default_factory=lambda: torch.eye(4))
    world: World = "floor"

    def __post_init__(self) -> None:
        for name, value, least in (
            ("focal_px", self.focal_px, 1e-3), *(("center_px", it, -_LARGEST_FOCAL_PX) for it in self.center_px),
        ):  # fmt: skip
            if isinstance(value, bool) or not least <= number(value) <= _LARGEST_FOCAL_PX:
                raise ValueError(
                    f"PinholeCamera.{name}: expected {'a positive number' if least > 0 else 'numbers'} of pixels up to "
                    f"{_LARGEST_FOCAL_PX:g}, got {value!r}"
                )
        if len(self.center_px) != 2:
            raise ValueError(f"PinholeCamera.center_px: expected x and y, got {self.center_px!r}")
        picture_size("PinholeCamera", self.width_px, self.height_px)
        name = "PinholeCamera.camera_from_world"
        if self.moves:
            require_clip(name, self.camera_from_world, (None, 4, 4), LARGEST_M)
        else:
            require_shape(name, self.camera_from_world, (4, 4))
            require_within(name, self.camera_from_world, LARGEST_M)
        require_rotations(name, self.camera_from_world[..., :3, :3])
        last = self.camera_from_world[..., 3, :].reshape(-1, 4)
        if bool((wrong := (last != last.new_tensor([0.0, 0.0, 0.0, 1.0])).any(1)).any()):
            raise ValueError(f"{name}: expected 0, 0, 0, 1 in the last row, got {last[wrong][0].tolist()}")
        if self.world not in get_args(World):
            raise ValueError(f"PinholeCamera.world: expected one of {', '.join(get_args(World))}, got {self.world!r}")

    @classmethod
    def from_hfov(cls, width_px: int, height_px: int, hfov_deg: float = DEFAULT_HFOV_DEG) -> "PinholeCamera":
        """A camera with a horizontal field of view and its principal point in the middle of the image.

        The default is what motionrep assumes of a video whose camera is unknown.

        Raises:
            ValueError: The field of view is not between 0 and 180 degrees.
        """
        if not 0 < hfov_deg < 180:
            raise ValueError(f"hfov_deg must lie between 0 and 180 degrees, got {hfov_deg}")
        focal_px = width_px / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(focal_px, (width_px / 2, height_px / 2), width_px, height_px)

    @property
    def hfov_deg(self) -> float:
        """Horizontal field of view in degrees."""
        return math.degrees(2 * math.atan(self.width_px / 2 / self.focal_px))

    @property
    def moves(self) -> bool:
        """Whether `camera_from_world` has an axis of frames."""
        return self.camera_from_world.dim() > 2

    def during(self, first_frame: int, frames: int) -> "PinholeCamera":
        """The camera during some frames of the video: one pose for each, where it moves.

        Raises:
            ValueError: It moves, and is not known in all of these frames.
        """
        if not self.moves:
            return self
        if first_frame + frames > len(self.camera_from_world):
            raise ValueError(
                f"camera: moves and has {len(self.camera_from_world)} poses, but somebody is in frames {first_frame} "
                f"to {first_frame + frames - 1}; give a pose for each frame of the video, from its frame 0"
            )
        return replace(self, camera_from_world=self.camera_from_world[first_frame : first_frame + frames])

    def mirrored(self) -> "PinholeCamera":
        """The camera of the mirrored picture (`embedding.mirrored`), in the world mirrored at x = 0."""
        sign = self.camera_from_world.new_tensor([-1.0, 1.0, 1.0, 1.0])
        return replace(
            self,
            center_px=(self.width_px - self.center_px[0], self.center_px[1]),
            camera_from_world=sign[:, None] * self.camera_from_world * sign,
        )


def camera_from_world_looking(
    eye_m: Float[Tensor, "3"], target_m: Float[Tensor, "3"], roll_rad: float = 0.0
) -> Float[Tensor, "4 4"]:
    """Transform of a camera at `eye_m` that looks at `target_m`, in a world whose y axis points up.

    A positive roll turns the camera clockwise, seen from behind it, so the picture's content turns anticlockwise.

    Raises:
        ValueError: The camera would look straight up or down, or at its own place, which leaves its roll undefined.
    """
    if bool((target_m - eye_m)[[0, 2]].abs().max() < 1e-6):
        raise ValueError(
            f"target_m must not be straight above or below eye_m, got {target_m.tolist()}, {eye_m.tolist()}"
        )
    forward = torch.nn.functional.normalize(target_m - eye_m, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, forward.new_tensor([0.0, 1.0, 0.0])), dim=0)
    down = torch.linalg.cross(forward, right)
    cos, sin = math.cos(roll_rad), math.sin(roll_rad)
    rotation = torch.stack([cos * right + sin * down, cos * down - sin * right, forward])
    camera_from_world = torch.eye(4).to(eye_m)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ eye_m
    return camera_from_world


def to_camera(point_world_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 3"]:
    """World points in the camera's axes; (frames points 3) for a camera that moves."""
    transform = camera.camera_from_world.to(point_world_m)
    shift_m = transform[:, None, :3, 3] if camera.moves else transform[:3, 3]
    return point_world_m @ transform[..., :3, :3].mT + shift_m


def project(point_camera_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 2"]:
    """Pixels of points in camera axes; points with z <= 0 lie behind the camera and give meaningless pixels."""
    xy_px = point_camera_m[..., :2] / point_camera_m[..., 2:] * camera.focal_px
    return torch.stack([xy_px[..., i] + camera.center_px[i] for i in (0, 1)], -1)  # numbers need no copy to a GPU


def translation_from_keypoints(
    point_m: Float[Tensor, "frames joints 3"],
    xy_px: Float[Tensor, "frames joints 2"],
    confidence: Float[Tensor, "frames joints"],
    camera: PinholeCamera,
    smoothness: float = 3.0,
) -> Float[Tensor, "frames 3"]:
    """Translations that make posed points (camera axes, metres, any origin) project onto their keypoints.

    Each keypoint gives two equations that are linear in the translation t, weighted by its confidence:
    `t_x - u t_z = u z - x` with `u = (x_px - c_x) / f`, and the same for y. The second difference of t over time is
    kept small, more so along the line of sight, where single frames say little. This is one banded least-squares
    problem from the first to the last frame with keypoints. Frames without keypoints follow their neighbours; before
    and after, the translation stands still.

    Args:
        confidence: 0 for unseen keypoints.
        smoothness: Weight of the second difference.

    Raises:
        ValueError: No keypoint has a positive confidence.
    """
    on_cpu = point_m.cpu(), xy_px.cpu(), confidence.cpu()
    return _translation_from_keypoints(*on_cpu, camera, smoothness).to(point_m)


def _translation_from_keypoints(
    point_m: Tensor, xy_px: Tensor, confidence: Tensor, camera: PinholeCamera, smoothness: float
) -> Tensor:
    if not bool((confidence > 0).any()):
        raise ValueError(
            "no keypoint of the clip has a confidence above 0, so the person cannot be placed in the camera"
        )
    seen = (confidence > 0).any(1).nonzero()[:, 0]
    first, last = int(seen[0]), int(seen[-1])
    if first > 0 or last < len(confidence) - 1:
        span = slice(first, last + 1)
        inner = _translation_from_keypoints(point_m[span], xy_px[span], confidence[span], camera, smoothness)
        return inner[torch.arange(len(confidence)).sub(first).clamp(0, last - first)]
    x, y, z = point_m.double().numpy().transpose(2, 0, 1)
    weight = confidence.double().numpy() ** 2
    u, v = ((xy_px.double().numpy() - np.array(camera.center_px)) / camera.focal_px).transpose(2, 0, 1)
    frames = x.shape[0]
    normal = np.zeros((frames, 3, 3))
    right = np.zeros((frames, 3))
    for ratio, across, axis in ((u, x, 0), (v, y, 1)):
        target = ratio * z - across
        normal[:, axis, axis] += weight.sum(1)
        normal[:, 2, axis] -= (weight * ratio).sum(1)
        normal[:, 2, 2] += (weight * ratio**2).sum(1)
        right[:, axis] += (weight * target).sum(1)
        right[:, 2] -= (weight * ratio * target).sum(1)
    bands = np.zeros((7, frames, 3))  # bands[k, frame, axis]: entry (3 frame + axis + k, 3 frame + axis), lower half
    for k in range(3):
        for axis in range(3 - k):
            bands[k, :, axis] = normal[:, axis + k, axis]
    stiffness = smoothness * np.array([1.0, 1.0, 10.0])
    for k, coefficients in ((0, (1, 4, 1)), (3, (-2, -2)), (6, (1,))):
        for offset, coefficient in enumerate(coefficients):
            bands[k, offset : frames - 2 + offset] += coefficient * stiffness if frames > 2 else 0
    bands[0] += 1e-9
    from scipy.linalg import solveh_banded  # scipy takes a third as long to import as torch

    solution = solveh_banded(bands.reshape(7, -1)[: 3 * frames], right.reshape(-1), lower=True)
    return torch.from_numpy(solution.reshape(frames, 3))


def require_picture(camera: PinholeCamera, width_px: int, height_px: int) -> None:
    """Checks that a camera takes pictures of the size, in pixels, in which keypoints were found.

    Raises:
        ValueError: The sizes differ.
    """
    if (camera.width_px, camera.height_px) != (width_px, height_px):
        raise ValueError(
            f"camera: takes pictures of {camera.width_px} x {camera.height_px} px, the keypoints are of "
            f"{width_px} x {height_px} px"
        )


def fitted_camera(
    point_m: Float[Tensor, "frames joints 3"],
    xy_px: Float[Tensor, "frames joints 2"],
    confidence: Float[Tensor, "frames joints"],
    width_px: int,
    height_px: int,
) -> PinholeCamera:
    """Estimates a camera's field of view, from 15 to 110 degrees, by how well posed points project onto keypoints.

    For each field of view, `translation_from_keypoints` places the points. Distances on the image are weighted by
    confidence; beyond 1 % of the image width they lose influence (Geman-McClure). The estimate rests on perspective
    alone, so it needs people who are near and move.

    Raises:
        ValueError: No keypoint has a positive confidence.
    """
    tolerance_px = 0.01 * width_px

    def error(hfov_deg: float) -> float:
        camera = PinholeCamera.from_hfov(width_px, height_px, hfov_deg)
        moved_m = point_m + translation_from_keypoints(point_m, xy_px, confidence, camera)[:, None]
        squared = (project(moved_m, camera) - xy_px).square().sum(-1) / tolerance_px**2
        return float((confidence * squared / (squared + 1)).sum())

    from scipy.optimize import minimize_scalar

    best = minimize_scalar(error, bounds=_FITTED_HFOV_DEG, method="bounded", options={"xatol": 0.5})
    return PinholeCamera.from_hfov(width_px, height_px, float(best.x))


def up_in_camera(upright: Float[Tensor, "3"]) -> Float[Tensor, "3"]:
    """The direction up in camera axes, estimated from the mean direction from a person's feet to the pelvis.

    Between 15 and 60 degrees from the camera's own up (-y), it is the given direction. Below, it is the camera's up,
    since most cameras are level and people lean. Above, it is the camera's up too, since the person lies or hangs.
    """
    level = upright.new_tensor([0.0, -1.0, 0.0])
    upright = normalize(upright, dim=0)
    angle_deg = math.degrees(math.acos(max(-1.0, min(1.0, float(upright @ level)))))
    return upright if _LEVEL_DEG < angle_deg < _TILTED_DEG else level
