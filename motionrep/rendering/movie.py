"""A motion as a video: `render` writes the file, `render_frames` yields its pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from jaxtyping import UInt8

from motionrep.files.progress import progress_bar
from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.drawables import Motion
from motionrep.rendering.frames import drawn_frames
from motionrep.rendering.inputs import render_input
from motionrep.rendering.options import OptionChanges, RenderOptions, changed_options
from motionrep.rendering.plan import RenderPlan, plan_render
from motionrep.rendering.video.sound import Sound
from motionrep.rendering.video.writing import check_video_path, write_video
from motionrep.types import Keypoints


def render(
    motion: Motion | Sequence[Motion],
    path: Path | str,
    *,
    keypoints: Keypoints | Sequence[Keypoints] | None = None,
    camera: PinholeCamera | None = None,
    video: Path | str | None = None,
    compare_to: Motion | None = None,
    audio: bool = False,
    progress: bool = False,
    options: RenderOptions | None = None,
    **changes: Unpack[OptionChanges],
) -> Path:
    """Writes a video of a motion: .mp4, .webm, .gif or, without a suffix, a folder of .png. Returns its path.

    The panels stand side by side, one for each view. `render_frames` explains the other arguments.

    Args:
        audio: Whether to keep the sound of `video` (.mp4 and .webm).
        progress: Whether to show a progress bar on a terminal.

    Raises:
        TypeError: As `render_frames`.
        ValueError: As `render_frames`; a path that `write_video` refuses, or that of the source video; `audio` without
            a video that has sound, or at another speed than 1.
        ImportError: .mp4, .webm or `video` without PyAV, or a back end that is not installed.
        RuntimeError: A back end that does not work here.
        OSError: The file cannot be written; nothing is left of it.
    """
    options = changed_options(options, **changes)
    path = check_video_path(path, with_alpha=options.background == "transparent", with_sound=audio)
    if video is not None and path.resolve() == Path(video).resolve():
        raise ValueError(f"{path}: is the source video and would be replaced; give the result another name")
    plan = plan_render(render_input(motion, keypoints, camera, video, compare_to), options)
    sound = _sound(plan) if audio else None
    bar = progress_bar(drawn_frames(plan), "render", "frame", progress, plan.timing.shown_count)
    return write_video(iter(bar), path, plan.timing.fps, sound)


def render_frames(
    motion: Motion | Sequence[Motion],
    *,
    keypoints: Keypoints | Sequence[Keypoints] | None = None,
    camera: PinholeCamera | None = None,
    video: Path | str | None = None,
    compare_to: Motion | None = None,
    options: RenderOptions | None = None,
    **changes: Unpack[OptionChanges],
) -> Iterator[UInt8[np.ndarray, "height width channels"]]:
    """The frames of `render`, one after the other. Memory in use does not grow with the length of the clip.

    Cameras without a place of their own show the whole clip, or follow a person who walks far. In a motion in camera
    axes, the direction up is estimated (`geometry.cameras.up_in_camera`, `stage.up_from_steps`), and the floor is the
    5th percentile of the lowest points. The camera's own views show the floor only if the camera is at least 0.3 m
    above it. A motion in frame "root" has no height: it stands on the floor in every frame.

    Args:
        motion: One motion, or several in the same axes and of the same rate: persons, or results to compare. Each is
            drawn from its `first_frame` (that of its keypoints) to its end. Several have one colour each, by their
            place in the list. A single joint motion is blue on the left and red on the right.
        keypoints: Of the motion's clip; one for each person if there are several.
        camera: Of the views "camera" and "overlay". None means a field of view of 50 degrees for a motion in camera
            axes.
        video: The file in which the keypoints were found. Its frames appear at their own times. The motion begins at
            frame `first_frame` of the video, that of the keypoints or, without keypoints, its own.
        compare_to: Colours every vertex, or joint, by its distance from this motion, with both pelvises in one place.
            The surfaces of two different bodies are coloured by the distance of their joints.
        options: How everything is drawn; see `RenderOptions`.
        changes: Single options, which replace those of `options`: `render_frames(motion, views=["side"])`.

    Raises:
        TypeError: A keyword that is no option; the message names the nearest one.
        ValueError: A motion without frames, or motions, keypoints and video that do not belong together; an option
            with a value that it cannot have; a view that needs a video or keypoints that were not given.
        ImportError: `video` without PyAV, or a back end that is not installed.
        RuntimeError: A back end that does not work here.
    """
    options = changed_options(options, **changes)
    return drawn_frames(plan_render(render_input(motion, keypoints, camera, video, compare_to), options))


def _sound(plan: RenderPlan) -> Sound:
    """The sound of the source video."""
    if plan.source is None or plan.timing.speed != 1:
        video = None if plan.source is None else plan.source.path
        raise ValueError(f"audio=True needs video= and speed=1, got video={video}, speed={plan.timing.speed:g}")
    if not plan.source.has_sound:
        raise ValueError(f"{plan.source.path} has no sound; leave audio out")
    return Sound(plan.source.path, plan.timing.start_s)
