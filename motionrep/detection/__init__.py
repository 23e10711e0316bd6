"""Keypoints from videos and pictures: `detect` runs a detector, `Detector` is what one must be able to do."""

from motionrep.detection.detecting import detect
from motionrep.detection.detectors import Detector, detector_entry_points, load_detector

__all__ = ["Detector", "detect", "detector_entry_points", "load_detector"]
