"""What detectors have in common that look at each picture by itself: people are followed afterwards."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from motionrep.keypoints.clips import person_clips
from motionrep.keypoints.records import Detections
from motionrep.layouts import COCO_17, HALPE_26, JointLayout, find_layout
from motionrep.types import Keypoints

Picture = UInt8[np.ndarray, "height width 3"]
People = Float[np.ndarray, "people joints 3"]

_LAYOUTS = {17: COCO_17, 26: HALPE_26, 133: find_layout("coco_wholebody_133")}


class FrameByFrame(ABC):
    """A detector that looks at each picture by itself.

    Attributes:
        name: Of the detector, for messages.
        layout: Of its joints.
    """

    name: str
    layout: JointLayout

    @abstractmethod
    def look(self, picture: Picture) -> People:
        """The people in one picture: x and y in pixels and confidence from 0 to 1 of each joint."""

    def detect(self, pictures: Iterable[Picture], fps: float) -> list[Keypoints]:
        """One clip for each person, in order of appearance; none if nobody is seen. People are followed by place."""
        found: list[People] = []
        size_px = (0, 0)
        for picture in pictures:
            size_px = picture.shape[1], picture.shape[0]
            found.append(self.look(picture))
        frame = np.repeat(np.arange(len(found)), [len(people) for people in found])
        if not len(frame):
            return []
        xyc = np.concatenate(found).astype(np.float64)
        score = xyc[..., 2].mean(1)
        detections = Detections(xyc, frame, score, None, self.layout, [""] * len(frame))
        return person_clips(detections, fps, size_px, Path(self.name))


def layout_of(joints: int, what: str) -> JointLayout:
    """The layout that has a number of joints; raises ValueError for others than COCO's, Halpe's and whole bodies."""
    if joints not in _LAYOUTS:
        known = ", ".join(f"{count} ({layout.name})" for count, layout in _LAYOUTS.items())
        raise ValueError(f"{what}: has {joints} joints; detectors can have {known}")
    return _LAYOUTS[joints]


def require_library(detector: str, library: str, download: str) -> None:
    """Raises ImportError, which says how to install a library and how much is downloaded after that, if it is missing.

    Args:
        download: The weights and their size.
    """
    try:
        there = find_spec(library) is not None
    except ValueError:  # of a module that is None in sys.modules
        there = False
    if not there:
        raise ImportError(
            f'detector {detector} needs {library}: pip install "motionrep[{detector}]"; at its first use it downloads '
            f"{download}"
        )
