"""`motionrep predict`."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrep.cli.extras import require
from motionrep.cli.inputs import require_folder
from motionrep.cli.many import (
    SOURCES_OF_MANY,
    add_engine,
    engine_of,
    reading_of,
    refuse_engine,
    refuse_for_many,
    told,
)
from motionrep.cli.motions import Recovery
from motionrep.cli.options import (
    SOURCES,
    Parser,
    add_body,
    add_camera,
    add_clip,
    add_computing,
    add_heads,
    add_person,
    add_run,
    rate,
)
from motionrep.cli.results import ResultFiles
from motionrep.cli.sources import RESULTS, called, kept_in
from motionrep.files.kinds import kind_of
from motionrep.weights import DEFAULT_ACTION_HEAD, DEFAULT_GROUND_HEAD, DEFAULT_HEAD

if TYPE_CHECKING:
    from motionrep.geometry.cameras import PinholeCamera

EXAMPLES = """\
  motionrep predict dance.mp4 --render --report
  motionrep predict dance.json --size 1920x1080 --output results --refine --render
  motionrep predict dance.json --video dance.mp4 --person 0 --camera fit --output results --render
  motionrep predict dance.npz --head pose3d-ktpformer-s --head action-ktpformer-s --output results
  motionrep predict s3://bucket/clips --workers 8 --output s3://bucket/motions
"""
logger = logging.getLogger(__name__)


def add_options(parser: Parser) -> None:
    parser.add_argument("keypoints", nargs="*", metavar="source", help=f"{SOURCES} {SOURCES_OF_MANY}")
    add_clip(parser)
    parser.add_argument(
        "--output", default=str(RESULTS),
        help="Folder for one .npz (3D pose, mesh) or .json (action) per person. For the Parquet files of a data set it "
        "may be a URL (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--render", action="store_true",
        help="Writes an .mp4 of everybody over the video, with its sound, or in one scene without a video; and a .glb "
        "of each mesh.",
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
    add_engine(parser)


def run(keypoints: list[str], output: str, video: Path | bool | None, **options: Any) -> None:
    """Recovers every person in a video or keypoint file: body mesh, 3D pose or action."""
    if not keypoints and isinstance(video, Path):
        keypoints, video = [str(video)], True
    if not keypoints:
        raise ValueError("give a video or a keypoint file to predict from; see motionrep predict --help")
    from motionrep.files.listing import is_data_set

    if len(keypoints) > 1 or is_data_set(keypoints[0]):
        _data_set(keypoints, output, video=video, **options)
    else:
        refuse_engine(options, f"{keypoints[0]} is one source")
        _one_source(Path(keypoints[0]), Path(output), video=video, **options)


def _data_set(
    sources: list[str], output: str, person: int | None, flip: bool, refine: bool, render: bool, report: bool,
    video: Path | bool | None, window_s: float, **options: Any,
) -> None:  # fmt: skip
    refuse_for_many(sources, person=person, render=render, report=report, video=video)
    engine = engine_of(options)
    given = Recovery(**options)
    import motionrep

    if (given.heads, given.run_folder) == (None, None):  # data sets are of people one by one, without a common floor
        given = replace(given, heads=[DEFAULT_HEAD])
    heads, encoder = given.networks()
    made = motionrep.recover_dataset(
        sources, output, heads, encoder=encoder, body=given.body, camera=given.camera, flip=flip, refine=refine,
        reading=reading_of(given.reading), device=given.device, precision=given.precision, engine=engine,
    )  # fmt: skip
    told(made)


def _one_source(
    keypoints: Path, output: Path, person: int | None, flip: bool, refine: bool, render: bool, report: bool,
    video: Path | bool | None, window_s: float, **options: Any,
) -> None:  # fmt: skip
    given = Recovery(**options, video=video if isinstance(video, Path) else None)
    (contents,) = given.reading.look(keypoints)
    require_folder(output)
    render = render or video is True
    if render:
        require("video", "--render", "av")
    if report:
        require("report", "--report", "matplotlib", "viser", "av")
        if (given.heads, given.encoder, given.run_folder) == (None, None, None):
            given = replace(given, heads=[DEFAULT_HEAD, DEFAULT_ACTION_HEAD, DEFAULT_GROUND_HEAD])
    from motionrep.pipeline.people import chosen

    name, (kept,) = called(keypoints), kept_in(output, [keypoints])
    clips = chosen(given.reading.read(contents, kept), person)
    recoverer = replace(given.recoverer(), flip=flip, refine=refine, window_s=window_s, keeps_embedding=report)
    if given.camera is not None:
        recoverer = recoverer.with_camera(given.camera, list(clips.values()))
        assert recoverer.camera is not None
        _write_camera(recoverer.camera, output / f"{name}_camera.json")
    if any((output / f"{name}_{index}{suffix}").exists() for index in clips for suffix in (".npz", ".json")):
        logger.info("%s: holds results of %s already, which are replaced", output, name)
    fps_known = given.fps is not None or not kind_of(contents).takes_fps
    written = ResultFiles(output, name, given.reading.filmed_in(contents), given.device, fps_known)
    people = []
    for one in recoverer.together(clips):
        people.append(one)
        if render or report:
            _require_motion("--render" if render else "--report", one.results)
        written.save(one)
    if people[0].camera is not None and people[0].camera is not recoverer.camera:  # stands on the floor that was found
        _write_camera(people[0].camera, output / f"{name}_camera.json")
    movies = written.draw(people) if render else []
    if report:
        written.report(people, recoverer, movies[0] if movies else None)


def _write_camera(camera: "PinholeCamera", path: Path) -> None:
    from motionrep.geometry.camera_files import write_camera

    write_camera(camera, path)
    print(f"{path}: the camera, {camera.hfov_deg:.0f} degrees wide")


def _require_motion(option: str, results: Mapping[str, Any]) -> None:
    from motionrep.types import BodyMotion, JointMotion

    if not any(isinstance(result, BodyMotion | JointMotion) for result in results.values()):
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in results.items())
        raise ValueError(f"{option}: needs a mesh or 3D pose, but {given}; leave it out, or add such a --head")
