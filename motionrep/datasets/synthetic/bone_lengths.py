"""Random bone lengths: skeletons that differ from the open body's.

A network trained on one body alone learns where that body's joints sit. It then errs on people, motion capture
skeletons and detectors that place hips, shoulders or the head elsewhere.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel
from motionrep.body.kinematics import JointTree
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.layouts import SMPL_24, JointLayout

# Standard deviations of the logarithm of the factor on a bone's length, and of the displacement of its end, before left
# and right are averaged. Both are multiplied by a factor from this range, since some people are more unusual.
_LENGTH, _MOVED_M = 0.2, 0.035
_STRENGTH = (0.5, 2.0)
# Strength of the ridge regression: how far joints may be off before betas grow. Larger values give likelier bodies.
_MISFIT_M = 0.07


class OtherBones:
    """Draws random changes of a body's bones, and says where its points lie with them.

    The bones include those from a joint to a landmark on the skin.
    """

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        landmark_m = body.template_vertex_m[body.landmark_ids]
        held_by = body.skin_weights_for(SMPL_24.joint_count)[body.landmark_ids].argmax(1)
        self._parents = (*SMPL_24.parent_indices, *held_by.tolist())
        self._tree = JointTree(self._parents)
        rest_m = torch.cat([body.template_joint_m[: SMPL_24.joint_count], landmark_m])
        self._bone_m = (rest_m - rest_m[[0, *self._parents[1:]]]).numpy()
        one_each = torch.eye(body.beta_count)
        joint_m = body.rest_joints(one_each) - body.rest_joints(torch.zeros_like(one_each))
        joint_m = (joint_m - joint_m[:, :1]).flatten(1)
        self._betas_of_joints = torch.linalg.solve(joint_m @ joint_m.T + _MISFIT_M**2 * one_each, joint_m).T

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, "sources 3"]:
        """Change of the bone to each joint and landmark in the rest pose, the same on both sides; metres."""
        strength = np.exp(rng.uniform(*np.log(_STRENGTH)))
        longer = np.exp(strength * _LENGTH * rng.standard_normal((len(self._bone_m), 1))) - 1
        change_m = self._bone_m * longer + strength * _MOVED_M * rng.standard_normal(self._bone_m.shape)
        change_m[0] = 0
        mirrored_m = change_m[list(JOINTS_AND_LANDMARKS.flip_indices)] * [-1, 1, 1]
        return (change_m + mirrored_m) / 2

    def moved_m(
        self,
        layout: JointLayout,
        local_rotmat: Float[Tensor, "clips frames 24 3 3"],
        change_m: Float[Tensor, "clips sources 3"],
    ) -> Float[Tensor, "clips frames points 3"]:
        """Displacement of the posed points of a layout; the pelvis joint stays in place."""
        held = torch.eye(3).expand(*local_rotmat.shape[:2], len(self._parents) - SMPL_24.joint_count, 3, 3)
        world = self._tree(torch.cat([local_rotmat, held], 2), self._at_rest_m(change_m)[:, None])
        return self._body.point_regressor(layout) @ world[..., :3, 3]

    def change_of_betas(self, change_m: Float[Tensor, "clips sources 3"]) -> Float[Tensor, "clips betas"]:
        """Betas to add so that the body's own joints come near the changed ones, by ridge regression."""
        return self._at_rest_m(change_m)[:, : SMPL_24.joint_count].flatten(1) @ self._betas_of_joints

    def _at_rest_m(self, change_m: Tensor) -> Tensor:
        moved_m = [change_m[:, 0]]
        for source, parent in enumerate(self._parents[1:], 1):
            moved_m.append(moved_m[parent] + change_m[:, source])
        return torch.stack(moved_m, 1)
