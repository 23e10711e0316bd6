"""Human3.6M's protocols: errors of the 17 joints, for each action and as the mean over the actions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.datasets.benchmarks.h36m import detections_file, list_h36m
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.datasets.benchmarks.motionbert_files import list_motionbert_h36m
from motionrep.evaluation.metrics import joint_error_mm, pa_mpjpe_mm
from motionrep.evaluation.predictor import Predictor
from motionrep.files.progress import progress_bar

# Clips that MotionBERT's evaluation leaves out since their truth is shifted against the images; without the camera.
MOTIONBERT_DROPS = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")
MOTIONBERT_WINDOW = 243
UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "n_mpjpe": "mm", "mpjve": "mm/frame", "mpjpe_frames": "mm"}
Pelvis = Literal["as_predicted", "zero", "subtracted"]


@dataclass(frozen=True)
class Scoring:
    """How a clip is cut and its errors are counted.

    Attributes:
        window: Frames of the windows that are predicted and counted one by one; the last one ends with the clip, so
            that some of its frames count twice. A shorter clip repeats its last frame. None predicts the whole clip
            and counts every frame once.
        pelvis: `as_predicted` compares with a truth whose pelvis is 0, `zero` puts the predicted pelvis there too,
            `subtracted` moves the whole prediction.
    """

    window: int | None
    pelvis: Pelvis

    def frames(self, count: int) -> list[Int[Tensor, " frames"]]:
        """The frames of each window of a clip."""
        window = self.window or count
        if count < window:
            return [torch.arange(window).clamp(max=count - 1)]
        starts = [*range(0, count - window, window), count - window]
        return [torch.arange(start, start + window) for start in starts]

    def details(self) -> dict[str, str]:
        """For the `protocol` of a result."""
        counted = (
            "each once" if self.window is None else f"those of windows of {self.window}, the last ends with the clip"
        )
        return {"pelvis": self.pelvis, "counted": counted}


def evaluate_h36m(
    data: Path, predictor: Predictor, detector: str | None = None, scoring: str = "published"
) -> dict[str, Any]:
    """Subjects 9 and 11 of Human3.6M, evaluated as KTPFormer or MotionBERT does, depending on the data.

    A folder with VideoPose3D's files: every clip counts, against the joints in camera axes. As published
    (`run_ktpformer.py`, which goes back to P-STMO's and MixSTE's), clips are cut into windows of the encoder's length,
    and what is predicted for the pelvis is not subtracted but counts as an error.

    MotionBERT's `h36m_*.pkl`: joints against pixels times a factor per frame ("2.5D"). Three clips are left out, and so
    are the frames after the last whole 243 of each clip, which its windows do not reach. As published (`train.py`), the
    predicted pelvis becomes 0 and nothing else moves.

    Args:
        data: The folder, or the .pkl file.
        detector: Which 2D file of the folder, see `load_h36m`.
        scoring: `published`, or `relative`: every frame counts once, after the pelvis was subtracted.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A broken file, a detector with a .pkl file, an unknown scoring, or a head that predicts no joints.
    """
    if scoring not in ("published", "relative"):
        raise ValueError(f"scoring must be 'published' or 'relative', got {scoring!r}")
    ending = "/2" if scoring == "published" else "/1"
    if data.is_file():
        if detector is not None:
            raise ValueError(f"{data}: has one set of detections; detector={detector!r} is for VideoPose3D's folder")
        clips = [clip for clip in list_motionbert_h36m(data) if not clip.name.startswith(MOTIONBERT_DROPS)]
        kept = [clip for clip in clips if clip.frames is not None and clip.frames >= MOTIONBERT_WINDOW]
        if not kept:
            raise ValueError(f"{data}: no clip has {MOTIONBERT_WINDOW} frames")
        way = Scoring(MOTIONBERT_WINDOW, "zero") if scoring == "published" else Scoring(None, "subtracted")
        return _with_protocol(
            score_by_action(kept, predictor, way, whole=MOTIONBERT_WINDOW), predictor, f"h36m/motionbert{ending}",
            target="joints_2.5d_image, millimetres by 2.5d_factor, relative to the pelvis",
            keypoints="joint_2d and confidence of the file",
            left_out=f"{', '.join(MOTIONBERT_DROPS)}; frames after the last whole {MOTIONBERT_WINDOW} of a clip",
        )  # fmt: skip
    way = Scoring(predictor.encoder.frames, "as_predicted") if scoring == "published" else Scoring(None, "subtracted")
    return _with_protocol(
        score_by_action(list_h36m(data, detector), predictor, way), predictor, f"h36m/videopose3d{ending}",
        target="data_3d_h36m.npz in camera axes, millimetres, relative to the pelvis",
        keypoints=detections_file(Path(data), detector).stem.removeprefix("data_2d_h36m_"),
        left_out="nothing",
    )  # fmt: skip


def _with_protocol(result: dict[str, Any], predictor: Predictor, name: str, **details: str) -> dict[str, Any]:
    protocol = {
        "id": name,
        "subjects": "S9, S11",
        "joints": "17, pelvis included",
        "mean": "over the frames of an action, then over the actions",
        "fps": 50,
    }
    return result | {"protocol": protocol | details | result["protocol"] | predictor.details()}


def score_by_action(
    clips: Sequence[ListedClip], predictor: Predictor, scoring: Scoring, whole: int = 1
) -> dict[str, Any]:
    """Errors of the joints: means over the frames of each action, then over the actions.

    `mpjpe` is "protocol 1", `pa_mpjpe` "protocol 2" and `n_mpjpe` "protocol 3". `mpjve` is the velocity error, in which
    clips are weighted by their numbers of frames; it includes the steps from one window to the next, as published.
    `mpjpe_frames` is the mean over all frames of all actions.

    Args:
        whole: Frames of a clip after the last multiple of this do not count.
    """
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    frames: dict[str, int] = defaultdict(int)
    for listed in progress_bar(clips, "evaluate", "clip"):
        clip = listed.read()
        predicted_m, target_m = _windows_m(clip, predictor, scoring, clip.keypoints.frame_count // whole * whole)
        for name, total in error_sums(predicted_m, target_m).items():
            sums[clip.action][name] += total
        frames[clip.action] += len(target_m)
    per_action = {
        action: {name: total / frames[action] for name, total in sums[action].items()} for action in sorted(sums)
    }
    metrics = {
        name: sum(scores[name] for scores in per_action.values()) / len(per_action)
        for name in next(iter(per_action.values()))
    }
    total = sum(sums[action]["mpjpe"] for action in sums)
    metrics["mpjpe_frames"] = total / sum(frames.values())
    counts = {"actions": len(per_action), "clips": len(clips), "frames": sum(frames.values())}
    return {"metrics": metrics, "units": UNITS, "per_action": per_action, "protocol": counts | scoring.details()}


def _windows_m(
    clip: LabelledClip, predictor: Predictor, scoring: Scoring, count: int
) -> tuple[Float[Tensor, "frames 17 3"], Float[Tensor, "frames 17 3"]]:
    """Predicted and true joints of all windows, one behind the other; the true pelvis is 0."""
    seen, position_m = clip.keypoints, clip.joint_target.position_m
    windows = scoring.frames(count)
    predicted = [
        predictor.joints_m(replace(seen, xy_px=seen.xy_px[at], confidence=seen.confidence[at]), scoring.pelvis)
        for at in windows
    ]
    target_m = position_m[torch.cat(windows)]
    return torch.cat(predicted), target_m - target_m[:, :1]


def error_sums(
    predicted_m: Float[Tensor, "frames 17 3"], target_m: Float[Tensor, "frames 17 3"]
) -> Mapping[str, float]:
    """Sums of the errors over the frames of a clip, where they are; for velocity, its mean times the frames."""
    predicted_m, target_m = predicted_m.double(), target_m.double()
    scale = (predicted_m * target_m).sum((-2, -1)) / predicted_m.square().sum((-2, -1)).clamp(min=1e-12)
    velocity = (predicted_m - target_m).diff(dim=0).norm(dim=-1).mean(-1)
    totals = {
        "mpjpe": joint_error_mm(predicted_m, target_m).mean(-1).sum(),
        "pa_mpjpe": pa_mpjpe_mm(predicted_m, target_m).sum(),
        "n_mpjpe": joint_error_mm(scale[:, None, None] * predicted_m, target_m).mean(-1).sum(),
        "mpjve": 1000 * velocity.mean() * len(target_m) if len(target_m) > 1 else torch.zeros(()),
    }
    return {name: float(total) for name, total in totals.items()}
