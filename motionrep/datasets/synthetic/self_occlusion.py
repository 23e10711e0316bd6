"""Which joints a body hides from the camera by itself: limbs, trunk and head as capsules and a ball."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.layouts import JointLayout

# Capsules between two joints, with their radius in metres. A joint is not hidden by the capsules it belongs to.
_CAPSULES = (
    ("left_shoulder", "left_hip", 0.06), ("right_shoulder", "right_hip", 0.06), ("left_shoulder", "right_hip", 0.1),
    ("right_shoulder", "left_hip", 0.1),
    *((f"{side}_{a}", f"{side}_{b}", radius) for side in ("left", "right") for a, b, radius in (
        ("hip", "knee", 0.075), ("knee", "ankle", 0.05), ("shoulder", "elbow", 0.045), ("elbow", "wrist", 0.04),
    )),
    ("left_ear", "right_ear", 0.085),
)  # fmt: skip
_TRUNK, _HEAD = range(4), len(_CAPSULES) - 1
_TRUNK_JOINTS = ("shoulder", "hip")
# Joints at the end of a limb, which its last capsule does not hide.
_ENDS = {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "foot_index", "big_toe", "small_toe")}


def hidden_by_body(point_m: Float[Tensor, "frames joints 3"], layout: JointLayout) -> Bool[Tensor, "frames joints"]:
    """Whether part of the body lies on the straight line from the camera to a joint.

    Args:
        point_m: In camera axes. The layout has shoulders, elbows, wrists, hips, knees, ankles and ears.
    """
    first = point_m[:, [layout.index(a) for a, _, _ in _CAPSULES]]
    second = point_m[:, [layout.index(b) for _, b, _ in _CAPSULES]]
    radius = torch.tensor([radius for _, _, radius in _CAPSULES])
    # The part of the line of sight that ends where the joint's own flesh begins.
    along = (first - second)[:, None]
    sight = 0.97 * point_m[:, :, None]
    own = torch.tensor([[_is_part_of(joint, number) for number in range(len(_CAPSULES))] for joint in layout.joints])
    return ((_distance_m(sight, first[:, None], -along) < radius) & ~own).any(-1)


def _is_part_of(joint: str, number: int) -> bool:
    first, second, _ = _CAPSULES[number]
    if number in _TRUNK and joint.split("_")[-1] in _TRUNK_JOINTS:
        return True
    if number == _HEAD:
        return False
    side, _, name = joint.partition("_")
    ends = {end for end, parts in _ENDS.items() if name in parts}
    return joint in (first, second) or any(f"{side}_{end}" in (first, second) for end in ends)


def _distance_m(
    sight: Float[Tensor, "frames joints 1 3"],
    start: Float[Tensor, "frames 1 capsules 3"],
    along: Float[Tensor, "frames 1 capsules 3"],
) -> Float[Tensor, "frames joints capsules"]:
    """Distance between the segments from the camera along the lines of sight and those of the capsules."""
    a, e = (sight * sight).sum(-1), (along * along).sum(-1).clamp(min=1e-8)
    b, c, f = (sight * along).sum(-1), -(sight * start).sum(-1), -(along * start).sum(-1)
    s = ((b * f - c * e) / (a * e - b * b).clamp(min=1e-8)).clamp(0, 1)
    t = ((b * s + f) / e).clamp(0, 1)
    s = ((b * t - c) / a.clamp(min=1e-8)).clamp(0, 1)
    return (s[..., None] * sight - start - t[..., None] * along).norm(dim=-1)
