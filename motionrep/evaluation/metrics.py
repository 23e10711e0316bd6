"""Errors of 3D motion and scores of classifiers, as the field defines them; metres in, millimetres out."""

from collections.abc import Sequence
from typing import Any, cast

import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def mpjpe_mm(
    predicted_m: Float[Tensor, "*batch joints 3"], target_m: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean per-joint position error of each pose after both roots (joint 0) are moved to the origin ("protocol 1")."""
    difference = (predicted_m - predicted_m[..., :1, :]) - (target_m - target_m[..., :1, :])
    return 1000 * difference.norm(dim=-1).mean(-1)


def pa_mpjpe_mm(
    predicted_m: Float[Tensor, "*batch joints 3"], target_m: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """MPJPE of each pose after the similarity (rotation, scale, translation) that fits it best ("protocol 2").

    The rotation is proper, so a mirrored pose keeps its error. Joints that are all in one place count as a point.
    """
    similarity = roma.rigid_points_registration(predicted_m, target_m, compute_scaling=True)
    rotation, _, scale = cast(tuple[Tensor, Tensor, Tensor], similarity)
    scale = scale.nan_to_num(nan=0.0, posinf=0.0)  # 0 / 0 where all predicted joints are in one place
    predicted_m, target_m = (point_m - point_m.mean(-2, keepdim=True) for point_m in (predicted_m, target_m))
    aligned = scale[..., None, None] * (predicted_m @ rotation.mT)
    return 1000 * (aligned - target_m).norm(dim=-1).mean(-1)


def joint_error_mm(
    predicted_m: Float[Tensor, "*batch joints 3"], target_m: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints"]:
    """Distance of each joint from its true position, without alignment."""
    return 1000 * (predicted_m - target_m).norm(dim=-1)


def n_mpjpe_mm(
    predicted_m: Float[Tensor, "*batch joints 3"], target_m: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """MPJPE of each pose, both roots (joint 0) at the origin, after the scale that fits it best: <p, t> / <p, p>.

    As in Rhodin et al., CVPR 2018. A prediction with all joints in one place is not scaled.
    """
    predicted_m, target_m = (point_m - point_m[..., :1, :] for point_m in (predicted_m, target_m))
    scale = (predicted_m * target_m).sum((-2, -1)) / predicted_m.square().sum((-2, -1)).clamp(min=1e-12)
    return joint_error_mm(scale[..., None, None] * predicted_m, target_m).mean(-1)


def mpjve_mm_per_frame(
    predicted_m: Float[Tensor, "*batch frames joints 3"], target_m: Float[Tensor, "*batch frames joints 3"]
) -> Float[Tensor, "*batch frames-1"]:
    """Mean per-joint error of the step from each frame to the next, both roots (joint 0) at the origin.

    As in Pavllo et al., CVPR 2019. Millimetres per frame, so numbers of different frame rates cannot be compared.

    Raises:
        ValueError: Fewer than two frames.
    """
    if predicted_m.shape[-3] < 2:
        raise ValueError(f"velocity needs at least 2 frames, got {predicted_m.shape[-3]}")
    difference = (predicted_m - predicted_m[..., :1, :]) - (target_m - target_m[..., :1, :])
    return 1000 * difference.diff(dim=-3).norm(dim=-1).mean(-1)


def pck(error_mm: Float[Tensor, "*batch"], threshold_mm: float = 150.0) -> float:
    """Share of joint errors below the threshold; "3DPCK" at 150 mm."""
    return float((error_mm < threshold_mm).double().mean())


def auc(error_mm: Float[Tensor, "*batch"]) -> float:
    """Mean of `pck` over the 31 thresholds 0, 5, ..., 150 mm, as in the test code of MPI-INF-3DHP.

    No error is below threshold 0, so perfect poses have 30/31.
    """
    return sum(pck(error_mm, float(threshold_mm)) for threshold_mm in range(0, 155, 5)) / 31


def pve_mm(
    predicted_m: Float[Tensor, "*batch vertices 3"],
    target_m: Float[Tensor, "*batch vertices 3"],
    predicted_root_m: Float[Tensor, "*batch 3"],
    target_root_m: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch"]:
    """Mean per-vertex error of each mesh after both roots are moved to the origin."""
    difference = (predicted_m - predicted_root_m.unsqueeze(-2)) - (target_m - target_root_m.unsqueeze(-2))
    return 1000 * difference.norm(dim=-1).mean(-1)


def accel_error_m_per_s2(
    predicted_m: Float[Tensor, "*batch frames joints 3"], target_m: Float[Tensor, "*batch frames joints 3"], fps: float
) -> Float[Tensor, "*batch frames-2"]:
    """Mean length of the difference between predicted and true joint acceleration, for each inner frame.

    Acceleration is the second central difference times fps squared, which the first and the last frame do not have.

    Raises:
        ValueError: Fewer than three frames.
    """
    if predicted_m.shape[-3] < 3:
        raise ValueError(f"acceleration needs at least 3 frames, got {predicted_m.shape[-3]}")
    error = predicted_m - target_m
    second = error[..., 2:, :, :] - 2 * error[..., 1:-1, :, :] + error[..., :-2, :, :]
    return fps**2 * second.norm(dim=-1).mean(-1)


def errors_of_frames(
    predicted_m: Float[Tensor, "frames joints 3"],
    target_m: Float[Tensor, "frames joints 3"],
    vertex_m: Float[Tensor, "frames vertices 3"] | None,
    target_vertex_m: Float[Tensor, "frames target_vertices 3"] | None,
    fps: float,
) -> dict[str, Float[Tensor, " _"]]:
    """The errors of bodies in the camera in each frame, as GVHMR prints them; both have the same point at the origin.

    `mpjpe` and `pa_mpjpe`, `accel_error` in m/s^2 of the inner frames, and `pve` where both meshes have as many
    vertices.
    """
    errors = {"mpjpe": joint_error_mm(predicted_m, target_m).mean(-1), "pa_mpjpe": pa_mpjpe_mm(predicted_m, target_m)}
    if len(predicted_m) > 2:
        errors["accel_error"] = accel_error_m_per_s2(predicted_m, target_m, fps)
    if vertex_m is not None and target_vertex_m is not None and vertex_m.shape == target_vertex_m.shape:
        errors["pve"] = joint_error_mm(vertex_m, target_vertex_m).mean(-1)
    return errors


def inner_frames(valid: Bool[Tensor, "*batch frames"]) -> Bool[Tensor, "*batch frames-2"]:
    """Frames whose acceleration counts: they and both neighbours are valid."""
    return valid[..., 2:] & valid[..., 1:-1] & valid[..., :-2]


def top1(logit: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"]) -> float:
    """Share of clips whose highest score is the right class.

    Raises:
        ValueError: There is no clip.
    """
    _require_clips(label)
    return float((logit.argmax(-1) == label).float().mean())


def topk(logit: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"], k: int) -> float:
    """Share of clips whose right class is among the `k` with the highest scores.

    Raises:
        ValueError: There are fewer than `k` classes.
    """
    if not 1 <= k <= logit.shape[1]:
        raise ValueError(f"k must lie between 1 and the number of classes, {logit.shape[1]}, got {k}")
    return float((logit.topk(k, dim=1).indices == label[:, None]).any(1).float().mean())


def macro_accuracy(logit: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"]) -> float:
    """Mean, over the classes that occur in `label`, of the share of their clips that were recognised.

    Raises:
        ValueError: There is no clip.
    """
    _require_clips(label)
    right = (logit.argmax(-1) == label).float()
    return float(torch.stack([right[label == c].mean() for c in label.unique()]).mean())


def confusion_of(
    logit: Float[Tensor, "clips classes"], label: Int[Tensor, " clips"], classes: Sequence[str]
) -> dict[str, Any]:
    """`per_class`, the share in percent of the clips of each class that occurs that was recognised, by its name.

    Also `classes`, their names, and `confusion`: the number of clips of the class of a row that were taken for the
    class of a column.
    """
    taken_for = torch.zeros(len(classes), len(classes), dtype=torch.long)
    taken_for.index_put_((label, logit.argmax(-1)), torch.ones_like(label), accumulate=True)
    count = taken_for.sum(1)
    share = {name: 100 * float(taken_for[i, i] / count[i]) for i, name in enumerate(classes) if count[i]}
    return {"per_class": share, "classes": list(classes), "confusion": taken_for.tolist()}


def _require_clips(label: Int[Tensor, " clips"]) -> None:
    if not len(label):
        raise ValueError("accuracy needs at least one clip with a label, got none")
