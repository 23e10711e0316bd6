"""`motionrep predict`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrep.cli.extras import require
from motionrep.cli.inputs import look_at_keypoints, require_folder
from motionrep.cli.motions import Recovery
from motionrep.cli.options import Parser, add_camera, add_computing, add_heads, add_keypoints, add_person, add_run

if TYPE_CHECKING:
    from motionrep.pipeline import Recovered

EXAMPLES = """\
  motionrep predict dance.json --size 1920x1080 --output results --refine --video
  motionrep predict dance.json --size dance.mp4 --person 0 --camera fit --output results
  motionrep predict dance.npz --head pose3d-ktpformer-s --head action-ktpformer-s --output results
"""


def add_options(parser: Parser) -> None:
    add_keypoints(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="Folder for one .npz (3D pose, mesh) or .json (action) per person."
    )
    add_person(parser)
    add_heads(parser)
    add_run(parser)
    add_camera(parser, " It is written beside the results.")
    parser.add_argument(
        "--flip",
        action="store_true",
        help="Averages with what is made of the mirrored clip: twice the time, fewer errors.",
    )
    parser.add_argument("--refine", action="store_true", help="Moves meshes nearer to the keypoints and smooths them.")
    parser.add_argument("--video", action="store_true", help="Renders an .mp4 beside each .npz.")
    parser.rare.add_argument(
        "--window", type=float, default=2.0, dest="window_s", metavar="SECONDS",
        help="Of longer clips, action heads also give the scores over time, by windows so long (default: %(default)s).",
    )  # fmt: skip
    add_computing(parser)


def run(
    keypoints: Path, output: Path, person: int | None, flip: bool, refine: bool, video: bool, window_s: float,
    **options: Any,
) -> None:  # fmt: skip
    """Runs heads on every person in a keypoint file: 3D pose, body mesh or action."""
    given = Recovery(**options)
    contents = look_at_keypoints(keypoints, given.size)
    require_folder(output)
    if video:
        require("video", "--video", "av")
    from motionrep.geometry.camera_files import write_camera
    from motionrep.pipeline.people import chosen
    from motionrep.types import ActionScores, BodyMotion, JointMotion

    clips = chosen(given.clips(contents), person)
    recoverer = replace(given.recoverer(), flip=flip, refine=refine, window_s=window_s)
    if given.camera is not None:
        recoverer = recoverer.with_camera(given.camera, list(clips.values()))
        assert recoverer.camera is not None
        path = output / f"{keypoints.stem}_camera.json"
        write_camera(recoverer.camera, path)
        print(f"{path}: the camera, {recoverer.camera.hfov_deg:.0f} degrees wide")
    for index, clip in clips.items():
        recovered = recoverer(clip, index)
        if video:
            _require_motion(recovered.results)
        paths = recovered.save(output, keypoints.stem)
        for head, path in paths.items():
            print(_line(recovered, head, path))
            if video and not isinstance(recovered.results[head], ActionScores):
                print(_rendered(recovered, head, path, given.device))
        for result in recovered.results.values():
            if not isinstance(result, BodyMotion | JointMotion | ActionScores):
                print(f"person {clip.person}: {result}")


def _rendered(recovered: "Recovered", head: str, path: Path, device: str) -> Path:
    from motionrep.rendering import render

    return render(
        recovered.results[head], path.with_suffix(".mp4"), keypoints=recovered.keypoints, camera=recovered.camera,
        device=device, progress=True,
    )  # fmt: skip


def _line(recovered: "Recovered", head: str, path: Path) -> str:
    from motionrep.types import ActionScores

    result, person = recovered.results[head], recovered.keypoints.person
    if isinstance(result, ActionScores):
        return f"{path}: person {person}, {result.best} ({result.probability().max():.0%})"
    frame = recovered.saved_frame(result)
    return f"{path}: person {person}, {result.frame_count} frames in {frame} axes, from frame {result.first_frame} on"


def _require_motion(results: Mapping[str, Any]) -> None:
    from motionrep.types import BodyMotion, JointMotion

    if not any(isinstance(result, BodyMotion | JointMotion) for result in results.values()):
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in results.items())
        raise ValueError(f"--video: needs a mesh or 3D pose, but {given}; leave it out, or add such a --head")
