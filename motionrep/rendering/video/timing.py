"""Which frame of a motion, and of its video, each written frame shows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from motionrep.rendering.video.reading import SourceVideo, frames_at

_PAPER = (230, 231, 233)  # around a source picture of other proportions than its panel


@dataclass(frozen=True)
class Timing:
    """The frame to show in each written frame, at `fps`. `start_s` is the time of the first one in the video file."""

    fps: float
    speed: float
    motion_frame: Int[np.ndarray, " shown"]
    source_frame: Int[np.ndarray, " shown"] | None
    start_s: float

    @property
    def shown_count(self) -> int:
        return len(self.motion_frame)

    @property
    def end_s(self) -> float:
        """When the motion ends, in seconds since it began."""
        return self.shown_count * self.speed / self.fps

    def time_s(self, shown: int) -> float:
        """Seconds since the motion began."""
        return shown * self.speed / self.fps


def make_timing(
    frame_count: int, motion_fps: float, fps: float | None, speed: float, video: SourceVideo | None, first_frame: int
) -> Timing:
    """Repeats frames or leaves them out, so that the motion lasts as long as it did, divided by `speed`.

    Args:
        fps: Frames written per second; the rate of the motion when None.
        first_frame: Number of the motion's first frame in the video.

    Raises:
        ValueError: The video ends before the motion.
    """
    fps = motion_fps if fps is None else float(fps)
    if video is None:
        appears_s, start_s = np.arange(frame_count) / motion_fps, 0.0
    else:
        appears_s = video.times_of_motion_s(frame_count, motion_fps, first_frame)
        start_s = float(appears_s[0])
        appears_s = appears_s - start_s
    shown_count = max(1, round((float(appears_s[-1]) + 1 / motion_fps) * fps / speed))
    shown_s = np.arange(shown_count) * speed / fps
    source_frame = None if video is None else frames_at(video.frame_time_s - start_s, shown_s)
    return Timing(fps, speed, frames_at(appears_s, shown_s), source_frame, start_s)


def source_pictures(
    video: SourceVideo, numbers: Iterator[int], size_px: tuple[int, int]
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Frames of a video, scaled to fit a panel and centred in it, where `stage.fitted` puts the camera's image."""
    width_px, height_px = size_px
    scale = min(width_px / video.width_px, height_px / video.height_px)
    inner = max(1, round(video.width_px * scale)), max(1, round(video.height_px * scale))
    left, top = (width_px - inner[0]) // 2, (height_px - inner[1]) // 2
    for picture in video.pictures(numbers, *inner):
        panel = np.full((height_px, width_px, 3), _PAPER, np.uint8)
        panel[top : top + inner[1], left : left + inner[0]] = picture
        yield panel
