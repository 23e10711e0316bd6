"""Forward kinematics: world rotations and positions of joints from local rotations."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.layouts import SMPL_24


class JointTree(nn.Module):
    """Poses joints by their local rotations and rest positions; differentiable, any leading axes.

    It takes one matrix product for each depth of the tree.

    Args:
        parents: Parent of each joint. Parents come before their children; the root is first and has -1.
    """

    order: Tensor
    parent: Tensor
    parent_in_level: Tensor
    place_in_order: Tensor
    bottom_row: Tensor

    def __init__(self, parents: tuple[int, ...]) -> None:
        super().__init__()
        depths = [0]
        for parent in parents[1:]:
            depths.append(depths[parent] + 1)
        order = sorted(range(len(parents)), key=depths.__getitem__)
        place = {joint: number for number, joint in enumerate(order)}
        sorted_depths = [depths[joint] for joint in order]
        first = [sorted_depths.index(depth) for depth in range(depths[order[-1]] + 1)]
        self._levels = list(zip(first[1:], [*first[2:], len(order)], strict=True))
        self._by_depth = order == list(range(len(order)))
        in_level = [0, *(place[parents[joint]] - first[depths[joint] - 1] for joint in order[1:])]
        for name, indices in {
            "order": order,
            "parent": [0, *parents[1:]],
            "parent_in_level": in_level,
            "place_in_order": [place[joint] for joint in range(len(order))],
        }.items():
            self.register_buffer(name, torch.tensor(indices), persistent=False)
        self.register_buffer("bottom_row", torch.tensor([0.0, 0.0, 0.0, 1.0]), persistent=False)

    def forward(
        self, local_rotmat: Float[Tensor, "*#batch joints 3 3"], rest_joint_m: Float[Tensor, "*#batch joints 3"]
    ) -> Float[Tensor, "*#batch joints 4 4"]:
        """Transform of each joint from its own axes, which at rest are parallel to the body's, to the posed body's."""
        batch = common_batch(local_rotmat.shape[:-3], rest_joint_m.shape[:-2])
        offset_m = rest_joint_m - rest_joint_m.index_select(-2, self.parent)
        offset_m[..., 0, :] = rest_joint_m[..., 0, :]
        local = torch.cat([local_rotmat.expand(*batch, -1, 3, 3), offset_m.expand(*batch, -1, 3).unsqueeze(-1)], -1)
        local = torch.cat([local, self.bottom_row.expand(*local.shape[:-2], 1, 4)], -2)
        if not self._by_depth:
            local = local.index_select(-3, self.order)
        placed = [local[..., :1, :, :]]
        for start, stop in self._levels:
            parent = placed[-1].index_select(-3, self.parent_in_level[start:stop])
            placed.append(parent @ local[..., start:stop, :, :])
        world = torch.cat(placed, -3)
        return world if self._by_depth else world.index_select(-3, self.place_in_order)


def forward_kinematics(
    local_rotmat: Float[Tensor, "*batch joints 3 3"],
    local_position: Float[Tensor, "*#batch joints 3"],
    parents: tuple[int, ...],
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotations and positions.

    Args:
        local_position: Relative to the parent, in its axes; of joints without a parent (-1), in the world.
    """
    rotmat: list[Tensor] = []
    position: list[Tensor] = []
    for joint, parent in enumerate(parents):
        turn, place = local_rotmat[..., joint, :, :], local_position[..., joint, :]
        if parent < 0:
            rotmat.append(turn)
            position.append(place.expand(turn.shape[:-1]))
        else:
            rotmat.append(rotmat[parent] @ turn)
            position.append(position[parent] + (rotmat[parent] @ place[..., None])[..., 0])
    return torch.stack(rotmat, -3), torch.stack(position, -2)


def body_kinematics(
    local_rotmat: Float[Tensor, "*batch 24 3 3"],
    translation_m: Float[Tensor, "*batch 3"],
    rest_joint_m: Float[Tensor, "24 3"],
) -> tuple[Float[Tensor, "*batch 24 3 3"], Float[Tensor, "*batch 24 3"]]:
    """World rotations and positions (metres) of a posed body's joints."""
    parents = SMPL_24.parent_indices
    offset = rest_joint_m - torch.cat([torch.zeros_like(rest_joint_m[:1]), rest_joint_m[list(parents[1:])]])
    rotmat, position_m = forward_kinematics(local_rotmat, offset, parents)
    return rotmat, position_m + translation_m[..., None, :]


def common_batch(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that others broadcast to; `torch.broadcast_shapes` imports sympy, which takes half as long as torch."""
    return tuple(torch.broadcast_tensors(*(torch.empty(shape) for shape in shapes))[0].shape)
