"""AlphaPose's results: a list with an entry for each detection; with tracking, `idx` is the person.

PoseFlow, its tracker, writes a dict of such entries by picture.
"""

from pathlib import Path
from typing import Any

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
    return checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path)


def _by_picture(pictures: dict[str, Any], path: Path) -> list[Any]:
    return [
        {"image_id": name, "score": entry.get("scores")} | entry if isinstance(entry, dict) else entry
        for name, found in pictures.items()
        for entry in as_list(found, f"{path}: frame {name!r}")
    ]
