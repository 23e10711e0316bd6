"""People on their feet: they stand, shift their weight, walk any way, turn, crouch, bend, and sit down on seats.

Feet are planted by inverse kinematics: a foot moves only while it steps. Channels are those of `authored.posing`.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from motionrep.datasets.authored.posing import CHANNELS, Rig, pose

_ACTIVITIES = {"stand": 0.3, "walk": 0.34, "turn": 0.08, "crouch": 0.09, "bend": 0.08, "sit": 0.11}
# Way of the steps relative to where the person faces, degrees, and how often.
_WAYS = ((0.0, 0.62), (180.0, 0.12), (90.0, 0.13), (-90.0, 0.13))
_TRUNK_DEG = {
    "pelvis_tilt": 5.0,
    "pelvis_roll": 3.0,
    "bend": 10.0,
    "lean": 7.0,
    "twist": 14.0,
    "nod": 14.0,
    "look": 22.0,
}
_SLACK_M, _REACH_SMOOTHING_S = 0.02, 0.2


@dataclass
class _Walker:
    """Where somebody is while a plan is made, and the keys so far: for each channel its values at times in seconds."""

    rng: np.random.Generator
    now_s: float = 0.0
    place: np.ndarray = field(default_factory=lambda: np.zeros(2))  # x and z of the middle of the feet
    yaw_deg: float = 0.0
    foot: dict[str, tuple[float, float, float]] = field(default_factory=dict)  # x, z, yaw
    keys: dict[str, dict[float, float]] = field(default_factory=dict)

    def key(self, channel: str, value: float, at_s: float | None = None) -> None:
        self.keys.setdefault(channel, {})[self.now_s if at_s is None else at_s] = float(value)


def stepping(rig: Rig, seconds: float, fps: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Local rotations (frames 24 3 3) and translation (frames 3) of random activities one after the other."""
    walker = _Walker(rng)
    for side, out in (("left", 1), ("right", -1)):
        walker.foot[side] = (out * rng.uniform(0.0, 0.05), 0.0, out * rng.uniform(0, 14))
        _key_foot(walker, side)
    _key_trunk(walker, 1.0)
    names, chances = list(_ACTIVITIES), list(_ACTIVITIES.values())
    while walker.now_s < seconds:
        _ACT[names[rng.choice(len(names), p=chances)]](walker)
    return _played(walker, rig, seconds, fps)


def _stand(walker: _Walker) -> None:
    for _ in range(walker.rng.integers(1, 4)):
        walker.now_s += walker.rng.uniform(0.5, 2.0)
        _key_trunk(walker, 1.0)
    if walker.rng.random() < 0.4:
        _steps(walker, 1, walker.rng.normal(0, 0.12), 90.0, 0.0)


def _walk(walker: _Walker) -> None:
    ways, chances = zip(*_WAYS, strict=True)
    way = float(walker.rng.choice(ways, p=chances)) + walker.rng.normal(0, 8)
    length = walker.rng.uniform(0.25, 0.75) * (1.0 if abs(way) < 45 else 0.45)
    _steps(walker, int(walker.rng.integers(3, 10)), length, way, walker.rng.normal(0, 9))


def _turn(walker: _Walker) -> None:
    _steps(
        walker,
        int(walker.rng.integers(2, 6)),
        0.03,
        0.0,
        float(walker.rng.choice([-1, 1])) * walker.rng.uniform(20, 60),
    )


def _crouch(walker: _Walker) -> None:
    down = walker.rng.uniform(0.1, 0.48)
    _hold(walker, {"pelvis_y": -down, "bend": 25 * down / 0.4, "pelvis_tilt": 30 * down / 0.4}, back_m=0.25 * down)


def _bend(walker: _Walker) -> None:
    bend = walker.rng.uniform(20, 65)
    _hold(walker, {"bend": bend, "pelvis_tilt": 0.6 * bend, "pelvis_y": -0.1}, back_m=0.08)


def _sit(walker: _Walker) -> None:
    seat = walker.rng.uniform(0.36, 0.52)
    more = {"pelvis_y": -seat, "pelvis_tilt": walker.rng.uniform(-12, 8), "bend": walker.rng.uniform(0, 25)}
    _hold(walker, more, back_m=walker.rng.uniform(0.36, 0.46), parts=int(walker.rng.integers(2, 6)))


def _hold(walker: _Walker, channels: dict[str, float], back_m: float, parts: int = 1) -> None:
    """Goes down into a position over both feet, moves a little in it, and comes up again."""
    rng = walker.rng
    walker.now_s += rng.uniform(0.2, 0.5)
    _key_trunk(walker, 0.4)
    walker.now_s += rng.uniform(0.6, 1.6)
    for _ in range(parts):
        _key_trunk(walker, 0.5, channels, back_m)
        walker.now_s += rng.uniform(0.5, 2.0)
    _key_trunk(walker, 0.3, channels, back_m)
    walker.now_s += rng.uniform(0.6, 1.4)
    _key_trunk(walker, 0.4)


def _steps(walker: _Walker, count: int, length_m: float, way_deg: float, turn_deg: float) -> None:
    """Steps of alternate feet, each followed by the trunk."""
    rng, step_s = walker.rng, walker.rng.uniform(0.38, 0.8)
    lift_m, lean_deg = rng.uniform(0.04, 0.14), rng.uniform(0, 10) * abs(length_m)
    side = "left" if rng.random() < 0.5 else "right"
    for number in range(count):
        last = number == count - 1
        walker.yaw_deg += turn_deg
        direction = math.radians(walker.yaw_deg + way_deg)
        walker.place = walker.place + (0.5 if last else 1.0) * length_m * np.array(
            [math.sin(direction), math.cos(direction)]
        )
        out = 1 if side == "left" else -1
        ahead = 0.0 if last else 0.5 * length_m
        across = math.radians(walker.yaw_deg + 90)
        shift = ahead * np.array([math.sin(direction), math.cos(direction)])
        rest_m = out * (0.09 + rng.uniform(0.0, 0.05))
        target = walker.place + shift + rest_m * np.array([math.sin(across), math.cos(across)])
        _key_foot(walker, side)
        middle_s, walker.now_s = walker.now_s + 0.45 * step_s, walker.now_s + step_s
        walker.key(f"{side}_foot_y", lift_m + 0.1 * abs(length_m), middle_s)
        walker.key(f"{side}_heel_lift", 25 * min(1.0, abs(length_m) / 0.5) * (abs(way_deg) < 45), middle_s)
        walker.foot[side] = (target[0] - out * 0.09, target[1], walker.yaw_deg + out * 7)
        _key_foot(walker, side)
        swing = out * 22 * length_m / 0.6 * math.cos(math.radians(way_deg))
        _key_trunk(walker, 0.25, {"bend": lean_deg, "twist": -0.25 * swing, "pelvis_y": -0.025}, follow=0.7)
        side = "right" if side == "left" else "left"
    walker.now_s += rng.uniform(0.05, 0.3)
    _key_trunk(walker, 0.5)


def _key_foot(walker: _Walker, side: str) -> None:
    """The foot is planted now."""
    x, z, yaw_deg = walker.foot[side]
    out = 1 if side == "left" else -1
    for name, value in (("x", out * x), ("z", z), ("y", 0.0), ("yaw", out * yaw_deg)):
        walker.key(f"{side}_foot_{name}", value)
    walker.key(f"{side}_heel_lift", 0.0)


def _key_trunk(
    walker: _Walker, freely: float, more: dict[str, float] | None = None, back_m: float = 0.0, follow: float = 1.0
) -> None:
    """Pelvis over the feet, and a random trunk and gaze. `freely` is the factor on how random."""
    rng, more = walker.rng, more or {}
    middle = np.mean([walker.foot[side][:2] for side in ("left", "right")], 0)
    middle = follow * middle + (1 - follow) * walker.place
    facing = math.radians(walker.yaw_deg)
    ahead = np.array([math.sin(facing), math.cos(facing)])
    middle = middle - (back_m + 0.01) * ahead + freely * rng.normal(0, 0.02, 2)
    walker.key("pelvis_x", middle[0])
    walker.key("pelvis_z", middle[1])
    walker.key("pelvis_yaw", walker.yaw_deg + freely * rng.normal(0, 6))
    walker.key("pelvis_y", more.get("pelvis_y", -0.008) - abs(freely * rng.normal(0, 0.01)))
    for channel, deg in _TRUNK_DEG.items():
        walker.key(channel, more.get(channel, 0.0) + freely * rng.normal(0, deg))
    for side in ("left", "right"):
        walker.key(f"{side}_knee_out", freely * rng.normal(3, 8) + (8 if back_m > 0.2 else 0))


def _played(walker: _Walker, rig: Rig, seconds: float, fps: float) -> tuple[Tensor, Tensor]:
    time_s = np.arange(round(seconds * fps)) / fps
    channels = {}
    for name, rest in CHANNELS.items():
        keys = walker.keys.get(name, {})
        if len(keys) < 2:
            values = np.full(len(time_s), next(iter(keys.values()), rest))
        else:
            at = np.array(sorted(keys))
            values = PchipInterpolator(at, [keys[t] for t in at])(time_s.clip(at[0], at[-1]))
        channels[name] = torch.from_numpy(values)
    channels["pelvis_y"] = _softly(_within_reach(channels, rig), fps)
    return pose(rig, channels)


def _within_reach(channels: dict[str, Tensor], rig: Rig) -> Tensor:
    """Height of the pelvis (channel), low enough for both planted feet."""
    wanted = channels["pelvis_y"]
    pelvis_m = rig.at("pelvis")[1] - rig.floor_m
    lower = [wanted]
    for side, out in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle = (rig.at(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        leg_m = (hip - knee).norm() + (knee - ankle).norm() - _SLACK_M
        yaw = channels["pelvis_yaw"].deg2rad()
        across, deep = hip[0] - rig.at("pelvis")[0], hip[2] - rig.at("pelvis")[2]
        hip_x = rig.scale * channels["pelvis_x"] + across * yaw.cos() + deep * yaw.sin()
        hip_z = rig.scale * channels["pelvis_z"] - across * yaw.sin() + deep * yaw.cos()
        foot_yaw = (out * channels[f"{side}_foot_yaw"]).deg2rad()
        ball = rig.at(f"{side}_foot")
        back = ankle - ball
        foot_x = (
            ball[0] + rig.scale * out * channels[f"{side}_foot_x"] + back[0] * foot_yaw.cos() + back[2] * foot_yaw.sin()
        )
        foot_z = ball[2] + rig.scale * channels[f"{side}_foot_z"] - back[0] * foot_yaw.sin() + back[2] * foot_yaw.cos()
        away = (hip_x - foot_x) ** 2 + (hip_z - foot_z) ** 2
        raised = channels[f"{side}_foot_y"] * rig.scale + 0.1 * (channels[f"{side}_heel_lift"] / 45)
        highest = (leg_m**2 - away).clamp(min=0.04).sqrt() + ankle[1] - rig.floor_m + raised
        lower.append((highest - (hip[1] - rig.at("pelvis")[1]) - pelvis_m) / rig.scale)
    return torch.stack(lower).amin(0)


def _softly(highest: Tensor, fps: float) -> Tensor:
    """A smooth curve that stays below the given one."""
    reach = max(1, int(_REACH_SMOOTHING_S * fps))
    window = 2 * reach + 1
    lowest = -torch.nn.functional.max_pool1d(-_padded(highest, reach), window, 1)
    return torch.nn.functional.avg_pool1d(_padded(lowest[0], reach), window, 1)[0]


def _padded(values: Tensor, reach: int) -> Tensor:
    return torch.nn.functional.pad(values[None], (reach, reach), mode="replicate")


_ACT = {"stand": _stand, "walk": _walk, "turn": _turn, "crouch": _crouch, "bend": _bend, "sit": _sit}
