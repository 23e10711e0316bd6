"""Marker tables of OpenSim, OpenCap and Pose2Sim (.trc)."""

from pathlib import Path

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.limits import OverLimitError, require_within
from motionrep.files.reading import read_bytes
from motionrep.motion.marker_sets import joints_of_markers
from motionrep.motion.records import JointOptions, RecordedJoints, Unit, chosen


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The joints of the markers, see `marker_sets`.

    Raises:
        ValueError: No such table, no frames, or no marker that gives a joint.
    """
    path = contents.path
    chosen(path, 1, options.person)
    fps, unit, markers, position = _table(path)
    values, layout = joints_of_markers(path, markers, position, options)
    return RecordedJoints(values, layout, fps, unit)


def _table(path: Path) -> tuple[float, Unit, list[str], np.ndarray]:
    """Frame rate, unit, names of the markers, and their positions (frames, markers, 3)."""
    lines = read_bytes(path).decode("utf-8", errors="replace").splitlines()
    try:
        header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
        fps, unit = float(header["DataRate"]), header["Units"].lower()
        markers = lines[3].rstrip().split("\t")[2::3]
        width = 2 + 3 * len(markers)
        rows = [line.split("\t")[:width] for line in lines[5:] if line.strip()]
        require_within(path, "numbers", len(rows) * width)
        table = [[float(cell) if cell.strip() else np.nan for cell in row[2:]] for row in rows]
        marked = np.array([row + [np.nan] * (width - 2 - len(row)) for row in table]).reshape(-1, len(markers), 3)
    except OverLimitError:
        raise
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not a .trc marker table; expected DataRate and Units in line 2 with their values in line 3, "
            f"marker names in line 4 and numbers from line 6 on, separated by tabs ({error})"
        ) from error
    if unit not in ("m", "cm", "mm") or not len(marked):
        raise ValueError(f"{path}: expected frames in m, cm or mm, got {len(marked)} frames in {unit!r}")
    return fps, unit, markers, marked
