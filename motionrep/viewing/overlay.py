"""Everybody who was recovered from a clip in one video, over the source video where that is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering import render
from motionrep.rendering.video.images import open_source
from motionrep.types import BodyMotion, JointMotion, Keypoints


def render_people(
    motions: Sequence[BodyMotion | JointMotion],
    clips: Sequence[Keypoints],
    path: Path,
    video: Path | None,
    camera: PinholeCamera | None = None,
    **options: Any,
) -> Path:
    """Draws all persons of a clip together. Over a video they are in step with its frames, and its sound is kept.

    The video begins with the first person who is seen. Poses without a place in the camera stand beside the video.

    Args:
        motions: One for each of `clips`, all in the same axes.
        video: The source video, or a folder of images; None draws the keypoints and the views of the motion alone.
        camera: The one that people were placed in; None has a field of view of 50 degrees.
        options: Of `motionrep.render`.

    Raises:
        ValueError, ImportError, OSError: As `motionrep.render`.
    """
    placed = motions[0].frame != "root"
    if video is not None and not placed:
        options["views"] = ("keypoints", "camera", "side")
    return render(
        motions, path, keypoints=clips, camera=camera if placed else None, video=video,
        audio=video is not None and open_source(video, motions[0].fps).has_sound, **options,
    )  # fmt: skip
