"""Bare lists in JSON: of frames, of people where there are several, of joints [x, y] or [x, y, confidence]."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.recognising_keypoints import depth_of
from motionrep.keypoints.formats.fields import frame_rate, picture_size, with_confidence
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The points of all frames. Raises ValueError for what cannot be right."""
    frames, size_px = contents.value, picture_size(contents.value)
    if isinstance(frames, dict):
        frames = next(value for value in frames.values() if depth_of(value) in (2, 3, 4))
        frames = _with_scores(frames, [value for value in contents.value.values() if value is not frames])
    depth = depth_of(frames)
    if depth == 2:  # one frame
        frames = [frames]
    rows = [
        Row(key, _values(person, contents.path, key), None, None)
        for key, frame in enumerate(frames)
        for person in (frame or [] if depth == 4 else [frame])
        if person
    ]
    keys = range(len(frames))
    sizes = dict.fromkeys(keys, size_px) if size_px is not None else None
    found = checked_detections(rows, keys, BODY_LAYOUTS, options, contents.path, sizes)
    return replace(found, fps=frame_rate(contents.value))


def _with_scores(points: list[Any], others: list[Any]) -> list[Any]:
    """Points [x, y] with their confidences where one list beside them has a number for each."""
    for other in others:
        try:
            xy, scores = np.array(points, dtype=float), np.array(other, dtype=float)
        except (ValueError, TypeError, OverflowError):
            continue
        if xy.shape[-1] == 2 and scores.shape == xy.shape[:-1]:
            return np.concatenate([xy, scores[..., None]], axis=-1).tolist()
    return points


def _values(person: Any, path: Path, frame: int) -> list[float]:
    try:
        points = np.array(person, dtype=float)
    except (ValueError, TypeError, OverflowError):
        points = None
    if points is None or points.ndim != 2 or points.shape[-1] not in (2, 3):
        raise ValueError(f"{path}: frame {frame}: a joint should be [x, y] or [x, y, confidence], all alike")
    return with_confidence(points).ravel().tolist()
