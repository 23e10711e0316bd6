"""`motionrep predict`."""

import argparse
import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import motionrep
from motionrep.camera_io import in_world, read_camera
from motionrep.cameras import PinholeCamera
from motionrep.commands.inputs import load_people
from motionrep.commands.options import Precision, Size, add_computing, add_keypoints
from motionrep.files import written_beside
from motionrep.segmentation import ActionTimeline
from motionrep.types import ActionScores, BodyMotion, JointMotion, Keypoints
from motionrep.weights import shipped


def add_options(parser: argparse.ArgumentParser) -> None:
    add_keypoints(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="Folder for one .npz (3D pose, mesh) or .json (action) per person."
    )
    parser.add_argument("--head", default="mesh-ktpformer-s", help="A shipped head or a folder (default %(default)s).")
    parser.add_argument("--encoder", help="A shipped encoder or a folder; left out, the one the head was trained on.")
    parser.add_argument(
        "--camera", type=Path, help="A .json of the camera that took the video; left out, 50 degrees are assumed."
    )
    parser.add_argument("--refine", action="store_true", help="Moves meshes nearer to the keypoints and smooths them.")
    parser.add_argument("--video", action="store_true", help="Renders an .mp4 beside each .npz.")
    parser.add_argument(
        "--window", type=float, default=2.0, dest="window_s", metavar="SECONDS",
        help="Of longer clips, action heads also give the scores over time, by windows so long (default %(default)s).",
    )  # fmt: skip
    add_computing(parser)


def run(
    keypoints: Path, output: Path, head: str, encoder: str | None, camera: Path | None, refine: bool, video: bool,
    layout: str | None, fps: float | None, size: Size | None, device: str, precision: Precision, window_s: float,
) -> None:  # fmt: skip
    """Runs a head on every person in a keypoint file: 3D pose, body mesh or action."""
    people = load_people(keypoints, layout, fps, size)
    trained: Any = motionrep.load_head(head)
    if camera is not None and "camera" not in inspect.signature(trained.predict).parameters:
        raise ValueError(f"--camera: head {head!r} does not place anybody in a camera; leave it out")
    network = motionrep.load_encoder(_encoder_for(trained, head) if encoder is None else encoder)
    for index, person in enumerate(people):
        embedding = motionrep.embed(person, network, device=device, dtype=getattr(torch, precision), progress=True)
        used = None if camera is None else read_camera(camera, person.width_px, person.height_px)
        result = trained.predict(embedding) if used is None else trained.predict(embedding, camera=used)
        if refine:
            result = _refined(result, person, used, head)
        path = output / f"{keypoints.stem}_{index}"
        if isinstance(result, BodyMotion | JointMotion):
            path = path.with_name(path.name + ".npz")
            saved = in_world(result, used) if isinstance(result, BodyMotion) and used and _has_place(used) else result
            motionrep.save_motion(saved, path)
            print(f"{path}: person {person.person}, {saved.frame_count} frames in {saved.frame} axes")
            if video:
                movie = path.with_suffix(".mp4")
                print(motionrep.render(result, movie, keypoints=person, camera=used, device=device, progress=True))
        elif video:
            raise ValueError(
                f"--video: head {head!r} gives {type(result).__name__}, which cannot be drawn; leave it out"
            )
        elif isinstance(result, ActionScores):
            path = path.with_name(path.name + ".json")
            probability = dict(zip(result.labels, result.probability().tolist(), strict=True))
            content = {"person": person.person, "best": result.best, "probability": probability}
            if person.frame_count / person.fps > window_s and hasattr(trained, "predict_over_time"):
                content["over_time"] = _over_time(trained.predict_over_time(embedding, window_s, window_s / 4))
            with written_beside(path) as beside:
                beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            print(f"{path}: person {person.person}, {result.best} ({probability[result.best]:.0%})")
        else:
            print(f"person {person.person}: {result}")


def _refined(result: Any, keypoints: Keypoints, camera: PinholeCamera | None, head: str) -> BodyMotion:
    from motionrep.refinement import refine, reprojection_error_px  # brings roma, which takes as long as torch

    if not isinstance(result, BodyMotion):
        raise ValueError(f"--refine: head {head!r} gives {type(result).__name__}, not a mesh; leave it out")
    refined = refine(result, keypoints, camera)
    before_px, after_px = (reprojection_error_px(motion, keypoints, camera) for motion in (result, refined))
    print(f"refined: {before_px:.1f} px from the keypoints before, {after_px:.1f} px after")
    return refined


def _has_place(camera: PinholeCamera) -> bool:
    """Whether the file said where in the world the camera stands."""
    return not torch.equal(camera.camera_from_world, torch.eye(4))


def _over_time(timeline: ActionTimeline) -> dict[str, Any]:
    """What is done from when to when, and the probability of each class about every half second."""
    every = max(1, round(timeline.fps / 2))
    shown = timeline.probability[::every]
    return {
        "segments": [asdict(segment) for segment in timeline.segments()],
        "time_s": [round(frame / timeline.fps, 4) for frame in range(0, len(timeline.probability), every)],
        "probability": {
            label: [round(value, 4) for value in column.tolist()]
            for label, column in zip(timeline.labels, shown.T, strict=True)
        },
    }


def _encoder_for(trained: Any, head: str) -> str:
    """Name of the shipped encoder that a head was trained on."""
    name = str(trained.trained_on)
    if name not in shipped("architecture"):
        raise ValueError(
            f"{head}: trained on encoder {name!r}, which is not a shipped one; pass its folder as --encoder"
        )
    return name
