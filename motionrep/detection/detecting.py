"""Keypoints of everybody in a video: `motionrep.detect`."""

import logging
from dataclasses import replace
from pathlib import Path

import torch

from motionrep.detection.detectors import load_detector
from motionrep.detection.names import DEFAULT_DETECTOR
from motionrep.detection.pictures import open_pictures
from motionrep.files.progress import progress_bar
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)


def detect(
    video: Path | str,
    detector: str = DEFAULT_DETECTOR,
    *,
    fps: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> list[Keypoints]:
    """The keypoints of each person in a video, in order of appearance.

    A clip's frames are those of the video. If these are unevenly spaced in time, as in many phone videos, the clip has
    an even rate and each of its frames is the nearest one of the video. Pictures with a side above 1920 px are looked
    at in a smaller size; keypoints are in pixels of the upright video all the same.

    Args:
        video: A video file, an image, or a folder of images in the order of their names.
        detector: An installed one by name; "blazepose-full" is faster and less exact than "blazepose".
        fps: Frame rate of a folder of images; 30 when None.
        progress: Shows a progress bar.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no pictures or is damaged, nobody is seen in it, or the detector is not known.
        ImportError: PyAV is missing, which reads videos.
    """
    source = open_pictures(video, fps)
    found = load_detector(detector, device)
    pictures = iter(progress_bar(source.pictures(), f"detect {source.path.name}", "frame", progress, source.count))
    clips = found.detect(pictures, source.fps)
    if not clips:
        raise ValueError(f"{source.path}: nobody was found in any of its {source.count} frames")
    if source.resampled:
        logger.warning(
            "%s: its frames are unevenly spaced; the clip has %g frames per second, each the nearest of the video",
            source.path, round(source.fps, 3),
        )  # fmt: skip
    return [_in_source_pixels(clip, source.width_px, source.height_px) for clip in clips]


def _in_source_pixels(clip: Keypoints, width_px: int, height_px: int) -> Keypoints:
    scale = torch.tensor([width_px / clip.width_px, height_px / clip.height_px])
    return replace(clip, xy_px=clip.xy_px * scale, width_px=width_px, height_px=height_px)
