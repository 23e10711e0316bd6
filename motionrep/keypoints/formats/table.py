"""Tables (.csv) of keypoints: a row for each person and frame with columns such as nose_x, or a row for each joint."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.columns import Columns, columns_of
from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.frames import InVideo
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import MEDIAPIPE_33

_LAYOUTS = BODY_LAYOUTS | {33: MEDIAPIPE_33}


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a table. Raises ValueError for what cannot be right."""
    path, table = contents.path, contents.value
    columns = columns_of(table[0])
    if columns is None:
        return _without_names(table, options, path)
    cells = [row for row in table[1:] if len(row) == len(table[0])]
    if len(cells) < len(table) - 1:
        odd = next(i for i, row in enumerate(table) if len(row) != len(table[0]))
        raise ValueError(
            f"{path}: row {odd + 1} has {len(table[odd])} cells, the header {len(table[0])}; mend or remove it"
        )
    rows, names = _long(cells, columns, path) if columns.joint is not None else _wide(cells, columns, path)
    return checked_detections(rows, None, _LAYOUTS, options, path, names=names)


def _wide(cells: list[list[str]], columns: Columns, path: Path) -> tuple[list[Row], list[str]]:
    rows = []
    for i, row in enumerate(cells):
        values = np.array([_point(row, place, path) for place in columns.places])
        rows.append(Row(_frame(row, columns, i), values.ravel().tolist(), None, _cell(row, columns.track)))
    return rows, list(columns.joints)


def _long(cells: list[list[str]], columns: Columns, path: Path) -> tuple[list[Row], list[str]]:
    """One joint a row: those of a frame and person together."""
    assert columns.joint is not None
    joints = list(dict.fromkeys(row[columns.joint] for row in cells))
    if all(re.fullmatch(r"\d+", joint) for joint in joints):
        joints.sort(key=int)
    place_of = {joint: i for i, joint in enumerate(joints)}
    people: dict[Any, np.ndarray] = {}
    for row in cells:
        key = _frame(row, columns, 0), _cell(row, columns.track)
        points = people.setdefault(key, np.full((len(joints), 3), np.nan))
        joint = place_of[row[columns.joint]]
        if not np.isnan(points[joint, 2]):
            raise ValueError(
                f"{path}: frame {key[0]!r} has the joint {row[columns.joint]!r} twice; where it holds several people, "
                "a column person_id should tell them apart"
            )
        points[joint] = _point(row, columns.places[0], path)
    rows = [Row(frame, np.nan_to_num(xyc).ravel().tolist(), None, track) for (frame, track), xyc in people.items()]
    return rows, [f"joint {joint}" if joint.isdecimal() else joint for joint in joints]


def _point(row: Sequence[str], place: tuple[int, int, int | None], path: Path) -> tuple[float, float, float]:
    """x, y, confidence; 0 for an empty cell, as of a joint that was not seen."""
    x, y = (_number(row[column], path) for column in place[:2])
    seen = not np.isnan([x, y]).any() and (x, y) != (0, 0)
    confidence = 1.0 if place[2] is None else _number(row[place[2]], path)
    return (x, y, 0.0 if np.isnan(confidence) else confidence) if seen else (0.0, 0.0, 0.0)


def number(row: Sequence[str], place: int | None, path: Path) -> float:
    """A cell's number, NaN where it is empty, and 1 where there is no such column, as confidence."""
    return 1.0 if place is None else _number(row[place], path)


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell.replace(",", ".")) if cell.lower() not in ("", "nan", "none", "null", "na") else np.nan
    except ValueError as error:
        raise ValueError(f"{path}: expected a number in every cell of a joint, got {cell!r}") from error


def _frame(row: Sequence[str], columns: Columns, default: int) -> Any:
    """The number or name of a row's frame; rows without one are counted."""
    cell = _cell(row, columns.frame)
    frame: Any = default if cell is None else cell
    if isinstance(frame, str) and re.fullmatch(r"-?\d+(\.0*)?", frame):
        frame = int(float(frame))
    elif isinstance(frame, str) and re.fullmatch(r"-?\d*\.\d+", frame):
        frame = float(frame)  # a time
    video = _cell(row, columns.video)
    return frame if video is None else InVideo(video, frame)


def _cell(row: Sequence[str], place: int | None) -> str | None:
    return None if place is None or not row[place] else row[place]


def _without_names(table: list[list[str]], options: KeypointOptions, path: Path) -> Detections:
    """A table of numbers only: a frame's x, y or x, y, confidence of each joint, and maybe its number before them."""
    if options.layout is None:
        raise ValueError(
            f"{path}: a table of {len(table[0])} numbers a row, without names; say what they are with --layout "
            "(layout=), as in coco_17 or my.json, or give the columns names such as nose_x, nose_y, nose_score"
        )
    count, joints = len(table[0]), options.layout.joint_count
    shape = next(((each, before) for before in (0, 1) for each in (3, 2) if count == joints * each + before), None)
    if shape is None or any(len(row) != count for row in table):
        raise ValueError(
            f"{path}: rows of {count} numbers, layout {options.layout.name!r} needs {2 * joints} or {3 * joints} in "
            "every row, and maybe the frame's number before them"
        )
    each, before = shape
    rows = []
    for i, row in enumerate(table):
        numbers = np.array([_number(cell, path) for cell in row[before:]]).reshape(joints, each)
        frame = int(_number(row[0], path)) if before else i
        rows.append(Row(frame, with_confidence(numbers).ravel().tolist(), None, None))
    return checked_detections(rows, None, {}, options, path)
