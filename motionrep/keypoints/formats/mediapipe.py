"""MediaPipe's pose landmarks, frame by frame, as its users put them into JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, frame_keys
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.keypoints.sizes import asked_size
from motionrep.layouts import MEDIAPIPE_33

_LAYOUTS = {33: MEDIAPIPE_33}


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections in a list of frames. Raises ValueError for what cannot be right."""
    rows = _rows(contents.value, asked_size(options, contents.path), contents.path)
    return checked_detections(rows, frame_keys(contents.value), _LAYOUTS, options, contents.path)


def _rows(frames: list[Any], size_px: tuple[int, int], path: Path) -> Iterator[Row]:
    """x is in image widths and y in image heights; a frame holds nothing, landmarks, or one such list per person."""
    width_px, height_px = size_px
    for key, frame in zip(frame_keys(frames), frames, strict=True):
        if isinstance(frame, dict):
            frame = frame.get("landmarks", frame.get("pose_landmarks"))
        if isinstance(frame, dict):  # protocol buffer as JSON
            frame = frame.get("landmark")
        poses = as_list(frame or [], f"{path}: frame {key}")
        for pose in [poses] if poses and isinstance(poses[0], dict) else poses:
            try:
                values = [v for p in pose for v in (p["x"] * width_px, p["y"] * height_px, p["visibility"])]
            except (KeyError, TypeError, OverflowError) as error:
                raise ValueError(f"{path}: frame {key}: a landmark needs numbers x, y and visibility") from error
            if values:
                yield Row(key, values, None, None)
