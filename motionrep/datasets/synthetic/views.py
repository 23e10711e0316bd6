"""Views: the random choices behind one training sample, and the cameras that a batch of them has."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.synthetic.clip_changes import CameraMove
from motionrep.datasets.synthetic.runs import Run
from motionrep.layouts import JointLayout

_FARTHER, _MOST_STEPS = 1.2, 12


@dataclass(frozen=True)
class View:
    """Everything random about one sample.

    Attributes:
        start_s: Where in the run the sample starts.
        speed: Factor on the speed of the motion.
        aim_m: What the camera points at, relative to the mean of the hips.
        legs: Run whose legs and path are played instead, and where they start in it, in seconds.
        bones_m: Change of the body's bones (`OtherBones.draw`); zeros for the open body's own.
        rng: Draws the detector's errors.
        augmentation_rng: Draws turns of limbs and hidden keypoints.
    """

    run: Run
    start_s: float
    speed: float
    mirror: bool
    betas: np.ndarray
    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    distance_m: float
    hfov_rad: float
    aim_m: np.ndarray
    size_px: tuple[int, int]
    layout: JointLayout
    camera_move: CameraMove
    legs: tuple[Run, float] | None
    bones_m: np.ndarray
    rng: np.random.Generator
    augmentation_rng: np.random.Generator


def cameras(
    views: list[View], world_m: Float[Tensor, "batch frames joints 3"]
) -> tuple[Float[Tensor, "batch frames 3 3"], Float[Tensor, "batch frames 3"], Float[Tensor, " batch"]]:
    """Rotation and translation from the world to the camera, and the focal length over half the image width.

    Each camera steps back from its drawn distance until every joint is in the picture and more than 1 m away.

    Args:
        world_m: Joints in the world, the pelvis first.
    """

    def column(values: list[Any]) -> Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32)

    move = [view.camera_move for view in views]
    angles = column([[v.pitch_rad, v.yaw_rad, v.roll_rad] for v in views])[:, None] + column([m.turn_rad for m in move])
    # World axes to camera axes, y still up.
    facing = roma.euler_to_rotmat("ZXY", angles[..., [2, 0, 1]])
    rotation = torch.tensor([1.0, -1.0, -1.0])[:, None] * facing
    center = world_m[:, :, 0].mean(1) + column([v.aim_m for v in views])
    center = center[:, None] + column([m.follow for m in move])[:, None, None] * _straight_path(world_m[:, :, 0])
    focal = 1 / torch.tan(column([v.hfov_rad for v in views]) / 2)
    aspect = column([v.size_px[1] / v.size_px[0] for v in views])
    half_size = torch.stack([torch.ones_like(aspect), aspect], dim=-1)
    distance = column([v.distance_m for v in views])
    farther = torch.exp(-column([m.closer for m in move]))
    relative = (world_m - center[:, :, None]) @ rotation.mT
    for _ in range(_MOST_STEPS):
        depth = relative[..., 2] + (distance[:, None] * farther)[..., None]
        xy = relative[..., :2] / depth.clamp(min=0.1)[..., None] * focal[:, None, None, None]
        fits = (depth.amin((1, 2)) > 1) & (xy.abs() < half_size[:, None, None]).all(-1).all(-1).all(-1)
        if bool(fits.all()):
            break
        distance = torch.where(fits, distance, distance * _FARTHER)
    translation = -(rotation @ center.expand(-1, world_m.shape[1], 3)[..., None])[..., 0]
    translation[..., 2] += distance[:, None] * farther
    return rotation, translation, focal


def _straight_path(path_m: Float[Tensor, "batch frames 3"]) -> Float[Tensor, "batch frames 3"]:
    """Least-squares line through a path at constant speed, relative to its middle."""
    at = torch.linspace(-1, 1, path_m.shape[1]) if path_m.shape[1] > 1 else torch.zeros(1)
    slope = (at[:, None] * path_m).sum(1) / (at**2).sum().clamp(min=1e-6)
    return at[:, None] * slope[:, None]
