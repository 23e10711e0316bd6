"""Bodies with joints and shape parameters of their own, and how their joints follow SMPL's 24 rotations.

Every body is posed by the rotations of SMPL's 24 joints, which are identity in the T-pose. Each joint of the body's own
turns with one of these 24. A constant turn leads from its rest pose, such as an A-pose, to the T-pose. So a body of any
tree and any rest pose takes every motion, and its own joints are still there to be skinned and exported.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.body.phenotypes import PhenotypeShape
from motionrep.layouts import SMPL_24


@dataclass(frozen=True)
class OwnPose:
    """A motion in a body's own joints, in the axes of the motion.

    Attributes:
        parents: They stand before their children; the root's is -1.
        rest_joint_m: Joints in the body's own rest pose.
        local_rotmat: Relative to the parent; identity is the body's own rest pose, not the T-pose.
        root_m: Where the root joint is.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joint_m: Float[Tensor, "joints 3"]
    local_rotmat: Float[Tensor, "frames joints 3 3"]
    root_m: Float[Tensor, "frames 3"]


class OwnJoints(nn.Module):
    """The joints of a body that are not SMPL's.

    Neighbours that turn with the same joint of SMPL's form a rigid segment. A joint of SMPL's 24 lies where the
    segments that turn with it begin, in the middle if there are several, as of fingers and toes.

    Args:
        names: The root first, parents before children.
        parents: Index of each joint's parent; the root's is -1.
        follows: The joint of SMPL's 24 that each turns with; the root turns with the pelvis. Each of the 24 has one.
        turn: World rotation of what follows each of SMPL's 24, from the body's rest pose to the T-pose; identity for
            the pelvis.
        joint_m: Joints at rest for a shape whose coefficients are 0.
        joint_directions_m: Their offset per unit of each coefficient.
        shape: Makes the coefficients of betas, 0 for betas of 0. Its `names` are those of the betas.
    """

    joint_m: Tensor
    joint_directions_m: Tensor
    _turn: Tensor
    _segment: Tensor
    _driver: Tensor
    _driver_before: Tensor
    _t_posed_m: Tensor
    _t_posed_directions_m: Tensor

    def __init__(
        self,
        names: tuple[str, ...],
        parents: tuple[int, ...],
        follows: tuple[str, ...],
        turn: Float[Tensor, "24 3 3"],
        joint_m: Float[Tensor, "joints 3"],
        joint_directions_m: Float[Tensor, "joints 3 coefficients"],
        shape: PhenotypeShape,
    ) -> None:
        super().__init__()
        self.names, self.parents, self.shape = names, parents, shape
        driver = [SMPL_24.index(joint) for joint in follows]
        begins, segment = [], []
        for joint, parent in enumerate(parents):
            if parent < 0 or driver[parent] != driver[joint]:
                begins.append(joint)
                segment.append(len(begins) - 1)
            else:
                segment.append(segment[parent])
        of_segment = [driver[begin] for begin in begins]
        buffers = {
            "joint_m": joint_m,
            "joint_directions_m": joint_directions_m,
            "_turn": turn[of_segment],
            "_segment": torch.tensor(segment),
            "_driver": torch.tensor(of_segment),
            "_driver_before": torch.tensor([driver[max(parents[begin], 0)] for begin in begins]),
        }
        for number, suffix in enumerate(("", "_directions")):
            rest_m = joint_m if number == 0 else joint_directions_m.movedim(-1, 0)
            t_posed_m = _t_posed(rest_m, turn[driver], parents)[..., begins, :]
            turned_m = (buffers["_turn"] @ rest_m[..., begins, :].unsqueeze(-1)).squeeze(-1)
            both_m = torch.stack([t_posed_m, t_posed_m - turned_m], -3)  # 2 segments 3
            buffers[f"_t_posed{suffix}_m"] = both_m if number == 0 else both_m.movedim(0, -1)
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    def smpl_joints(self) -> tuple[Float[Tensor, "24 3"], Float[Tensor, "24 3 coefficients"]]:
        """SMPL's 24 joints in the T-pose for coefficients of 0, and their offset per unit of each coefficient."""
        mean = nn.functional.one_hot(self._driver, SMPL_24.joint_count).T.to(self.joint_m)
        mean = mean / mean.sum(1, keepdim=True)
        return mean @ self._t_posed_m[0], torch.einsum("js,sxc->jxc", mean, self._t_posed_directions_m[0])

    def rest_m(self, coefficients: Float[Tensor, "*batch coefficients"]) -> Float[Tensor, "*batch joints 3"]:
        """The joints in the body's own rest pose."""
        return self.joint_m + (coefficients @ self.joint_directions_m.flatten(0, 1).mT).unflatten(-1, (-1, 3))

    def transforms(
        self,
        world: Float[Tensor, "*#batch 24 4 4"],
        smpl_joint_m: Float[Tensor, "*#batch 24 3"],
        coefficients: Float[Tensor, "*#batch coefficients"],
    ) -> tuple[Float[Tensor, "*#batch segments 3 3"], Float[Tensor, "*#batch segments 3"]]:
        """Rotation and shift of each segment from the body's own rest pose to the posed transforms of SMPL's joints.

        Args:
            smpl_joint_m: SMPL's joints in the T-pose.
        """
        moved_m = (coefficients @ self._t_posed_directions_m.flatten(0, 2).mT).unflatten(-1, (2, -1, 3))
        begin_m, offset_m = (self._t_posed_m + moved_m).unbind(-3)
        rotmat, before = world[..., self._driver, :3, :3], world[..., self._driver_before, :3, :]
        arm_m = begin_m - smpl_joint_m[..., self._driver_before, :]
        posed_m = before[..., 3] + (before[..., :3] @ arm_m.unsqueeze(-1)).squeeze(-1)
        return rotmat @ self._turn, posed_m + (rotmat @ (offset_m - begin_m).unsqueeze(-1)).squeeze(-1)

    def posed(
        self, rotmat: Float[Tensor, "*batch segments 3 3"], shift_m: Float[Tensor, "*batch segments 3"], rest_m: Tensor
    ) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch 3"]]:
        """Rotations of the joints relative to their parents, and the root's position, from `transforms`."""
        world = rotmat[..., self._segment, :, :]
        local = world[..., list(self.parents[1:]), :, :].mT @ world[..., 1:, :, :]
        root_m = (world[..., 0, :, :] @ rest_m[..., 0, :].unsqueeze(-1)).squeeze(-1) + shift_m[..., 0, :]
        return torch.cat([world[..., :1, :, :], local], -3), root_m

    def on_segments(self, weights: Float[Tensor, "vertices joints"]) -> Float[Tensor, "vertices segments"]:
        """Skin weights of the segments."""
        return weights.new_zeros(len(weights), len(self._driver)).index_add(1, self._segment, weights)

    def on_smpl_24(self, weights: Float[Tensor, "vertices joints"]) -> Float[Tensor, "vertices 24"]:
        """Skin weights of SMPL's 24 joints: the sums over the segments that turn with them."""
        on_segments = self.on_segments(weights)
        return weights.new_zeros(len(weights), SMPL_24.joint_count).index_add(1, self._driver, on_segments)

    def t_posed(
        self, vertex_m: Float[Tensor, "vertices 3"], weights: Float[Tensor, "vertices joints"]
    ) -> Float[Tensor, "vertices 3"]:
        """The surface in the T-pose, from that in the body's own rest pose, for coefficients of 0."""
        on_segments = self.on_segments(weights)
        turned_m = (on_segments @ self._turn.flatten(1)).unflatten(1, (3, 3)) @ vertex_m.unsqueeze(-1)
        return turned_m.squeeze(-1) + on_segments @ self._t_posed_m[1]


def _t_posed(rest_m: Tensor, turn: Tensor, parents: tuple[int, ...]) -> Float[Tensor, "*batch joints 3"]:
    """Joints in the T-pose; the root stays."""
    placed_m = [rest_m[..., 0, :]]
    for joint, parent in enumerate(parents[1:], 1):
        offset_m = rest_m[..., joint, :] - rest_m[..., parent, :]
        placed_m.append(placed_m[parent] + (turn[parent] @ offset_m.unsqueeze(-1)).squeeze(-1))
    return torch.stack(placed_m, -2)
