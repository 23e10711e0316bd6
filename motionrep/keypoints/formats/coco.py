"""COCO's results (a list of detections) and annotations (a dict with `images` and `annotations`)."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import (
    as_list,
    field,
    flat_values,
    frame_rate,
    may_number_detections,
    picture_size,
    track_of,
    video_of,
)
from motionrep.keypoints.frames import InVideo
from motionrep.keypoints.naming import has_needed_joints
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections

logger = logging.getLogger(__name__)


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a file of COCO's. Raises ValueError for what cannot be right."""
    entries, frames, names, sizes, fps = contents.value, None, None, None, None
    if isinstance(entries, dict):
        names, of_people = _names(entries, contents.path)
        fps = _frame_rate(entries.get("videos"))
        entries, frames, sizes = _annotations(entries | {"annotations": of_people}, contents.path)
    rows = entry_rows(entries, contents.path)
    if frames is None:
        rows = told_apart_lists(rows)
    return replace(checked_detections(rows, frames, BODY_LAYOUTS, options, contents.path, sizes, names), fps=fps)


def entry_rows(entries: list[Any], path: Path) -> list[Row]:
    """The detections of a list with `image_id` and `keypoints`, and with a track's id where it was tracked."""
    rows = []
    if entries and not any(isinstance(entry, dict) and "keypoints" in entry for entry in entries):
        try:
            field(entries[0], "keypoints", f"{path}: entry 0")
        except ValueError as error:
            raise ValueError(
                f"{error}, nor has another; run a detector that finds keypoints, not only boxes"
            ) from error
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        frame, values = field(entry, "image_id", where), flat_values(field(entry, "keypoints", where))
        if (video := video_of(entry)) is not None:
            frame = InVideo(video, frame)
        rows.append(Row(frame, values, entry.get("score"), track_of(entry)))
    numbered = rows and all(map(may_number_detections, entries))
    if numbered and len({row.person for row in rows}) == len(rows):  # some tools number detections, not people
        return [row._replace(person=None) for row in rows]
    return rows


def told_apart_lists(rows: list[Row]) -> list[Row]:
    """The detections with a video in place of nothing where lists of several videos were joined.

    Tools list one frame after the other. Where a frame (of the same person) comes back after others, the next list
    begins, unless frames come in any order.
    """
    if not all(isinstance(row.frame, int | str) for row in rows):  # a video is named, or a frame is no frame
        return rows
    starts, seen, last = [0], set(), None
    first = {row.frame: i for i, row in reversed(list(enumerate(rows)))}
    for i, row in enumerate(rows):
        key = row.frame, row.person
        if key in seen and row.frame != last:
            starts, seen = [*starts, i], set()
        elif i > starts[-1] and first[row.frame] < first[last]:
            return rows
        seen.add(key)
        last = row.frame
    if len(starts) == 1:
        return rows
    ends = [*starts[1:], len(rows)]
    return [
        row._replace(frame=InVideo(str(video), row.frame))
        for video, (start, end) in enumerate(zip(starts, ends, strict=True))
        for row in rows[start:end]
    ]


def _names(content: dict[str, Any], path: Path) -> tuple[list[str] | None, list[Any]]:
    """The names of the joints, and the annotations whose category has these joints.

    PoseTrack, CVAT and most annotation tools name a category's joints in `keypoints`.
    """
    annotations = as_list(content["annotations"], path)
    categories = content.get("categories") or []
    named = {
        str(category.get("id")): tuple(map(str, category["keypoints"]))
        for category in (categories if isinstance(categories, list) else [categories])
        if isinstance(category, dict) and isinstance(category.get("keypoints"), list) and category["keypoints"]
    }
    only = next(iter(named)) if len(named) == 1 else None
    numbers = [entry.get("category_id") if isinstance(entry, dict) else None for entry in annotations]
    of = [named.get(str(only if number is None else number)) for number in numbers]
    with_points = [isinstance(entry, dict) and bool(entry.get("keypoints")) for entry in annotations]
    used = dict.fromkeys(names for names, has in zip(of, with_points, strict=True) if has and names)
    people = [names for names in used if has_needed_joints(names)]
    if len(used) < 2 or not people:
        return (list(next(iter(used))) if used else None), annotations
    if len(people) > 1:
        raise ValueError(f"{path}: 'categories' name the joints of people in {len(people)} ways; keep those of one")
    logger.warning("%s: only the category with the joints of people is read, %d are left out", path, len(used) - 1)
    return list(people[0]), [entry for entry, names in zip(annotations, of, strict=True) if names == people[0]]


def _annotations(content: dict[str, Any], path: Path) -> tuple[list[Any], list[Any], dict[Any, tuple[int, int]] | None]:
    """The annotations with the frame in place of the image id, all frames, and the sizes of their pictures."""
    images = as_list(content["images"], path)
    frame_of, sizes = {}, {}
    for i, image in enumerate(images):
        number = str(field(image, "id", f"{path}: image {i}"))
        frame_of[number] = _frame(image)
        size_px = picture_size(image)
        if size_px is not None:
            sizes[frame_of[number]] = size_px
    if len(set(map(repr, frame_of.values()))) < len(frame_of):
        frame_of, sizes = _told_apart(frame_of), {}
    entries, annotations = [], as_list(content["annotations"], path)
    for i, entry in enumerate(annotations):
        number = field(entry, "image_id", f"{path}: annotation {i}")
        if str(number) not in frame_of:
            raise ValueError(f"{path}: annotation {i} is of image {number!r}, which 'images' does not list")
        if entry.get("keypoints"):  # others are boxes of things
            entries.append(entry | {"image_id": frame_of[str(number)], "video_id": None})
    if annotations and not entries:
        raise ValueError(f"{path}: its annotations have no 'keypoints', as those of objects; export those of keypoints")
    return entries, list(frame_of.values()), sizes if len(sizes) == len(frame_of) else None


def _frame(image: dict[str, Any]) -> Any:
    """A picture's file name, or number, and its video where the file says it."""
    name = image.get("file_name")
    counted = image.get("frame_id", image.get("frame_index"))
    if counted is not None and not re.search(r"\d", str(name or "")):
        name = counted
    frame = image["id"] if name is None else name
    video = video_of(image)
    if video is None:
        return frame
    return InVideo(video, re.split(r"[/\\]", frame)[-1] if isinstance(frame, str) else frame)


def _told_apart(frame_of: dict[str, Any]) -> dict[str, Any]:
    """The frames of videos whose pictures are called the same: each video begins where a name comes back."""
    video, seen, apart = 0, set(), {}
    for number, frame in frame_of.items():
        if repr(frame) in seen:
            video, seen = video + 1, set()
        seen.add(repr(frame))
        apart[number] = InVideo(str(video), frame.frame if isinstance(frame, InVideo) else frame)
    return apart


def _frame_rate(videos: Any) -> float | None:
    """The rate of the list `videos` of some annotation tools, where all are the same."""
    listed = [video for video in videos if isinstance(video, dict)] if isinstance(videos, list) else []
    rates = {frame_rate(video) for video in listed}
    return rates.pop() if len(rates) == 1 else None
