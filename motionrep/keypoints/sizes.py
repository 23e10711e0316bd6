"""Whether coordinates fit the picture: swapped sides, fractions instead of pixels, points far outside."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motionrep.keypoints.records import Detections, KeypointOptions

logger = logging.getLogger(__name__)

NO_SIZE = (
    "does not say how large the image is; pass size_px=(width, height) in pixels "
    "(on the command line --size 1920x1080, or --size video.mp4)"
)
_FRACTIONS = 1.5  # points of people who leave the picture lie a little outside of 0 to 1
_SURELY_OUTSIDE = 0.2


def size_and_rate(
    detections: Detections, size_px: tuple[int, int] | None, fps: float | None, path: Path
) -> tuple[tuple[int, int] | None, float | None]:
    """What the user says, or else the file; a warning says where they differ. None where neither says anything.

    Raises:
        ValueError: The pictures of one video have several sizes.
    """
    sizes = [] if detections.size_px is None else np.unique(detections.size_px, axis=0).tolist()
    if len(sizes) > 1 and size_px is None:
        listed = " and ".join(f"{width} x {height}" for width, height in sizes[:2])
        raise ValueError(
            f"{path}: its pictures have several sizes, {listed} px, so they are not the frames of one video; "
            "keep those of one video, or pass size_px=(width, height) (--size 1920x1080)"
        )
    said_px = (int(sizes[0][0]), int(sizes[0][1])) if len(sizes) == 1 else None
    for given, said in ((size_px, said_px), (fps, detections.fps)):
        if given is not None and said is not None and given != said:
            logger.warning("%s says %s, but %s was given and is used", path, said, given)
    return size_px or said_px, fps or detections.fps


def asked_size(options: KeypointOptions, path: Path) -> tuple[int, int]:
    """The size for readers of coordinates that are fractions of it. Raises ValueError where the user gave none."""
    if options.size_px is None:
        raise ValueError(f"{path}: {NO_SIZE}")
    return options.size_px


def in_pixels(detections: Detections, size_px: tuple[int, int], path: Path) -> Detections:
    """The detections with coordinates in pixels, which some tools write as fractions of the picture's sides.

    Warns of keypoints far outside the picture.

    Raises:
        ValueError: Most are outside, they would only fit with width and height swapped, or they are neither in pixels
            nor fractions.
    """
    xy_px = detections.xyc[detections.xyc[..., 2] > 0, :2]
    if np.abs(xy_px).max() <= _FRACTIONS:
        detections = _scaled(detections, xy_px, size_px, path)
        xy_px = detections.xyc[detections.xyc[..., 2] > 0, :2]
    swapped_px = size_px[1], size_px[0]
    far = _share_outside(xy_px, size_px, margin=0.05)
    would_fit = size_px != swapped_px and _share_outside(xy_px, swapped_px, margin=0.05) < far / 3
    hint = f"; {swapped_px[0]} x {swapped_px[1]} would hold them: were height and width swapped?" if would_fit else ""
    outside = _share_outside(xy_px, size_px)
    if outside > 0.5 or (would_fit and far > _SURELY_OUTSIDE):
        raise ValueError(
            f"{path}: {outside:.0%} of the keypoints lie outside an image of {size_px[0]} x {size_px[1]} px; "
            f"size_px is (width, height) of the image that the detector saw{hint}"
        )
    if far >= 0.01:
        logger.warning(
            "%s: %.0f%% of the keypoints lie far outside an image of %d x %d px%s", path, 100 * far, *size_px, hint
        )
    return detections


def _scaled(
    detections: Detections, xy: Float[np.ndarray, "points 2"], size_px: tuple[int, int], path: Path
) -> Detections:
    if (xy < 0).any(1).mean() > 0.1:
        raise ValueError(
            f"{path}: all coordinates lie within [-1, 1], pixels are needed; do not let the tool scale them"
        )
    logger.warning(
        "%s: its coordinates are fractions of the picture's width and height; they are taken times %d x %d px",
        path, *size_px,
    )  # fmt: skip
    return replace(detections, xyc=detections.xyc * [*size_px, 1])


def _share_outside(xy_px: Float[np.ndarray, "points 2"], size_px: tuple[int, int], margin: float = 0) -> float:
    """Which share of the points lies outside the image by more than a margin, in image sizes."""
    allowed_px = margin * np.array(size_px)
    return float(((xy_px < -allowed_px) | (xy_px > size_px + allowed_px)).any(1).mean())
