"""Puts the people before one camera on one floor: where the camera stands above it, and how far away people are.

Heads say which way is up and what touches the floor. Up alone leaves people on floors of their own: who is placed too
far away stands too low in the picture of a camera that looks down. Points on the floor lie on one plane, so the plane
and a factor on each person's distance are solved together; then each person's path is moved along the lines of sight
until what touches the floor lies on it. In the picture this changes almost nothing. The same is done in the world of a
camera whose way is known.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.fitting.bodies import body_of
from motionrep.geometry.alignment import smallest_rotation
from motionrep.geometry.cameras import PinholeCamera
from motionrep.motion.axes import require_frame, world_from_camera
from motionrep.motion.contacts import Ground, contact_points_m, contact_weights, point_radii_m
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)

_PROBABLE, _SURE = 0.2, 0.5  # contacts that tell of the plane, and those that a path is moved by
# Standard deviations: of up, of a person's distance, and of points on the floor, of which a person has a few that tell
# something of their own.
_TILT_RAD, _DISTANCE, _POINT_M, _POINTS_OF_PERSON = 0.07, 0.08, 0.03, 12
_MOST_POINTS = 400
_UP_ROUNDS = 5
_LOWEST = 0.05  # share of the lowest points that are taken for the floor where nothing touches it
# How far a body may be off along and across the line of sight, and the acceleration of that in a clip of 1 s.
_ALONG_M, _ACROSS_M, _DRIFT_M_PER_S2 = 0.3, 0.03, 1.0
_LEAST_HEIGHT_M = 0.2  # of a camera that stands
_SLIPPING_M_PER_S, _SCALE_ROUNDS = 0.6, 5
_FARTHEST = 0.4  # share of the distance by which a body is moved at most along the line of sight


@dataclass(frozen=True)
class _Touching:
    """Places on the surface of one person that probably touch the floor, in the world that the camera is given in.

    Attributes:
        from_eye_m: From the camera to them.
        eye_m: The camera.
    """

    from_eye_m: Float[Tensor, "points 3"]
    eye_m: Float[Tensor, "points 3"]


@torch.no_grad()
def camera_on_floor(motions: Sequence[BodyMotion], grounds: Sequence[Ground], camera: PinholeCamera) -> PinholeCamera:
    """The camera with its place in a world whose floor, y = 0, everybody stands on.

    A camera of which one pose or none is known is taken to stand still. One that moves goes its way in the new world,
    too. Where only that way is known (`PinholeCamera.world`), up is found, and its scale follows from feet that stand.

    The world's origin is on the floor below the middle of the people, and its z axis points to the camera's side. A
    world that was upright keeps its axes, and is only raised or lowered.

    Args:
        motions: Of all people, in camera axes.
        grounds: What is known of the ground from each of them.

    Raises:
        ValueError: No person, a motion in other axes, another number of frames than its ground has, or frames in which
            a moving camera is not known.
    """
    _require_fitting(motions, grounds)
    if camera.moves and camera.world == "any":
        camera = _scaled(camera, _scale_of_way(motions, grounds, camera))
    ways = [world_from_camera(motion, camera) for motion in motions]
    upright = camera.world == "upright"
    if upright:
        up = torch.tensor([0.0, 1.0, 0.0])
    else:
        turned = [_turned(turn, ground.up) for (turn, _), ground in zip(ways, grounds, strict=True)]
        up = _mean_direction(torch.cat(turned).cpu())
    touching = [_touching(motion, ground, *way, up) for motion, ground, way in zip(motions, grounds, ways, strict=True)]
    if any(len(person.eye_m) for person in touching):
        up, height_m = _plane([person for person in touching if len(person.eye_m)], up, tilts=not upright)
    else:
        height_m = _height_of_lowest_m(motions, ways, up)
    if not camera.moves:  # of a moving one the lowest place decided, and drew the floor away from everybody's feet
        height_m = max(height_m, _LEAST_HEIGHT_M - float(ways[0][1].cpu() @ up))
    if upright:
        given_from_floor = torch.eye(4)
        given_from_floor[1, 3] = -height_m
    else:
        middles = [
            (_turned(turn, _points_m(motion).mean(1)) + eye) for motion, (turn, eye) in zip(motions, ways, strict=True)
        ]
        given_from_floor = _given_from_floor(up, height_m, torch.cat(middles).mean(0))
    pose = camera.camera_from_world @ given_from_floor.to(camera.camera_from_world)
    return replace(camera, camera_from_world=pose, world="floor")


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
    body = body_of(motion)
    turn, eye_m = world_from_camera(motion, camera)
    up = turn[..., 1, :].expand_as(motion.translation_m)
    height_m = eye_m[..., 1].expand(motion.frame_count)
    gap_m = (_points_m(motion) @ up[..., None])[..., 0] + height_m[:, None] - point_radii_m(body)
    weight = contact_weights(ground, _SURE).to(gap_m)
    total = weight.sum(-1)
    if not bool((total > 0).any()):
        return motion
    off_m = (weight * gap_m).sum(-1) / total.clamp(min=1e-6)
    off_m = _smooth(off_m, total.clamp(max=1), motion.fps)
    pelvis_m = motion.translation_m + body.rest_joints(motion.betas)[0]
    sight, limit_m = normalize(pelvis_m, dim=-1), _FARTHEST * pelvis_m.norm(dim=-1)
    # The least likely-to-matter move that lowers the body by off_m: C up / (up C up) of a covariance C.
    move = _ACROSS_M**2 * up + (_ALONG_M**2 - _ACROSS_M**2) * (sight * up).sum(-1, keepdim=True) * sight
    shift_m = -off_m[:, None] * move / (move * up).sum(-1, keepdim=True)
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
    body = body_of(motion)
    return contact_points_m(body, motion.local_rotmat[:, :24], motion.betas, motion.translation_m)


def _mean_direction(up: Float[Tensor, "frames 3"]) -> Float[Tensor, "3"]:
    """The direction from which the frames are least far off; a median, found by weighting the mean."""
    mean = normalize(up.mean(0), dim=0)
    for _ in range(_UP_ROUNDS):
        weight = 1 / (up - mean).norm(dim=-1, keepdim=True).clamp(min=0.01)
        mean = normalize((weight * up).sum(0), dim=0)
    return mean


def _turned(turn: Float[Tensor, "*frames 3 3"], direction: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    return (turn.to(direction) @ direction[..., None])[..., 0]


def _touching(motion: BodyMotion, ground: Ground, turn: Tensor, eye_m: Tensor, up: Tensor) -> _Touching:
    turn, eye_m = turn.cpu().expand(motion.frame_count, 3, 3), eye_m.cpu().expand(motion.frame_count, 3)
    from_eye_m = _points_m(motion).cpu() @ turn.mT - point_radii_m(body_of(motion)).cpu()[:, None] * up
    there = contact_weights(ground, _PROBABLE).cpu() > 0
    points = torch.cat([from_eye_m, eye_m[:, None].expand_as(from_eye_m)], -1)[there]
    chosen = points[torch.linspace(0, len(points) - 1, min(len(points), _MOST_POINTS)).round().long()]
    return _Touching(*chosen.split(3, -1))


def _scaled(camera: PinholeCamera, scale: float) -> PinholeCamera:
    pose = camera.camera_from_world.clone()
    pose[..., :3, 3] *= scale
    return replace(camera, camera_from_world=pose)


def _scale_of_way(motions: Sequence[BodyMotion], grounds: Sequence[Ground], camera: PinholeCamera) -> float:
    """The factor on the way of a camera with which points that touch the floor move least; 1 where nothing tells.

    Between two frames a point moves by the person's step as the camera sees it, and by the camera's step times the
    factor.
    """
    person_m, camera_m, weights = [], [], []
    for motion, ground in zip(motions, grounds, strict=True):
        turn, eye_m = world_from_camera(motion, camera)
        step_m = (_points_m(motion) @ turn.mT).diff(dim=0).cpu()
        contact = contact_weights(ground, _SURE).cpu()
        person_m.append(step_m.flatten(0, 1) * motion.fps)
        camera_m.append(eye_m.cpu().diff(dim=0)[:, None].expand_as(step_m).flatten(0, 1) * motion.fps)
        weights.append(torch.minimum(contact[1:], contact[:-1]).flatten())
    person, eye, weight = torch.cat(person_m), torch.cat(camera_m), torch.cat(weights)
    scale = torch.ones(())
    for spread in (1e3, *[_SLIPPING_M_PER_S] * _SCALE_ROUNDS):
        share = weight / (1 + (person + scale * eye).square().sum(-1) / spread**2).square()
        along = (share * eye.square().sum(-1)).sum()
        if float(along) == 0:
            return 1.0
        scale = -(share * (person * eye).sum(-1)).sum() / along
    if float(scale) <= 0:
        logger.warning("camera: nobody's feet tell the scale of its way, which is taken as it is")
        return 1.0
    return float(scale)


def _plane(touching: list[_Touching], up: Tensor, tilts: bool) -> tuple[Float[Tensor, "3"], float]:
    """Up, and the world's origin above the plane on which everybody's points lie after a factor on their distances.

    Args:
        tilts: Whether up is free, too.
    """
    from scipy.optimize import least_squares  # takes a third as long to import as torch

    across = normalize(torch.linalg.cross(up, torch.eye(3)[up.abs().argmin()]), dim=0)
    axes = torch.stack([across, torch.linalg.cross(up, across)]).double().numpy()[: 2 * tilts]
    clouds = [(person.from_eye_m.double().numpy(), person.eye_m.double().numpy()) for person in touching]
    upward, tilt_count = up.double().numpy(), len(axes)

    def normal_of(tilt: np.ndarray) -> np.ndarray:
        tilted = upward + tilt @ axes
        return tilted / np.linalg.norm(tilted)

    def residuals(free: np.ndarray) -> np.ndarray:
        tilt, distances, height_m = free[:tilt_count], free[tilt_count:-1], free[-1]
        normal = normal_of(tilt)
        parts = [tilt / _TILT_RAD, distances / _DISTANCE]
        for (from_eye, eye), distance in zip(clouds, distances, strict=True):
            off = ((np.exp(distance) * from_eye + eye) @ normal + height_m) / _POINT_M
            parts.append(np.arcsinh(off) * min(1.0, _POINTS_OF_PERSON / len(eye)) ** 0.5)
        return np.concatenate(parts)

    start = np.zeros(tilt_count + len(clouds) + 1)
    start[-1] = -np.median(np.concatenate([from_eye + eye for from_eye, eye in clouds]) @ upward)
    found = least_squares(residuals, start).x
    return torch.from_numpy(normal_of(found[:tilt_count])).to(up), float(found[-1])


def _height_of_lowest_m(motions: Sequence[BodyMotion], ways: Sequence[tuple[Tensor, Tensor]], up: Tensor) -> float:
    lowest_m = []
    for motion, (turn, eye_m) in zip(motions, ways, strict=True):
        up_here = _turned(turn.mT, up.to(turn).expand(motion.frame_count, 3))
        height_m = (_points_m(motion) @ up_here[..., None])[..., 0].amin(-1) + eye_m @ up.to(eye_m)
        lowest_m.append(height_m.cpu())
    return -float(torch.quantile(torch.cat(lowest_m), _LOWEST))


def _given_from_floor(up: Tensor, height_m: float, middle_m: Tensor) -> Float[Tensor, "4 4"]:
    """From a world with y up, whose z axis is the given world's backward direction along the floor."""
    level = smallest_rotation(up.new_tensor([0.0, -1.0, 0.0]), up)  # no turn about up beyond what is needed
    given_from_floor = torch.eye(4).to(up)
    given_from_floor[:3, :3] = level @ torch.diag(up.new_tensor([1.0, -1.0, -1.0]))
    middle_m = middle_m.to(up)
    given_from_floor[:3, 3] = middle_m - up * (up @ middle_m + height_m)
    return given_from_floor


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
