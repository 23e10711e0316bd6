"""Rotations in 6D, in a mirror and by quarter turns; everything else about rotations comes from `roma`."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def rotmat_from_sixd(sixd: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix by Gram-Schmidt (Zhou et al., "On the Continuity of Rotation Representations", CVPR 2019).

    `sixd[..., :3]` is the first column, `sixd[..., 3:]` the second, before orthonormalisation.
    """
    first = normalize(sixd[..., :3], dim=-1)
    second = sixd[..., 3:] - (first * sixd[..., 3:]).sum(-1, keepdim=True) * first
    second = normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def sixd_from_rotmat(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First column, then second column of the rotation matrix."""
    return torch.cat([rotmat[..., 0], rotmat[..., 1]], dim=-1)


def mirror_rotmat(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The same rotation seen in a mirror at x = 0: `S R S` with `S = diag(-1, 1, 1)`."""
    sign = rotmat.new_tensor([-1.0, 1.0, 1.0])
    return sign[:, None] * rotmat * sign


def y_up_turn(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The quarter turns about x, or about z for x up, that take the axis nearest to `up` to y.

    With z up, (x, y, z) becomes (x, z, -y); with x up, (-y, x, z).
    """
    nearest = int(up.abs().argmax())
    axis = torch.eye(3)[nearest] * torch.sign(up[nearest])
    if nearest:
        x = torch.tensor([1.0, 0.0, 0.0])
        return torch.stack([x, axis, torch.linalg.cross(x, axis)])
    z = torch.tensor([0.0, 0.0, 1.0])
    return torch.stack([torch.linalg.cross(axis, z), axis, z])
