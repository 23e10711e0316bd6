"""Finds the frames in which a detector exchanged left and right of a person, and exchanges them back."""

import numpy as np
from jaxtyping import Bool, Float

_CLEARLY = 0.5  # joints move less than this part of what they would move with the sides as they are
_EXCHANGED_COSTS_PER_S = 0.2  # of the person's size; keeps what the detector says where both ways are as smooth
_MOST_JOINTS, _FEWEST_JOINTS = 2 / 3, 3  # that must be seen both ways, counted by their weights
_FEWEST_FRAMES = 5  # of fewer, nobody can say which way most of them are


def exchanged_sides(
    xyc: Float[np.ndarray, "frames joints 3"], seconds: Float[np.ndarray, " frames"], flip: tuple[int, ...]
) -> Bool[np.ndarray, " frames"]:
    """Frames of one person in which left and right are the other way round than in most.

    The way through the clip is taken on which joints move least from frame to frame, relative to the whole person; each
    frame that is exchanged costs a little, so a person who turns round, or whose sides cannot be told apart, stays. The
    sides change only where joints then move less than half as far, and not where one side of the person is hardly seen:
    hidden joints cannot be compared with the others. Nothing is exchanged in fewer than five frames, nor where as many
    frames are one way as the other.

    Arms or legs alone are never exchanged: they pass each other at every step, and how they move does not surely tell
    that from a detector's fault.

    Args:
        xyc: x, y in pixels and confidence in the frames where the person was detected.
        seconds: Times of these frames.
        flip: `layout.flip_indices`.
    """
    if len(xyc) < _FEWEST_FRAMES:
        return np.zeros(len(xyc), dtype=bool)
    ways = np.stack([xyc, xyc[:, list(flip)]])
    points, weight = ways[..., 0] + 1j * ways[..., 1], np.square(ways[..., 2])
    size_px = _median_size_px(xyc)
    (stay, joints), (change, compared) = (_step(points, weight, other) for other in (0, 1))
    clear = (change < _CLEARLY * stay) & (compared >= np.maximum(_MOST_JOINTS * joints, _FEWEST_JOINTS))
    stay, change = stay / size_px, np.where(clear, change / size_px, np.inf)
    frame_s = np.median(np.diff(seconds))
    price = np.array([0.0, _EXCHANGED_COSTS_PER_S * frame_s])
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
    return exchanged if 2 * exchanged.sum() < len(xyc) else np.zeros_like(exchanged)


def _step(points: np.ndarray, weight: np.ndarray, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance in pixels that joints move from each frame to the next beyond what the whole person moves.

    Also how many joints that is of; joints of little weight hardly count.
    """
    both = weight[0, :-1] * weight[other, 1:]
    total = np.maximum(both.sum(1), 1e-12)
    moved = points[other, 1:] - points[0, :-1]
    whole = (both * moved).sum(1) / total
    joints = both.sum(1) ** 2 / np.maximum((both**2).sum(1), 1e-24)
    return (both * np.abs(moved - whole[:, None])).sum(1) / total, joints


def _median_size_px(xyc: np.ndarray) -> float:
    seen = xyc[..., 2:] > 0
    low, high = (np.where(seen, xyc[..., :2], missing) for missing in (np.inf, -np.inf))
    size_px = (high.max(1) - low.min(1)).max(-1)
    return max(float(np.median(size_px[np.isfinite(size_px)])) if np.isfinite(size_px).any() else 1.0, 1.0)
