"""`motionrep predict`."""

import argparse
import inspect
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import motionrep
from motionrep.cli.inputs import load_people, one_of
from motionrep.cli.motions import encoder_for
from motionrep.cli.options import Precision, Size, add_computing, add_keypoints
from motionrep.files.writing import written_beside
from motionrep.geometry.camera_files import read_camera, write_camera
from motionrep.geometry.cameras import PinholeCamera, fitted_camera
from motionrep.head_api.contract import require_encoder
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_world
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, JointMotion, Keypoints, MotionEmbedding

logger = logging.getLogger(__name__)

_DEFAULT_HEAD = "mesh-ktpformer-s"
_WEAK_HFOV_DEG = 2.0
_FEWEST_JOINTS = 4  # stray detections have fewer at a time


def add_options(parser: argparse.ArgumentParser) -> None:
    add_keypoints(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="Folder for one .npz (3D pose, mesh) or .json (action) per person."
    )
    parser.add_argument("--person", type=int, help="Which person of the file to take, from 0; left out, everybody.")
    parser.add_argument(
        "--head", action="append", dest="heads",
        help=f"Shipped name, folder or Hub id; give it again for more heads of the encoder (default {_DEFAULT_HEAD}).",
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
    people = _chosen(load_people(keypoints, layout, fps, size), person, keypoints)
    trained: dict[str, Any] = {head: motionrep.load_head(head) for head in heads or [_DEFAULT_HEAD]}
    names = {encoder_for(network, head) if encoder is None else encoder for head, network in trained.items()}
    if len(names) > 1:
        raise ValueError(f"--head: trained on different encoders ({', '.join(sorted(names))}); run one after the other")
    network = motionrep.load_encoder(names.pop())
    for one in trained.values():
        require_encoder(one, str(network.name), getattr(network, "digest", None))
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output}: is a file; give a folder for the results")

    def embedded(clip: Keypoints) -> MotionEmbedding:
        return motionrep.embed(clip, network, device=device, dtype=getattr(torch, precision), progress=True)

    used = None
    if camera is not None:
        most_seen = max(people.values(), key=lambda clip: float(clip.confidence.sum()))
        used = _camera(camera, most_seen, embedded, trained)
        path = output / f"{keypoints.stem}_camera.json"
        write_camera(used, path)
        print(f"{path}: the camera")
    endings = _endings(list(trained))
    for index, clip in people.items():
        ways = [embedded(way) for way in ([clip, motionrep.mirrored(clip)] if flip else [clip])]
        results = {head: _predicted(one, ways, used) for head, one in trained.items()}
        _require_any(refine, "--refine", "a mesh", BodyMotion, results)
        _require_any(video, "--video", "a mesh or 3D pose", BodyMotion | JointMotion, results)
        for head, result in results.items():
            if refine and isinstance(result, BodyMotion):
                result = _refined(result, clip, used)
            path = output / f"{keypoints.stem}_{index}{endings[head]}"
            if isinstance(result, BodyMotion | JointMotion):
                _save_motion(result, path.with_name(path.name + ".npz"), clip, used, video, device)
            elif isinstance(result, ActionScores):
                over_time, one = None, trained[head]
                if clip.frame_count / clip.fps > window_s and hasattr(one, "predict_over_time"):
                    over_time = _mean([one.predict_over_time(way, window_s, window_s / 4) for way in ways])
                _save_scores(result, over_time, path.with_name(path.name + ".json"), clip)
            else:
                print(f"person {clip.person}: {result}")


def _chosen(people: list[Keypoints], person: int | None, path: Path) -> dict[int, Keypoints]:
    """The persons to predict, by their place in the file."""
    if person is not None:
        return {person: one_of(people, person, path)}
    chosen = {}
    for index, clip in enumerate(people):
        most = int((clip.confidence > 0).sum(1).max())
        if most >= _FEWEST_JOINTS or len(people) == 1:
            chosen[index] = clip
        else:
            logger.warning("person %s is left out: never more than %d joints at a time were seen", clip.person, most)
    if not chosen:
        raise ValueError(
            f"{path}: nobody has {_FEWEST_JOINTS} seen joints at a time; pass --person to predict all the same"
        )
    return chosen


def _endings(heads: Sequence[str]) -> dict[str, str]:
    """What tells the results of several heads apart: their names, numbered where two are alike."""
    if len(heads) == 1:
        return {heads[0]: ""}
    names = [Path(head).name for head in heads]
    return {
        head: f"_{name}" + (f"_{i}" if names.count(name) > 1 else "")
        for i, (head, name) in enumerate(zip(heads, names, strict=True))
    }


def _require_any(wanted: bool, option: str, what: str, kind: Any, results: Mapping[str, Any]) -> None:
    if wanted and not any(isinstance(result, kind) for result in results.values()):
        given = ", ".join(f"{head!r} gives {type(result).__name__}" for head, result in results.items())
        raise ValueError(f"{option}: needs {what}, but {given}; leave it out, or add such a --head")


def _camera(
    given: str, clip: Keypoints, embedded: Callable[[Keypoints], MotionEmbedding], trained: Mapping[str, Any]
) -> PinholeCamera:
    """The camera that --camera asks for; what the first head that places people finds decides a fitted one."""
    placing = next((head for head in trained.values() if _places(head)), None)
    if placing is None:
        named = ", ".join(map(repr, trained))
        raise ValueError(
            f"--camera: needs a head that places people in it, got {named}; leave it out, or add such a --head"
        )
    size = clip.width_px, clip.height_px
    if given == "weak":
        return PinholeCamera.from_hfov(*size, _WEAK_HFOV_DEG)
    if given != "fit":
        return read_camera(Path(given), *size)
    result = placing.predict(embedded(clip))
    if isinstance(result, BodyMotion):
        point_m = motionrep.load_body_model(result.body_model).points(
            H36M_17, result.local_rotmat, result.betas, torch.zeros_like(result.translation_m)
        )
    elif isinstance(result, JointMotion):
        point_m = result.position_m
    else:
        raise ValueError(
            f"--camera fit: needs a mesh or a 3D pose, the first head that takes a camera gives {type(result).__name__}"
        )
    seen = clip.as_h36m_17()
    camera = fitted_camera(point_m, seen.xy_px, seen.confidence, *size)
    print(f"fitted camera: {math.degrees(2 * math.atan(size[0] / 2 / camera.focal_px)):.0f} degrees wide")
    return camera


def _places(trained: Any) -> bool:
    return "camera" in inspect.signature(trained.predict).parameters


def _predicted(trained: Any, ways: Sequence[MotionEmbedding], camera: PinholeCamera | None) -> Any:
    """What a head says of the clip, or the mean with what it says of the mirrored clip."""
    if camera is None or not _places(trained):
        return _mean([trained.predict(way) for way in ways])
    options = {"frame": "camera"} if "frame" in inspect.signature(trained.predict).parameters else {}
    cameras = (camera, camera.mirrored())
    return _mean([trained.predict(way, camera=seen, **options) for way, seen in zip(ways, cameras, strict=False)])


def _mean(results: Sequence[Any]) -> Any:
    if len(results) == 1:
        return results[0]
    try:
        return motionrep.flip_averaged(*results)
    except TypeError as error:
        raise ValueError(f"--flip: {error}; leave it out for this head") from error


def _save_motion(
    motion: BodyMotion | JointMotion, path: Path, person: Keypoints, camera: PinholeCamera | None, video: bool,
    device: str,
) -> None:  # fmt: skip
    saved = in_world(motion, camera) if isinstance(motion, BodyMotion) and camera and _has_place(camera) else motion
    motionrep.save_motion(saved, path)
    frames = f"{saved.frame_count} frames in {saved.frame} axes, from frame {saved.first_frame} on"
    print(f"{path}: person {person.person}, {frames}")
    if video:
        movie = path.with_suffix(".mp4")
        print(motionrep.render(motion, movie, keypoints=person, camera=camera, device=device, progress=True))


def _save_scores(scores: ActionScores, over_time: ActionTimeline | None, path: Path, person: Keypoints) -> None:
    probability = dict(zip(scores.labels, scores.probability().tolist(), strict=True))
    content: dict[str, Any] = {
        "person": person.person, "first_frame": person.first_frame, "fps": person.fps, "best": scores.best,
        "probability": probability,
    }  # fmt: skip
    if over_time is not None:
        content["over_time"] = _over_time(over_time)
    with written_beside(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: person {person.person}, {scores.best} ({probability[scores.best]:.0%})")


def _refined(result: BodyMotion, keypoints: Keypoints, camera: PinholeCamera | None) -> BodyMotion:
    from motionrep.fitting.keypoints import refine, reprojection_error_px

    try:
        refined = refine(result, keypoints, camera)
    except ValueError as error:
        logger.warning("person %s is not refined: %s", keypoints.person, error)
        return result
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
