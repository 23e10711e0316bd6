"""Human3.6M's protocols: errors of the 17 joints, for each action and as the mean over the actions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.benchmarks.h36m import detections_file, load_h36m
from motionrep.datasets.benchmarks.labelled import LabelledClip
from motionrep.datasets.benchmarks.motionbert_files import load_motionbert_h36m
from motionrep.evaluation.metrics import mpjpe_mm, mpjve_mm_per_frame, n_mpjpe_mm, pa_mpjpe_mm
from motionrep.evaluation.predictor import Predictor
from motionrep.files.progress import progress_bar

# Clips that MotionBERT's evaluation leaves out since their truth is shifted against the images; without the camera.
MOTIONBERT_DROPS = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")
MOTIONBERT_WINDOW = 243
UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "n_mpjpe": "mm", "mpjve": "mm/frame", "mpjpe_frames": "mm"}


def evaluate_h36m(data: Path, predictor: Predictor, detector: str | None = None) -> dict[str, Any]:
    """Subjects 9 and 11 of Human3.6M, evaluated as VideoPose3D or MotionBERT does, depending on the data.

    A folder with VideoPose3D's files: every clip and frame counts, against the joints in camera axes.
    MotionBERT's `h36m_*.pkl`: joints against pixels times a factor per frame ("2.5D"). Three clips are left out, and so
    are the frames after the last whole 243 of each clip, which its windows do not reach.

    Args:
        data: The folder, or the .pkl file.
        detector: Which 2D file of the folder, see `load_h36m`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A broken file, a detector with a .pkl file, or a head that predicts no joints.
    """
    if data.is_file():
        if detector is not None:
            raise ValueError(f"{data}: has one set of detections; detector={detector!r} is for VideoPose3D's folder")
        clips = [_whole_windows(clip) for clip in load_motionbert_h36m(data)]
        kept = [c for c in clips if c is not None and not c.name.startswith(MOTIONBERT_DROPS)]
        if not kept:
            raise ValueError(f"{data}: no clip has {MOTIONBERT_WINDOW} frames")
        return _with_protocol(
            score_by_action(kept, predictor), predictor, "h36m/motionbert/1",
            target="joints_2.5d_image, millimetres by 2.5d_factor, relative to the pelvis",
            keypoints="joint_2d and confidence of the file",
            left_out=f"{', '.join(MOTIONBERT_DROPS)}; frames after the last whole {MOTIONBERT_WINDOW} of a clip",
        )  # fmt: skip
    clips = load_h36m(data, detector)
    return _with_protocol(
        score_by_action(clips, predictor), predictor, "h36m/videopose3d/1",
        target="data_3d_h36m.npz in camera axes, millimetres, relative to the pelvis",
        keypoints=detections_file(Path(data), detector).stem.removeprefix("data_2d_h36m_"),
        left_out="nothing",
    )  # fmt: skip


def _whole_windows(clip: LabelledClip) -> LabelledClip | None:
    frames = clip.keypoints.frame_count // MOTIONBERT_WINDOW * MOTIONBERT_WINDOW
    if not frames:
        return None
    seen = replace(clip.keypoints, xy_px=clip.keypoints.xy_px[:frames], confidence=clip.keypoints.confidence[:frames])
    return replace(
        clip, keypoints=seen, target=replace(clip.joint_target, position_m=clip.joint_target.position_m[:frames])
    )


def _with_protocol(result: dict[str, Any], predictor: Predictor, name: str, **details: str) -> dict[str, Any]:
    protocol = {
        "id": name,
        "subjects": "S9, S11",
        "joints": "17, pelvis included at 0",
        "mean": "over the frames of an action, then over the actions",
        "fps": 50,
    }
    return result | {"protocol": protocol | details | result["protocol"] | predictor.details()}


def score_by_action(clips: Sequence[LabelledClip], predictor: Predictor) -> dict[str, Any]:
    """Errors of the joints relative to the pelvis: means over the frames of each action, then over the actions.

    `mpjpe` is "protocol 1", `pa_mpjpe` "protocol 2" and `n_mpjpe` "protocol 3". `mpjve` is the velocity error, in which
    clips are weighted by their numbers of frames. `mpjpe_frames` is the mean over all frames of all actions.
    """
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    frames: dict[str, int] = defaultdict(int)
    for clip in progress_bar(clips, "evaluate", "clip"):
        for name, total in _totals(predictor.joints_m(clip.keypoints), clip.joint_target.position_m).items():
            sums[clip.action][name] += total
        frames[clip.action] += clip.keypoints.frame_count
    per_action = {
        action: {name: total / frames[action] for name, total in sums[action].items()} for action in sorted(sums)
    }
    metrics = {
        name: sum(scores[name] for scores in per_action.values()) / len(per_action)
        for name in next(iter(per_action.values()))
    }
    total = sum(sums[action]["mpjpe"] for action in sums)
    metrics["mpjpe_frames"] = total / sum(frames.values())
    return {
        "metrics": metrics,
        "units": UNITS,
        "per_action": per_action,
        "protocol": {"actions": len(per_action), "clips": len(clips), "frames": sum(frames.values())},
    }


def _totals(predicted_m: Float[Tensor, "frames 17 3"], target_m: Float[Tensor, "frames 17 3"]) -> dict[str, float]:
    """Sums of the errors over the frames of a clip; for velocity, its mean times the number of frames."""
    predicted_m, target_m = predicted_m.double(), target_m.double()
    totals = {
        "mpjpe": mpjpe_mm(predicted_m, target_m).sum(),
        "pa_mpjpe": pa_mpjpe_mm(predicted_m, target_m).sum(),
        "n_mpjpe": n_mpjpe_mm(predicted_m, target_m).sum(),
        "mpjve": mpjve_mm_per_frame(predicted_m, target_m).mean() * len(target_m)
        if len(target_m) > 1
        else torch.zeros(()),
    }
    return {name: float(total) for name, total in totals.items()}
