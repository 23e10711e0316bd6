"""The pictures of the source video on a plane in the scene, in step with the motions."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image

from motionrep.files.progress import progress_bar
from motionrep.rendering.video.images import open_source
from motionrep.rendering.video.reading import frames_at
from motionrep.viewing.arrangement import Panel

PICTURES_AT_ONCE = 3000  # about 100 MB
_LONGEST_PX = 640
_FASTEST_FPS = 15.0
_QUALITY = 80
_TITLE_BELOW_M = 0.02


class SmallVideo:
    """The pictures of a clip out of a video: small, compressed, and all in memory.

    At most 15 pictures are kept of a second and `most` of all, with at most 640 pixels on the longer side.

    Args:
        first_frame, frame_count, fps: Of the clip, as of the keypoints that were found in the video.

    Raises:
        ValueError: Neither a video nor images, or one that ends before the clip.
        ImportError: PyAV is not installed.
    """

    def __init__(self, path: Path, first_frame: int, frame_count: int, fps: float, most: int = PICTURES_AT_ONCE):
        source = open_source(path, fps)
        stride = max(1, round(fps / _FASTEST_FPS), -(-frame_count // most))
        clip_s = source.times_of_motion_s(frame_count, fps, first_frame)
        numbers: Int[np.ndarray, " kept"] = frames_at(source.frame_time_s, clip_s)[::stride]
        scale = min(1.0, _LONGEST_PX / max(source.width_px, source.height_px))
        size_px = max(1, round(source.width_px * scale)), max(1, round(source.height_px * scale))
        pictures = source.pictures(numbers.tolist(), *size_px)
        bar = progress_bar(pictures, f"read {path.name}", "picture", True, len(numbers))
        self._jpegs = [_compressed(picture) for picture in bar]
        self._stride = stride

    def place(self, frame: int) -> int:
        """The place of the picture that is shown at a frame of the clip."""
        return min(max(frame, 0) // self._stride, len(self._jpegs) - 1)

    def picture(self, place: int) -> UInt8[np.ndarray, "height width 3"]:
        """The picture at a place, from 0."""
        return np.asarray(Image.open(io.BytesIO(self._jpegs[place])).convert("RGB"))


class VideoPanel:
    """The plane, under `/video NUMBER`; `show` sets it to a time of the scene."""

    def __init__(
        self, scene: Any, number: int, video: SmallVideo, panel: Panel, title: str, begin_s: float, fps: float
    ):
        self._video, self._begin_s, self._fps, self._shown = video, begin_s, fps, 0
        width_m, height_m = panel.size_m
        middle_m = panel.origin_m + torch.tensor([width_m / 2, -height_m / 2, 0.0])
        below_m = middle_m - torch.tensor([0.0, height_m / 2 + _TITLE_BELOW_M, 0.0])
        self.image = scene.add_image(
            f"/video {number}/picture", video.picture(0), width_m, height_m, format="jpeg", jpeg_quality=_QUALITY,
            cast_shadow=False, receive_shadow=False, wxyz=(0.0, 1.0, 0.0, 0.0),
            position=tuple((middle_m - torch.tensor([0.0, 0.0, 0.05])).tolist()),
        )  # fmt: skip
        self.label = scene.add_label(
            f"/video {number}/title", title, anchor="top-center", position=tuple(below_m.tolist())
        )

    def show(self, time_s: float) -> None:
        """Sends nothing if the picture is already shown."""
        place = self._video.place(int((time_s - self._begin_s) * self._fps + 1e-6))
        if place != self._shown:
            self._shown = place
            self.image.image = self._video.picture(place)


def _compressed(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
