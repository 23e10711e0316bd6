"""`motionrep predict`."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrep.cli.extras import require
from motionrep.cli.inputs import require_folder
from motionrep.cli.motions import Recovery
from motionrep.cli.options import (
    Parser,
    add_body,
    add_camera,
    add_computing,
    add_heads,
    add_keypoints,
    add_person,
    add_run,
    rate,
)
from motionrep.cli.results import ResultFiles
from motionrep.cli.sources import RESULTS, called, kept_in
from motionrep.files.kinds import kind_of
from motionrep.weights import DEFAULT_ACTION_HEAD, DEFAULT_HEAD

if TYPE_CHECKING:
    from motionrep.pipeline import Recoverer

EXAMPLES = """\
  motionrep predict dance.mp4 --render --report
  motionrep predict dance.json --size 1920x1080 --output results --refine --render
  motionrep predict dance.json --video dance.mp4 --person 0 --camera fit --output results --render
  motionrep predict dance.npz --head pose3d-ktpformer-s --head action-ktpformer-s --output results
"""
logger = logging.getLogger(__name__)


def add_options(parser: Parser) -> None:
    add_keypoints(parser, nargs="?")
    parser.add_argument(
        "--output", type=Path, default=RESULTS,
        help="Folder for one .npz (3D pose, mesh) or .json (action) per person (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--render", action="store_true",
        help="Writes an .mp4 of everybody over the video, with its sound, or one of each person without a video; and a "
        ".glb of each mesh.",
    )  # fmt: skip
    parser.add_argument("--report", action="store_true", help="Writes a page to look at, as motionrep report does.")
    parser.add_argument(
        "--video", type=Path, metavar="FILE", nargs="?", const=True,
        help="The video in which the keypoints of a keypoint file were found (default: none). Without FILE: --render.",
    )  # fmt: skip
    add_person(parser)
    add_heads(parser)
    add_run(parser)
    add_body(parser, "Where the body is that the head recovers (default: under the name it was trained with)")
    add_camera(parser, " It is written beside the results.")
    parser.add_argument(
        "--flip",
        action="store_true",
        help="Averages with what is made of the mirrored clip: twice the time, fewer errors.",
    )
    parser.add_argument("--refine", action="store_true", help="Moves meshes nearer to the keypoints and smooths them.")
    parser.rare.add_argument(
        "--window", type=rate, default=2.0, dest="window_s", metavar="SECONDS",
        help="Of longer clips, action heads also give the scores over time, by windows so long (default: %(default)s).",
    )  # fmt: skip
    add_computing(parser)


def run(
    keypoints: Path | None, output: Path, person: int | None, flip: bool, refine: bool, render: bool, report: bool,
    video: Path | bool | None, window_s: float, **options: Any,
) -> None:  # fmt: skip
    """Recovers every person in a video or keypoint file: body mesh, 3D pose or action."""
    if keypoints is None and isinstance(video, Path):
        keypoints, video = video, True
    if keypoints is None:
        raise ValueError("give a video or a keypoint file to predict from; see motionrep predict --help")
    given = Recovery(**options, video=video if isinstance(video, Path) else None)
    (contents,) = given.reading.look(keypoints)
    require_folder(output)
    render = render or video is True
    if render:
        require("video", "--render", "av")
    if report:
        require("report", "--report", "matplotlib", "viser", "av")
        if (given.heads, given.encoder, given.run_folder) == (None, None, None):
            given = replace(given, heads=[DEFAULT_HEAD, DEFAULT_ACTION_HEAD])
    from motionrep.pipeline.people import chosen

    name, (kept,) = called(keypoints), kept_in(output, [keypoints])
    clips = chosen(given.reading.read(contents, kept), person)
    recoverer = replace(given.recoverer(), flip=flip, refine=refine, window_s=window_s)
    if given.camera is not None:
        recoverer = recoverer.with_camera(given.camera, list(clips.values()))
        _write_camera(recoverer, output / f"{name}_camera.json")
    if any((output / f"{name}_{index}{suffix}").exists() for index in clips for suffix in (".npz", ".json")):
        logger.info("%s: holds results of %s already, which are replaced", output, name)
    fps_known = given.fps is not None or not kind_of(contents).takes_fps
    written = ResultFiles(output, name, given.reading.filmed_in(contents), given.device, fps_known)
    people = []
    for index, clip in clips.items():
        people.append(recoverer(clip, index))
        if render or report:
            _require_motion("--render" if render else "--report", people[-1].results)
        written.save(people[-1])
    movies = written.draw(people) if render else []
    if report:
        written.report(people, recoverer, movies[0] if movies else None)


def _write_camera(recoverer: "Recoverer", path: Path) -> None:
    from motionrep.geometry.camera_files import write_camera

    assert recoverer.camera is not None
    write_camera(recoverer.camera, path)
    print(f"{path}: the camera, {recoverer.camera.hfov_deg:.0f} degrees wide")


def _require_motion(option: str, results: Mapping[str, Any]) -> None:
    from motionrep.types import BodyMotion, JointMotion

    if not any(isinstance(result, BodyMotion | JointMotion) for result in results.values()):
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in results.items())
        raise ValueError(f"{option}: needs a mesh or 3D pose, but {given}; leave it out, or add such a --head")
