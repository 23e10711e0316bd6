"""Ultralytics YOLO, `Results.to_json`: a list of detections for each frame, those of one frame, or a folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, field, track_of
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of YOLO's results. Raises ValueError for what cannot be right."""
    frames = contents.value
    if contents.container != "folder":
        frames = dict(enumerate([frames] if isinstance(contents.item, dict) else frames))
    rows = _rows(frames, contents.path)
    return checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path)


def _rows(frames: Mapping[Any, Any], path: Path) -> Iterator[Row]:
    """Versions up to 8.3 set x and y to 0 for confidence below 0.5."""
    for key, frame in frames.items():
        where = f"{path}: frame {key}"
        for detection in as_list(frame, where):
            keypoints = field(detection, "keypoints", where)
            columns = [field(keypoints, name, f"{where}: 'keypoints'") for name in ("x", "y", "visible")]
            try:
                x, y, visible = (np.array(column, dtype=float) for column in columns)
                xyc = np.stack([x, y, np.where((x == 0) & (y == 0), 0, visible)], axis=1)
            except (ValueError, TypeError, OverflowError) as error:
                raise ValueError(f"{where}: 'x', 'y' and 'visible' must be equally long lists of numbers") from error
            yield Row(key, xyc.ravel().tolist(), detection.get("confidence"), track_of(detection))
