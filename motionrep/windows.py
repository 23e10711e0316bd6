"""Windows over a clip: where they start, and the weights that blend their results."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# Share of a window that the next one repeats. docs/scale.md has the errors and the work that it was chosen by.
OVERLAP = 0.25


def window_starts(frames: int, window: int, overlap: float = OVERLAP) -> tuple[int, ...]:
    """First frame of each window, in order; together they cover the clip.

    The last window is moved back to end at the last frame. A clip no longer than the window has one, at 0.

    Args:
        overlap: Share of a window that the next one repeats, at least 0 and below 1.

    Raises:
        ValueError: No frames, an empty window, or an overlap out of range.
    """
    if frames < 1 or window < 1:
        raise ValueError(f"frames and window must be at least 1, got {frames} and {window}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap must be at least 0 and below 1, got {overlap}")
    stride = max(1, round(window * (1 - overlap)))
    last = max(0, frames - window)
    return (*range(0, last, stride), last)


def blend_weights(starts: Sequence[int], window: int) -> Float[Tensor, "windows window"]:
    """Weight of every frame of every window; the weights of one frame of the clip sum to 1.

    Weights fall as a squared sine from the middle of a window towards each end at which another window continues, so
    results have no seam where windows overlap.
    """
    bell = torch.sin((torch.arange(window, dtype=torch.float64) + 0.5) * math.pi / window).square()
    rising = bell.where(torch.arange(window) < window / 2, 1)
    bells = bell.repeat(len(starts), 1)
    bells[0], bells[-1] = rising.flip(0), rising
    total = torch.zeros(max(starts) + window, dtype=torch.float64)
    for start, weight in zip(starts, bells, strict=True):
        total[start : start + window] += weight
    return torch.stack([w / total[s : s + window] for s, w in zip(starts, bells, strict=True)]).float()


def padded(values: Float[Tensor, "frames joints channels"], window: int) -> Float[Tensor, "padded joints channels"]:
    """At least `window` frames: a shorter clip repeats its last frame."""
    missing = window - values.shape[0]
    if missing <= 0:
        return values
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])])
