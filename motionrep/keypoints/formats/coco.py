"""COCO's results (a list of detections) and annotations (a dict with `images` and `annotations`)."""

from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, field, person_id
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a file of COCO's. Raises ValueError for what cannot be right."""
    entries, frames = contents.value, None
    if isinstance(entries, dict):
        entries, frames = _annotations(entries, contents.path)
    rows = entry_rows(entries, contents.path)
    return checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path)


def entry_rows(entries: list[Any], path: Path) -> list[Row]:
    """The detections of a list with `image_id` and `keypoints`, and with `idx` or `track_id` where it was tracked."""
    rows = []
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        person = person_id(entry.get("idx", entry.get("track_id"))) if isinstance(entry, dict) else None
        rows.append(Row(field(entry, "image_id", where), field(entry, "keypoints", where), entry.get("score"), person))
    return rows


def _annotations(content: dict[str, Any], path: Path) -> tuple[list[Any], list[Any]]:
    """The annotations with the file name in place of the image id, and the names of all images."""
    name_of = {}
    for i, image in enumerate(as_list(content["images"], path)):
        number = field(image, "id", f"{path}: image {i}")
        name_of[str(number)] = image.get("file_name", number)
    entries = []
    for i, entry in enumerate(as_list(content["annotations"], path)):
        number = field(entry, "image_id", f"{path}: annotation {i}")
        if str(number) not in name_of:
            raise ValueError(f"{path}: annotation {i} is of image {number!r}, which 'images' does not list")
        if entry.get("keypoints"):  # others are boxes of things
            entries.append(entry | {"image_id": name_of[str(number)]})
    return entries, list(name_of.values())
