"""`motionrep render`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from motionrep.cli.extras import require
from motionrep.cli.inputs import one_of, read_shown, refuse_clip_options
from motionrep.cli.motions import Recovery
from motionrep.cli.options import (
    MOTION_FILES,
    Axes,
    Parser,
    Up,
    add_body,
    add_clip,
    add_device,
    add_frame,
    add_heads,
    add_person,
    add_up,
    positive,
    rate,
)
from motionrep.cli.sources import Reading, is_filmed, kept_in
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import require_kind
from motionrep.rendering.backends import BACKENDS
from motionrep.rendering.looks import Arrange, Background, Show, View

if TYPE_CHECKING:
    from motionrep.types import BodyMotion, JointMotion, Keypoints

EXAMPLES = """\
  motionrep render dance.mp4 --output overlay.mp4
  motionrep render results/dance_0.npz --output motion.mp4
  motionrep render results/dance_0.npz --keypoints dance.json --video dance.mp4 --views overlay side --output both.mp4
  motionrep render results/dance_0.npz --compare truth.npz --views camera --output errors.gif
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "motion", type=Path, nargs="+",
        help=f"{MOTION_FILES} Several are drawn in colours. Or a video, whose people are recovered first.",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, help="An .mp4, .webm or .gif file, or a folder for pictures."
    )
    parser.add_argument(
        "--keypoints", type=Path, help="The keypoint file or the video the motion came from (default: none)."
    )
    parser.add_argument(
        "--video", type=Path, metavar="FILE",
        help="The video in which the keypoints were found (default: the video that is given anyway, or none).",
    )  # fmt: skip
    add_heads(parser)
    parser.add_argument(
        "--camera", type=Path,
        help="A .json of the camera that took the video; predict --camera writes it (default: one of 50 degrees).",
    )  # fmt: skip
    parser.rare.add_argument("--audio", action="store_true", help="Keep the sound of --video.")
    parser.add_argument(
        "--compare", type=Path, help="A motion file whose distance is shown in colours (default: none)."
    )
    parser.rare.add_argument(
        "--labels", type=Path,
        help="Actions over time: the .json that motionrep predict writes with an action head (default: none).",
    )  # fmt: skip
    add_person(parser, "the motion file or of the keypoint file", "their only one")
    add_body(parser, "Body for files of SMPL, with their betas where it is theirs (default: open)")
    add_frame(parser)
    add_up(parser)
    _add_look(parser)
    add_clip(parser)
    add_device(parser)


def _add_look(parser: Parser) -> None:
    """Options that `run` gets as `drawing`: all are fields of `RenderOptions`, except for the frame rate."""
    look = parser.add_argument_group("what it looks like")
    look.add_argument(
        "--views", nargs="+", choices=get_args(View), metavar="VIEW",
        help=f"From left to right, of {', '.join(get_args(View))} (default: keypoints, if there are any, camera, or "
        "overlay with a video, and side).",
    )  # fmt: skip
    look.add_argument("--show", choices=get_args(Show), default="surface", help="What to draw (default: %(default)s).")
    look.add_argument(
        "--background", choices=get_args(Background), default="studio",
        help="What is behind the persons (default: %(default)s).",
    )  # fmt: skip
    look.add_argument(
        "--height", dest="height_px", metavar="HEIGHT", type=positive, default=480,
        help="Height of a view in pixels (default: %(default)s).",
    )  # fmt: skip
    look.add_argument("--speed", type=rate, default=1.0, help="Of playing: 0.5 is slow motion (default: %(default)s).")
    rare = parser.rare
    rare.add_argument(
        "--arrange",
        choices=get_args(Arrange),
        default="together",
        help="Where several motions stand (default: %(default)s).",
    )
    rare.add_argument("--names", nargs="+", default=[], help="Names of the motions, for a legend (default: no legend).")
    rare.add_argument("--no-titles", dest="titles", action="store_false", help="Leave out the text below the views.")
    rare.add_argument(
        "--width", dest="width_px", metavar="WIDTH", type=positive,
        help="Width of a view in pixels (default: that of the image it shows).",
    )  # fmt: skip
    rare.add_argument("--output-fps", type=rate, help="Frames per second to write (default: the motion's).")
    rare.add_argument(
        "--supersample", type=positive, default=2,
        help="Samples per pixel along each side; 1 is fast and jagged, 2 is smooth (default: %(default)s).",
    )  # fmt: skip
    rare.add_argument(
        "--backend", choices=("auto", *BACKENDS), default="auto", help="Which rasteriser draws (default: %(default)s)."
    )


def run(
    motion: list[Path], output: Path, keypoints: Path | None, video: Path | None, camera: Path | None, audio: bool,
    compare: Path | None, labels: Path | None, person: int | None, frame: Axes | None, heads: list[str] | None,
    encoder: str | None, output_fps: float | None, layout: str | None, fps: float | None, size: tuple[int, int] | None,
    frame_order: Literal["number", "file"], all_persons: bool, detector: str | None, body: str | None,
    up: Up | None, **drawing: Any,
) -> None:  # fmt: skip
    """Renders motion files or the people of a video as a video, or as pictures."""
    files = [look(path) for path in (*motion, *([compare] if compare else []))]
    reading = Reading(layout, fps, size, frame_order, all_persons, detector, drawing["device"])
    filmed = is_filmed(files[0])
    if filmed:
        _require_alone(motion[0], files, keypoints=keypoints, video=video, compare=compare)
        reading.look(motion[0])
    else:
        for file in files:
            require_kind(file, "motion", "joints")
        refuse_clip_options(files, head=heads, encoder=encoder)
        if keypoints is None:
            refuse_clip_options(files, **reading.of_files, fps=fps, detector=detector)
    from motionrep.rendering.video.writing import check_video_path  # brings no torch

    check_video_path(output, with_alpha=drawing["background"] == "transparent", with_sound=audio)
    if video is not None or filmed:
        require("video", "--video", "av")
    from motionrep.geometry.camera_files import read_camera
    from motionrep.rendering import RenderOptions, render
    from motionrep.rendering.backends.choice import renderer

    options = RenderOptions(**drawing, fps=output_fps)
    try:
        renderer(options.backend, options.device)
    except RuntimeError as error:
        raise ValueError(f"--backend {options.backend}: {error}") from error
    kept = kept_in(output.parent, [keypoints or motion[0]])[0]
    clips = reference = taken_by = None
    if filmed:
        given = Recovery(heads, encoder, None if camera is None else str(camera), layout, fps, size, options.device,
                         "float32", detector=detector, body=body)  # fmt: skip
        people = given.people(files[0], kept, person)
        shown, clips = [one.placed for one in people], [one.keypoints for one in people]
        video, taken_by = motion[0], people[0].camera
    else:
        read = [read_shown(file, frame, fps, body, up) for file in files]
        shown = [_chosen(file.path, it, person, keypoints is not None) for file, it in zip(files, read, strict=True)]
        reference = shown.pop() if compare else None
        if keypoints is not None:
            reading = replace(reading, video=video)
            (source,) = reading.look(keypoints)
            clips, video = _clips(keypoints, reading.read(source, kept), person, motion), reading.filmed_in(source)
        if camera is not None:
            taken_by = read_camera(camera, *((clips[0].width_px, clips[0].height_px) if clips else ()))
    begin_s = min(one.first_frame / one.fps for one in clips or shown)
    made = render(
        shown, output, keypoints=clips, camera=taken_by, video=video, compare_to=reference, audio=audio,
        progress=True, options=options, labels=_labels(labels, begin_s) if labels else (),
    )  # fmt: skip
    print(f"{made}: {len(shown)} person(s)")


def _require_alone(source: Path, files: Sequence[Contents], **options: Any) -> None:
    """Raises ValueError for what cannot be drawn together with the people of a video."""
    if given := [name for name, value in options.items() if value is not None]:
        raise ValueError(f"{source}: is a video, which is drawn with its own keypoints; remove --{given[0]}")
    if len(files) > 1:
        raise ValueError(f"{source}: is a video; draw one at a time, without other files")


def _clips(keypoints: Path, people: "list[Keypoints]", person: int | None, motion: list[Path]) -> "list[Keypoints]":
    """The persons of a keypoint file who belong to the motions."""
    if person is None and len(motion) > 1:
        return people
    if person is None and len(people) > 1:
        raise ValueError(
            f"{keypoints}: holds {len(people)} persons; pass --person, the number of the one in {motion[0]}"
        )
    return [one_of(people, person or 0, keypoints)]


def _chosen(
    path: Path, motions: "Sequence[BodyMotion | JointMotion]", person: int | None, with_keypoints: bool
) -> "BodyMotion | JointMotion":
    """The motion of one person; where keypoints are shown as well, --person may be for these alone."""
    from motionrep.motion.loading import one_motion

    if len(motions) == 1 and with_keypoints:
        return motions[0]
    return one_motion(motions, person, path)


def _labels(path: Path, begin_s: float) -> list[tuple[float, float, str, float]]:
    """The segments that `motionrep predict` writes of a clip longer than the head's window; `begin_s` becomes 0."""
    from motionrep.files.texts import read_json

    content = read_json(path)
    try:
        later_s = content["first_frame"] / content["fps"] - begin_s if "first_frame" in content else 0.0
        return [
            (part["start_s"] + later_s, part["end_s"] + later_s, part["label"], part["probability"])
            for part in content["over_time"]["segments"]
        ]
    except (LookupError, TypeError, ArithmeticError) as error:
        raise ValueError(
            f"{path}: no 'over_time' with 'segments' of start_s, end_s, label, probability; motionrep predict writes "
            "them with an action head for clips longer than its window"
        ) from error
