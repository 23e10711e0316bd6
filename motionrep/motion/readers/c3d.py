"""Marker files of motion capture systems (.c3d), through the library ezc3d."""

import numpy as np

from motionrep.files.contents import Contents
from motionrep.motion.marker_sets import joints_of_markers
from motionrep.motion.records import Axes, JointOptions, RecordedJoints, Unit, chosen

_UNITS: dict[str, Unit] = {"mm": "mm", "cm": "cm", "m": "m"}
_UP: dict[str, Axes] = {"+Y": "y-up", "+Z": "z-up"}


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The joints of the markers, see `marker_sets`. The upward axis is that of the file's screen, if it has one.

    Raises:
        ValueError: A broken file, one without frames or unit, or no marker that gives a joint; or ezc3d is missing.
    """
    path = contents.path
    chosen(path, 1, options.person)
    try:
        import ezc3d
    except ImportError as error:
        raise ValueError(f"{path}: .c3d files need ezc3d; pip install 'motionrep[c3d]'") from error
    try:
        file = ezc3d.c3d(str(path))
        about, points = file["parameters"]["POINT"], file["data"]["points"]
        more = sorted(name for name in about if name.startswith("LABELS"))  # LABELS2 follows after 255
        labels = [label for name in more for label in about[name]["value"]][: points.shape[1]]
        rate, unit = float(about["RATE"]["value"][0]), str(about["UNITS"]["value"][0]).lower()
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: not a .c3d file that ezc3d can read ({error}); export it again") from error
    if not points.shape[2] or unit not in _UNITS:
        raise ValueError(f"{path}: expected frames of markers in m, cm or mm, got {points.shape[2]} frames in {unit!r}")
    position = np.moveaxis(points[:3], -1, 0).swapaxes(1, 2).astype(np.float64)  # frames markers 3
    missing = file["data"]["meta_points"]["residuals"][0].T < 0
    position[missing] = np.nan
    values, layout = joints_of_markers(path, labels, position, options)
    upward = about.get("Y_SCREEN", {"value": [""]})["value"]
    return RecordedJoints(values, layout, rate, _UNITS[unit], _UP.get(str(upward[0]).upper() if upward else ""))
