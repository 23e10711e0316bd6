"""`motionrep report`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from motionrep.cli.extras import require
from motionrep.cli.inputs import name_of, require_suffix
from motionrep.cli.motions import Recovery
from motionrep.cli.options import (
    WEIGHTS,
    Parser,
    add_camera,
    add_computing,
    add_heads,
    add_keypoints,
    add_person,
    add_run,
    add_video,
)
from motionrep.cli.sources import called, kept_in
from motionrep.files.kinds import kind_of

EXAMPLES = """\
  motionrep report dance.mp4 --output dance.html
  motionrep report dance.json --size 1920x1080 --output dance.html
  motionrep report dance.json --video dance.mp4 --person 0 --output dance.html
  motionrep report dance.npz --action none --output dance.html    # without actions
"""


def add_options(parser: Parser) -> None:
    add_keypoints(parser)
    add_video(parser)
    parser.add_argument("--output", type=Path, required=True, help="The .html file to write.")
    add_person(parser)
    add_heads(parser)
    add_run(parser)
    parser.add_argument(
        "--action", default="action-ktpformer-s",
        help=f"One more head, for actions: {WEIGHTS.lower()}, or none (default: %(default)s).",
    )  # fmt: skip
    add_camera(parser)
    add_computing(parser)


def run(keypoints: Path, output: Path, person: int | None, action: str, **options: Any) -> None:
    """Writes one page about a clip: video, 3D view, joint angles, speeds, actions, and what is doubtful."""
    require_suffix(output, "reports", ".html", ".htm")
    require("report", "motionrep report", "matplotlib", "viser", "av")
    given = Recovery(**options)
    (contents,) = given.reading.look(keypoints)
    from motionrep.pipeline.people import chosen
    from motionrep.types import ActionScores
    from motionrep.viewing.report import STEP_S, WINDOW_S, analyse, save_report

    name, (kept,) = called(keypoints), kept_in(output.parent, [keypoints])
    people = given.reading.read(contents, kept)
    clips = chosen(people, person)
    heads = [*given.networks()[0], *([] if action == "none" else [action])]
    recoverer = replace(replace(given, heads=heads).recoverer(), window_s=WINDOW_S, step_s=STEP_S)
    if given.camera is not None:
        recoverer = recoverer.with_camera(given.camera, list(clips.values()))
    fps_known = given.fps is not None or not kind_of(contents).takes_fps
    reports = []
    for recovered in recoverer.together(clips):
        with_actions = action != "none" or any(isinstance(one, ActionScores) for one in recovered.results.values())
        label = name_of(name, recovered.index, len(people))
        reports.append(analyse(label, recovered, recoverer.encoder, with_actions, fps_known))
    video = given.reading.filmed_in(contents)
    page = save_report(keypoints.absolute().name, reports, output, progress=True, video=video)
    for one in reports:
        print(f"{one.label}: {len(one.doubts)} warning(s)")
    print(f"{page}: {len(reports)} person(s), {page.stat().st_size / 1e6:.1f} MB")
