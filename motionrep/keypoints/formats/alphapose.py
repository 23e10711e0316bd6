"""AlphaPose's results: a list with an entry for each detection; with tracking, `idx` is the person.

PoseFlow, its tracker, writes a dict of such entries by picture.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.coco import entry_rows, told_apart_lists
from motionrep.keypoints.formats.fields import as_list
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a file in AlphaPose's default format. Raises ValueError for what cannot be right."""
    entries, frames = contents.value, None
    if contents.container == "folder":
        entries = [entry for name, found in entries.items() for entry in as_list(found, contents.path / name)]
    elif isinstance(entries, dict):
        entries, frames = _by_picture(entries, contents.path), list(entries)
    rows = entry_rows(entries, contents.path)
    if entries is contents.value:
        rows = told_apart_lists(rows)
    detections = checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path)
    # Without a person it is not motionrep's; and the values of those without, among others with one, are unchecked.
    own = all(
        row.person is not None and entry.get("box") == box_round(np.array(row.values, dtype=np.float64).reshape(-1, 3))
        for entry, row in zip(entries, rows, strict=True)
    )
    return replace(detections, as_saved=own)


def box_round(xyc: Float[np.ndarray, "joints 3"]) -> list[float]:
    """Left, top, width and height of the seen joints, which `saving` writes; AlphaPose's boxes are a detector's."""
    seen = xyc[xyc[:, 2] > 0, :2] if (xyc[:, 2] > 0).any() else np.zeros((1, 2))
    return [*seen.min(0).tolist(), *np.ptp(seen, axis=0).tolist()]


def _by_picture(pictures: dict[str, Any], path: Path) -> list[Any]:
    return [
        {"image_id": name, "score": entry.get("scores")} | entry if isinstance(entry, dict) else entry
        for name, found in pictures.items()
        for entry in as_list(found, f"{path}: frame {name!r}")
    ]
