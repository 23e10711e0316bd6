"""Where the floor is under a moving body, found from its soles."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.layouts import SMPL_24
from motionrep.retargeting import body_kinematics
from motionrep.types import BodyMotion

_FEET = ("left", "right")
_SOLE_THICKNESS_M = 0.015
_SLOW_M_PER_S = 0.15
_SHORTEST_SLOPE_M = 1.5
_FLOOR_QUANTILE = 0.05


def sole_height_m(motion: BodyMotion, body: BodyModel) -> Float[Tensor, "frames 2"]:
    """Height (y, metres) of the lowest point of the left and the right sole.

    Sole points are the surface's lowest 1.5 cm in the rest pose; each is taken to be rigid with the ankle or the toes.
    """
    rest_joint_m = body.rest_joints(motion.betas)
    rotmat, joint_m = body_kinematics(motion.local_rotmat, motion.translation_m, rest_joint_m)
    rest_vertex_m = body.rest_vertices(motion.betas)
    in_sole = rest_vertex_m[:, 1] < rest_vertex_m[:, 1].min() + _SOLE_THICKNESS_M
    carrier = body.skin_weights.argmax(-1)
    feet = []
    for side in _FEET:
        lowest = []
        for joint in (SMPL_24.index(f"{side}_ankle"), SMPL_24.index(f"{side}_foot")):
            sole = rest_vertex_m[in_sole & (carrier == joint)] - rest_joint_m[joint]
            if len(sole):
                lowest.append((rotmat[:, joint, 1] @ sole.T).amin(-1) + joint_m[:, joint, 1])
        feet.append(torch.stack(lowest).amin(0))
    return torch.stack(feet, -1)


def floor_height_m(
    motion: BodyMotion, body: BodyModel, usable: Bool[Tensor, " frames"] | None = None
) -> Float[Tensor, ""]:
    """5th percentile over time of the lower sole's height: where the floor is, if the feet stand on it at times.

    Args:
        usable: Frames to look at; all when None or when none is usable.
    """
    lowest = sole_height_m(motion, body).amin(-1)
    if usable is not None and bool(usable.any()):
        lowest = lowest[usable]
    return torch.quantile(lowest, _FLOOR_QUANTILE)


def put_on_floor(motion: BodyMotion, body: BodyModel, usable: Bool[Tensor, " frames"] | None = None) -> BodyMotion:
    """Shifts the motion along y so that `floor_height_m` becomes 0."""
    return raised(motion, -floor_height_m(motion, body, usable))


def raised(motion: BodyMotion, height_m: Float[Tensor, ""]) -> BodyMotion:
    """The motion shifted along y."""
    shift_m = torch.stack([torch.zeros_like(height_m), height_m, torch.zeros_like(height_m)])
    return replace(motion, translation_m=motion.translation_m + shift_m)


def level_floor(motion: BodyMotion, body: BodyModel) -> BodyMotion:
    """Takes out a slope of the floor along z, fitted as height = a + k z to the soles of feet that hardly move.

    For motions on a flat floor only. A clip whose standing feet cover less than 1.5 m of z is returned as it is.
    """
    ankles = [SMPL_24.index(f"{side}_ankle") for side in _FEET]
    joint_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)[:, ankles]
    if len(joint_m) < 3:
        return motion
    velocity = torch.gradient(joint_m, spacing=1 / motion.fps, dim=0)[0]
    height, z = sole_height_m(motion, body), joint_m[..., 2]
    slow = (velocity.norm(dim=-1) < _SLOW_M_PER_S) & (height < floor_height_m(motion, body) + 0.1)
    height, z = height[slow], z[slow]
    slope = 0.0
    for tolerance_m in (0.1, 0.04, 0.025, 0.025):  # a slow foot may still be in the air: drop what lies off the line
        if len(z) < 2 or float(z.max() - z.min()) < _SHORTEST_SLOPE_M:
            return motion
        centred = z - z.mean()
        slope = float(centred @ height / (centred @ centred))
        residual = height - height.mean() - slope * centred
        near = (residual - residual.median()).abs() < tolerance_m
        height, z = height[near], z[near]
    tilt = torch.zeros_like(motion.translation_m)
    tilt[:, 1] = slope * motion.translation_m[:, 2]
    return replace(motion, translation_m=motion.translation_m - tilt)
