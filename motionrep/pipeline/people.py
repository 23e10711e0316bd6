"""Whose clips are recovered: everybody worth it, or the one who was asked for."""

import logging
from collections.abc import Sequence

from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

_FEWEST_JOINTS = 4  # stray detections have fewer at a time


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
