"""Keypoint files of 2D detectors: reads, tracks, checks and writes them."""

from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints

__all__ = ["load_keypoints", "save_keypoints"]
