"""Makes motion from a table: angles for trunk and arms, paths for pelvis and feet, inverse kinematics for the legs.

A channel is one number over time. Angles are in degrees; they are 0 for a person who stands upright with hanging arms
and straight fingers. Lengths are in metres on a body whose soles are 0.944 m below its pelvis; they scale with the
body's legs. Channels mean the same on both sides: positive `foot_x` and `arm_spread` lead away from the middle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import roma
import torch
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.layouts import SMPL_24, mirror_name

Number = float | int
Keys = Mapping[float, Number]

_REFERENCE_HEIGHT_M = 0.944
_BODY_CHANNELS = {
    "pelvis_x": 0.0,  # metres to the body's left from where it stands at rest
    "pelvis_y": -0.007,  # metres up; the default bends the knees a little
    "pelvis_z": -0.01,  # metres to the front
    "pelvis_yaw": 0.0,  # to the left
    "pelvis_tilt": 0.0,  # to the front
    "pelvis_roll": 0.0,  # to the right: the left hip rises
    "bend": 0.0,  # of the spine, to the front
    "lean": 0.0,  # of the spine, to the right
    "twist": 0.0,  # of the spine, to the left
    "nod": 0.0,  # of the gaze, down; the head is held level whatever the trunk does
    "look": 0.0,  # of the gaze, to the left
}
_SIDE_CHANNELS = {
    "arm_swing": 4.0,  # of the upper arm, to the front, after arm_spread
    "arm_spread": 13.0,  # of the upper arm, to the side; 90 is the T-pose
    "arm_twist": 0.0,  # of the upper arm about itself, inwards
    "elbow": 18.0,
    "forearm": 0.0,  # pronation: the palm faces inwards at 0 and backwards at 90
    "wrist": 0.0,  # towards the palm
    "fist": 20.0,  # towards the palm, the fingers
    "foot_x": 0.0,  # metres, of the ball of the foot from where it stands at rest, outwards
    "foot_y": 0.0,  # metres, upwards; a foot at 0 is planted
    "foot_z": 0.0,  # metres, to the front
    "foot_yaw": 7.0,  # outwards
    "heel_lift": 0.0,  # about the ball of the foot, 0 or more
    "toe_lift": 0.0,  # about the heel, 0 or more
    "knee_out": 0.0,  # of the knee about the line from hip to ankle, outwards
}
CHANNELS = _BODY_CHANNELS | {f"{side}_{name}": at for side in ("left", "right") for name, at in _SIDE_CHANNELS.items()}
"""Every channel, with its value where a table has none."""

# Shares of a motion that several joints make: the collar bone makes a fifth of lifting the arm.
_COLLAR_SHARE = 0.2
_SPINE_SHARE = {"spine1": 0.3, "spine2": 0.3, "spine3": 0.4}
_HEAD_SHARE = {"neck": 0.4, "head": 0.6}
_LEVELLING = 0.85
_EASE = 0.0135


@dataclass(frozen=True)
class Action:
    """A table of key values per channel, over a cycle of `cycle_s` seconds.

    Key times are fractions of a cycle. Curves do not overshoot between keys (PCHIP), so equal neighbours hold a value.
    A channel whose last key is one whole cycle after its first advances by their difference with each cycle.

    Raises:
        ValueError: An unknown channel.
    """

    cycle_s: float
    tracks: Mapping[str, Keys] = field(default_factory=dict)
    loops: bool = True

    def __post_init__(self) -> None:
        unknown = sorted(set(self.tracks) - set(CHANNELS))
        if unknown:
            raise ValueError(f"unknown channels {', '.join(unknown)} (known: {', '.join(CHANNELS)})")

    def sample(self, time_s: Float[np.ndarray, " frames"], offsets: Mapping[str, float]) -> dict[str, Tensor]:
        """Value of every channel over time, plus its offset, if it has one."""
        phase = time_s / self.cycle_s
        values = {}
        for channel, rest in CHANNELS.items():
            curve = _curve(self.tracks.get(channel, {0.0: rest}), phase, self.loops)
            values[channel] = torch.from_numpy(curve + offsets.get(channel, 0.0))
        return values


@dataclass(frozen=True)
class Rig:
    """Measures of a body of one shape at rest: joints, floor, heels and hips; metres, float64."""

    joint_m: Float[Tensor, "24 3"]
    floor_m: float
    heel_m: float
    half_width_m: float

    @classmethod
    def of(cls, body: BodyModel, betas: Float[Tensor, " betas"]) -> "Rig":
        """Measures the rest surface: height of the soles, back end of the soles, half the width at the hips."""
        vertex_m = body.rest_vertices(betas).double()
        joint_m = body.rest_joints(betas).double()
        floor = vertex_m[:, 1].min()
        hip = joint_m[SMPL_24.index("left_hip"), 1]
        hips = (vertex_m[:, 1] - hip).abs() < 0.08
        heel = vertex_m[vertex_m[:, 1] < floor + 0.01, 2].min()
        return cls(joint_m, float(floor), float(heel), float(vertex_m[hips, 0].max()))

    def at(self, joint: str) -> Float[Tensor, " 3"]:
        return self.joint_m[SMPL_24.index(joint)]

    def floor(self) -> Float[Tensor, " 3"]:
        """The point of the floor below the origin, in the rest pose."""
        return self.joint_m.new_tensor([0.0, self.floor_m, 0.0])

    @property
    def scale(self) -> float:
        """Length of this body's legs over those of the body that tables are written for."""
        return float(self.at("pelvis")[1] - self.floor_m) / _REFERENCE_HEIGHT_M


def pose(rig: Rig, channels: Mapping[str, Tensor]) -> tuple[Float[Tensor, "frames 24 3 3"], Float[Tensor, "frames 3"]]:
    """Local rotations and translation of a body. The soles of planted feet are on the floor, y = 0."""
    get = channels.__getitem__
    pelvis = _euler("YXZ", get("pelvis_yaw"), get("pelvis_tilt"), get("pelvis_roll"))
    local = {"pelvis": pelvis}
    for joint, share in _SPINE_SHARE.items():
        local[joint] = _euler("YXZ", *(share * get(name) for name in ("twist", "bend", "lean")))
    for joint, share in _HEAD_SHARE.items():
        local[joint] = _euler(
            "YXZ",
            share * (get("look") - _LEVELLING * get("twist")),
            share * (get("nod") - _LEVELLING * (get("bend") + get("pelvis_tilt"))),
            -share * _LEVELLING * (get("lean") + get("pelvis_roll")),
        )
    moved_m = rig.scale * torch.stack([get("pelvis_x"), get("pelvis_y"), get("pelvis_z")], -1)
    pelvis_m = rig.at("pelvis") - rig.floor() + moved_m
    for side in ("left", "right"):
        one_side = {name: get(f"{side}_{name}") for name in _SIDE_CHANNELS}
        local |= arm_rotmat(side, one_side)
        local |= _leg(side, one_side, rig, pelvis, pelvis_m, get("pelvis_yaw"))
    identity = torch.eye(3, dtype=torch.float64).expand(pelvis.shape)
    local_rotmat = torch.stack([local.get(joint, identity) for joint in SMPL_24.joints], 1)
    return local_rotmat.float(), (pelvis_m - rig.at("pelvis")).float()


def advance(keys: Keys) -> float:
    """By how much a channel grows with each cycle: 0 unless its last key is one whole cycle after its first."""
    first, last = min(keys), max(keys)
    return float(keys[last] - keys[first]) if last - first > 1 - 1e-9 else 0.0


def mirror_channels(channels: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same motion seen in a mirror."""
    odd = {"pelvis_x", "pelvis_yaw", "pelvis_roll", "lean", "twist", "look"}
    return {mirror_name(name): -value if name in odd else value for name, value in channels.items()}


def arm_rotmat(side: str, channels: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rotations of the arm's joints from its channels without the side; at rest the arm points sideways, palm down."""
    out = 1.0 if side == "left" else -1.0
    get = channels.__getitem__
    raised = out * (get("arm_spread") - 90.0)
    collar = _euler("Z", _COLLAR_SHARE * raised)
    arm = _euler("XZ", -get("arm_swing"), raised) @ _euler("X", get("arm_twist"))
    return {
        f"{side}_collar": collar,
        f"{side}_shoulder": collar.mT @ arm,
        f"{side}_elbow": _euler("YX", -out * get("elbow"), 0.5 * get("forearm")),
        f"{side}_wrist": _euler("XZ", 0.5 * get("forearm"), -out * get("wrist")),
        f"{side}_hand": _euler("Z", -out * get("fist")),
    }


def _leg(
    side: str, channels: Mapping[str, Tensor], rig: Rig, pelvis: Tensor, pelvis_m: Tensor, pelvis_yaw: Tensor
) -> dict[str, Tensor]:
    """Rotations of the leg's joints that bring the foot to its target; the knee is a hinge that bends backwards."""
    out = 1.0 if side == "left" else -1.0
    get = channels.__getitem__
    hip, knee, ankle, ball = (rig.at(f"{side}_{joint}") for joint in ("hip", "knee", "ankle", "foot"))

    # The ankle from the ball of the foot: lifted toes turn the foot about the heel, then a lifted heel about the ball.
    foot_yaw = out * get("foot_yaw")
    yaw, heel_lift, toe_lift = _euler("Y", foot_yaw), _euler("X", get("heel_lift")), _euler("X", -get("toe_lift"))
    heel = ball.new_tensor([float(ball[0]), rig.floor_m, rig.heel_m]) - ball
    ankle_from_ball = _apply(yaw @ heel_lift, heel + _apply(toe_lift, ankle - ball - heel))
    step_m = torch.stack([out * get("foot_x"), get("foot_y"), get("foot_z")], -1)
    ankle_m = ball - rig.floor() + rig.scale * step_m + ankle_from_ball
    foot = yaw @ heel_lift @ toe_lift

    hip_m = pelvis_m + _apply(pelvis, hip - rig.at("pelvis"))
    reach = ankle_m - hip_m
    flexion = _knee_flexion(knee - hip, ankle - knee, reach.norm(dim=-1))
    hinge = ball.new_tensor([1.0, 0.0, 0.0])
    knee_bend = roma.rotvec_to_rotmat(flexion[:, None] * hinge)
    axis = _euler("Y", 0.5 * (pelvis_yaw + foot_yaw) + out * get("knee_out"))[..., 0]
    resting = _apply(knee_bend, ankle - knee) + (knee - hip)
    thigh = _basis(reach, axis) @ _basis(resting, hinge.expand_as(resting)).mT
    # Toes stay flat while the heel rises, and straighten as the foot leaves the ground.
    toes = -get("heel_lift") * torch.exp(-get("foot_y").clamp(min=0.0) / 0.1)
    return {
        f"{side}_hip": pelvis.mT @ thigh,
        f"{side}_knee": knee_bend,
        f"{side}_ankle": (thigh @ knee_bend).mT @ foot,
        f"{side}_foot": _euler("X", toes),
    }


def _knee_flexion(thigh_m: Tensor, shin_m: Tensor, distance_m: Tensor) -> Tensor:
    """Angle in radians about x at which hip and ankle are so far apart: solves |thigh + turned shin| = distance."""
    constant = (thigh_m**2).sum() + (shin_m**2).sum() + 2 * thigh_m[0] * shin_m[0]
    cosine = 2 * (thigh_m[1] * shin_m[1] + thigh_m[2] * shin_m[2])
    sine = 2 * (thigh_m[2] * shin_m[1] - thigh_m[1] * shin_m[2])
    amplitude = torch.hypot(cosine, sine)
    longest_m = torch.sqrt(constant + amplitude)
    # Near full stretch the distance is shortened smoothly, by millimetres at the foot; otherwise the knee would snap.
    ease_m = _EASE * longest_m
    beyond_m = (distance_m - longest_m + ease_m + 0.1 * ease_m).clamp(min=0.0)
    distance_m = distance_m - beyond_m + ease_m * -torch.expm1(-beyond_m / ease_m)
    wanted = (distance_m**2 - constant) / amplitude
    return torch.atan2(sine, cosine) + torch.acos(wanted.clamp(min=-0.95))


def _basis(along: Tensor, axis: Tensor) -> Tensor:
    """Rotation matrices with the first column along the first vector and the second column towards the other."""
    return roma.special_gramschmidt(torch.stack([along, axis], -1))


def _apply(rotmat: Tensor, vector: Tensor) -> Tensor:
    return (rotmat @ vector.unsqueeze(-1)).squeeze(-1)


def _euler(axes: str, *angle_deg: Tensor) -> Tensor:
    return roma.euler_to_rotmat(axes, list(angle_deg), degrees=True)


def _curve(keys: Keys, phase: np.ndarray, loops: bool) -> np.ndarray:
    """Values of one channel; see `Action`."""
    at, value = np.array(sorted(keys)), np.array([keys[key] for key in sorted(keys)])
    if not loops:
        at, value = np.array([at[0] - 1, *at, at[-1] + 1]), np.array([value[0], *value, value[-1]])
        return PchipInterpolator(at, value)(phase.clip(at[0], at[-1]))
    gain = advance(keys)
    if at[-1] - at[0] > 1 - 1e-9:
        at, value = at[:-1], value[:-1]
    cycles = np.arange(np.floor(phase.min()) - 3, np.floor(phase.max()) + 4)[:, None]
    return PchipInterpolator((at + cycles).ravel(), (value + gain * cycles).ravel())(phase)
