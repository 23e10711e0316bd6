"""DeepLabCut's .csv and .h5: columns of scorer, maybe individuals, bodyparts and coords, and a row for each frame."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motionrep.files.contents import Contents
from motionrep.files.hdf5 import pandas_frame
from motionrep.keypoints.formats.table import number
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections

_AXES = ("x", "y", "likelihood")


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of all individuals. Raises ValueError for what cannot be right."""
    path = contents.path
    if contents.container == "hdf5":
        frame = pandas_frame(path)
        named = [list(name) for name in frame.columns]
        columns = [(name[-3] if len(name) > 3 else "", name[-2], name[-1]) for name in named]
        return _detections(columns, [_frame(name) for name in frame.rows], frame.values, options, path)
    return _detections(*_of_table(contents.value, path), options, path)


def _of_table(
    table: list[list[str]], path: Path
) -> tuple[list[tuple[str, str, str]], list[int | str], Float[np.ndarray, "frames columns"]]:
    """Individual, joint and coordinate of each column, the frames, and the numbers of a .csv."""
    heads = {row[0].lower(): row for row in table[:4] if row[0].lower() in ("bodyparts", "coords", "individuals")}
    body = table[1 + len(heads) :]
    parts, coords = heads["bodyparts"], heads["coords"]
    first = next((i for i, name in enumerate(coords) if name.lower() == "x"), 1)
    individuals = heads.get("individuals", [""] * len(parts))
    width = len(coords)
    if any(len(row) != width for row in [parts, individuals, *body]):
        raise ValueError(f"{path}: its rows have different lengths; get it again as DeepLabCut wrote it")
    columns = list(zip(individuals[first:], parts[first:], coords[first:], strict=True))
    values = np.array([[number(row, i, path) for i in range(first, width)] for row in body])
    return columns, [_frame(row[:first]) for row in body], values.reshape(len(body), len(columns))


def _detections(
    columns: list[tuple[str, str, str]],
    frames: list[int | str],
    values: Float[np.ndarray, "frames columns"],
    options: KeypointOptions,
    path: Path,
) -> Detections:
    names = list(dict.fromkeys(part for _, part, _ in columns))
    places: dict[str, dict[tuple[str, str], int]] = {}
    for i, (individual, part, axis) in enumerate(columns):
        places.setdefault(individual, {})[part, axis.lower()] = i
    rows = []
    with_one = np.column_stack([values, np.ones(len(values))])  # annotations have no likelihood
    for individual, place in places.items():
        if {part for part, _ in place} != set(names):
            continue  # objects in the scene that are tracked once, such as the corners of a box
        which = np.array([[place.get((part, axis), -1) for axis in _AXES] for part in names])
        xyc = with_one[:, which]
        xyc[np.isnan(xyc).any(-1)] = 0
        rows += [
            Row(frame, points.ravel().tolist(), None, individual or "0")
            for frame, points in zip(frames, xyc, strict=True)
            if points.any() or not individual
        ]
    return checked_detections(rows, frames, {}, options, path, names=names)


def _frame(cells: list[str] | tuple[str, ...]) -> int | str:
    """The number of a row; projects of pictures have their names there, in one to three parts."""
    name = "/".join(cell for cell in cells if cell)
    return int(float(name)) if re.fullmatch(r"\d+(\.0*)?", name) else name
