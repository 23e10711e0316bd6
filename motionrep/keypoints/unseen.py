"""Which points of a file were not seen: the one rule for all readers."""

import numpy as np
from jaxtyping import Bool, Num


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
