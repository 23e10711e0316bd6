"""3DPW's protocol: 14 joints and the surface of each person, against the SMPL body of the person's gender."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.regressors import load_h36m_regressor
from motionrep.datasets.benchmarks.labelled import LabelledClip
from motionrep.datasets.benchmarks.threedpw import load_threedpw
from motionrep.evaluation.metrics import errors_of_frames
from motionrep.evaluation.predictor import Predictor, body_model, h36m_joints_m
from motionrep.files.progress import progress_bar
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion

# LSP's joints by Human3.6M's names: all but pelvis, spine and nose.
J14 = tuple(joint for joint in H36M_17.joints if joint not in ("pelvis", "spine", "nose"))
UNITS = {"mpjpe": "mm", "pa_mpjpe": "mm", "pve": "mm", "accel_error": "m/s^2", "accel_error_per_frame2": "mm/frame^2"}
_HIPS = [H36M_17.index("left_hip"), H36M_17.index("right_hip")]
_J14_INDICES = [H36M_17.index(joint) for joint in J14]


def evaluate_3dpw(
    data: Path, predictor: Predictor, regressor: str | None = None, male: str = "smpl-male", female: str = "smpl-female"
) -> dict[str, Any]:
    """Every person of the test sequences: joints relative to the middle of the hips, over the frames that count.

    The truth is the SMPL body of the person's gender in camera axes. With the regressor its joints are those of the
    field, `J_regressor_h36m @ vertices`, and so are those of a predicted body with as many vertices. Any other
    prediction has the points of `body.points`. Without the regressor both have the latter, which is another protocol.
    `pve` is measured when the predicted and the true body have the same vertices. `accel_error` is in m/s^2, as
    WHAM and GVHMR print it; `accel_error_per_frame2` is in mm/frame^2, as VIBE prints it.

    Args:
        data: 3DPW's folder, a folder of its .pkl files, or one of them.
        regressor: `J_regressor_h36m.npy` of SPIN.
        male: Body of the men, as `load_body_model` takes it.
        female: Body of the women.

    Raises:
        FileNotFoundError: Data, regressor or a body is missing.
        ValueError: A broken file, no frame that counts, or a head that predicts neither joints nor a body.
    """
    values: dict[str, list[Tensor]] = {}
    clips = load_threedpw(data, "test", male, female)
    for clip in progress_bar(clips, "evaluate", "clip"):
        for name, score in _scores(clip, predictor, regressor, data).items():
            values.setdefault(name, []).append(score)
    metrics = {name: torch.cat(parts) for name, parts in values.items()}
    frames = len(metrics["mpjpe"])
    if not frames:
        raise ValueError(f"{data}: no frame counts; campose_valid is False or nobody is seen in all of them")
    return {
        "metrics": {name: float(value.double().mean()) for name, value in metrics.items() if len(value)},
        "units": {name: UNITS[name] for name in metrics},
        "protocol": {
            "id": f"3dpw/{'j14-regressor' if regressor else 'j14-points'}/2",
            "persons": len(clips),
            "frames": frames,
            "joints": f"14: {', '.join(J14)}",
            "alignment": "middle of the hips at the origin; accelerations of aligned joints, over counted frames",
            "target": f"SMPL of the person's gender ({male}, {female}), camera axes",
            "counted": "campose_valid, and more than 6 keypoints above confidence 0.3",
            "mean": "over all frames of all persons",
            "keypoints": "poses2d of the files",
            "fps": 30,
        }
        | predictor.details()
        | {"flip_averaging": False},
    }


def _scores(clip: LabelledClip, predictor: Predictor, regressor: str | None, data: Path) -> dict[str, Tensor]:
    """Errors of one person in each frame that counts, by the names of `UNITS`."""
    if not isinstance(clip.target, BodyMotion) or clip.counted is None:
        raise ValueError(f"{data}: {clip.name} has no true body")
    predicted, counted = predictor.motion(clip.keypoints), clip.counted
    true_m, true_vertex_m = _joints_and_vertices(clip.target, regressor)
    joints_m, vertex_m = _joints_and_vertices(predicted, regressor)
    hips_m, true_hips_m = (points_m[:, _HIPS].mean(1, keepdim=True) for points_m in (joints_m, true_m))
    joints_m, true_m = (joints_m - hips_m)[:, _J14_INDICES], (true_m - true_hips_m)[:, _J14_INDICES]
    vertices = tuple(
        None if points_m is None else (points_m - origin_m)[counted]
        for points_m, origin_m in ((vertex_m, hips_m), (true_vertex_m, true_hips_m))
    )
    scores = errors_of_frames(joints_m[counted], true_m[counted], *vertices, fps=clip.keypoints.fps)
    if "accel_error" in scores:
        scores["accel_error_per_frame2"] = 1000 * scores["accel_error"] / clip.keypoints.fps**2
    return scores


def _joints_and_vertices(
    motion: Any, regressor: str | None
) -> tuple[Float[Tensor, "frames 17 3"], Float[Tensor, "frames vertices 3"] | None]:
    """Joints and vertices in camera axes; no vertices without a regressor, which is what they are needed for."""
    if not isinstance(motion, BodyMotion):
        return h36m_joints_m(motion), None
    body = body_model(motion.body_model)
    if regressor is None:
        return h36m_joints_m(motion), None
    vertex_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)
    try:
        matrix = load_h36m_regressor(regressor, body)
    except ValueError:
        if body.name == "open":  # the open body has vertices of its own
            return h36m_joints_m(motion), None
        raise
    return matrix @ vertex_m, vertex_m
