"""Finds the floor under a moving body: from its soles, and from what lies lower while somebody lies or kneels."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.body.kinematics import body_kinematics
from motionrep.body.model import BodyModel
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion

_ANKLES = [SMPL_24.index("left_ankle"), SMPL_24.index("right_ankle")]
_LIMB_ENDS = ("ankle", "foot", "wrist", "hand")
_SOLE_THICKNESS_M = 0.015
_SLOW_M_PER_S = 0.15
_FLAT_COSINE = 0.966  # 15 degrees
_TOLERANCES_M = (0.1, 0.04, 0.025, 0.025)
_SHORTEST_SLOPE_M = 1.5
_FLOOR_QUANTILE = 0.05


def sole_height_m(motion: BodyMotion, body: BodyModel) -> Float[Tensor, "frames 2"]:
    """Height (y, metres) of the lowest point of the left and the right sole.

    Sole points are the lowest 1.5 cm of the rest surface between heel and ball; they are assumed to move rigidly with
    the ankle. Toes do not count: in most files they do not bend, so pushing off drives them centimetres into the floor.
    """
    rest_joint_m = body.rest_joints(motion.betas)
    rotmat, joint_m = body_kinematics(motion.local_rotmat[:, :24], motion.translation_m, rest_joint_m)
    rest_vertex_m = body.rest_vertices(motion.betas)
    carrier = body.skin_weights.argmax(-1)
    feet = []
    for ankle in _ANKLES:
        foot = rest_vertex_m[carrier == ankle]
        sole = foot[foot[:, 1] < foot[:, 1].min() + _SOLE_THICKNESS_M] - rest_joint_m[ankle]
        feet.append((rotmat[:, ankle, 1] @ sole.T).amin(-1) + joint_m[:, ankle, 1])
    return torch.stack(feet, -1)


def rest_of_body_height_m(motion: BodyMotion, body: BodyModel) -> Float[Tensor, " frames"]:
    """Height (y, metres) of the lowest point of the body without feet and hands, each part rigid with its joint.

    Feet bend and hands reach below the floor in many files, so neither says where it is. A part's outermost points
    in 26 directions stand for its surface.
    """
    rest_joint_m = body.rest_joints(motion.betas)
    rotmat, joint_m = body_kinematics(motion.local_rotmat[:, :24], motion.translation_m, rest_joint_m)
    rest_vertex_m = body.rest_vertices(motion.betas)
    carrier = body.skin_weights[:, :24].argmax(-1)
    steps = torch.tensor([-1.0, 0.0, 1.0])
    directions = torch.cartesian_prod(steps, steps, steps).to(rest_vertex_m)
    heights = []
    for joint, name in enumerate(SMPL_24.joints):
        part = rest_vertex_m[carrier == joint]
        if len(part) and not name.endswith(_LIMB_ENDS):
            outermost = part[(part @ directions.T).argmax(0)] - rest_joint_m[joint]
            heights.append((rotmat[:, joint, 1] @ outermost.T).amin(-1) + joint_m[:, joint, 1])
    return torch.stack(heights, -1).amin(-1)


def floor_height_m(
    motion: BodyMotion, body: BodyModel, usable: Bool[Tensor, " frames"] | None = None
) -> Float[Tensor, ""]:
    """5th percentile over time of the lowest point's height: where the floor is, if the body is on it at times.

    The point is a sole's while the body stands; of what else may touch the floor, see `rest_of_body_height_m`.

    Args:
        usable: Frames to look at; all when None or when none is usable.
    """
    lowest = torch.minimum(sole_height_m(motion, body).amin(-1), rest_of_body_height_m(motion, body))
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
    """Removes a slope of the floor along z, fitted as height = a + k z to soles that stand still and flat.

    For motions on a plane floor only. A clip whose standing feet cover less than 1.5 m along z is returned as it is.
    """
    if motion.frame_count < 2:
        return motion
    rotmat, joint_m = body_kinematics(motion.local_rotmat, motion.translation_m, body.rest_joints(motion.betas))
    ankle_m, uprightness = joint_m[:, _ANKLES], rotmat[:, _ANKLES, 1, 1]
    speed_m_per_s = torch.gradient(ankle_m, spacing=1 / motion.fps, dim=0)[0].norm(dim=-1)
    standing = (speed_m_per_s < _SLOW_M_PER_S) & (uprightness > _FLAT_COSINE)
    height_m, z_m = sole_height_m(motion, body)[standing], ankle_m[..., 2][standing]
    slope = torch.zeros(())
    for tolerance_m in _TOLERANCES_M:  # a foot may also hover or stand on something: drop what lies off the line
        if len(z_m) == 0 or z_m.max() - z_m.min() < _SHORTEST_SLOPE_M:
            return motion
        centred_m = z_m - z_m.mean()
        slope = centred_m @ height_m / (centred_m @ centred_m)
        residual_m = height_m - slope * z_m
        near = (residual_m - residual_m.median()).abs() < tolerance_m
        height_m, z_m = height_m[near], z_m[near]
    translation_m = motion.translation_m.clone()
    translation_m[:, 1] -= slope * translation_m[:, 2]
    return replace(motion, translation_m=translation_m)
