"""Errors of motion in the world, as WHAM and GVHMR define them where they do; docs/cameras.md has the formulas."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.alignment import similarity

WORLD_UNITS = {
    "w_mpjpe": "mm", "wa_mpjpe": "mm", "rte": "%", "foot_sliding": "m/s", "jitter": "10 m/s^3", "up_error": "deg",
    "feet_on_floor": "%", "penetration": "mm", "floating": "mm",
}  # fmt: skip
_CHUNK = 100
_STANDING_M_PER_S = 0.3  # 1 cm in 1/30 s
_SHORTEST_PATH_M = 0.5
_ON_FLOOR_M = 0.03


def w_mpjpe_mm(
    predicted_m: Float[Tensor, "frames joints 3"], target_m: Float[Tensor, "frames joints 3"]
) -> Float[Tensor, " frames"]:
    """MPJPE of each frame, after every 100 frames were moved, turned and scaled so that their first two fit best."""
    return _aligned_error_mm(predicted_m, target_m, 2)


def wa_mpjpe_mm(
    predicted_m: Float[Tensor, "frames joints 3"], target_m: Float[Tensor, "frames joints 3"]
) -> Float[Tensor, " frames"]:
    """MPJPE of each frame, after every 100 frames were moved, turned and scaled so that all of them fit best."""
    return _aligned_error_mm(predicted_m, target_m, _CHUNK)


def rte_percent(
    predicted_m: Float[Tensor, "frames 3"], target_m: Float[Tensor, "frames 3"]
) -> Float[Tensor, " frames"]:
    """Error of the root after the rotation and shift that fit the whole path best, in percent of the path's length.

    NaN for a root that moves less than 0.5 m, of which no percentage makes sense.
    """
    path_m = target_m.diff(dim=0).norm(dim=-1).sum()
    if path_m < _SHORTEST_PATH_M:
        return torch.full_like(target_m[:, 0], torch.nan)
    rotmat, shift_m, _ = similarity(predicted_m, target_m, scaled=False)
    return 100 * (predicted_m @ rotmat.mT + shift_m - target_m).norm(dim=-1) / path_m


def foot_sliding_m_per_s(
    predicted_m: Float[Tensor, "frames points 3"], target_m: Float[Tensor, "frames points 3"], fps: float
) -> Float[Tensor, " standing"]:
    """Speed of predicted points of the feet wherever the true ones are slower than 0.3 m/s.

    WHAM and GVHMR, whose clips have 30 frames per second, print it in mm per frame: 33.3 times as much.
    """
    speed, true_speed = (fps * point_m.diff(dim=0).norm(dim=-1) for point_m in (predicted_m, target_m))
    return speed[true_speed < _STANDING_M_PER_S]


def jitter_10_m_per_s3(
    position_m: Float[Tensor, "*batch frames joints 3"], fps: float
) -> Float[Tensor, "*batch frames-3"]:
    """Mean length of the third difference of the joints in time, in 10 m/s^3.

    Raises:
        ValueError: Fewer than four frames.
    """
    if position_m.shape[-3] < 4:
        raise ValueError(f"jitter needs at least 4 frames, got {position_m.shape[-3]}")
    return position_m.diff(n=3, dim=-3).norm(dim=-1).mean(-1) * fps**3 / 10


def up_error_deg(predicted: Float[Tensor, "*batch 3"], target: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Angle between two directions."""
    sine = torch.linalg.cross(normalize(predicted, dim=-1), normalize(target, dim=-1)).norm(dim=-1)
    return torch.atan2(sine, (normalize(predicted, dim=-1) * normalize(target, dim=-1)).sum(-1)).rad2deg()


def feet_on_floor_percent(
    gap_m: Float[Tensor, "frames parts"], contact: Bool[Tensor, "frames parts"]
) -> Float[Tensor, " contacts"]:
    """100 for each true contact in which the predicted part is within 3 cm of the floor, 0 for the others."""
    return 100.0 * (gap_m.abs() <= _ON_FLOOR_M)[contact]


def penetration_mm(gap_m: Float[Tensor, "frames points"]) -> Float[Tensor, " frames"]:
    """How far the lowest point is below the floor; 0 where it is above."""
    return 1000 * (-gap_m.amin(-1)).clamp(min=0)


def floating_mm(
    gap_m: Float[Tensor, "frames points"], contact: Bool[Tensor, "frames parts"]
) -> Float[Tensor, " touching"]:
    """How far the lowest point is above the floor where something truly touches it; 0 where it is below."""
    return 1000 * gap_m.amin(-1).clamp(min=0)[contact.any(-1)]


def _aligned_error_mm(predicted_m: Tensor, target_m: Tensor, frames: int) -> Float[Tensor, " frames"]:
    errors = []
    for some_m, true_m in zip(predicted_m.split(_CHUNK), target_m.split(_CHUNK), strict=True):
        rotmat, shift_m, scale = similarity(some_m[:frames].flatten(0, 1), true_m[:frames].flatten(0, 1))
        errors.append((scale * some_m @ rotmat.mT + shift_m - true_m).norm(dim=-1).mean(-1))
    return 1000 * torch.cat(errors)
