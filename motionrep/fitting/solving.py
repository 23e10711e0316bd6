"""Solves for the poses and the shape of a body whose points should be at given places, with limits and smoothness."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.fitting.joint_limits import joint_limits, limit_axes
from motionrep.fitting.minimising import geman_mcclure, minimise, second_difference, solve_in_windows
from motionrep.layouts import SMPL_24

# (local rotations, betas, translation) -> points; as BodyModel.points with its layout filled in.
Points = Callable[[Tensor, Tensor, Tensor], Tensor]

ROOT_SMOOTHING_S = 0.15

_SHAPE_FRAMES = 192
_EVALUATIONS, _SHAPE_EVALUATIONS = 75, 50
_ROTATION_ACCELERATION = 20.0  # rad/s^2; in the CMU clips joints have a median of 15 and a root mean square of 50
_TRANSLATION_ACCELERATION = 3.0  # m/s^2
_SPREAD_M = 0.01  # another kind of body never meets all points exactly
_BEYOND_LIMIT = 0.05  # rad
_NEUTRAL_WEIGHT = 0.2
_BETA_WEIGHT = 2.0  # a beta of 1 costs as much as a point that is off by 1.4 cm in all frames
_OUTLIER_M = 0.1


@dataclass(frozen=True)
class Targets:
    """Where the points of a body should be.

    Attributes:
        points: Points of the body: of local rotations, betas and translation.
        weight: 0 for a point that was not seen, else at most 1.
        jitter_m: Standard deviation of the noise of a coordinate from frame to frame. More jitter is smoothed more.
    """

    points: Points
    position_m: Float[Tensor, "frames points 3"]
    weight: Float[Tensor, "frames points"]
    jitter_m: float
    fps: float

    def at(self, frames: Tensor | slice) -> "Targets":
        return replace(self, position_m=self.position_m[frames], weight=self.weight[frames])


@dataclass(frozen=True)
class Pose:
    """Rotation vectors of the joints. The first is relative to `root_rotmat`, which is smooth over time."""

    root_rotmat: Float[Tensor, "frames 3 3"]
    rotvec: Float[Tensor, "frames 24 3"]
    translation_m: Float[Tensor, "frames 3"]

    def at(self, frames: Tensor | slice) -> "Pose":
        return Pose(self.root_rotmat[frames], self.rotvec[frames], self.translation_m[frames])

    def local_rotmat(self) -> Float[Tensor, "frames 24 3 3"]:
        return _local_rotmat(self.root_rotmat, self.rotvec)


def solve_shape(targets: Targets, start: Pose, betas: Float[Tensor, " betas"]) -> Float[Tensor, " betas"]:
    """Betas that suit the clip, from frames spread over it. Poses are solved along with them, without smoothness."""
    frames = len(start.rotvec)
    chosen = torch.linspace(0, frames - 1, min(frames, _SHAPE_FRAMES), device=start.rotvec.device).round().long()
    return _solve(targets.at(chosen), start.at(chosen), betas, with_shape=True)[1]


def solve_pose(
    targets: Targets, start: Pose, betas: Float[Tensor, " betas"], keep: bool = False, progress: bool = False
) -> Pose:
    """The smooth motion of a body of that shape through the targets, solved in windows (`solve_in_windows`).

    Args:
        keep: What the targets leave open stays as in `start`, even beyond the limits of joints. Otherwise it becomes
            neutral.
        progress: Whether to show a progress bar on a terminal.
    """

    def solve(window: slice) -> tuple[Tensor, Tensor]:
        pose, _ = _solve(targets.at(window), start.at(window), betas, keep=keep)
        return pose.rotvec, pose.translation_m

    rotvec, translation_m = solve_in_windows((start.rotvec, start.translation_m), solve, progress)
    return Pose(start.root_rotmat, rotvec, translation_m)


def _solve(
    targets: Targets, start: Pose, betas: Tensor, with_shape: bool = False, keep: bool = False
) -> tuple[Pose, Tensor]:
    """L-BFGS over coefficients of smooth motions, scaled so that the cost is about equally curved in all of them."""
    frames = len(start.rotvec)
    low, neutral, high = (limit.to(start.rotvec) for limit in joint_limits())
    axes = limit_axes().to(start.rotvec)
    half_width = (high - low) / 2
    if keep:
        neutral = (axes @ start.rotvec.unsqueeze(-1)).squeeze(-1)
        low, high = torch.minimum(low, neutral), torch.maximum(high, neutral)
    smooth = not with_shape and frames > 2
    # Jitter averages out in the shape, which all frames share.
    spread_m = _SPREAD_M if with_shape else max(_SPREAD_M, targets.jitter_m)
    outlier_m = max(_OUTLIER_M, 4 * targets.jitter_m)
    per_channel = _curvature(targets, betas, half_width, spread_m)
    channel_acceleration = per_channel.new_full((75,), _ROTATION_ACCELERATION)
    channel_acceleration[72:] = _TRANSLATION_ACCELERATION
    channel_acceleration *= spread_m / targets.jitter_m
    roughness = second_difference(frames).to(per_channel) * targets.fps**2 if smooth else None
    if roughness is None:
        basis, stiffness = None, per_channel.new_zeros(1, 1)
    else:
        eigenvalue, basis = torch.linalg.eigh(roughness.T @ roughness)
        stiffness = eigenvalue.clamp(min=0)[:, None] / channel_acceleration**2
    scale = (per_channel + stiffness).rsqrt()
    first = torch.cat([start.rotvec.flatten(1), start.translation_m], 1)
    coefficient = torch.zeros_like(first, requires_grad=True)
    shape = torch.zeros_like(betas, requires_grad=with_shape)
    shape_scale = frames**-0.5

    def current() -> tuple[Tensor, Tensor, Tensor]:
        change = scale * coefficient
        channel = first + (change if basis is None else basis @ change)
        return channel[:, :72].unflatten(1, (24, 3)), channel[:, 72:], betas + shape_scale * shape

    def cost() -> Tensor:
        rotvec, translation_m, shaped = current()
        point_m = targets.points(_local_rotmat(start.root_rotmat, rotvec), shaped, translation_m)
        squared_m = (point_m - targets.position_m).square().sum(-1)
        total = (targets.weight * geman_mcclure(squared_m, outlier_m)).sum() / spread_m**2
        angle = (axes @ rotvec.unsqueeze(-1)).squeeze(-1)
        beyond = (angle - high).clamp(min=0) + (low - angle).clamp(min=0)
        total = total + (beyond[:, 1:] / _BEYOND_LIMIT).square().sum()
        total = total + _NEUTRAL_WEIGHT * ((angle - neutral) / half_width)[:, 1:].square().sum()
        if with_shape:
            total = total + _BETA_WEIGHT * frames * shaped.square().sum()
        if roughness is not None:
            acceleration = roughness @ torch.cat([rotvec.flatten(1), translation_m], 1)
            total = total + (acceleration / channel_acceleration).square().sum()
        return total

    free = [coefficient, shape] if with_shape else [coefficient]
    minimise(cost, free, _SHAPE_EVALUATIONS if with_shape else _EVALUATIONS)
    rotvec, translation_m, shaped = (found.detach() for found in current())
    return Pose(start.root_rotmat, rotvec, translation_m), shaped


def _local_rotmat(root_rotmat: Tensor, rotvec: Tensor) -> Tensor:
    local_rotmat = roma.rotvec_to_rotmat(rotvec)
    return torch.cat([root_rotmat.unsqueeze(1) @ local_rotmat[:, :1], local_rotmat[:, 1:]], 1)


@torch.no_grad()
def _curvature(targets: Targets, betas: Tensor, half_width: Tensor, spread_m: float) -> Tensor:
    """Rough curvature of a frame's cost in each number of the rotation vectors and of the translation.

    It is taken in a pose in which no limb is straight, so that every rotation moves a point.
    """
    step = 0.01
    bent = torch.full((SMPL_24.joint_count, 3), 0.3).to(betas)
    moves = torch.cat([torch.zeros(1, 75), step * torch.eye(75)]).to(betas)
    rotvec = bent + moves[:, :72].unflatten(1, (24, 3))
    point_m = targets.points(roma.rotvec_to_rotmat(rotvec), betas, moves[:, 72:])
    moved = ((point_m[1:] - point_m[0]) / step).square().sum(-1) @ targets.weight.mean(0)
    prior = torch.zeros_like(moved)
    prior[:72] = _NEUTRAL_WEIGHT / half_width.flatten().square()
    return moved / spread_m**2 + prior
