"""What readers of motion files are asked for, and joints as a file has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from motionrep.layouts import JointLayout
from motionrep.motion.retargeting.skeletons import SkeletonMap

Unit = Literal["m", "cm", "mm"]
Up = Literal["x", "y", "z"]
Axes = Literal["y-up", "z-up", "camera", "root"]
MarkerMap = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class MotionOptions:
    """What the user asks of a motion file, as in `load_motions`."""

    body_model: str = "open"
    skeleton: SkeletonMap | None = None
    frame: Literal["camera", "world"] | None = None
    fps: float | None = None
    up: Up | None = None


@dataclass(frozen=True)
class JointOptions:
    """What the user says about a file of joints, as in `load_joints`; None where the file, or a default, counts."""

    layout: str | None = None
    fps: float | None = None
    unit: Unit | None = None
    axes: Axes | None = None
    person: int | None = None
    markers: MarkerMap | None = None


@dataclass(frozen=True)
class RecordedJoints:
    """Joints in the axes and the unit of their file: positions and, where there is a fourth number, confidence.

    NaN is a missing joint. `fps`, `unit` and `axes` are None where the file does not tell. `usual_fps` is then the
    frame rate that such files have by convention, and who has it.
    """

    values: Float[np.ndarray, "frames joints numbers"]
    layout: JointLayout
    fps: float | None = None
    unit: Unit | None = None
    axes: Axes | None = None
    usual_fps: tuple[float, str] | None = None


def chosen(path: Path, count: int, person: int | None, what: str = "persons") -> int:
    """The index of the person (or sample) that was chosen, or of the only one. Raises ValueError for none of them."""
    if person is None and count > 1:
        raise ValueError(f"{path}: holds {count} {what}; choose one with person= (--person), 0 to {count - 1}")
    if person is not None and not 0 <= person < count:
        raise ValueError(f"{path}: holds {count} {what}, so person must be 0 to {count - 1}")
    return person or 0
