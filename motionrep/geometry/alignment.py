"""Rotations from directions and matrices, and over time; needs roma, unlike `rotations`."""

import math

import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def smoothed(rotmat: Float[Tensor, "frames 3 3"], frames: float) -> Float[Tensor, "frames 3 3"]:
    """Rotations smoothed over time with a Gaussian whose standard deviation is so many frames."""
    reach = min(int(3 * frames), len(rotmat) - 1)
    if reach < 1:
        return rotmat
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).to(rotmat) / frames) ** 2)
    channels = rotmat.flatten(1).T.unsqueeze(1)  # 9 1 frames
    padded = torch.nn.functional.pad(channels, (reach, reach), mode="replicate")
    mean = torch.nn.functional.conv1d(padded, (bell / bell.sum())[None, None])
    return nearest_rotation(mean[:, 0].T.unflatten(1, (3, 3)))


def rotvec_over_time(rotmat: Float[Tensor, "frames *joints 3 3"]) -> Float[Tensor, "frames *joints 3"]:
    """Rotation vectors that do not jump where an angle passes 180 degrees: their length may reach 240 degrees."""
    rotvec = roma.rotmat_to_rotvec(rotmat)
    angle = rotvec.norm(dim=-1, keepdim=True)
    other = rotvec * (1 - 2 * math.pi / angle.clamp(min=1e-6))  # the same rotation about the opposite axis
    stays = (rotvec[1:] - rotvec[:-1]).norm(dim=-1, keepdim=True)
    jumps = (other[1:] - rotvec[:-1]).norm(dim=-1, keepdim=True) < stays
    odd = torch.cat([torch.zeros_like(angle[:1], dtype=torch.bool), jumps.cumsum(0) % 2 == 1])
    return torch.where(odd & (angle > 2 * math.pi / 3), other, rotvec)


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation nearest to a matrix (orthogonal Procrustes)."""
    rotmat = roma.special_procrustes(matrix)
    assert isinstance(rotmat, Tensor)  # a pair only when singular values are asked for
    return rotmat


def smallest_rotation(
    from_direction: Float[Tensor, "*batch 3"], to_direction: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """The rotation by the smallest angle that turns one direction into another."""
    axis = torch.linalg.cross(from_direction, to_direction)
    angle = torch.atan2(axis.norm(dim=-1), (from_direction * to_direction).sum(-1))
    return roma.rotvec_to_rotmat(normalize(axis, dim=-1) * angle[..., None])


def similarity(
    from_m: Float[Tensor, "points 3"], to_m: Float[Tensor, "points 3"], scaled: bool = True
) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "3"], Float[Tensor, ""]]:
    """Rotation, shift and scale with which `scale * rotation @ p + shift` takes points nearest to others (Umeyama).

    Args:
        scaled: Whether the scale is free; otherwise it is 1. Points that are all in one place have scale 1.
    """
    middle_m, to_middle_m = from_m.mean(0), to_m.mean(0)
    inner, outer = from_m - middle_m, to_m - to_middle_m
    rotmat = nearest_rotation((outer.mT @ inner).double()).to(from_m)
    spread = inner.square().sum()
    free = scaled and bool(spread > 0)
    scale = ((inner @ rotmat.mT) * outer).sum() / spread if free else torch.ones_like(spread)
    return rotmat, to_middle_m - scale * rotmat @ middle_m, scale
