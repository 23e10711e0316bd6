"""Undoes exchanges of left and right that a detector makes in some frames of a clip."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from motionrep.layouts import JointLayout

_SWAP_COSTS = 0.01  # per frame, in sizes of the person: what most frames say wins


def unswapped(
    xyc: Float[np.ndarray, "frames joints 3"], frame: Sequence[int], layout: JointLayout
) -> Float[np.ndarray, "frames joints 3"]:
    """The clip with left and right exchanged in those frames in which that makes joints move least.

    The choice is the cheapest for the whole clip: the mean distance that joints jump between frames, and a small cost
    for each exchanged frame, so that the larger part of the clip decides what left is.

    Args:
        frame: Numbers of the frames; jumps across a gap count less.
    """
    if len(xyc) < 2:
        return xyc
    options = np.stack([xyc, xyc[:, list(layout.flip_indices)]])  # exchange frames joints 3
    size_px = np.maximum(np.ptp(xyc[..., :2], axis=1).max(-1), 1)
    gap = np.maximum(np.diff(np.asarray(frame)), 1)
    cost, came_from = np.array([0.0, _SWAP_COSTS]), []
    for i in range(1, len(xyc)):
        jump = np.stack([[_jump(options[a, i - 1], options[b, i]) for a in (0, 1)] for b in (0, 1)])
        total = cost + jump / (size_px[i] * gap[i - 1])
        came_from.append(total.argmin(1))
        cost = total.min(1) + np.array([0.0, _SWAP_COSTS])
    state = int(cost.argmin())
    states = [state]
    for before in reversed(came_from):
        state = int(before[state])
        states.append(state)
    chosen = np.array(states[::-1])
    return options[chosen, np.arange(len(xyc))]


def _jump(before: Float[np.ndarray, "joints 3"], after: Float[np.ndarray, "joints 3"]) -> float:
    """Mean distance of joints in pixels, by confidence."""
    weight = before[:, 2] * after[:, 2]
    distance = np.linalg.norm(after[:, :2] - before[:, :2], axis=-1)
    return float((weight * distance).sum() / max(weight.sum(), 1e-9))
