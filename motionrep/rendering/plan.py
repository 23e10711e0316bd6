"""From what is drawn and the options to a plan: everything that is needed to draw the frames of a video."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backends.choice import renderer
from motionrep.rendering.camera_views import CameraViews, Reference
from motionrep.rendering.drawables import Drawable, in_clip, make_drawable
from motionrep.rendering.error_colors import require_comparable, scale_top_mm
from motionrep.rendering.inputs import RenderInput
from motionrep.rendering.labels import checked_labels
from motionrep.rendering.looks import View
from motionrep.rendering.options import RenderOptions
from motionrep.rendering.sheet import Sheet, Strip, error_scale, label_strip, legend, letter_unit
from motionrep.rendering.skeleton import Color, person_color
from motionrep.rendering.stage import sampled_frames, stage_for
from motionrep.rendering.video.reading import SourceVideo
from motionrep.rendering.video.timing import Timing, make_timing
from motionrep.types import BodyMotion, JointMotion

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderPlan:
    """Everything that is needed to draw the frames of a video."""

    views: CameraViews
    sheet: Sheet
    timing: Timing
    source: SourceVideo | None

    @property
    def shows_source(self) -> bool:
        """Whether a view needs the pictures of the source video."""
        return self.source is not None and any(view in ("video", "keypoints", "overlay") for view in self.views.views)


def plan_render(given: RenderInput, options: RenderOptions) -> RenderPlan:
    """Decides what the options leave open.

    Raises:
        ValueError: The options do not fit what is drawn.
        ImportError: The back end is not installed.
        RuntimeError: The back end does not work here.
    """
    if options.names and len(options.names) != len(given.motions):
        raise ValueError(f"names has {len(options.names)} entries for {len(given.motions)} motion(s)")
    views = _views(given, options)
    if len(set(given.begins)) > 1 and given.source is None and not given.keypoints:
        logger.warning(
            "motions begin at frames %s of their videos and are drawn from then on; replace(motion, first_frame=0) "
            "makes a motion begin with the others", ", ".join(map(str, given.begins)),
        )  # fmt: skip
    axes, fps = given.motions[0].frame, given.motions[0].fps
    timing = make_timing(given.frame_count, fps, options.fps, options.speed, given.source, given.first_frame)
    image_px = given.image_px()
    size_px = _panel_px(image_px, options)
    camera = _camera(given, views, image_px or size_px)
    device = torch.device(options.device)
    with torch.no_grad():
        people = _people(given, options, views, device)
        stage = stage_for(people, axes, given.frame_count, fps)
        reference = _reference(given, people, options, device)
    clips = given.keypoints
    clip_colors = [None if len(clips) == 1 else person_color(i) for i in range(len(clips))]
    clips_begin = [begin - given.first_frame for begin in given.begins[: len(clips)]]
    camera_views = CameraViews(
        people, _groups(len(people), options), stage, axes, given.frame_count, fps, views, camera, clips, clips_begin,
        clip_colors, reference, options.background, size_px, renderer(options.backend, device), options.supersample,
        device,
    )  # fmt: skip
    strips = _strips(people, reference, timing, options)
    sheet = Sheet(size_px, options.titles, strips, options.background == "transparent")
    return RenderPlan(camera_views, sheet, timing, given.source)


def _views(given: RenderInput, options: RenderOptions) -> tuple[View, ...]:
    views = options.views
    if views is None:
        seen: tuple[View, ...] = ("keypoints",) if given.keypoints else ()
        views = (*seen, "camera" if given.source is None else "overlay", "side")
    for view in views:
        if given.source is None and view in ("video", "overlay"):
            raise ValueError(f"view {view!r} shows the source video; pass video=")
        if not given.keypoints and view == "keypoints":
            raise ValueError("view 'keypoints' shows the input; pass keypoints=")
    if not views:
        raise ValueError("nothing to draw: no views; leave the option out for the usual ones")
    return tuple(views)


def _panel_px(image_px: tuple[int, int] | None, options: RenderOptions) -> tuple[int, int]:
    width, height = image_px or (4, 3)
    width_px = round(options.height_px * width / height) if options.width_px is None else options.width_px
    return width_px, options.height_px


def _camera(given: RenderInput, views: Sequence[View], image_px: tuple[int, int]) -> PinholeCamera | None:
    """The camera of the views "camera" and "overlay", None if the motions have none."""
    camera, axes = given.camera, given.motions[0].frame
    if axes == "root" and (camera is not None or "overlay" in views):
        what = "leave camera= out" if camera is not None else "it cannot be laid over the video; use view 'camera'"
        raise ValueError(f"a motion in frame 'root' has no place in a camera; {what}")
    if camera is None and axes == "camera":
        return PinholeCamera.from_hfov(*image_px)
    if camera is None and "overlay" in views:
        raise ValueError("a motion in world axes needs camera= to be laid over the video")
    return camera and camera.during(given.first_frame, given.frame_count)


def _by_joints(given: RenderInput, options: RenderOptions) -> bool:
    """Whether surfaces of different bodies are compared, which have only their joints in common."""
    compared = [*given.motions, *([] if given.compare_to is None else [given.compare_to])]
    if given.compare_to is None or options.show == "skeleton" or not all(isinstance(m, BodyMotion) for m in compared):
        return False
    return len({motion.body_model for motion in compared if isinstance(motion, BodyMotion)}) > 1


def _people(given: RenderInput, options: RenderOptions, views: Sequence[View], device: torch.device) -> list[Drawable]:
    drawables = [
        make_drawable(motion, options.show, color, device, _by_joints(given, options))
        for motion, color in zip(given.motions, _colors(given, views), strict=True)
    ]
    begins = [begin - given.first_frame for begin in given.begins]
    return [in_clip(one, begin, given.frame_count) for one, begin in zip(drawables, begins, strict=True)]


def _colors(given: RenderInput, views: Sequence[View]) -> list[Color | None]:
    """Each person's colour. One person alone has the colour of skin, but not on a video, where it would be mistaken."""
    if len(given.motions) == 1 and ("overlay" not in views or isinstance(given.motions[0], JointMotion)):
        return [None]
    return [person_color(index) for index in range(len(given.motions))]


def _reference(
    given: RenderInput, people: list[Drawable], options: RenderOptions, device: torch.device
) -> Reference | None:
    if given.compare_to is None:
        if options.error_scale_mm is not None:
            raise ValueError("error_scale_mm is for compare_to=, the motion to measure the error against")
        return None
    by_joints = _by_joints(given, options)
    reference = make_drawable(given.compare_to, options.show, None, device, by_joints)
    if by_joints:
        logger.info(
            "the motion to compare with is of another body: the colours show the distance of the nearest of 24 joints"
        )
    for person in people:
        if not by_joints:
            require_comparable(person, reference)
    sampled = sampled_frames(len(reference.pelvis_m))
    return Reference(reference, options.error_scale_mm or scale_top_mm(people, reference, sampled))


def _groups(count: int, options: RenderOptions) -> list[tuple[str, Sequence[int]]]:
    """Who is in the pictures of each view: everybody in one, or one after the other, with a name for the title."""
    if options.arrange == "together":
        return [("", range(count))]
    return [(options.names[i] if options.names else str(i + 1), [i]) for i in range(count)]


def _strips(people: list[Drawable], reference: Reference | None, timing: Timing, options: RenderOptions) -> list[Strip]:
    """What stands below the titles."""
    unit = letter_unit(options.height_px)
    strips = []
    if options.names and options.arrange == "together" and reference is None:
        tints = [person.color[0].tolist() for person in people]  # a figure's first vertex has its own colour
        strips.append(legend(options.names, [(red, green, blue) for red, green, blue in tints], unit))
    if reference is not None:
        strips.append(error_scale(reference.top_mm, unit))
    if options.labels:
        strips.append(label_strip(checked_labels(options.labels), timing.end_s, unit))
    return strips
