"""The detectors that are installed, by name."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from motionrep.files.naming import did_you_mean
from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

GROUP = "motionrep.detectors"
_ABOUT = {
    "blazepose": "30 MB, shipped, Apache-2.0",
    "blazepose-full": "8 MB, shipped, Apache-2.0",
    "vitpose": "through transformers, downloads 516 MB, Apache-2.0",
    "rtmpose": "through rtmlib, downloads 157 MB, Apache-2.0",
}


@runtime_checkable
class Detector(Protocol):
    """What finds people in the pictures of a video.

    A package adds one through the entry point group `motionrep.detectors`. The entry point is called with a device and
    gives an object of this kind. If it also takes `model`, it gets what follows a colon after the detector's name.
    """

    def detect(self, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], fps: float) -> list[Keypoints]:
        """One clip for each person, in order of appearance; none if nobody is seen.

        Args:
            pictures: Of equal size, in RGB. They are read one after the other, so a long video need not fit in memory.
            fps: Pictures in each second; the rate of the clips.
        """
        ...


@runtime_checkable
class LiveDetector(Protocol):
    """A detector that can also be given the pictures of a camera, one at a time.

    Attributes:
        layout: Of its joints.
    """

    layout: JointLayout

    def look(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people joints 3"]:
        """The people in the next picture: x and y in pixels and confidence from 0 to 1 of each joint."""
        ...


def detector_entry_points() -> dict[str, EntryPoint]:
    """Every installed detector by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def described_detectors() -> list[str]:
    """Every installed detector with its size and licence, or with the package that it comes from."""
    described = []
    for name, point in sorted(detector_entry_points().items()):
        package = f"of the package {point.dist.name}" if point.dist else "of an unknown package"
        described.append(f"{name} ({_ABOUT.get(name, package)})")
    return described


def load_detector(name: str, device: str | torch.device = "cpu") -> Detector:
    """An installed detector, ready to run.

    Args:
        name: Of the detector. Where it has several models, one may follow after a colon: "rtmpose:wholebody".

    Raises:
        ValueError: Another name, or a model of a detector that has one only.
        ImportError: A library that the detector needs is not installed.
    """
    detector, _, model = name.partition(":")
    installed = detector_entry_points()
    if detector not in installed:
        raise ValueError(
            f"unknown detector {detector!r}{did_you_mean(detector, installed)} "
            f"(installed: {', '.join(sorted(installed))}); "
            f"a package adds one through the entry point group {GROUP!r}"
        )
    make = installed[detector].load()
    if not model:
        return make(device=device)
    if "model" not in signature(make).parameters:
        raise ValueError(f"detector {detector!r} has one model; leave {':' + model!r} out")
    return make(device=device, model=model)
