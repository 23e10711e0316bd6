"""Random key poses within joint limits: arms that do not cut through the trunk, and bodies on the floor."""

from collections.abc import Mapping

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.datasets.authored.posing import arm_rotmat
from motionrep.datasets.procedural.joining import ARMS
from motionrep.fitting.joint_limits import joint_limits
from motionrep.layouts import SMPL_24

# Ranges of the channels of an arm (`authored.posing`): an arm that rests, and one that does anything it can.
_RESTING = {"arm_swing": (-15, 30), "arm_spread": (6, 25), "arm_twist": (-15, 30), "elbow": (8, 60),
            "forearm": (-10, 60), "wrist": (-10, 25), "fist": (5, 40)}  # fmt: skip
_ANYWHERE = {"arm_swing": (-50, 165), "arm_spread": (5, 115), "arm_twist": (-60, 80), "elbow": (5, 145),
             "forearm": (-40, 70), "wrist": (-40, 40), "fist": (0, 60)}  # fmt: skip
_TRUNK_M, _HEAD_M = 0.15, 0.12  # how near the middle of the trunk and of the head a hand may come

# Angles in degrees of a body on the floor: pitch of the whole to the front, roll to the left, then for each joint the
# rotation vector of the left side; the right side is its mirror image. Single sides are named.
Angles = Mapping[str, tuple[float, float, float]]
ON_FLOOR: dict[str, tuple[float, float, Angles]] = {
    "stand": (0, 0, {"hip": (-4, 0, 3), "knee": (6, 0, 0), "ankle": (-2, 0, 0)}),
    "squat": (25, 0, {"hip": (-115, 0, 15), "knee": (125, 0, 0), "ankle": (-32, 0, 0), "spine2": (15, 0, 0)}),
    "sit, legs out": (-5, 0, {"hip": (-85, 0, 8), "knee": (10, 0, 0), "ankle": (10, 0, 0), "spine1": (8, 0, 0)}),
    "sit, knees up": (-8, 0, {"hip": (-110, 0, 8), "knee": (105, 0, 0), "spine1": (20, 0, 0), "spine2": (12, 0, 0)}),
    "sit cross-legged": (-5, 0, {"hip": (-75, 40, 45), "knee": (110, 0, 0), "spine1": (14, 0, 0)}),
    "kneel upright": (0, 0, {"hip": (0, 0, 6), "knee": (90, 0, 0), "ankle": (45, 0, 0)}),
    "kneel, sit on heels": (5, 0, {"hip": (-55, 0, 8), "knee": (145, 0, 0), "ankle": (48, 0, 0)}),
    "half kneel": (0, 0, {"left_hip": (-90, 0, 5), "left_knee": (90, 0, 0), "right_hip": (0, 0, -4),
                          "right_knee": (90, 0, 0), "right_ankle": (45, 0, 0)}),
    "all fours": (80, 0, {"hip": (-82, 0, 4), "knee": (88, 0, 0), "ankle": (45, 0, 0), "head": (-25, 0, 0)}),
    "plank": (78, 0, {"hip": (-6, 0, 3), "knee": (4, 0, 0), "ankle": (-20, 0, 0), "head": (-20, 0, 0)}),
    "prone": (90, 0, {"hip": (3, 0, 8), "knee": (8, 0, 0), "ankle": (45, 0, 0), "head": (-15, 20, 0)}),
    "supine": (-90, 0, {"hip": (-5, 0, 10), "knee": (10, 0, 0), "ankle": (30, 0, 0)}),
    "supine, knees up": (-88, 0, {"hip": (-50, 0, 6), "knee": (95, 0, 0), "ankle": (25, 0, 0)}),
    "on the side": (-20, 85, {"hip": (-50, 0, 4), "knee": (65, 0, 0), "spine1": (12, 0, 0)}),
    "bend over": (66, 0, {"hip": (-75, 0, 4), "knee": (15, 0, 0), "spine1": (25, 0, 0), "spine2": (18, 0, 0)}),
    "lunge": (5, 0, {"left_hip": (-75, 0, 5), "left_knee": (80, 0, 0), "right_hip": (22, 0, -5),
                     "right_knee": (25, 0, 0), "right_ankle": (-25, 0, 0)}),
    "sit back on hands": (-35, 0, {"hip": (-60, 0, 8), "knee": (60, 0, 0), "spine1": (5, 0, 0)}),
}  # fmt: skip
ON_FEET = ("stand", "squat", "bend over", "lunge")
# Where arms carry the body, they point to the floor: swing of the arms in degrees.
_ARMS_DOWN = {"all fours": 90.0, "plank": 85.0, "sit back on hands": -45.0}
_DEVIATION_DEG = {"hip": 12.0, "knee": 12.0, "spine1": 7.0, "spine2": 6.0, "spine3": 6.0, "neck": 8.0, "head": 12.0,
                  "ankle": 5.0}  # fmt: skip


def arms(count: int, rng: np.random.Generator, anywhere: float = 0.45) -> Float[Tensor, "count 10 4"]:
    """Rotations (quaternions of `joining.ARMS`) of both arms, each resting or anywhere, never inside the trunk."""
    found: list[Tensor] = []
    while sum(map(len, found)) < count:
        sides = []
        for side in ("left", "right"):
            wide = rng.random(2 * count) < anywhere
            drawn = {name: np.where(wide, *(rng.uniform(*table[name], 2 * count) for table in (_ANYWHERE, _RESTING)))
                     for name in _RESTING}  # fmt: skip
            sides.append(arm_rotmat(side, {name: torch.from_numpy(values) for name, values in drawn.items()}))
        rotmat = torch.stack([(sides[0] | sides[1])[SMPL_24.joints[joint]].float() for joint in ARMS], 1)
        found.append(roma.rotmat_to_unitquat(rotmat[_outside_of_trunk(rotmat)]))
    return torch.cat(found)[:count]


def supporting_arms(kind: str, rng: np.random.Generator) -> Float[Tensor, "10 4"] | None:
    """Straight arms that reach the floor, for the kinds of pose that lean on them."""
    if kind not in _ARMS_DOWN:
        return None
    swing = _ARMS_DOWN[kind] + rng.normal(0, 8)
    values = {"arm_swing": swing, "arm_spread": rng.uniform(5, 16), "arm_twist": 0.0, "elbow": rng.uniform(2, 20),
              "forearm": 60.0, "wrist": -30.0 if swing > 0 else 20.0, "fist": 5.0}  # fmt: skip
    channels = {name: torch.tensor([float(value)], dtype=torch.float64) for name, value in values.items()}
    both = arm_rotmat("left", channels) | arm_rotmat("right", channels)
    return roma.rotmat_to_unitquat(torch.stack([both[SMPL_24.joints[joint]][0].float() for joint in ARMS]))


def on_floor(kind: str, rng: np.random.Generator) -> Float[Tensor, "24 4"]:
    """Rotations of a kind of `ON_FLOOR`, varied within joint limits; the arms are to be replaced."""
    pitch, roll, angles = ON_FLOOR[kind]
    vector = np.zeros((SMPL_24.joint_count, 3))
    low, _, high = (limit.rad2deg().numpy() for limit in joint_limits())
    for index, joint in enumerate(SMPL_24.joints):
        side, _, plain = joint.partition("_") if "_" in joint else ("", "", joint)
        mirror = np.array([1, -1, -1]) if side == "right" else np.ones(3)
        given = angles.get(joint)
        vector[index] = given if given is not None else mirror * np.array(angles.get(plain, (0.0, 0.0, 0.0)))
        vector[index] += (
            _DEVIATION_DEG.get(plain, 0.0) * rng.standard_normal(3) * ([1, 0.1, 0.1] if plain == "knee" else 1)
        )
        if index:
            vector[index] = np.clip(vector[index], low[index], high[index])
    if rng.random() < 0.5:  # the other side
        vector = vector[list(SMPL_24.flip_indices)] * [1, -1, -1]
        roll = -roll
    quaternion = roma.rotvec_to_unitquat(torch.from_numpy(np.radians(vector)).float())
    tilt = roma.euler_to_unitquat("ZX", [roll + rng.normal(0, 4), pitch + rng.normal(0, 5)], degrees=True)
    quaternion[0] = torch.as_tensor(tilt).float()
    return quaternion


def _outside_of_trunk(rotmat: Float[Tensor, "count 10 3 3"]) -> Tensor:
    """Whether both forearms and hands keep away from trunk and head, the trunk upright."""
    body = load_body_model("open")
    whole = torch.eye(3).repeat(len(rotmat), SMPL_24.joint_count, 1, 1)
    whole[:, ARMS] = rotmat
    joint_m = body.joints(whole, torch.zeros(body.beta_count), torch.zeros(len(rotmat), 3))

    def at(name: str) -> Tensor:
        return joint_m[:, SMPL_24.index(name)]

    free = torch.ones(len(rotmat), dtype=torch.bool)
    for side in ("left", "right"):
        elbow, wrist, hand = (at(f"{side}_{name}") for name in ("elbow", "wrist", "hand"))
        for point in (wrist, hand, 0.5 * (elbow + wrist)):
            trunk = (point - at("pelvis"))[:, [0, 2]] / torch.tensor([1.15, 0.9])
            beside = (point[:, 1] > at("neck")[:, 1]) | (point[:, 1] < at("pelvis")[:, 1] - 0.15)
            free &= (trunk.norm(dim=-1) > _TRUNK_M) | beside
            middle = at("head") + torch.tensor([0.0, 0.09, 0.03])
            free &= (point - middle).norm(dim=-1) > _HEAD_M
    return free
