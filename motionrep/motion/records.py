"""What readers of motion files are asked for, and joints as a file has them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from motionrep.layouts import JointLayout
from motionrep.motion.retargeting.skeletons import SkeletonMap

Unit = Literal["m", "cm", "mm"]
Axes = Literal["y-up", "z-up", "camera", "root"]


@dataclass(frozen=True)
class MotionOptions:
    """What the user asks of a motion file, as in `load_motions`."""

    body_model: str = "open"
    skeleton: SkeletonMap | None = None
    frame: Literal["camera", "world"] | None = None
    fps: float | None = None


@dataclass(frozen=True)
class JointOptions:
    """What the user says about a file of joints, as in `load_joints`; None where the file, or a default, counts."""

    layout: str | None = None
    fps: float | None = None
    unit: Unit | None = None
    axes: Axes | None = None


@dataclass(frozen=True)
class RecordedJoints:
    """Joints in the axes and the unit of their file: positions and, where there is a fourth number, confidence.

    NaN is a missing joint. `fps` and `unit` are None where the file does not tell.
    """

    values: Float[np.ndarray, "frames joints numbers"]
    layout: JointLayout
    fps: float | None = None
    unit: Unit | None = None
