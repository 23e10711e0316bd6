"""From the arguments of `render` to all that is needed to draw: what is asked for, checked, and what is left open."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backends.choice import Backend, renderer
from motionrep.rendering.camera_views import Background, Reference, Shots, View
from motionrep.rendering.drawables import Color, Motion, Show, Subject, in_scene, make_subject, person_color
from motionrep.rendering.error_colors import require_comparable, scale_top_mm
from motionrep.rendering.labels import checked_labels
from motionrep.rendering.sheet import Sheet, error_scale, label_strip, legend, letter_unit
from motionrep.rendering.stage import sampled_frames, stage_for
from motionrep.rendering.video.reading import SourceVideo, open_source_video
from motionrep.rendering.video.timing import Clock, make_clock
from motionrep.types import JointMotion, Keypoints, MeshMotion

logger = logging.getLogger(__name__)

Arrange = Literal["together", "apart"]

_SAME_PROPORTIONS = 0.01


@dataclass(frozen=True)
class Movie:
    """All that is needed to draw the frames of a video."""

    shots: Shots
    sheet: Sheet
    clock: Clock
    video: SourceVideo | None

    @property
    def shows_video(self) -> bool:
        return self.video is not None and any(view in ("video", "keypoints", "overlay") for view in self.shots.views)


def plan_movie(
    motion: Motion | Sequence[Motion],
    keypoints: Keypoints | Sequence[Keypoints] | None,
    camera: PinholeCamera | None,
    views: Sequence[View] | None,
    video: Path | str | None,
    compare_to: Motion | None,
    error_scale_mm: float | None,
    labels: Sequence[tuple],
    names: Sequence[str],
    arrange: Arrange,
    show: Show,
    background: Background,
    titles: bool,
    width_px: int | None,
    height_px: int,
    fps: float | int | None,
    speed: float,
    supersample: int,
    backend: Backend,
    device: str,
) -> Movie:
    """Checks and completes the arguments of `render_frames`, which explains them and what they raise."""
    motions = [motion] if isinstance(motion, Motion) else list(motion)
    clips = [] if keypoints is None else [keypoints] if isinstance(keypoints, Keypoints) else list(keypoints)
    begins, count = _spans(motions, clips, compare_to)
    for name, value, known in (
        ("arrange", arrange, Arrange),
        ("show", show, Show),
        ("background", background, Background),
    ):
        if value not in get_args(known):
            raise ValueError(f"unknown {name} {value!r} (known: {', '.join(get_args(known))})")
    if names and len(names) != len(motions):
        raise ValueError(f"names has {len(names)} entries for {len(motions)} motion(s)")
    source = None if video is None else open_source_video(video)
    views = _views(views, clips, source)
    if supersample < 1 or height_px < 1 or (width_px is not None and width_px < 1):
        raise ValueError(f"sizes must be positive, got {width_px} x {height_px} px, supersample {supersample}")
    if len(set(begins)) > 1 and source is None and not clips:
        logger.warning(
            "motions begin at frames %s of their videos and are drawn from then on; "
            "replace(motion, first_frame=0) lets one begin with the others", ", ".join(map(str, begins)),
        )  # fmt: skip
    clock = make_clock(count, motions[0].fps, fps, speed, source, min(begins))

    image_px = _image_size(camera, clips, source)
    width, height = image_px or (4, 3)
    size_px = (round(height_px * width / height) if width_px is None else width_px, height_px)
    camera = _camera(motions[0], camera, views, image_px or size_px)
    colors = _colors(motions, views)
    torch_device = torch.device(device)
    with torch.no_grad():
        subjects = [
            in_scene(make_subject(motion, show, color, torch_device), begin - min(begins), count)
            for motion, color, begin in zip(motions, colors, begins, strict=True)
        ]
        stage = stage_for(subjects, motions[0].frame, count, motions[0].fps)
        reference = _reference(subjects, compare_to, error_scale_mm, show, torch_device)
    casts = [("", range(len(motions)))]
    if arrange == "apart":
        casts = [(names[i] if names else str(i + 1), [i]) for i in range(len(motions))]
    clip_colors = [None if len(clips) == 1 else person_color(i) for i in range(len(clips))]
    clips_begin = [begin - min(begins) for begin in begins[: len(clips)]]
    shots = Shots(
        subjects, casts, stage, motions[0].frame, count, motions[0].fps, views, camera, clips, clips_begin,
        clip_colors, reference, background, size_px, renderer(backend, torch_device), supersample, torch_device,
    )  # fmt: skip

    unit = letter_unit(height_px)
    strips = []
    if names and arrange == "together" and reference is None:
        tints = [subject.color[0].tolist() for subject in subjects]  # a figure's first vertex has its own colour
        strips.append(legend(names, [(red, green, blue) for red, green, blue in tints], unit))
    if reference is not None:
        strips.append(error_scale(reference.top_mm, unit))
    if labels:
        strips.append(label_strip(checked_labels(labels), clock.end_s, unit))
    return Movie(shots, Sheet(size_px, titles, strips, background == "transparent"), clock, source)


def _spans(motions: list[Motion], clips: list[Keypoints], compare_to: Motion | None) -> tuple[list[int], int]:
    """The frame of the video with which each motion begins, and how many there are from the first to the last of all.

    What they begin with is said by the keypoints, or by the motions where there are none.
    """
    if not motions:
        raise ValueError("no motion to draw; pass one or a list of them")
    first, counts = motions[0], [_frame_count(motion) for motion in motions]
    begins = [one.first_frame for one in clips or motions]
    if len(clips) == 1 < len(motions):
        if len(set(counts)) > 1:
            raise ValueError(
                f"one clip of keypoints for motions of {', '.join(map(str, counts))} frames; pass one for each"
            )
        begins *= len(motions)
    count = max(begin + frames for begin, frames in zip(begins, counts, strict=False)) - min(begins)
    others = [(f"motion {index}", other) for index, other in enumerate(motions[1:], 1)]
    for name, other in [*others, *([("compare_to", compare_to)] if compare_to is not None else [])]:
        found = _frame_count(other)
        if (name == "compare_to" and found != count) or abs(other.fps / first.fps - 1) > 1e-3:
            raise ValueError(
                f"{name} has {found} frames at {other.fps:g} fps, what is drawn has {count} at {first.fps:g}; cut or "
                "resample them to the same clip"
            )
        # root and camera have the same axes, which is enough where only shapes are compared
        alike = name == "compare_to" and {other.frame, first.frame} == {"root", "camera"}
        if other.frame != first.frame and not alike:
            raise ValueError(f"{name} is in frame {other.frame!r}, the (first) motion in {first.frame!r}; use the same")
    if min(counts) == 0:
        raise ValueError("the motion has no frames")
    if len(clips) not in (0, 1, len(motions)):
        raise ValueError(f"{len(clips)} clips of keypoints for {len(motions)} motion(s); pass one, or one for each")
    for clip, frames in zip(clips, counts, strict=False):
        if clip.frame_count != frames:
            raise ValueError(f"keypoints have {clip.frame_count} frames, the motion has {frames}; pass the same clip")
        if (clip.width_px, clip.height_px) != (clips[0].width_px, clips[0].height_px):
            raise ValueError("keypoints of several persons must be from the same video")
    return begins, count


def _frame_count(motion: Motion) -> int:
    if isinstance(motion, MeshMotion):
        return len(motion.vertex_m)
    return len(motion.position_m) if isinstance(motion, JointMotion) else motion.frame_count


def _views(views: Sequence[View] | None, clips: list[Keypoints], source: SourceVideo | None) -> tuple[View, ...]:
    if views is None:
        views = ("camera" if source is None else "overlay", "side")
    for view in views:
        if view not in get_args(View):
            raise ValueError(f"unknown view {view!r} (known: {', '.join(get_args(View))})")
        if source is None and view in ("video", "overlay"):
            raise ValueError(f"view {view!r} shows the source video; pass video=")
        if not clips and view == "keypoints":
            raise ValueError("view 'keypoints' shows the input; pass keypoints=")
    if clips and "keypoints" not in views:
        views = ("keypoints", *views)
    if not views:
        raise ValueError("nothing to draw: no views and no keypoints")
    return tuple(views)


def _image_size(
    camera: PinholeCamera | None, clips: list[Keypoints], source: SourceVideo | None
) -> tuple[int, int] | None:
    """Size of the image that was filmed, if it is known; a video must have the proportions of what was found in it."""
    sized = camera or (clips[0] if clips else source)
    if sized is None:
        return None
    if source is not None:
        asked, there = sized.width_px / sized.height_px, source.width_px / source.height_px
        if abs(asked / there - 1) > _SAME_PROPORTIONS:
            raise ValueError(
                f"{source.path} is {source.width_px} x {source.height_px} px, the "
                f"{'camera' if camera else 'keypoints'} {sized.width_px} x {sized.height_px}; pass the video they "
                "belong to"
            )
    return sized.width_px, sized.height_px


def _camera(
    motion: Motion, camera: PinholeCamera | None, views: Sequence[View], image_px: tuple[int, int]
) -> PinholeCamera | None:
    if motion.frame == "root" and (camera is not None or "overlay" in views):
        what = "leave camera= out" if camera is not None else "it cannot be laid over the video; use view 'camera'"
        raise ValueError(f"a motion in frame 'root' has no place in a camera; {what}")
    if camera is None and motion.frame == "camera":
        return PinholeCamera.from_hfov(*image_px)
    if camera is None and "overlay" in views:
        raise ValueError("a motion in world axes needs camera= to be laid over the video")
    return camera


def _colors(motions: list[Motion], views: Sequence[View]) -> list[Color | None]:
    """Each person's; one alone is skin-like, but on a video not to be mistaken for the person filmed."""
    if len(motions) == 1 and ("overlay" not in views or isinstance(motions[0], JointMotion)):
        return [None]
    return [person_color(index) for index in range(len(motions))]


def _reference(
    subjects: list[Subject], compare_to: Motion | None, scale_mm: float | None, show: Show, device: torch.device
) -> Reference | None:
    if compare_to is None:
        if scale_mm is not None:
            raise ValueError("error_scale_mm is for compare_to=, the motion to measure the error against")
        return None
    if scale_mm is not None and not scale_mm > 0:
        raise ValueError(f"error_scale_mm must be positive, got {scale_mm}")
    reference = make_subject(compare_to, show, None, device)
    for subject in subjects:
        require_comparable(subject, reference)
    sampled = sampled_frames(len(reference.pelvis_m))
    return Reference(reference, scale_mm or scale_top_mm(subjects, reference, sampled))
