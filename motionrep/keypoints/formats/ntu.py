"""NTU RGB+D's `.skeleton`: what Kinect v2 saw, with the joints' places in its colour picture."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import NTU_25

_SIZE_PX = (1920, 1080)  # of Kinect v2's colour camera
_FPS = 30.0
_COLOUR_X, _STATE = 5, 11  # places in the 12 numbers of a joint
_CONFIDENCE = {"0": 0.0, "1": 0.5, "2": 1.0}  # not tracked, inferred, tracked


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The bodies' joints in the colour picture. Raises ValueError for what cannot be right."""
    rows, frame_count = _rows(contents.value.split("\n"), contents.path)
    sizes = dict.fromkeys(range(frame_count), _SIZE_PX)
    found = checked_detections(rows, range(frame_count), {25: NTU_25}, options, contents.path, sizes)
    return replace(found, fps=_FPS)


def _rows(lines: list[str], path: Path) -> tuple[list[Row], int]:
    rest = iter(line.split() for line in lines if line.strip())
    rows = []
    try:
        frame_count = int(next(rest)[0])
        for frame in range(frame_count):
            for _ in range(int(next(rest)[0])):
                body = next(rest)[0]
                rows.append(Row(frame, list(_joints(rest, int(next(rest)[0]))), None, body))
    except (StopIteration, ValueError, IndexError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path}: a .skeleton lists frames, bodies and 12 numbers a joint, and this one is cut off or altered "
            f"({type(error).__name__}); get it again"
        ) from error
    return rows, frame_count


def _joints(lines: Iterator[list[str]], count: int) -> list[float]:
    values = []
    for _ in range(count):
        numbers = next(lines)
        x, y = (float(number) for number in numbers[_COLOUR_X : _COLOUR_X + 2])
        seen = np.isfinite(x) and np.isfinite(y)
        values += [x, y, _CONFIDENCE[numbers[_STATE]]] if seen else [0.0, 0.0, 0.0]
    return values
