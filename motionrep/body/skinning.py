"""Linear blend skinning of many vertices at once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Vertices of all bodies of a batch that are skinned at once on a CPU, so that they stay in its cache.
_VERTICES_IN_CACHE = 120_000


class SkinnedSurface(nn.Module):
    """Vertices that are shaped by coefficients and follow joints; differentiable.

    For speed, coordinates are stored as planes: all x, all y, all z.

    Args:
        vertex_m: Mean shape in the rest pose.
        directions_m: Offset of each vertex per unit of each coefficient.
        weights: How much each vertex follows each joint. There may be several, for different numbers of joints.
    """

    vertex_planes_m: Tensor
    direction_planes_m: Tensor

    def __init__(
        self,
        vertex_m: Float[Tensor, "vertices 3"],
        directions_m: Float[Tensor, "vertices 3 coefficients"],
        *weights: Float[Tensor, "vertices _"],
    ) -> None:
        super().__init__()
        self.register_buffer("vertex_planes_m", vertex_m.T.flatten().contiguous(), persistent=False)
        self.register_buffer("direction_planes_m", directions_m.permute(2, 1, 0).flatten(1), persistent=False)
        for of_vertices in weights:
            name = f"_weights_{of_vertices.shape[1]}"
            self.register_buffer(name, of_vertices.T.contiguous(), persistent=False)

    def weights_for(self, joint_count: int) -> Float[Tensor, "joints vertices"]:
        """The weights for that number of joints."""
        return self.get_buffer(f"_weights_{joint_count}")

    def rest(
        self, coefficients: Float[Tensor, "*batch coefficients"], first: int
    ) -> Float[Tensor, "*batch vertices 3"]:
        """Shaped vertices; the coefficients belong to the directions from number `first` on."""
        planes_m = self.vertex_planes_m + coefficients @ self._directions(coefficients, first)
        return planes_m.unflatten(-1, (3, -1)).mT

    def posed(
        self,
        coefficients: Float[Tensor, "batch coefficients"],
        first: int,
        transform: Float[Tensor, "batch joints 3 4"],
        translation_m: Float[Tensor, "batch 3"],
    ) -> Float[Tensor, "batch vertices 3"]:
        """Shaped vertices, each transformed by the weighted mean of its joints' transforms, plus the translation."""
        directions_m, weights = self._directions(coefficients, first), self.weights_for(transform.shape[1])
        columns = transform.permute(0, 3, 2, 1)  # batch 4 3 joints
        bodies = len(transform)
        if transform.device.type == "cpu":
            bodies = max(1, _VERTICES_IN_CACHE // weights.shape[1])
        chunks = []
        for some, column, move_m in zip(
            *(x.split(bodies) for x in (coefficients, columns, translation_m)), strict=True
        ):
            rest_m = torch.addmm(self.vertex_planes_m, some, directions_m).unflatten(-1, (3, 1, -1))
            blended = (column.flatten(0, 2) @ weights).unflatten(0, (len(some), 4, 3))  # batch 4 3 vertices
            # Unbound rather than indexed: the gradient of indexing would be padded with zeros.
            (x_m, y_m, z_m), (from_x, from_y, from_z, planes_m) = rest_m.unbind(1), blended.unbind(1)
            planes_m = torch.addcmul(planes_m, from_x, x_m)
            planes_m = torch.addcmul(planes_m, from_y, y_m)
            planes_m = torch.addcmul(planes_m, from_z, z_m)
            chunks.append((planes_m + move_m.unsqueeze(-1)).mT)
        return torch.cat(chunks)

    def _directions(self, coefficients: Tensor, first: int) -> Tensor:
        return self.direction_planes_m[first : first + coefficients.shape[-1]]
