"""The protocol of MPI-INF-3DHP's test set: PCK, AUC and MPJPE of its valid frames."""

from pathlib import Path
from typing import Any

import torch

from motionrep.datasets.benchmarks.mpi_inf_3dhp import TEST_FRAMES, load_mpi_inf_3dhp
from motionrep.evaluation.metrics import auc, joint_error_mm, pa_mpjpe_mm, pck
from motionrep.evaluation.predictor import Predictor
from motionrep.files.progress import progress_bar
from motionrep.layouts import H36M_17, to_h36m_17

UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "pck": "%", "auc": "%"}
# Joints of Human3.6M-17 that PCK and AUC leave out, as the joint groups of the published test code do: pelvis, spine,
# and MPI-INF-3DHP's `head`, which is `nose` here.
NOT_IN_PCK = ("pelvis", "spine", "nose")


def evaluate_3dhp(
    data: Path,
    predictor: Predictor,
    annotation: str = "univ_annot3",
    fps: float | str = 25.0,
    scoring: str = "published",
) -> dict[str, Any]:
    """The six test sequences: joints relative to the pelvis, valid frames only, means over all joints of all frames.

    `mpjpe` is over all 17 joints. `pck` (nearer than 150 mm) and `auc` (thresholds 0 to 150 mm by 5) are over 14, in
    percent, as the MATLAB code of the data set computes them "for all". `pa_mpjpe` is not part of that code. The
    encoder also reads the frames that do not count. Joints are compared by name: Human3.6M's head is `head_top`, its
    nose `head`, its thorax `neck`.

    Args:
        data: `data_test_3dhp.npz` of P-STMO, or its folder.
        annotation: What the file was made from. `univ_annot3` scales everybody to one height, `annot3` does not;
            numbers of one cannot be compared with those of the other.
        fps: Frame rate of the sequences, which the file does not tell.
        scoring: `published` puts the predicted pelvis alone at the origin, as P-STMO does; `relative` moves the whole
            prediction, as MotionAGFormer does. Heads whose pelvis is at the origin score the same.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, an unknown option, a frame rate that is no number, or a head without joints.
    """
    if annotation not in ("univ_annot3", "annot3"):
        raise ValueError(f"annotation must be 'univ_annot3' or 'annot3', got {annotation!r}")
    if scoring not in ("published", "relative"):
        raise ValueError(f"scoring must be 'published' or 'relative', got {scoring!r}")
    try:
        fps = float(fps)
    except ValueError:
        raise ValueError(f"fps must be a number, got {fps!r}") from None
    errors, aligned, per_sequence = [], [], {}
    clips = load_mpi_inf_3dhp(data, "test", fps)
    for clip in progress_bar(clips, "evaluate", "clip"):
        target = clip.joint_target
        position_m, _ = to_h36m_17(target.position_m, torch.ones_like(target.position_m[..., 0]), target.layout)
        counted = clip.counted if clip.counted is not None else torch.ones(len(position_m), dtype=torch.bool)
        if not bool(counted.any()):
            raise ValueError(f"{data}: no frame of {clip.name} is valid")
        true_m = (position_m - position_m[:, :1])[counted].double()
        pelvis = "zero" if scoring == "published" else "subtracted"
        predicted_m = predictor.joints_m(clip.keypoints, pelvis)[counted].double()
        errors.append(joint_error_mm(predicted_m, true_m))
        aligned.append(pa_mpjpe_mm(predicted_m, true_m))
        per_sequence[clip.name] = _scores(errors[-1]) | {"pa_mpjpe": float(aligned[-1].mean())}
    frames = {clip.name: len(error) for clip, error in zip(clips, errors, strict=True)}
    return {
        "metrics": _scores(torch.cat(errors)) | {"pa_mpjpe": float(torch.cat(aligned).mean())},
        "units": UNITS,
        "per_sequence": per_sequence,
        "protocol": {
            "id": f"3dhp/{annotation}/1",
            "sequences": ", ".join(frames),
            "frames": sum(frames.values()),
            "complete": frames == TEST_FRAMES,
            "target": f"{annotation}, millimetres, relative to the pelvis",
            "joints": "17 in mpjpe, pelvis included at 0; 14 in pck and auc, without pelvis, spine and head",
            "thresholds_mm": "150 (pck); 0, 5, ..., 150 (auc); strictly less",
            "mean": "over all joints of all valid frames",
            "keypoints": "data_2d of the file (true projections)",
            "fps": fps,
            "pelvis": "zero" if scoring == "published" else "subtracted",
        }
        | predictor.details(),
    }


def _scores(error_mm: torch.Tensor) -> dict[str, float]:
    """Means of joint errors (frames 17)."""
    kept = [index for index, joint in enumerate(H36M_17.joints) if joint not in NOT_IN_PCK]
    return {
        "mpjpe": float(error_mm.mean()),
        "pck": 100 * pck(error_mm[:, kept]),
        "auc": 100 * auc(error_mm[:, kept]),
    }
