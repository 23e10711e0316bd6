"""From world points to pixels, also for points behind the camera."""

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera, to_camera

NEAR_M = 0.05


def screen_points(point_camera_m: Float[Tensor, "*batch 3"], camera: PinholeCamera) -> Float[Tensor, "*batch 3"]:
    """Homogeneous pixels `(x * depth, y * depth, depth)` of points in camera axes; the depth may be negative."""
    depth = point_camera_m[..., 2:]
    center = point_camera_m.new_tensor(camera.center_px)
    return torch.cat([point_camera_m[..., :2] * camera.focal_px + center * depth, depth], dim=-1)


def image_window(point_world_m: Float[Tensor, "points 3"], camera: PinholeCamera) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of the part of the image that the points span.

    It is the whole image if a point lies before the near plane, and empty (left >= right or top >= bottom) if all
    points lie outside.
    """
    screen = screen_points(to_camera(point_world_m, camera), camera)
    if float(screen[:, 2].min()) < NEAR_M:
        return 0, 0, camera.width_px, camera.height_px
    xy = screen[:, :2] / screen[:, 2:]
    (left, top), (right, bottom) = xy.amin(0).floor().tolist(), xy.amax(0).ceil().tolist()
    return max(0, int(left)), max(0, int(top)), min(camera.width_px, int(right)), min(camera.height_px, int(bottom))


def rotation_and_eye(
    camera: PinholeCamera, device: torch.device | str
) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "3"]]:
    """The rotation camera_from_world, and the camera's position in the world."""
    transform = camera.camera_from_world.to(device, torch.float32)
    rotation = transform[:3, :3]
    return rotation, -rotation.T @ transform[:3, 3]
