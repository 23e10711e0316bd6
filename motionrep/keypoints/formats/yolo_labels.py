"""Ultralytics YOLO's text labels (`save_txt=True`): a file per picture, a line per person, fractions of the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections
from motionrep.keypoints.sizes import asked_size

_BOX = 5  # class, and the middle and size of the box


@dataclass(frozen=True)
class _Columns:
    """How many joints a line has, how many numbers each, and what follows them."""

    joints: int
    each: int
    has_score: bool
    has_track: bool


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a folder of labels, or of one picture. Raises ValueError for what cannot be right."""
    path, size_px = contents.path, asked_size(options, contents.path)
    texts = contents.value if isinstance(contents.value, Mapping) else {path.name: contents.value}
    texts = {name: text for name, text in texts.items() if name != "classes.txt"}  # names of what is labelled
    lines = [(name, line) for name, text in texts.items() for line in _numbers(text, name, path)]
    lines = [(name, line) for name, line in lines if len(line) > _BOX + 2]  # others are boxes of things
    if not lines:
        raise ValueError(f"{path}: no person was detected in any frame")
    counts = {len(line) for _, line in lines}
    if len(counts) > 1:
        raise ValueError(
            f"{path}: its lines have {' or '.join(map(str, sorted(counts)))} numbers, expected as many each"
        )
    columns = _columns(np.array([line for _, line in lines]), options, path)
    end = _BOX + columns.joints * columns.each
    rows = []
    for name, line in lines:
        xyc = with_confidence(np.array(line[_BOX:end]).reshape(columns.joints, columns.each))
        score = line[end] if columns.has_score else None
        track = str(int(line[-1])) if columns.has_track else None
        rows.append(Row(name, (xyc * [*size_px, 1]).ravel().tolist(), score, track))
    return checked_detections(rows, None if len(texts) == 1 else list(texts), BODY_LAYOUTS, options, path)


def _numbers(text: str, name: str, path: Path) -> list[list[float]]:
    try:
        return [[float(number) for number in line.split()] for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f"{path}: {name!r}: a line of YOLO's labels is numbers only ({error})") from error


def _columns(lines: np.ndarray, options: KeypointOptions, path: Path) -> _Columns:
    """Of the two numbers that may follow the joints, the score and the track, one alone is a track if it is whole."""
    count = lines.shape[1] - _BOX
    expected = [options.layout.joint_count] if options.layout is not None else list(BODY_LAYOUTS)
    whole = bool((lines[:, -1] == np.round(lines[:, -1])).all() and (lines[:, -1] >= 1).all())
    for each in (3, 2):
        for more in (0, 1, 2):
            joints, left = divmod(count - more, each)
            if left == 0 and joints in expected:
                return _Columns(
                    joints, each, more == 2 or (more == 1 and not whole), more == 2 or (more == 1 and whole)
                )
    raise ValueError(
        f"{path}: its lines have {count} numbers after the box, not those of {' or '.join(map(str, expected))} "
        "joints; pass the layout that the detector was trained on (--layout)"
    )
