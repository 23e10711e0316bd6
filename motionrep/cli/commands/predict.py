"""`motionrep predict`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import motionrep
from motionrep.cli.options import Precision, Size, add_computing, add_keypoints
from motionrep.geometry.camera_files import write_camera
from motionrep.pipeline import Recovered, Recoverer, load_networks
from motionrep.pipeline.networks import DEFAULT_HEAD
from motionrep.pipeline.people import chosen
from motionrep.types import ActionScores, BodyMotion, JointMotion


def add_options(parser: argparse.ArgumentParser) -> None:
    add_keypoints(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="Folder for one .npz (3D pose, mesh) or .json (action) per person."
    )
    parser.add_argument("--person", type=int, help="Which person of the file to take, from 0; left out, everybody.")
    parser.add_argument(
        "--head", action="append", dest="heads",
        help=f"Shipped name, folder or Hub id; give it again for more heads of the encoder (default {DEFAULT_HEAD}).",
    )  # fmt: skip
    parser.add_argument("--encoder", help="Shipped name, folder or Hub id; left out, the one the head was trained on.")
    parser.add_argument(
        "--camera",
        help="A .json of the camera that took the video; `fit` estimates its field of view, `weak` takes one from "
        "very far away (weak perspective); left out, 50 degrees are assumed. It is written beside the results.",
    )  # fmt: skip
    parser.add_argument(
        "--flip",
        action="store_true",
        help="Averages with what is made of the mirrored clip: twice the time, fewer errors.",
    )
    parser.add_argument("--refine", action="store_true", help="Moves meshes nearer to the keypoints and smooths them.")
    parser.add_argument("--video", action="store_true", help="Renders an .mp4 beside each .npz.")
    parser.add_argument(
        "--window", type=float, default=2.0, dest="window_s", metavar="SECONDS",
        help="Of longer clips, action heads also give the scores over time, by windows so long (default %(default)s).",
    )  # fmt: skip
    add_computing(parser)


def run(
    keypoints: Path, output: Path, person: int | None, heads: list[str] | None, encoder: str | None,
    camera: str | None, flip: bool, refine: bool, video: bool, layout: str | None, fps: float | None,
    size: Size | None, device: str, precision: Precision, window_s: float,
) -> None:  # fmt: skip
    """Runs heads on every person in a keypoint file: 3D pose, body mesh or action."""
    clips = chosen(motionrep.load_keypoints(keypoints, layout, fps, size), person)
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output}: is a file; give a folder for the results")
    recoverer = Recoverer(
        *load_networks(heads or [DEFAULT_HEAD], encoder, device), flip=flip, refine=refine, window_s=window_s,
        device=device, dtype=getattr(torch, precision), progress=True,
    )  # fmt: skip
    if camera is not None:
        recoverer = recoverer.with_camera(camera, list(clips.values()))
        assert recoverer.camera is not None
        path = output / f"{keypoints.stem}_camera.json"
        write_camera(recoverer.camera, path)
        print(f"{path}: the camera, {recoverer.camera.hfov_deg:.0f} degrees wide")
    for index, clip in clips.items():
        recovered = recoverer(clip, index)
        if video:
            _require_motion(recovered.results)
        for head, path in recovered.save(output, keypoints.stem).items():
            print(_line(recovered, head, path))
            motion = recovered.results[head]
            if video and isinstance(motion, BodyMotion | JointMotion):
                movie = path.with_suffix(".mp4")
                print(
                    motionrep.render(
                        motion, movie, keypoints=clip, camera=recoverer.camera, device=device, progress=True
                    )
                )
        for result in recovered.results.values():
            if not isinstance(result, BodyMotion | JointMotion | ActionScores):
                print(f"person {clip.person}: {result}")


def _line(recovered: Recovered, head: str, path: Path) -> str:
    result, person = recovered.results[head], recovered.keypoints.person
    if isinstance(result, ActionScores):
        return f"{path}: person {person}, {result.best} ({result.probability().max():.0%})"
    frame = recovered.saved_frame(result)
    return f"{path}: person {person}, {result.frame_count} frames in {frame} axes, from frame {result.first_frame} on"


def _require_motion(results: Mapping[str, Any]) -> None:
    if not any(isinstance(result, BodyMotion | JointMotion) for result in results.values()):
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in results.items())
        raise ValueError(f"--video: needs a mesh or 3D pose, but {given}; leave it out, or add such a --head")
