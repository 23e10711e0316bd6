"""Parts of losses that the heads of poses share."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.head_api.contract import Batch


def chosen_losses(losses: Mapping[str, float], known: Sequence[str]) -> dict[str, float]:
    """A copy of the weights of losses, checked.

    Raises:
        ValueError: A name that is not known, a weight that is no number, or no loss of clips with a known pose.
    """
    if unknown := [name for name in losses if name not in known]:
        raise ValueError(f"unknown loss {unknown[0]!r} (known: {', '.join(known)})")
    if not any(name != "reprojection" for name in losses):
        raise ValueError(f"losses: at least one of clips whose pose is known is needed (known: {', '.join(known)})")
    for name, weight in losses.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ValueError(f"losses.{name} must be a number, got {weight!r}; it is a weight")
    return dict(losses)


def posed_frames(batch: Batch) -> Float[Tensor, "batch frames"]:
    """1 for frames that are no padding and whose pose is known, 0 for the others."""
    valid = batch["valid"].float()
    return valid * batch["has_pose"][:, None].float() if "has_pose" in batch else valid


def reprojection_term(weight: float, position_m: Float[Tensor, "batch frames 17 3"], batch: Batch) -> dict[str, Tensor]:
    """The weighted `reprojection_error` of the clips without a pose; empty if there are none."""
    if "has_pose" not in batch:
        return {}
    counted = batch["valid"] & ~batch["has_pose"][:, None]
    seen = batch["observed"] * counted[..., None, None]
    return {"reprojection": weight * reprojection_error(position_m, seen, batch["focal"])}


def reprojection_error(
    position_m: Float[Tensor, "batch frames joints 3"],
    observed: Float[Tensor, "batch frames joints 3"],
    focal: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Mean distance of poses from their keypoints on the image, after each frame was moved to where it fits them best.

    The translation is the least-squares solution of `geometry.cameras.translation_from_keypoints`, for every frame on
    its own. Distances are divided by the spread of the frame's keypoints, so that a smaller pose gains nothing. They
    are weighted by confidence.

    Args:
        position_m: Poses in camera axes, metres.
        observed: x and y (units of half the image width, origin in the middle) and confidence, 0 where not seen.
        focal: Focal length in the same unit.
    """
    ray, weight = observed[..., :2] / focal[:, None, None, None], observed[..., 2:]
    total = weight.sum(2).clamp(min=1e-6)
    rows = torch.cat([torch.eye(2).to(ray).expand(*ray.shape[:-1], 2, 2), -ray[..., None]], -1)  # joints 2 3
    right = ray * position_m[..., 2:] - position_m[..., :2]
    weighted = (weight[..., None] * rows).transpose(-1, -2)
    normal = (weighted @ rows).sum(2) + 1e-6 * torch.eye(3).to(ray)
    moved = (weighted @ right[..., None]).sum(2)
    place = torch.linalg.solve(normal, moved)[..., 0]
    point = position_m + place[:, :, None]
    error = (point[..., :2] / point[..., 2:].clamp(min=0.3) - ray).norm(dim=-1)
    middle = ((weight * ray).sum(2) / total)[:, :, None]
    spread = ((weight[..., 0] * (ray - middle).square().sum(-1)).sum(2) / total[..., 0]).sqrt()
    seen = (weight[..., 0] > 0).sum(2) >= 3  # fewer do not determine the translation
    share = error / spread[..., None].clamp(min=1e-3)
    per_frame = (weight[..., 0] * share).sum(2) / total[..., 0]
    return (per_frame * seen).sum() / seen.sum().clamp(min=1)
