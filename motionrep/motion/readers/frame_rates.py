"""The frame rate that a file says, under the names that programs give it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.arrays import Arrays
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import fps_or_usual

RATES = ("mocap_framerate", "mocap_frame_rate", "fps")


def said_fps(path: Path, fields: Arrays | Mapping[Any, Any]) -> float | None:
    """Frames per second, also as text or in an array of one number; None where no field says it.

    Raises:
        ValueError: What the field holds is not one positive number.
    """
    name = next((name for name in RATES if name in fields), None)
    if name is None:
        return None
    value = fields[name]
    try:
        value = value if isinstance(value, np.ndarray) else array_of(path, name, value)
        fps = float(value.item()) if value.size == 1 else math.nan
    except (ValueError, TypeError):
        fps = math.nan
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{path}: field {name!r} must be one positive number, frames per second, got {value}")
    return fps


def fps_of(path: Path, fields: Arrays | Mapping[Any, Any], options: MotionOptions) -> float:
    """The frame rate that the file says, or else the one that was given, or 30 with a warning.

    Raises:
        ValueError: The field holds no frame rate, or another one was given.
    """
    said = said_fps(path, fields)
    if said is None:
        return fps_or_usual(path, options.fps, 30.0)
    if options.fps not in (None, said):
        raise ValueError(f"{path}: already has a frame rate ({said:g} fps); remove fps={options.fps:g} (--fps)")
    return said
