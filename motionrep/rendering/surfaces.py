"""Triangle meshes with a colour at each vertex, and what a back end does with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.cameras import PinholeCamera


@dataclass(frozen=True)
class Surface:
    """A triangle mesh in world axes. Its faces are counter-clockwise seen from outside, its colours lie in 0 to 1."""

    vertex_m: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]
    color: Float[Tensor, "vertices 3"]


# Draws a surface in its own colours as a camera sees it, with a number of samples per pixel along x and y. Returns
# colour times opacity, and opacity: (height, width, 4) between 0 and 1. This is what a back end has to provide.
Layer = Callable[[Surface, PinholeCamera, int], Tensor]


def joined(surfaces: Sequence[Surface]) -> Surface:
    """All surfaces as one."""
    if len(surfaces) == 1:
        return surfaces[0]
    counts = [len(surface.vertex_m) for surface in surfaces]
    faces = [surface.faces + sum(counts[:index]) for index, surface in enumerate(surfaces)]
    return Surface(
        torch.cat([surface.vertex_m for surface in surfaces]),
        torch.cat(faces),
        torch.cat([surface.color for surface in surfaces]),
    )


def vertex_normals(vertex_m: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "vertices 3"]:
    """Unit normals that point outside: the mean of the adjoining faces' normals, weighted by area."""
    corner = vertex_m[faces]
    normal = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = torch.zeros_like(vertex_m)
    for i in range(3):
        total.index_add_(0, faces[:, i], normal)
    return normalize(total, dim=-1)
