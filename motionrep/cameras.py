"""Pinhole cameras: x right, y down, z forward; pixels from the image's top left corner."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

DEFAULT_HFOV_DEG = 50.0


@dataclass(frozen=True)
class PinholeCamera:
    """One camera, without lens distortion. `camera_from_world` is a rigid 4 x 4 transform, metres, column vectors."""

    focal_px: float
    center_px: tuple[float, float]
    width_px: int
    height_px: int
    camera_from_world: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4))

    @classmethod
    def from_hfov(cls, width_px: int, height_px: int, hfov_deg: float = DEFAULT_HFOV_DEG) -> "PinholeCamera":
        """A camera with a horizontal field of view and its centre in the middle of the image.

        The default is what motionrep assumes of a video whose camera is unknown.
        """
        if not 0 < hfov_deg < 180:
            raise ValueError(f"hfov_deg must lie between 0 and 180 degrees, got {hfov_deg}")
        focal_px = width_px / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(focal_px, (width_px / 2, height_px / 2), width_px, height_px)


def camera_from_world_looking(
    eye_m: Float[Tensor, "3"], target_m: Float[Tensor, "3"], roll_rad: float = 0.0
) -> Float[Tensor, "4 4"]:
    """Transform of a camera at `eye_m` that looks at `target_m`, in a world whose y axis points up."""
    forward = torch.nn.functional.normalize(target_m - eye_m, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, forward.new_tensor([0.0, 1.0, 0.0])), dim=0)
    down = torch.linalg.cross(forward, right)
    cos, sin = math.cos(roll_rad), math.sin(roll_rad)
    rotation = torch.stack([cos * right + sin * down, cos * down - sin * right, forward])
    camera_from_world = torch.eye(4, dtype=eye_m.dtype)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ eye_m
    return camera_from_world


def to_camera(point_world_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 3"]:
    """World points in the camera's axes."""
    transform = camera.camera_from_world.to(point_world_m)
    return point_world_m @ transform[:3, :3].T + transform[:3, 3]


def project(point_camera_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 2"]:
    """Pixels of points in camera axes; points with z <= 0 lie behind the camera and give meaningless pixels."""
    center = point_camera_m.new_tensor(camera.center_px)
    return point_camera_m[..., :2] / point_camera_m[..., 2:] * camera.focal_px + center
