"""Which points of a file were not seen: the one rule for all readers."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor


def unseen_points(
    xy: Num[np.ndarray, "*points 2"],
    confidence: Num[np.ndarray, "*points"],
    size_px: tuple[int, int] | None = None,
) -> Bool[np.ndarray, "*points"]:
    """True for a point without a place: confidence not above 0, something not finite, (0, 0), or beyond the picture.

    Detectors write 0, -1, NaN or a place outside of the picture for joints that they did not find, and some keep a
    confidence above 0 with it. Without the size only points left of and above the picture at once are beyond it.

    Args:
        size_px: Width and height of the picture.
    """
    x, y = xy[..., 0], xy[..., 1]
    lost = ~np.isfinite(xy).all(-1) | ~np.isfinite(confidence) | ~(confidence > 0)
    lost |= ((x == 0) & (y == 0)) | ((x < 0) & (y < 0))
    if size_px is not None:
        lost |= (x < 0) | (y < 0) | (x > size_px[0]) | (y > size_px[1])
    return lost


def without_unseen(
    xy_px: Float[Tensor, "*points 2"], confidence: Float[Tensor, "*points"], size_px: tuple[int, int] | None = None
) -> tuple[Float[Tensor, "*points 2"], Float[Tensor, "*points"]]:
    """Points and confidence, all 0 for the points of `unseen_points`."""
    lost = torch.from_numpy(unseen_points(xy_px.numpy(), confidence.numpy(), size_px))
    return xy_px.masked_fill(lost.unsqueeze(-1), 0), confidence.masked_fill(lost, 0)


def without_zeros(
    xy_px: Float[Tensor, "*points 2"], confidence: Float[Tensor, "*points"]
) -> tuple[Float[Tensor, "*points 2"], Float[Tensor, "*points"]]:
    """`without_unseen` for files of true keypoints, in which NaN is a fault; it stays, to be refused."""
    if not bool(xy_px.isfinite().all() & confidence.isfinite().all()):
        return xy_px, confidence
    return without_unseen(xy_px, confidence)
