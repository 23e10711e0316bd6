"""Soft limits of each joint's rotation, and the neutral pose of joints of which nothing is known.

Limits are for the components of the rotation vector, in degrees, about the joint's own axes in the rest pose: x to the
body's left, y up, z to its front. The right side is the mirror image of the left. The sizes are from anatomy. They are
widened to the 0.5th to 99.5th percentile of the CMU motion capture clips that train the shipped weights.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.layouts import SMPL_24

Limits = tuple[float, float]
_FREE = (-180.0, 180.0)

_LIMITS_DEG: dict[str, tuple[Limits, Limits, Limits]] = {
    "pelvis": (_FREE, _FREE, _FREE),
    "spine1": ((-30, 50), (-25, 25), (-25, 25)),
    "spine2": ((-20, 35), (-20, 20), (-20, 20)),
    "spine3": ((-15, 25), (-20, 20), (-20, 20)),
    "neck": ((-35, 40), (-45, 45), (-30, 30)),
    "head": ((-45, 35), (-45, 45), (-30, 30)),
    "left_hip": ((-125, 30), (-45, 45), (-30, 60)),
    "left_knee": ((-3, 150), (-10, 10), (-10, 10)),
    "left_ankle": ((-40, 50), (-35, 35), (-25, 25)),
    "left_foot": ((-50, 30), (-5, 5), (-5, 5)),
    "left_collar": ((-10, 10), (-25, 20), (-15, 35)),
    "left_shoulder": ((-90, 90), (-120, 60), (-100, 95)),
    "left_elbow": ((-80, 80), (-150, 3), (-12, 12)),
    "left_wrist": ((-25, 25), (-30, 30), (-70, 70)),
    "left_hand": ((-5, 5), (-10, 10), (-60, 20)),
}
# Arms that are not seen hang down, as in the median of those clips.
_NEUTRAL_DEG = {"left_shoulder": (15.0, -24.0, -68.0)}
# In the T-pose the crease of the elbow faces forward and this much upwards.
ELBOW_TILT_DEG = 27.0


def joint_limits() -> tuple[Float[Tensor, "24 3"], Float[Tensor, "24 3"], Float[Tensor, "24 3"]]:
    """Lower limit, neutral and upper limit of each joint in radians, in the axes of `limit_axes`."""
    low, neutral, high = torch.zeros(3, SMPL_24.joint_count, 3).unbind(0)
    for index, joint in enumerate(SMPL_24.joints):
        left = joint.replace("right_", "left_")
        rest = _NEUTRAL_DEG.get(left, (0.0, 0.0, 0.0))
        for axis, (lowest, highest) in enumerate(_LIMITS_DEG[left]):
            mirrored = joint != left and axis > 0
            low[index, axis], high[index, axis] = (-highest, -lowest) if mirrored else (lowest, highest)
            neutral[index, axis] = -rest[axis] if mirrored else rest[axis]
    return low.deg2rad(), neutral.deg2rad(), high.deg2rad()


def limit_axes() -> Float[Tensor, "24 3 3"]:
    """Axes, as rows, along which a rotation vector is compared with its limits; only the elbows' are tilted."""
    axes = torch.eye(3).repeat(SMPL_24.joint_count, 1, 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        angle = math.radians(ELBOW_TILT_DEG) * sign
        cos, sin = math.cos(angle), math.sin(angle)
        axes[SMPL_24.index(f"{side}_elbow")] = torch.tensor([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return axes
