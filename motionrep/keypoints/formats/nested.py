"""Bare lists in JSON: of frames, of people where there are several, of joints [x, y] or [x, y, confidence]."""

from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.recognising_keypoints import depth_of
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The points of all frames. Raises ValueError for what cannot be right."""
    frames = contents.value
    if isinstance(frames, dict):
        frames = next(value for value in frames.values() if depth_of(value) in (2, 3, 4))
    depth = depth_of(frames)
    if depth == 2:  # one frame
        frames = [frames]
    rows = [
        Row(key, _values(person, contents.path, key), None, None)
        for key, frame in enumerate(frames)
        for person in (frame or [] if depth == 4 else [frame])
        if person
    ]
    return checked_detections(rows, range(len(frames)), BODY_LAYOUTS, options, contents.path)


def _values(person: Any, path: Path, frame: int) -> list[float]:
    try:
        points = np.array(person, dtype=float)
    except (ValueError, TypeError, OverflowError):
        points = None
    if points is None or points.ndim != 2 or points.shape[-1] not in (2, 3):
        raise ValueError(f"{path}: frame {frame}: a joint should be [x, y] or [x, y, confidence], all alike")
    return with_confidence(points).ravel().tolist()
