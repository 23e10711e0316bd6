"""COCO's results (a list of detections) and annotations (a dict with `images` and `annotations`)."""

import logging
from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, field, person_id
from motionrep.keypoints.naming import has_needed_joints
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections

logger = logging.getLogger(__name__)


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a file of COCO's. Raises ValueError for what cannot be right."""
    entries, frames, names = contents.value, None, None
    if isinstance(entries, dict):
        names, of_people = _names(entries, contents.path)
        entries, frames = _annotations(entries | {"annotations": of_people}, contents.path)
    rows = entry_rows(entries, contents.path)
    return checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path, names=names)


def entry_rows(entries: list[Any], path: Path) -> list[Row]:
    """The detections of a list with `image_id` and `keypoints`, and with `idx` or `track_id` where it was tracked."""
    rows = []
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        person = person_id(entry.get("idx", entry.get("track_id"))) if isinstance(entry, dict) else None
        rows.append(Row(field(entry, "image_id", where), field(entry, "keypoints", where), entry.get("score"), person))
    return rows


def _names(content: dict[str, Any], path: Path) -> tuple[list[str] | None, list[Any]]:
    """The names of the joints, and the annotations whose category has these joints.

    PoseTrack, CVAT and most annotation tools name a category's joints in `keypoints`.
    """
    annotations = as_list(content["annotations"], path)
    named = {
        str(category.get("id")): tuple(map(str, category["keypoints"]))
        for category in content.get("categories") or ()
        if isinstance(category, dict) and isinstance(category.get("keypoints"), list) and category["keypoints"]
    }
    of = [named.get(str(entry.get("category_id"))) if isinstance(entry, dict) else None for entry in annotations]
    with_points = [isinstance(entry, dict) and bool(entry.get("keypoints")) for entry in annotations]
    used = dict.fromkeys(names for names, has in zip(of, with_points, strict=True) if has and names)
    people = [names for names in used if has_needed_joints(names)]
    if len(used) < 2 or not people:
        return (list(next(iter(used))) if used else None), annotations
    if len(people) > 1:
        raise ValueError(f"{path}: 'categories' name the joints of people in {len(people)} ways; keep those of one")
    logger.warning("%s: only the category with the joints of people is read, %d are left out", path, len(used) - 1)
    return list(people[0]), [entry for entry, names in zip(annotations, of, strict=True) if names == people[0]]


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
