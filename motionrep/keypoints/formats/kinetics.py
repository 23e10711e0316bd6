"""Kinetics-skeleton, the JSON of ST-GCN: `data` with a `skeleton` for each frame, coordinates as fractions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, field, track_of
from motionrep.keypoints.naming import BODY_LAYOUTS
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import OPENPOSE_18, OPENPOSE_25

_LAYOUTS = BODY_LAYOUTS | {18: OPENPOSE_18, 25: OPENPOSE_25}


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a clip. Raises ValueError for what cannot be right."""
    path, frames = contents.path, as_list(contents.value["data"], contents.path)
    keys = [field(frame, "frame_index", f"{path}: item {i} of 'data'") for i, frame in enumerate(frames)]
    return checked_detections(_rows(keys, frames, path), keys, _LAYOUTS, options, path)


def _rows(keys: list[Any], frames: list[Any], path: Path) -> Iterator[Row]:
    for key, frame in zip(keys, frames, strict=True):
        where = f"{path}: frame {key!r}"
        for person in as_list(field(frame, "skeleton", where), where):
            pose, score = field(person, "pose", where), person.get("score", person.get("pose_score"))
            try:
                xy = np.array(pose, dtype=float).reshape(-1, 2)
                confidence = np.array(score, dtype=float).reshape(-1, 1)
                xyc = np.concatenate([xy, confidence], axis=1)
            except (ValueError, TypeError, OverflowError) as error:
                raise ValueError(
                    f"{where}: 'pose' must be x, y of each joint, and 'score' a number for each"
                ) from error
            if len(xyc):
                yield Row(key, xyc.ravel().tolist(), None, track_of(person))
