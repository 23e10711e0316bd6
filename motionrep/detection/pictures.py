"""The pictures of a video, an image or a folder of images, evenly spaced in time and one at a time in memory."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int, UInt8

from motionrep.rendering.video.images import SourceImages, open_source
from motionrep.rendering.video.reading import SourceVideo
from motionrep.types import DEFAULT_FPS

_LONGEST_PX = 1920
_UNEVEN = 0.25  # of a frame: how far a frame may be from its place in an even rate
_SAME_RATE = 0.02  # `SourceVideo.times_of_motion_s` takes rates within 1 % for the frames of the video themselves


@dataclass(frozen=True)
class PictureSource:
    """Where pictures come from.

    Attributes:
        width_px, height_px: Of the source, upright.
        shown_px: Width and height of what `pictures` gives; smaller where the source is very large.
        resampled: Whether the source's own frames are unevenly spaced, so that some are repeated or left out.
    """

    path: Path
    width_px: int
    height_px: int
    shown_px: tuple[int, int]
    fps: float
    count: int
    resampled: bool
    pictures: Callable[[], Iterator[UInt8[np.ndarray, "height width 3"]]]


def open_pictures(path: Path | str, fps: float | None = None) -> PictureSource:
    """Opens a video, an image or a folder of images.

    Args:
        fps: Of a folder of images; 30 when None. A video has its own.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a video or image, one without pictures, or `fps` for a video.
        ImportError: A video, and PyAV is missing.
    """
    if re.match(r"[a-z0-9+]+://", str(path)):
        raise ValueError(f"{path}: is an address; record it with `motionrep detect --url`, and give the file")
    path = Path(path)
    rate = DEFAULT_FPS if fps is None else fps
    source = open_source(path, rate)
    if isinstance(source, SourceImages):
        return _of_images(source, rate)
    if fps is not None:
        raise ValueError(f"{path}: a video says its frame rate itself; fps is for folders of images")
    return _of_video(source)


def even_frames(time_s: Float64[np.ndarray, " frames"]) -> tuple[float, Int[np.ndarray, " shown"] | None]:
    """The frame rate of a video, and which of its frames to show at that rate; None for each of them once.

    Frames that are unevenly spaced are shown at their usual rate, each moment with the frame that is nearest in time.
    """
    steps_s = np.diff(time_s)
    if not len(steps_s) or time_s[-1] <= time_s[0]:
        return DEFAULT_FPS, None
    mean = len(steps_s) / float(time_s[-1] - time_s[0])
    late = np.abs((time_s - time_s[0]) * mean - np.arange(len(time_s)))
    if late.max() <= _UNEVEN:
        return mean, None
    fps = max(1 / max(float(np.median(steps_s)), 1e-3), mean * (1 + _SAME_RATE))
    shown_s = time_s[0] + np.arange(int((time_s[-1] - time_s[0]) * fps + 1e-6) + 1) / fps
    middles_s = np.concatenate([time_s[:1], (time_s[1:] + time_s[:-1]) / 2])
    return fps, (np.searchsorted(middles_s, shown_s, side="right") - 1).clip(0)


def _of_video(video: SourceVideo) -> PictureSource:
    fps, shown = even_frames(video.frame_time_s)
    numbers = np.arange(len(video.frame_time_s)) if shown is None else shown
    size_px = _smaller(video.width_px, video.height_px)

    def pictures() -> Iterator[np.ndarray]:
        from av.error import FFmpegError

        given = 0
        try:
            for picture in video.pictures(numbers.tolist(), *size_px):
                yield picture
                given += 1
        except FFmpegError as error:
            raise ValueError(
                f"{video.path}: cannot be decoded beyond frame {given}: {error.strerror}; is it damaged?"
            ) from error

    return PictureSource(
        video.path, video.width_px, video.height_px, size_px, fps, len(numbers), shown is not None, pictures
    )


def _of_images(images: SourceImages, fps: float) -> PictureSource:
    size_px = _smaller(images.width_px, images.height_px)
    count = len(images.images)
    return PictureSource(
        images.path, images.width_px, images.height_px, size_px, fps, count, False,
        lambda: images.pictures(range(count), *size_px),
    )  # fmt: skip


def _smaller(width_px: int, height_px: int) -> tuple[int, int]:
    scale = min(1.0, _LONGEST_PX / max(width_px, height_px))
    return max(round(width_px * scale), 1), max(round(height_px * scale), 1)
