"""Puts the people before one camera on one floor: where the camera stands above it, and how far away people are.

Heads say which way is up and what touches the floor. Up alone leaves people on floors of their own: who is placed too
far away stands too low in the picture of a camera that looks down. Points on the floor lie on one plane, so the plane
and a factor on each person's distance are solved together; then each person's path is moved along the lines of sight
until what touches the floor lies on it. In the picture this changes almost nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.body import load_body_model
from motionrep.geometry.alignment import smallest_rotation
from motionrep.geometry.cameras import PinholeCamera
from motionrep.motion.axes import require_frame
from motionrep.motion.contacts import Ground, contact_points_m, contact_weights, point_radii_m
from motionrep.types import BodyMotion

_PROBABLE, _SURE = 0.2, 0.5  # contacts that tell of the plane, and those that a path is moved by
# Standard deviations: of up, of a person's distance, and of points on the floor, of which a person has a few that tell
# something of their own.
_TILT_RAD, _DISTANCE, _POINT_M, _POINTS_OF_PERSON = 0.07, 0.08, 0.03, 12
_MOST_POINTS = 400
_UP_ROUNDS = 5
_LOWEST = 0.05  # share of the lowest points that are taken for the floor where nothing touches it
# How far a body may be off along and across the line of sight, and the acceleration of that in a clip of 1 s.
_ALONG_M, _ACROSS_M, _DRIFT_M_PER_S2 = 0.3, 0.03, 1.0
_LEAST_HEIGHT_M = 0.2
_FARTHEST = 0.4  # share of the distance by which a body is moved at most along the line of sight


@torch.no_grad()
def camera_on_floor(motions: Sequence[BodyMotion], grounds: Sequence[Ground], camera: PinholeCamera) -> PinholeCamera:
    """The camera with its place in a world whose floor, y = 0, everybody stands on; it is taken to stand still.

    The world's origin is on the floor below the middle of the people, and its z axis points to the camera's side.

    Args:
        motions: Of all people, in camera axes.
        grounds: What is known of the ground from each of them.

    Raises:
        ValueError: No person, a motion in other axes, or another number of frames than its ground has.
    """
    _require_fitting(motions, grounds)
    up = _mean_direction(torch.cat([ground.up for ground in grounds]).cpu())
    touching = [_touching_points_m(motion, ground, up) for motion, ground in zip(motions, grounds, strict=True)]
    if any(len(point_m) for point_m in touching):
        up, height_m = _plane([point_m for point_m in touching if len(point_m)], up)
    else:
        height_m = _height_of_lowest_m(motions, up)
    middle_m = torch.cat([_points_m(motion).mean(1) for motion in motions]).mean(0)
    return replace(camera, camera_from_world=_camera_from_world(up, max(height_m, _LEAST_HEIGHT_M), middle_m))


@torch.no_grad()
def moved_to_floor(motion: BodyMotion, ground: Ground, camera: PinholeCamera) -> BodyMotion:
    """The motion, in camera axes, moved smoothly and mostly along the lines of sight until contacts lie on the floor.

    Where nothing touches the floor, as in a jump, it follows the frames before and after.

    Args:
        camera: As `camera_on_floor` gives it.

    Raises:
        ValueError: As `camera_on_floor`.
    """
    _require_fitting([motion], [ground])
    body = load_body_model(motion.body_model, len(motion.betas)).to(motion.translation_m.device)
    point_m, transform = _points_m(motion), camera.camera_from_world.to(motion.translation_m)
    up = transform[:3, 1]
    gap_m = (point_m - transform[:3, 3]) @ up - point_radii_m(body)
    weight = contact_weights(ground, _SURE).to(gap_m)
    total = weight.sum(-1)
    if not bool((total > 0).any()):
        return motion
    off_m = (weight * gap_m).sum(-1) / total.clamp(min=1e-6)
    off_m = _smooth(off_m, total.clamp(max=1), motion.fps)
    pelvis_m = motion.translation_m + body.rest_joints(motion.betas)[0]
    sight, limit_m = normalize(pelvis_m, dim=-1), _FARTHEST * pelvis_m.norm(dim=-1)
    # The least likely-to-matter move that lowers the body by off_m: C up / (up C up) of a covariance C.
    move = _ACROSS_M**2 * up + (_ALONG_M**2 - _ACROSS_M**2) * (sight @ up)[:, None] * sight
    shift_m = -off_m[:, None] * move / (move @ up)[:, None]
    along_m = (shift_m * sight).sum(-1)
    shift_m += (along_m.clamp(-limit_m, limit_m) - along_m)[:, None] * sight
    return replace(motion, translation_m=motion.translation_m + shift_m)


def _require_fitting(motions: Sequence[BodyMotion], grounds: Sequence[Ground]) -> None:
    if not motions:
        raise ValueError("motions: nobody is there to stand on a floor")
    for motion, ground in zip(motions, grounds, strict=True):
        require_frame(motion, "camera")
        if motion.frame_count != len(ground.up):
            raise ValueError(
                f"grounds: {len(ground.up)} frames, the motion has {motion.frame_count}; both must be of one clip"
            )


def _points_m(motion: BodyMotion) -> Float[Tensor, "frames points 3"]:
    body = load_body_model(motion.body_model, len(motion.betas)).to(motion.translation_m.device)
    return contact_points_m(body, motion.local_rotmat[:, :24], motion.betas, motion.translation_m)


def _mean_direction(up: Float[Tensor, "frames 3"]) -> Float[Tensor, "3"]:
    """The direction from which the frames are least far off; a median, found by weighting the mean."""
    mean = normalize(up.mean(0), dim=0)
    for _ in range(_UP_ROUNDS):
        weight = 1 / (up - mean).norm(dim=-1, keepdim=True).clamp(min=0.01)
        mean = normalize((weight * up).sum(0), dim=0)
    return mean


def _touching_points_m(motion: BodyMotion, ground: Ground, up: Tensor) -> Float[Tensor, "points 3"]:
    """Places on the surface of one person that probably touch the floor, in camera axes."""
    body = load_body_model(motion.body_model, len(motion.betas))
    point_m = _points_m(motion).cpu() - point_radii_m(body)[:, None] * up
    chosen = point_m[contact_weights(ground, _PROBABLE).cpu() > 0]
    return chosen[torch.linspace(0, len(chosen) - 1, min(len(chosen), _MOST_POINTS)).round().long()]


def _plane(touching: list[Tensor], up: Tensor) -> tuple[Float[Tensor, "3"], float]:
    """Up, and the camera's height, of the plane on which everybody's points lie after a factor on their distances."""
    from scipy.optimize import least_squares  # takes a third as long to import as torch

    across = normalize(torch.linalg.cross(up, up.new_tensor([0.0, 0.0, 1.0])), dim=0)
    axes = torch.stack([across, torch.linalg.cross(up, across)]).double().numpy()
    clouds, upward = [points.double().numpy() for points in touching], up.double().numpy()

    def normal_of(tilt: np.ndarray) -> np.ndarray:
        tilted = upward + tilt @ axes
        return tilted / np.linalg.norm(tilted)

    def residuals(free: np.ndarray) -> np.ndarray:
        normal, height_m = normal_of(free[:2]), free[2]
        parts = [free[:2] / _TILT_RAD, free[3:] / _DISTANCE]
        for cloud, distance in zip(clouds, free[3:], strict=True):
            off = (np.exp(distance) * cloud @ normal + height_m) / _POINT_M
            parts.append(np.arcsinh(off) * min(1.0, _POINTS_OF_PERSON / len(cloud)) ** 0.5)
        return np.concatenate(parts)

    start = np.zeros(3 + len(clouds))
    start[2] = -np.median(np.concatenate(clouds) @ upward)
    found = least_squares(residuals, start).x
    return torch.from_numpy(normal_of(found[:2])).to(up), float(found[2])


def _height_of_lowest_m(motions: Sequence[BodyMotion], up: Tensor) -> float:
    lowest_m = torch.cat([(_points_m(motion).cpu() @ up).amin(-1) for motion in motions])
    return -float(torch.quantile(lowest_m, _LOWEST))


def _camera_from_world(up: Tensor, height_m: float, middle_m: Tensor) -> Float[Tensor, "4 4"]:
    """A world with y up, whose z axis is the camera's backward direction along the floor."""
    level = smallest_rotation(up.new_tensor([0.0, -1.0, 0.0]), up)  # no turn about up beyond what is needed
    rotation = level @ torch.diag(up.new_tensor([1.0, -1.0, -1.0]))
    camera_from_world = torch.eye(4).to(up)
    camera_from_world[:3, :3] = rotation
    middle_m = middle_m.to(up)
    camera_from_world[:3, 3] = middle_m - up * (up @ middle_m + height_m)
    return camera_from_world


def _smooth(values: Float[Tensor, " frames"], weight: Float[Tensor, " frames"], fps: float) -> Float[Tensor, " frames"]:
    """Values through the weighted ones with a small second difference."""
    from scipy.linalg import solveh_banded  # takes a third as long to import as torch

    frames = len(values)
    if frames < 3:
        return (weight * values).sum().div(weight.sum()).expand(frames)
    known = weight.double().cpu().numpy() / _ACROSS_M**2
    stiffness = fps**3 / _DRIFT_M_PER_S2**2
    bands = np.zeros((3, frames))
    for row, coefficients in ((0, (1, 4, 1)), (1, (-2, -2)), (2, (1,))):
        for offset, coefficient in enumerate(coefficients):
            bands[row, offset : frames - 2 + offset] += coefficient * stiffness
    bands[0] += known + 1e-6
    right = known * values.double().cpu().numpy()
    return torch.from_numpy(solveh_banded(bands, right, lower=True)).to(values)
