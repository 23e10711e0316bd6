"""VideoPose3D's `data_2d_custom_*.npz`: points of each video, without confidence, and the sizes of the videos."""

from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import MALFORMED, as_array, as_items, read_npz_object
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.frames import InVideo
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import COCO_17, H36M_17, LAYOUTS

_LAYOUTS = {"coco": {17: COCO_17}, "h36m": {17: H36M_17}, "mpii": {16: LAYOUTS["mpii_16"]}}
_WHAT = "file of VideoPose3D"


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The points of all videos. Raises ValueError for what cannot be right."""
    path = contents.path
    positions = read_npz_object(path, "positions_2d", _WHAT)
    metadata = read_npz_object(path, "metadata", _WHAT) if "metadata" in contents.fields else {}
    if not isinstance(positions, dict) or not isinstance(metadata, dict):
        raise ValueError(f"{path}: 'positions_2d' and 'metadata' should be dicts, as VideoPose3D writes them")
    said = metadata.get("video_metadata")
    rows, sizes = [], {}
    for video, actions in positions.items():
        size_px = _size(said.get(video) if isinstance(said, dict) else None)
        for name, points in _clips(str(video), actions, path):
            for frame, row in enumerate(points):
                key = InVideo(name, frame)
                rows.append(Row(key, row.ravel().tolist(), None, None))
                if size_px is not None:
                    sizes[key] = size_px
    known = _LAYOUTS.get(str(metadata.get("layout_name", "coco")), {})
    return checked_detections(rows, None, known, options, path, sizes if len(sizes) == len(rows) else None)


def _clips(video: str, actions: Any, path: Path) -> list[tuple[str, np.ndarray]]:
    """x, y, confidence of each clip of a video, or of a subject's actions, with a name."""
    if not isinstance(actions, dict):
        raise ValueError(f"{path}: 'positions_2d' of {video!r} should be a dict of actions, as VideoPose3D writes it")
    found = []
    for action, views in actions.items():
        try:
            arrays = [as_array(view) for view in as_items(views)]
        except MALFORMED as error:
            raise ValueError(f"{path}: 'positions_2d' of {video!r} holds no arrays of points: {error}") from error
        for view, points in enumerate(arrays):
            if points.ndim != 3 or points.shape[2] not in (2, 3):
                raise ValueError(
                    f"{path}: 'positions_2d' of {video!r} has shape {points.shape}, expected (frames, joints, 2)"
                )
            name = video if action == "custom" else f"{video}/{action}"
            found.append((f"{name}/{view}" if len(arrays) > 1 else name, with_confidence(points)))
    return found


def _size(said: Any) -> tuple[int, int] | None:
    if not isinstance(said, dict):
        return None
    sides = [said.get("w"), said.get("h")]
    known = all(isinstance(side, int | float) and side > 0 for side in sides)
    return (int(sides[0] or 0), int(sides[1] or 0)) if known else None
