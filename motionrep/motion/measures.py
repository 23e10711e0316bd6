"""Measures joint angles and speeds of a motion, by anatomical names."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.body import load_body_model
from motionrep.layouts import H36M_17, to_h36m_17
from motionrep.types import BodyMotion, JointMotion

SPEED_JOINTS = ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
_SIDES = ("left", "right")


def as_h36m_motion(motion: BodyMotion | JointMotion) -> JointMotion:
    """The Human3.6M-17 points of a motion, in its own axes.

    Raises:
        ValueError: No conversion is known from the layout of the joints.
    """
    if isinstance(motion, BodyMotion):
        body = load_body_model(motion.body_model, len(motion.betas))
        with torch.no_grad():
            point_m = body.points(
                H36M_17, motion.local_rotmat.cpu(), motion.betas.cpu(), motion.translation_m.cpu(), motion.expression
            )
    else:
        point_m, _ = to_h36m_17(motion.position_m, motion.position_m[..., 0], motion.layout)
    return JointMotion(point_m, H36M_17, motion.fps, motion.frame, motion.first_frame)


def joint_angles_deg(motion: BodyMotion | JointMotion) -> dict[str, Float[Tensor, " frames"]]:
    """Angles of the large joints over time, in degrees, by side and direction of movement.

    All are measured between bones of the Human3.6M-17 points. Only the last one depends on the motion's axes.

    * `left_knee_flexion`, `left_elbow_flexion` (and right): 0 when straight, positive when bent.
    * `left_hip_flexion`: of the thigh against the trunk (thorax to pelvis), in the plane that the body's front and its
      trunk span; 0 when in line, positive when the knee is raised in front, negative behind.
    * `left_shoulder_elevation`: between upper arm and trunk, 0 when the arm hangs, 90 when it is level, in any
      direction, 180 overhead.
    * `trunk_lean`: between trunk and vertical, only for motions in frame "world".

    The front is perpendicular to the line of the hips and to the trunk. The angle of a bone without length is NaN.
    """
    points = as_h36m_motion(motion)
    at = {name: points.position_m[:, points.layout.index(name)] for name in points.layout.joints}
    trunk_up = normalize(at["thorax"] - at["pelvis"], dim=-1)
    across = at["left_hip"] - at["right_hip"]
    front = normalize(torch.linalg.cross(across, trunk_up), dim=-1)
    angles = {}
    for side in _SIDES:
        hip, knee, ankle, shoulder, elbow, wrist = (
            at[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        )
        thigh = knee - hip
        forward, down = (thigh * front).sum(-1), -(thigh * trunk_up).sum(-1)
        angles[f"{side}_hip_flexion"] = torch.rad2deg(torch.atan2(forward, down))
        angles[f"{side}_knee_flexion"] = _between_deg(thigh, ankle - knee)
        angles[f"{side}_shoulder_elevation"] = _between_deg(elbow - shoulder, -trunk_up)
        angles[f"{side}_elbow_flexion"] = _between_deg(elbow - shoulder, wrist - elbow)
    if motion.frame == "world":
        angles["trunk_lean"] = _between_deg(trunk_up, trunk_up.new_tensor([0.0, 1.0, 0.0]).expand_as(trunk_up))
    return angles


def joint_speeds_m_per_s(
    motion: BodyMotion | JointMotion, joints: tuple[str, ...] = SPEED_JOINTS
) -> dict[str, Float[Tensor, " frames"]]:
    """Speed of Human3.6M-17 joints over time: central differences of their positions, one-sided at the ends.

    Speeds are relative to the camera or the world; in frame "root" they are relative to the pelvis. One frame has
    speed 0.

    Raises:
        ValueError: A joint that Human3.6M-17 does not have.
    """
    points = as_h36m_motion(motion)
    chosen_m = points.position_m[:, [points.layout.index(joint) for joint in joints]]
    if points.frame_count == 1:
        velocity = torch.zeros_like(chosen_m)
    else:
        velocity = torch.gradient(chosen_m, spacing=1 / points.fps, dim=0)[0]
    return dict(zip(joints, velocity.norm(dim=-1).T, strict=True))


def _between_deg(one: Tensor, other: Tensor) -> Tensor:
    """Angle between vectors, 0 to 180; by the arc tangent, which is also accurate near 0 and 180."""
    sine = torch.linalg.cross(one, other).norm(dim=-1)
    cosine = (one * other).sum(-1)
    angle = torch.atan2(sine, cosine) * (180 / math.pi)
    return angle.where((sine != 0) | (cosine != 0), torch.nan)
