"""Whose clips are recovered: everybody worth it in a keypoint file, or the one who was asked for."""

import logging
from collections.abc import Sequence
from pathlib import Path

from motionrep.keypoints import load_keypoints
from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

_FEWEST_JOINTS = 4  # stray detections have fewer at a time


def clips_of(
    source: Keypoints | Sequence[Keypoints] | Path | str,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
) -> list[Keypoints]:
    """The clips of a source: one clip, several, or those of a keypoint file (`load_keypoints`).

    Raises:
        TypeError: Something else.
        ValueError: Layout, frame rate or size of clips that say so themselves; or as `load_keypoints`.
    """
    if isinstance(source, Path | str):
        return load_keypoints(source, layout, fps, size_px)
    clips = [source] if isinstance(source, Keypoints) else list(source)
    if wrong := next((clip for clip in clips if not isinstance(clip, Keypoints)), None):
        raise TypeError(f"source: expected Keypoints or a keypoint file, got {type(wrong).__name__}")
    given = [name for name, value in (("layout", layout), ("fps", fps), ("size_px", size_px)) if value is not None]
    if given:
        raise ValueError(f"{given[0]}: clips say theirs already; leave it out, it is for keypoint files")
    return clips


def chosen(clips: Sequence[Keypoints], person: int | None = None) -> dict[int, Keypoints]:
    """The persons to recover by their place among the clips.

    Of several persons, those who never have four seen joints at a time are left out with a warning.

    Args:
        person: The place of one person, from 0; None takes everybody.

    Raises:
        ValueError: No such person, or everybody would be left out.
    """
    if person is not None:
        if not 0 <= person < len(clips):
            raise ValueError(f"there are {len(clips)} person(s), so person must be 0 to {len(clips) - 1}, got {person}")
        return {person: clips[person]}
    kept = {}
    for index, clip in enumerate(clips):
        most = int((clip.confidence > 0).sum(1).max())
        if most >= _FEWEST_JOINTS or len(clips) == 1:
            kept[index] = clip
        else:
            logger.warning("person %s is left out: never more than %d joints at a time were seen", clip.person, most)
    if not kept:
        raise ValueError(f"nobody has {_FEWEST_JOINTS} seen joints at a time; choose a person to recover all the same")
    return kept
