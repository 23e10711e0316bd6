"""Marker tables of OpenSim and Pose2Sim (.trc), whose markers have names such as RKnee or left_knee."""

import re
from pathlib import Path

import numpy as np

from motionrep.files.contents import Contents
from motionrep.layouts import LAYOUTS, JointLayout, find_layout
from motionrep.motion.records import JointOptions, RecordedJoints, Unit


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The markers that a layout knows; NaN for its other joints. Without a layout, the one with most of the markers.

    Raises:
        ValueError: No such table, no frames, or no marker that is a joint of a layout.
    """
    path = contents.path
    fps, unit, markers, position = _table(path)
    known = find_layout(options.layout) if options.layout else _best_layout(markers)
    if not (shared := [joint for joint in known.joints if joint in markers]):
        raise ValueError(f"{path}: no marker is a joint of a layout; markers: {', '.join(markers)}")
    values = np.full((len(position), known.joint_count, 3), np.nan)
    for joint in shared:
        values[:, known.index(joint)] = position[:, markers.index(joint)]
    return RecordedJoints(values, known, fps, unit)


def _table(path: Path) -> tuple[float, Unit, list[str], np.ndarray]:
    """Frame rate, unit, names of the markers, and their positions (frames, markers, 3)."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
        fps, unit = float(header["DataRate"]), header["Units"].lower()
        markers = [_joint_name(cell) for cell in lines[3].rstrip().split("\t")[2::3]]
        width = 2 + 3 * len(markers)
        rows = [line.split("\t")[:width] for line in lines[5:] if line.strip()]
        table = [[float(cell) if cell.strip() else np.nan for cell in row[2:]] for row in rows]
        marked = np.array([row + [np.nan] * (width - 2 - len(row)) for row in table]).reshape(-1, len(markers), 3)
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not a .trc marker table; expected DataRate and Units in line 2 with their values in line 3, "
            f"marker names in line 4 and numbers from line 6 on, separated by tabs ({error})"
        ) from error
    if unit not in ("m", "cm", "mm") or not len(marked):
        raise ValueError(f"{path}: expected frames in m, cm or mm, got {len(marked)} frames in {unit!r}")
    return fps, unit, markers, marked


def _best_layout(markers: list[str]) -> JointLayout:
    return max(LAYOUTS.values(), key=lambda layout: len({*layout.joints} & {*markers}))


def _joint_name(marker: str) -> str:
    """`right_big_toe` for RBigToe."""
    marker = re.sub(r"^([RL])(?=[A-Z][a-z])", lambda side: {"R": "Right", "L": "Left"}[side[1]], marker.strip())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", marker).lower().replace(" ", "_")
