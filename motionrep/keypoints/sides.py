"""Finds the frames in which a detector exchanged left and right of a person, or of the arms or legs, and mends them."""

import numpy as np
from jaxtyping import Bool, Float

from motionrep.layouts import JointLayout, mirror_name, plain_joint_name

_CLEARLY = 0.5  # joints move less than this part of what they would move with the sides as they are
_EXCHANGED_COSTS_PER_S = 0.2  # of the person's size; keeps what the detector says where both ways are as smooth
_UNEVEN = 0.15  # limbs that jump farther from their way, in sizes of the person, tell nothing
_FEWEST = 3  # joints, counted by their weights
_ARMS = ("shoulder", "elbow", "wrist", "hand", "thumb", "index", "pinky")
_LEGS = ("hip", "knee", "ankle", "heel", "toe", "foot")

Points = Float[np.ndarray, "frames joints 3"]
Flip = tuple[int, ...]


def put_right(xyc: Points, fps: float, layout: JointLayout) -> tuple[int, int]:
    """Exchanges left and right, in place, in the frames where a detector had them exchanged.

    Returns:
        In how many frames, and in how many of these of the arms or the legs alone.
    """
    flip = flip_of(layout)
    seen = np.flatnonzero(xyc[..., 2].any(1))
    if flip is None or len(seen) < 3:
        return 0, 0
    seconds, size_px = seen / fps, _median_size_px(xyc[seen])
    whole, part = np.zeros(len(seen), dtype=bool), np.zeros(len(seen), dtype=bool)
    for find in (exchanged_sides, exchanged_limbs):
        wrong = find(xyc[seen].astype(np.float64), seconds, flip, size_px)
        xyc[seen[wrong]] = xyc[seen[wrong]][:, list(flip)]
        whole ^= wrong
    for joints in (_places(layout, _ARMS), _places(layout, _LEGS)):
        if len(joints) < 4:
            continue
        own = tuple(joints.index(flip[joint]) for joint in joints)
        wrong = exchanged_limbs(xyc[seen][:, joints].astype(np.float64), seconds, own, size_px)
        rows = seen[wrong][:, None]
        xyc[rows, joints] = xyc[rows, [flip[joint] for joint in joints]]
        part |= wrong
    return int((whole | part).sum()), int((part & ~whole).sum())


def flip_of(layout: JointLayout) -> Flip | None:
    """The places of the mirrored joints; None where a joint has no partner."""
    try:
        return layout.flip_indices
    except ValueError:
        return None


def _places(layout: JointLayout, parts: tuple[str, ...]) -> list[int]:
    """Joints of both sides that belong to some parts of the body."""
    plain = [plain_joint_name(joint) for joint in layout.joints]
    return [i for i, name in enumerate(plain) if mirror_name(name) in plain and mirror_name(name) != name
            and any(part in name for part in parts)]  # fmt: skip


def exchanged_sides(
    xyc: Points, seconds: Float[np.ndarray, " frames"], flip: Flip, size_px: float
) -> Bool[np.ndarray, " frames"]:
    """Frames of one person in which left and right are the other way round than in most.

    The way through the clip is taken on which joints move least from frame to frame, relative to the whole person; each
    frame that is exchanged costs a little, so a person who turns round, or whose sides cannot be told apart, stays. The
    sides change only where joints then move less than half as far.

    Args:
        xyc: x, y in pixels and confidence in the frames where the person was detected.
        seconds: Times of these frames.
        flip: `layout.flip_indices`.
    """
    points, weight = _both_ways(xyc, flip)
    stay, change = (_step(points, weight, other) / size_px for other in (0, 1))
    change = np.where(change < _CLEARLY * stay, change, np.inf)
    price = np.array([0.0, _EXCHANGED_COSTS_PER_S * float(np.median(np.diff(seconds)))])
    cost, came_from = price.copy(), np.zeros((len(xyc), 2), dtype=int)
    for frame in range(1, len(xyc)):
        # total[now, before]: keeping the way costs `stay`, changing it `change`, whichever way it is
        total = cost[None] + np.where(np.eye(2, dtype=bool), stay[frame - 1], change[frame - 1])
        came_from[frame] = total.argmin(1)
        cost = total.min(1) + price
    exchanged = np.zeros(len(xyc), dtype=bool)
    way = int(cost.argmin())
    for frame in range(len(xyc) - 1, -1, -1):
        exchanged[frame] = way == 1
        way = came_from[frame, way]
    return exchanged


def exchanged_limbs(
    xyc: Points, seconds: Float[np.ndarray, " frames"], flip: Flip, size_px: float
) -> Bool[np.ndarray, " frames"]:
    """`exchanged_sides` by how evenly joints move, for limbs, which pass each other at every step.

    The way is taken on which joints keep their speed best from frame to frame.
    """
    exchanged = np.zeros(len(xyc), dtype=bool)
    if len(xyc) < 4:
        return exchanged
    jerk = _unevenness(*_both_ways(xyc, flip), np.diff(seconds)) / size_px
    if np.quantile(jerk[0, 0], 0.25) > _UNEVEN:  # a third of the frames is even where another third is exchanged
        return exchanged
    for now in (0, 1):  # of the frame in the middle, against the one before it; the next one is the other way round
        worse = (jerk[now, 1 - now] >= _CLEARLY * jerk[now, now]) | (jerk[now, 1 - now] > _UNEVEN)
        jerk[now, 1 - now][worse] = np.inf
    if not np.isfinite(jerk[0, 1]).any() and not np.isfinite(jerk[1, 0]).any():
        return exchanged
    price = (0.0, _EXCHANGED_COSTS_PER_S * float(np.median(np.diff(seconds))))
    # By the ways of the last two frames; the ways of three frames cost as those of their exchanged twins.
    cost = {(first, second): price[first] + price[second] for first in (0, 1) for second in (0, 1)}
    came_from: list[dict[tuple[int, int], int]] = []
    for j00, j01, j10, j11 in zip(*(jerk[b, c].tolist() for b in (0, 1) for c in (0, 1)), strict=True):
        ways = {(0, 0): j00, (0, 1): j01, (1, 0): j10, (1, 1): j11}
        totals = {(b, c): min((cost[a, b] + ways[a ^ b, a ^ c], a) for a in (0, 1)) for b in (0, 1) for c in (0, 1)}
        came_from.append({state: before for state, (_, before) in totals.items()})
        cost = {(b, c): total + price[c] for (b, c), (total, _) in totals.items()}
    second, last = min(cost, key=cost.__getitem__)
    for frame in range(len(xyc) - 1, 1, -1):
        exchanged[frame] = last == 1
        second, last = came_from[frame - 2][second, last], second
    exchanged[1], exchanged[0] = last == 1, second == 1
    return exchanged


def _both_ways(xyc: Points, flip: Flip) -> tuple[np.ndarray, np.ndarray]:
    """Points as x + iy and their weights, as they are and exchanged."""
    ways = np.stack([xyc, xyc[:, list(flip)]])
    return ways[..., 0] + 1j * ways[..., 1], np.square(ways[..., 2])


def _step(points: np.ndarray, weight: np.ndarray, other: int) -> np.ndarray:
    """Mean distance in pixels that joints move from each frame to the next beyond what the whole person moves."""
    return _mean_beyond(points[other, 1:] - points[0, :-1], weight[0, :-1] * weight[other, 1:])


def _unevenness(points: np.ndarray, weight: np.ndarray, step_s: np.ndarray) -> np.ndarray:
    """Mean distance in pixels from where joints would be at an even speed: [way of the second, of the third frame]."""
    ratio = (step_s[1:] / step_s[:-1])[:, None]
    found = np.zeros((2, 2, len(step_s) - 1))
    for now in (0, 1):
        expected = points[now, 1:-1] + (points[now, 1:-1] - points[0, :-2]) * ratio
        for then in (0, 1):
            seen = weight[0, :-2] * weight[now, 1:-1] * weight[then, 2:]
            many = seen.sum(1) ** 2 >= _FEWEST * np.maximum((seen**2).sum(1), 1e-12)
            found[now, then] = np.where(many, _mean_beyond(points[then, 2:] - expected, seen), 0)
    return found


def _mean_beyond(moved: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean length of what moved beyond the mean of all joints."""
    total = np.maximum(weight.sum(1), 1e-12)
    whole = (weight * moved).sum(1) / total
    return (weight * np.abs(moved - whole[:, None])).sum(1) / total


def _median_size_px(xyc: np.ndarray) -> float:
    seen = xyc[..., 2:] > 0
    low, high = (np.where(seen, xyc[..., :2], missing) for missing in (np.inf, -np.inf))
    size_px = (high.max(1) - low.min(1)).max(-1)
    return max(float(np.median(size_px[np.isfinite(size_px)])) if np.isfinite(size_px).any() else 1.0, 1.0)
