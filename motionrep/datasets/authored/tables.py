"""Tables of the example motions: values of `posing.CHANNELS`, in degrees and metres, at fractions of a cycle."""

import math
from collections.abc import Callable

import numpy as np

from motionrep.datasets.authored.posing import Action, Keys, Number, advance

Builder = Callable[[float], Action]
_GRAVITY_M_PER_S2 = 9.81


def _both(**tracks: Keys) -> dict[str, Keys]:
    """The same on the left and on the right."""
    return {f"{side}_{name}": keys for name, keys in tracks.items() for side in ("left", "right")}


def _in_turn(**tracks: Keys) -> dict[str, Keys]:
    """On the left as given, on the right half a cycle later (and advanced by half of a cycle's gain)."""
    both = {}
    for name, keys in tracks.items():
        both[f"left_{name}"] = keys
        both[f"right_{name}"] = {at + 0.5: value + 0.5 * advance(keys) for at, value in keys.items()}
    return both


def _from_to(shares: Keys, low: Number, high: Number) -> dict[float, float]:
    """From `low` at a share of 0 to `high` at a share of 1."""
    return {at: low + (high - low) * share for at, share in shares.items()}


def _flight(
    start: float, height_m: float, cycle_s: float, base_m: float = 0.0, drop_m: float = 0.0
) -> dict[float, float]:
    """A ballistic curve from `base_m` that rises by about `height_m` and ends lower than it began by `drop_m`.

    It lasts as long as a throw of that height that returns to where it began.
    """
    duration = 2 * math.sqrt(2 * height_m / _GRAVITY_M_PER_S2) / cycle_s
    shares = np.linspace(0, 1, 9).tolist()
    return {start + duration * u: base_m - drop_m * u + height_m * (1 - (2 * u - 1) ** 2) for u in shares}


def _walk(reach: float) -> Action:
    stride = 1.18 * reach
    return Action(
        1.12,
        {
            "pelvis_x": {0.3: 0.022, 0.8: -0.022},
            "pelvis_y": {0.04: -0.052, 0.31: -0.014, 0.54: -0.052, 0.81: -0.014},
            "pelvis_z": {0.0: -0.31 * stride, 1.0: 0.69 * stride},
            "pelvis_yaw": {0.0: -5 * reach, 0.5: 5 * reach},
            "pelvis_roll": {0.15: 3, 0.65: -3},
            "pelvis_tilt": {0.0: 3},
            "twist": {0.02: 11 * reach, 0.52: -11 * reach},
            "lean": {0.15: 2, 0.65: -2},
        }
        | _in_turn(
            arm_swing={0.02: -22 * reach, 0.5: 20 * reach},
            elbow={0.05: 13, 0.55: 27},
            foot_x={0.0: -0.055},
            foot_y={0.0: 0, 0.6: 0, 0.74: 0.075, 0.9: 0.035, 1.0: 0},
            foot_z={0.0: 0, 0.6: 0, 0.98: stride, 1.0: stride},
            heel_lift={0.0: 0, 0.34: 0, 0.5: 20, 0.62: 48, 0.78: 18, 0.92: 0},
            toe_lift={0.0: 20, 0.1: 0, 0.72: 0, 0.94: 20},
        ),
    )


def _run_in_place(reach: float) -> Action:
    return Action(
        0.7,
        {
            "pelvis_x": {0.0: 0.03, 0.5: -0.03},
            "pelvis_y": {0.0: -0.075, 0.25: -0.01, 0.5: -0.075, 0.75: -0.01},
            "pelvis_tilt": {0.0: 5},
            "pelvis_yaw": {0.0: 5, 0.5: -5},
            "bend": {0.0: 4},
            "twist": {0.0: -14 * reach, 0.5: 14 * reach},
        }
        | _in_turn(
            arm_swing={0.0: 40 * reach, 0.5: -42 * reach},
            arm_spread={0.0: 21},
            elbow={0.0: 98, 0.5: 78},
            forearm={0.0: 15},
            fist={0.0: 40},
            foot_x={0.0: -0.05},
            foot_y={-0.18: 0, 0.18: 0, 0.5: 0.34 * reach, 0.82: 0},
            foot_z={-0.18: 0, 0.18: 0, 0.38: -0.08, 0.55: 0.06, 0.82: 0},
            heel_lift={-0.18: 22, 0.0: 6, 0.18: 35, 0.36: 62, 0.6: 35, 0.82: 22},
        ),
    )


def _jump(reach: float) -> Action:
    cycle_s, start = 2.2, 0.41
    height = 0.3 * reach
    flight = _flight(start, height, cycle_s)
    land = max(flight)
    return Action(
        cycle_s,
        {
            "pelvis_y": {0.0: -0.007, 0.1: -0.007, 0.3: -0.34}
            | _flight(start, height, cycle_s, 0.06, 0.07)
            | {land + 0.1: -0.27, land + 0.33: -0.007},
            "pelvis_z": {0.1: 0, 0.3: -0.13, start: 0.02, land: -0.02, land + 0.1: -0.13, land + 0.33: 0},
            "pelvis_tilt": {0.1: 0, 0.3: 28, start: 2, land: 4, land + 0.1: 24, land + 0.33: 0},
            "bend": {0.1: 0, 0.3: 18, start: -4, land: 2, land + 0.1: 14, land + 0.33: 0},
        }
        | _both(
            arm_swing={0.08: 4, 0.28: -48, start + 0.02: 150 * reach, land: 105, land + 0.12: 45, land + 0.36: 4},
            elbow={0.08: 18, 0.28: 12, start: 25, land: 30, land + 0.36: 18},
            foot_y={0.0: 0} | flight | {1.0: 0},
            heel_lift={0.32: 0, start: 52, (start + land) / 2: 40, land: 22, land + 0.05: 0},
            knee_out={0.1: 0, 0.3: 8, start: 0, land: 0, land + 0.1: 8, land + 0.33: 0},
        ),
    )


def _jumping_jack(reach: float) -> Action:
    cycle_s = 1.1
    out, back = _flight(0.12, 0.07, cycle_s), _flight(0.62, 0.07, cycle_s)
    wide, land = max(out), max(back)
    return Action(
        cycle_s,
        {
            "pelvis_y": {0.02: -0.09}
            | _flight(0.12, 0.07, cycle_s, 0.02)
            | {0.52: -0.12}
            | _flight(0.62, 0.07, cycle_s, 0.0)
        }
        | _both(
            arm_spread={0.08: 12, wide + 0.04: 160 * reach, 0.58: 160 * reach, land + 0.04: 12},
            elbow={0.08: 14, 0.45: 22, 0.95: 14},
            foot_x={0.12: -0.06, wide: 0.2 * reach, 0.62: 0.2 * reach, land: -0.06},
            foot_y=out | back,
            heel_lift={0.02: 0, 0.12: 38, wide: 24, 0.5: 4, 0.62: 34, land: 24},
        ),
    )


def _squat(reach: float) -> Action:
    down = {0.05: 0.0, 0.42: 1.0, 0.55: 1.0, 0.95: 0.0}
    return Action(
        2.8,
        {
            "pelvis_y": _from_to(down, -0.007, -0.42 * reach),
            "pelvis_z": _from_to(down, 0, -0.2),
            "pelvis_tilt": _from_to(down, 0, 28),
            "bend": _from_to(down, 0, 14),
        }
        | _both(
            arm_swing=_from_to(down, 4, 128),
            arm_spread=_from_to(down, 13, 6),
            elbow=_from_to(down, 18, 10),
            forearm=_from_to(down, 0, 60),
            foot_x={0.0: 0.05},
            foot_yaw={0.0: 20},
            knee_out=_from_to(down, 0, 14),
        ),
    )


def _wave(reach: float) -> Action:
    swings = {0.2 + 0.09 * i: (112 if i % 2 else 62) for i in range(8)}
    raised = {0.02: 0.0, 0.19: 1.0, 0.84: 1.0, 0.99: 0.0}

    return Action(
        4.0,
        {
            "pelvis_x": _from_to(raised, 0, 0.025),
            "lean": _from_to(raised, 0, -4),
            "look": _from_to(raised, 0, 4),
            "bend": {0.0: 0, 0.5: 2},
            "left_arm_swing": {0.0: 3, 0.3: 7, 0.8: 2},
            "right_arm_spread": _from_to(raised, 13, 82 * reach),
            "right_arm_swing": _from_to(raised, 4, 18),
            "right_arm_twist": _from_to(raised, 0, -88),
            "right_elbow": {0.02: 18} | swings | {0.99: 18},
            "right_forearm": _from_to(raised, 0, 10),
            "right_wrist": {0.02: 0} | {at + 0.02: (-14 if i % 2 else 14) for i, at in enumerate(swings)} | {0.99: 0},
            "right_fist": _from_to(raised, 20, 2),
        },
    )


def _kick(reach: float) -> Action:
    return Action(
        2.4,
        {
            "pelvis_x": {0.0: 0.02, 0.2: 0.1, 0.75: 0.1, 0.97: 0.02},
            "pelvis_y": {0.0: -0.03, 0.25: -0.06, 0.43: -0.025, 0.6: -0.05, 0.97: -0.03},
            "pelvis_z": {0.05: -0.02, 0.25: 0.03, 0.43: 0.05, 0.75: 0.03, 0.97: -0.02},
            "pelvis_tilt": {0.05: 3, 0.27: 8, 0.43: -18 * reach, 0.6: 0, 0.97: 3},
            "pelvis_yaw": {0.05: -6, 0.27: -14, 0.43: 16, 0.62: 0, 0.97: -6},
            "pelvis_roll": {0.05: 0, 0.3: 3, 0.43: 6, 0.6: 2, 0.97: 0},
            "bend": {0.05: 2, 0.27: 4, 0.43: 14, 0.97: 2},
            "twist": {0.05: 3, 0.27: 16, 0.43: -20, 0.97: 3},
            "left_arm_swing": {0.05: 2, 0.27: -25, 0.43: 50, 0.68: 12, 0.97: 2},
            "right_arm_swing": {0.05: 2, 0.27: 30, 0.43: -40, 0.68: -8, 0.97: 2},
            "right_foot_x": {0.1: 0, 0.28: -0.04, 0.43: -0.08, 0.6: -0.03, 0.9: 0},
            "right_foot_y": {0.14: 0, 0.27: 0.22, 0.35: 0.26, 0.43: 0.67 * reach, 0.57: 0.3, 0.88: 0},
            "right_foot_z": {0.14: -0.16, 0.27: -0.42, 0.35: 0.06, 0.43: 0.96, 0.57: 0.18, 0.88: -0.16},
            "right_heel_lift": {0.05: 0, 0.14: 25, 0.27: 72, 0.35: 38, 0.42: 0, 0.46: 0, 0.6: 30, 0.88: 0},
            "right_toe_lift": {0.35: 0, 0.43: 58, 0.54: 0},
            "left_foot_z": {0.0: 0.08},
        }
        | _both(arm_spread={0.05: 14, 0.43: 40, 0.97: 14}, elbow={0.05: 22, 0.43: 38, 0.97: 22}, fist={0.0: 35}),
    )


def _punch(reach: float) -> Action:
    jab = {0.08: 0.0, 0.2: 1.0, 0.34: 0.0}
    cross = {0.45: 0.0, 0.6: 1.0, 0.78: 0.0}

    return Action(
        1.7,
        {
            "pelvis_y": {0.08: -0.08, 0.2: -0.09, 0.4: -0.075, 0.6: -0.095, 0.9: -0.08},
            "pelvis_z": {0.08: 0, 0.2: 0.05, 0.4: 0, 0.6: 0.07, 0.85: 0},
            "pelvis_yaw": {0.08: -28, 0.2: -34, 0.42: -28, 0.6: 0, 0.82: -28},
            "pelvis_tilt": {0.0: 5},
            "bend": {0.0: 8},
            "twist": {0.08: -4, 0.2: -14, 0.42: -4, 0.6: 26 * reach, 0.82: -4},
            "look": {0.08: 26, 0.2: 30, 0.42: 26, 0.6: 4, 0.82: 26},
            "left_arm_swing": _from_to(jab, 38, 90),
            "right_arm_swing": _from_to(cross, 38, 90),
            "left_arm_spread": _from_to(jab, 12, 38),
            "right_arm_spread": _from_to(cross, 12, 18),
            "left_elbow": _from_to(jab, 128, 14),
            "right_elbow": _from_to(cross, 128, 14),
            "left_forearm": _from_to(jab, 10, 80),
            "right_forearm": _from_to(cross, 10, 80),
            "left_foot_z": {0.0: 0.22},
            "right_foot_z": {0.0: -0.2},
            "right_foot_yaw": {0.45: 45, 0.6: 25, 0.8: 45},
            "right_heel_lift": {0.42: 12, 0.6: 34, 0.82: 12},
        }
        | _both(fist={0.0: 40}, arm_twist={0.0: 10}),
    )


def _sit_down(reach: float) -> Action:
    return Action(
        3.2,
        {
            "pelvis_y": {0.12: -0.007, 0.55: -0.36},
            "pelvis_z": {0.1: 0, 0.55: -0.4},
            "pelvis_tilt": {0.1: 0, 0.36: 30 * reach, 0.66: -8},
            "bend": {0.1: 0, 0.36: 16, 0.7: 8},
            "nod": {0.1: 0, 0.36: 12, 0.7: 0},
        }
        | _both(
            arm_swing={0.12: 4, 0.38: 45, 0.72: 24},
            elbow={0.12: 18, 0.72: 47},
            arm_spread={0.12: 13, 0.4: 13, 0.72: 4},
            arm_twist={0.12: 0, 0.72: 18},
            forearm={0.12: 0, 0.72: 50},
            knee_out={0.12: 0, 0.55: 5},
        ),
        loops=False,
    )


def _bow(reach: float) -> Action:
    down = {0.08: 0.0, 0.38: 1.0, 0.58: 1.0, 0.9: 0.0}
    return Action(
        3.4,
        {
            "pelvis_y": _from_to(down, -0.007, -0.035),
            "pelvis_z": _from_to(down, 0, -0.075),
            "pelvis_tilt": _from_to(down, 0, 38 * reach),
            "bend": _from_to(down, 0, 22 * reach),
            "nod": _from_to(down, 0, 48),
        }
        | _both(
            arm_swing=_from_to(down, 2, 24),
            elbow=_from_to(down, 14, 10),
            arm_spread=_from_to(down, 11, 9),
            foot_x={0.0: -0.05},
        ),
    )


AUTHORED: dict[str, Builder] = {
    "walk": _walk,
    "run_in_place": _run_in_place,
    "jump": _jump,
    "squat": _squat,
    "wave": _wave,
    "kick": _kick,
    "sit_down": _sit_down,
    "bow": _bow,
    "jumping_jack": _jumping_jack,
    "punch": _punch,
}
"""Table of each motion, by its reach: how far its largest movements go; 1 is usual."""
