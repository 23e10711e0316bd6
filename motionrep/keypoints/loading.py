"""Loads keypoint files of 2D detectors, one clip per person."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from motionrep.files.contents import Contents, look
from motionrep.files.kinds import require_kind
from motionrep.files.reading import reading
from motionrep.keypoints.clips import person_clips
from motionrep.keypoints.frames import FrameOrder
from motionrep.keypoints.naming import asked_layout
from motionrep.keypoints.records import Detections, KeypointOptions
from motionrep.keypoints.sizes import NO_SIZE, in_pixels, size_and_rate
from motionrep.layouts import JointLayout
from motionrep.types import DEFAULT_FPS, Keypoints

logger = logging.getLogger(__name__)


def load_keypoints(
    path: Path | str,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
    frame_order: FrameOrder = "number",
    all_persons: bool = False,
) -> list[Keypoints]:
    """Every person in a keypoint file, in order of first appearance; the format is recognised by content.

    The formats are those that hold "keypoints" in `files.kinds.KINDS`; docs/formats.md lists them.

    One clip is one person in one video. Several videos in a file are told apart, and their persons are called
    "video/person". A clip goes from its person's first detection to the last. `Keypoints.first_frame` is the number of
    the first one in the file. Frames in between without a detection have confidence 0. Frame numbers come from the
    file; of several integers in a picture's name, the one counts that goes up as frames do (`keypoints.frames`).

    A joint is unseen where its confidence is 0, negative or NaN, its coordinates are 0, 0, or one is NaN. Of two
    detections of a person in one frame the one with the higher score is kept. Where some detections have a person id,
    those without are left out. Without any ids, people are tracked (`keypoints.tracking.follow_people`). Coordinates
    that are fractions of the picture are taken times its size. Warnings say what was changed or left out.

    Args:
        layout: Joint order, by name, as a .json file of your own, or as a value; None takes the joints' names where
            the file has them, or else what the format has for their number (17 is COCO's).
        fps: Frames per second. None takes the file's, or 30 where it has none.
        size_px: Width and height of the image. None takes the file's. A warning says where a file has another one than
            the one given here, which is used; so it is with `fps`.
        frame_order: "file" counts frames in the file's order, where its numbers are times or ids of pictures.
        all_persons: Keeps people who were seen in few frames and with little confidence.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no keypoints (the message says what it holds), something in it cannot be right, it
            has no detections, or the layout or image size is not known.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such keypoint file or folder")
    return read_keypoints(look(path), layout, fps, size_px, frame_order, all_persons)


def read_keypoints(
    contents: Contents,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
    frame_order: FrameOrder = "number",
    all_persons: bool = False,
) -> list[Keypoints]:
    """`load_keypoints` for a file that was looked at already."""
    options = _options(layout, fps, size_px, frame_order)
    with reading(contents.path):
        return _people(contents, options, all_persons)


def _people(contents: Contents, options: KeypointOptions, all_persons: bool) -> list[Keypoints]:
    path = contents.path
    if _is_blank(contents):
        raise ValueError(f"{path}: holds no detections")
    kind = require_kind(contents, "keypoints")
    found = kind.read(contents, options)
    if isinstance(found, list):  # whole clips
        return found
    rate_told = options.fps is not None or found.fps is not None
    if not rate_told:
        logger.warning("%s does not say its frame rate; taking %g frames per second", path, DEFAULT_FPS)
    return [clip for video in _videos(found) for clip in _clips(video, options, all_persons, path)]


def _clips(detections: Detections, options: KeypointOptions, all_persons: bool, path: Path) -> list[Keypoints]:
    """The people of one video."""
    size_px, fps = size_and_rate(detections, options.size_px, options.fps, path)
    if size_px is None:
        raise ValueError(f"{path}: {NO_SIZE}")
    clips = person_clips(in_pixels(detections, size_px, path), fps or DEFAULT_FPS, size_px, path, all_persons)
    video = detections.video[0]
    return [replace(clip, person=f"{video}/{clip.person}") for clip in clips] if video else clips


def _videos(detections: Detections) -> Iterable[Detections]:
    """The detections of each video, in order of first appearance in the file."""
    for video in dict.fromkeys(detections.video):
        kept = np.flatnonzero([name == video for name in detections.video])
        yield replace(
            detections,
            xyc=detections.xyc[kept],
            frame=detections.frame[kept],
            score=detections.score[kept],
            person=None if detections.person is None else [detections.person[i] for i in kept],
            video=[video] * len(kept),
            size_px=None if detections.size_px is None else detections.size_px[kept],
        )


def _options(
    layout: JointLayout | str | None, fps: float | None, size_px: tuple[int, int] | None, frame_order: FrameOrder
) -> KeypointOptions:
    layout = asked_layout(layout)
    if fps is not None and not 0 < fps < float("inf"):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    if size_px is not None and (len(size_px) != 2 or min(size_px) <= 0):
        raise ValueError(f"size_px must be a positive width and height in pixels, got {size_px}")
    if frame_order not in get_args(FrameOrder):
        raise ValueError(f"frame_order must be one of {', '.join(get_args(FrameOrder))}, got {frame_order!r}")
    return KeypointOptions(layout, fps, size_px, frame_order)


def _is_blank(contents: Contents) -> bool:
    """JSON of frames in which nobody was found, which has nothing to recognise a format by."""
    if contents.container != "json" or contents.fault is not None:
        return False
    return isinstance(contents.value, list | dict) and not any(contents.value)
