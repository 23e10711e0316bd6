"""`motionrep render`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from motionrep.cli.extras import require
from motionrep.cli.inputs import look_at_keypoints, one_of, read_shown, refuse_clip_options
from motionrep.cli.options import (
    MOTION_FILES,
    Axes,
    FrameOrder,
    Parser,
    Size,
    add_clip,
    add_device,
    add_frame,
    add_person,
    clip_of_video,
)
from motionrep.files.contents import look
from motionrep.files.kinds import lacks_size, require_kind
from motionrep.rendering.backends import BACKENDS
from motionrep.rendering.looks import Arrange, Background, Show, View

if TYPE_CHECKING:
    from motionrep.types import BodyMotion, JointMotion, Keypoints

EXAMPLES = """\
  motionrep render results/dance_0.npz --output dance.mp4
  motionrep render results/dance_0.npz --keypoints dance.json --video dance.mp4 --views overlay side --output both.mp4
  motionrep render results/dance_0.npz --compare truth.npz --views camera --output errors.gif
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("motion", type=Path, nargs="+", help=f"{MOTION_FILES} Several are drawn in colours.")
    parser.add_argument(
        "--output", type=Path, required=True, help="An .mp4, .webm or .gif file, or a folder for pictures."
    )
    parser.add_argument("--keypoints", type=Path, help="The keypoint file the motion came from (default: none).")
    parser.add_argument("--video", type=Path, help="The video the keypoints were found in (default: none).")
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
    add_frame(parser)
    _add_look(parser)
    add_clip(parser)
    add_device(parser)


def _add_look(parser: Parser) -> None:
    """Options that `run` gets as `drawing`: all are fields of `RenderOptions`, except for the frame rate."""
    look = parser.add_argument_group("what it looks like")
    look.add_argument(
        "--views", nargs="+", choices=get_args(View),
        help="From left to right (default: keypoints, if there are any, camera, or overlay with a video, and side).",
    )  # fmt: skip
    look.add_argument("--show", choices=get_args(Show), default="surface", help="Of a body (default: %(default)s).")
    look.add_argument(
        "--background", choices=get_args(Background), default="studio",
        help="Behind the persons (default: %(default)s).",
    )  # fmt: skip
    look.add_argument(
        "--height", dest="height_px", metavar="HEIGHT", type=int, default=480,
        help="Height of a view in pixels (default: %(default)s).",
    )  # fmt: skip
    look.add_argument("--speed", type=float, default=1.0, help="0.5 is slow motion (default: %(default)s).")
    rare = parser.rare
    rare.add_argument(
        "--arrange", choices=get_args(Arrange), default="together", help="Of several motions (default: %(default)s)."
    )
    rare.add_argument("--names", nargs="+", default=[], help="Of the motions, for a legend (default: no legend).")
    rare.add_argument("--no-titles", dest="titles", action="store_false", help="Leave out the text below the views.")
    rare.add_argument(
        "--width", dest="width_px", metavar="WIDTH", type=int,
        help="Width of a view in pixels (default: that of the image it shows).",
    )  # fmt: skip
    rare.add_argument("--output-fps", type=float, help="Frames per second to write (default: the motion's).")
    rare.add_argument(
        "--supersample", type=int, default=2,
        help="Samples per pixel along each side; 1 is fast and jagged, 2 is smooth (default: %(default)s).",
    )  # fmt: skip
    rare.add_argument(
        "--backend", choices=("auto", *BACKENDS), default="auto", help="Which rasteriser draws (default: %(default)s)."
    )


def run(
    motion: list[Path], output: Path, keypoints: Path | None, video: Path | None, camera: Path | None, audio: bool,
    compare: Path | None, labels: Path | None, person: int | None, frame: Axes | None, layout: str | None,
    fps: float | None, size: Size | None, frame_order: FrameOrder, all_persons: bool, output_fps: float | None,
    **drawing: Any,
) -> None:  # fmt: skip
    """Renders motion files as a video, or as pictures."""
    files = [look(path) for path in (*motion, *([compare] if compare else []))]
    for file in files:
        require_kind(file, "motion", "joints")
    if keypoints is None:
        refuse_clip_options(files, layout=layout, size=size, fps=fps)
    from motionrep.rendering.video.writing import check_video_path  # brings no torch

    check_video_path(output, with_alpha=drawing["background"] == "transparent", with_sound=audio)
    if video is not None:
        require("video", "--video", "av")
    from motionrep.geometry.camera_files import read_camera
    from motionrep.rendering import RenderOptions, render
    from motionrep.rendering.backends.choice import renderer

    options = RenderOptions(**drawing, fps=output_fps)
    try:
        renderer(options.backend, options.device)
    except RuntimeError as error:
        raise ValueError(f"--backend {options.backend}: {error}") from error
    shown = [_chosen(file.path, read_shown(file, frame, fps), person, keypoints is not None) for file in files]
    reference = shown.pop() if compare else None
    clips = None
    if keypoints is not None:
        clips = _clips(keypoints, _read(keypoints, video, layout, fps, size, frame_order, all_persons), person, motion)
    size_px = (clips[0].width_px, clips[0].height_px) if clips else ()
    taken_by = None if camera is None else read_camera(camera, *size_px)
    begin_s = min(one.first_frame / one.fps for one in clips or shown)
    print(
        render(
            shown, output, keypoints=clips, camera=taken_by, video=video, compare_to=reference, audio=audio,
            progress=True, options=options, labels=_labels(labels, begin_s) if labels else (),
        )
    )  # fmt: skip


def _read(
    keypoints: Path,
    video: Path | None,
    layout: str | None,
    fps: float | None,
    size: Size | None,
    frame_order: FrameOrder,
    all_persons: bool,
) -> "list[Keypoints]":
    """The persons of a keypoint file; the video knows the size of the picture."""
    from motionrep.keypoints.loading import read_keypoints

    if size is None and video is not None and keypoints.exists() and lacks_size(look(keypoints)):
        size, fps = clip_of_video(video, fps)
    return read_keypoints(look_at_keypoints(keypoints, size), layout, fps, size, frame_order, all_persons)


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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        later_s = content["first_frame"] / content["fps"] - begin_s if "first_frame" in content else 0.0
        return [
            (part["start_s"] + later_s, part["end_s"] + later_s, part["label"], part["probability"])
            for part in content["over_time"]["segments"]
        ]
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: no 'over_time' with 'segments' of start_s, end_s, label, probability; motionrep predict writes "
            "them with an action head for clips longer than its window"
        ) from error
