"""MotionBERT's protocol for its mesh files: surfaces, and 14 or 17 joints, about Human3.6M's pelvis."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.benchmarks.training_sets import labelled_set
from motionrep.evaluation.comparison import joints_and_vertices
from motionrep.evaluation.metrics import joint_error_mm, pa_mpjpe_mm
from motionrep.evaluation.predictor import Predictor
from motionrep.files.progress import progress_bar
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion

UNITS: dict[str, str] = dict.fromkeys(("pve", "mpjpe", "pa_mpjpe", "mpjpe_17", "pa_mpjpe_17"), "mm")
_J14 = [H36M_17.index(joint) for joint in H36M_17.joints if joint not in ("pelvis", "spine", "nose")]


def evaluate_motionbert_mesh(
    data: Path, predictor: Predictor, regressor: str | None = None, neutral: str = "smpl-neutral"
) -> dict[str, Any]:
    """The test part of `mesh_det_pw3d.pkl`, `mesh_det_h36m.pkl` or `mesh_det_coco.pkl`, as `evaluate_mesh` scores it.

    Every frame counts once, where theirs leaves out the frames after the last whole 16 of a clip. There is no flip
    averaging.

    Args:
        regressor: `J_regressor_h36m_correct.npy`, for the joints of published numbers; points of the body otherwise.
        neutral: SMPL's neutral body, as `load_body_model` takes it.

    Raises:
        FileNotFoundError: File, regressor or body is missing.
        ValueError: A broken file or one of another kind, or a head that predicts no body.
    """
    of = labelled_set(data, body=neutral)
    if of is None or of.protocol != "motionbert-mesh":
        raise ValueError(f"{data}: is no mesh file of MotionBERT")
    values: dict[str, list[Tensor]] = {name: [] for name in UNITS}
    matrix = None if regressor is None else Path(regressor)
    for listed in progress_bar(of.val, "evaluate", "clip"):
        clip = listed.read()
        predicted = predictor.motion(clip.keypoints)
        if not isinstance(predicted, BodyMotion) or not isinstance(clip.target, BodyMotion):
            raise ValueError(f"the head predicts {type(predicted).__name__}; the protocol scores bodies")
        sides = [joints_and_vertices(motion, matrix) for motion in (predicted, clip.target)]
        for name, errors in mesh_errors_mm(*sides[0], *sides[1]).items():
            values[name].append(errors)
    means = {name: float(torch.cat(parts).double().mean()) for name, parts in values.items() if parts}
    frames = sum(len(part) for part in values["mpjpe"])
    details = {
        "id": f"motionbert-mesh/{'regressor' if regressor else 'points'}/1", "clips": len(of.val), "frames": frames,
        "alignment": "Human3.6M's pelvis at the origin", "mean": "over all frames", "keypoints": "joint_2d of the file",
    }  # fmt: skip
    return {
        "metrics": means,
        "units": {name: UNITS[name] for name in means},
        "protocol": details | predictor.details() | {"flip_averaging": False},
    }


def mesh_errors_mm(
    joint_m: Float[Tensor, "frames 17 3"],
    vertex_m: Float[Tensor, "frames vertices 3"] | None,
    true_joint_m: Float[Tensor, "frames 17 3"],
    true_vertex_m: Float[Tensor, "frames true_vertices 3"] | None,
) -> dict[str, Float[Tensor, " frames"]]:
    """Errors of each frame by the names of `UNITS`; `pve` of the same mesh only."""
    found_m, true_m = joint_m - joint_m[:, :1], true_joint_m - true_joint_m[:, :1]
    errors: dict[str, Tensor] = {}
    if vertex_m is not None and true_vertex_m is not None and vertex_m.shape == true_vertex_m.shape:
        errors["pve"] = joint_error_mm(vertex_m - joint_m[:, :1], true_vertex_m - true_joint_m[:, :1]).mean(-1)
    for ending, joints in (("", _J14), ("_17", list(range(17)))):
        errors[f"mpjpe{ending}"] = joint_error_mm(found_m[:, joints], true_m[:, joints]).mean(-1)
        errors[f"pa_mpjpe{ending}"] = pa_mpjpe_mm(found_m[:, joints], true_m[:, joints])
    return errors
