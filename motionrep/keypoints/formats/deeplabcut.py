"""DeepLabCut's .csv: rows of names (scorer, maybe individuals, bodyparts, coords), then a row for each frame."""

import re

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.table import number
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of all individuals. Raises ValueError for what cannot be right."""
    path, table = contents.path, contents.value
    heads = {row[0].lower(): row for row in table[:4] if row[0].lower() in ("bodyparts", "coords", "individuals")}
    body = table[1 + len(heads) :]
    parts, coords = heads["bodyparts"], heads["coords"]
    first = next((i for i, name in enumerate(coords) if name.lower() == "x"), 1)
    individuals = heads.get("individuals", [""] * len(parts))
    width = len(coords)
    if any(len(row) != width for row in [parts, individuals, *body]):
        raise ValueError(f"{path}: its rows have different lengths; get it again as DeepLabCut wrote it")
    names = list(dict.fromkeys(parts[first:]))
    places: dict[str, dict[tuple[str, str], int]] = {}
    for i in range(first, width):
        places.setdefault(individuals[i], {})[parts[i], coords[i].lower()] = i
    rows = []
    for row in body:
        for individual, place in places.items():
            if {part for part, _ in place} != set(names):
                continue  # objects in the scene that are tracked once, such as the corners of a box
            xyc = np.array([[number(row, place.get((part, axis)), path) for axis in _AXES] for part in names])
            xyc[np.isnan(xyc).any(1)] = 0
            if xyc.any() or not individual:
                rows.append(Row(_frame(row, first), xyc.ravel().tolist(), None, individual or "0"))
    return checked_detections(rows, None, {}, options, path, names=names)


_AXES = ("x", "y", "likelihood")


def _frame(row: list[str], first: int) -> int | str:
    """The number of a row; projects of pictures have their names there, in one to three columns."""
    name = "/".join(cell for cell in row[:first] if cell)
    return int(float(name)) if re.fullmatch(r"\d+(\.0*)?", name) else name
