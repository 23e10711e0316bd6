"""Keypoints from videos and pictures: `detect` runs a detector, `Detector` is what one must be able to do."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionrep.detection.detecting import detect
    from motionrep.detection.detectors import Detector, detector_entry_points, load_detector

__all__ = ["Detector", "detect", "detector_entry_points", "load_detector"]

# Imported when first asked for: the command line reads `names` without torch.
_MODULES = {
    "detect": "detecting", "Detector": "detectors", "detector_entry_points": "detectors", "load_detector": "detectors",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"motionrep.detection.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'motionrep.detection' has no attribute {name!r}")
