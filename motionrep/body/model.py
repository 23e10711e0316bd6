"""Linear blend skinning of a SMPL-format body: 24 joints, shape directions, optional pose correctives."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motionrep.body.points import LANDMARKS, layout_regressors
from motionrep.layouts import SMPL_24, JointLayout
from motionrep.types import BodyMotion, MeshMotion

_MESH_FRAMES_AT_ONCE = 64


class BodyModel(nn.Module):
    """A body that `local_rotmat`, `betas` and a translation put into a pose (see `BodyMotion` for their meaning).

    The body's own axes are x to its left, y up, z to its front; metres. Everything is differentiable, follows the
    device and type of the module, and takes any leading axes, which broadcast against each other: poses of shape
    (clips, frames, 24, 3, 3) go with betas of shape (clips, 1, 10).

    `points` gives the joints of another layout without skinning the whole surface. A layout is one matrix
    `(layout joints, 24 + 12)` over the posed joints and 12 posed landmark vertices (nose, eyes, ears, top of the head,
    toes, heels), so its result is the same as applying that matrix to `joints` and `vertices`. Where each point sits is
    said in `motionrep.body.points`.

    Args:
        name: What `load_body_model` takes to load this body.
        joint_regressor: Rest joints from rest vertices; rows sum to 1.
        shape_directions_m: Offset of each vertex per unit of each beta.
        pose_directions_m: Offset of each vertex per element of (rotation matrix - identity) of joints 1 to 23; None
            for a body without pose correctives.
        landmark_ids: Vertex of each of `motionrep.body.points.LANDMARKS`.
    """

    template_vertex_m: Tensor
    faces: Tensor
    skin_weights: Tensor
    shape_directions_m: Tensor
    pose_directions_m: Tensor | None
    template_joint_m: Tensor
    joint_directions_m: Tensor
    landmark_ids: Tensor
    _parent_index: Tensor

    def __init__(
        self,
        name: str,
        template_vertex_m: Float[Tensor, "vertices 3"],
        faces: Int[Tensor, "faces 3"],
        skin_weights: Float[Tensor, "vertices 24"],
        joint_regressor: Float[Tensor, "24 vertices"],
        shape_directions_m: Float[Tensor, "vertices 3 betas"],
        pose_directions_m: Float[Tensor, "vertices 3 207"] | None,
        landmark_ids: dict[str, int],
    ) -> None:
        super().__init__()
        self.name = name
        self.joint_names = SMPL_24.joints
        self.parents = SMPL_24.parent_indices
        self.beta_count = shape_directions_m.shape[-1]
        self._levels = _depth_levels(self.parents)
        template_joint_m = joint_regressor @ template_vertex_m
        ids = torch.tensor([landmark_ids[landmark] for landmark in LANDMARKS])
        buffers = {
            "template_vertex_m": template_vertex_m,
            "faces": faces,
            "skin_weights": skin_weights,
            "shape_directions_m": shape_directions_m,
            "pose_directions_m": pose_directions_m,
            "template_joint_m": template_joint_m,
            "joint_directions_m": torch.einsum("jv,vxb->jxb", joint_regressor, shape_directions_m),
            "landmark_ids": ids,
            "_parent_index": torch.tensor((0, *self.parents[1:])),
        }
        regressors = layout_regressors(template_joint_m, template_vertex_m[ids])
        buffers |= {f"_points_{layout}": matrix for layout, matrix in regressors.items()}
        for key, value in buffers.items():
            self.register_buffer(key, value, persistent=False)
        self._layouts = tuple(regressors)

    def point_regressor(self, layout: JointLayout) -> Float[Tensor, "joints sources"]:
        """Matrix that makes the points of a layout from 24 posed joints followed by the posed landmark vertices.

        Raises:
            ValueError: The body has no recipe for the layout.
        """
        if layout.name not in self._layouts:
            raise ValueError(f"a body has no points of layout {layout.name!r} (known: {', '.join(self._layouts)})")
        return self.get_buffer(f"_points_{layout.name}")

    def rest_joints(self, betas: Float[Tensor, "*batch betas"]) -> Float[Tensor, "*batch 24 3"]:
        """Joints in the rest pose, which is a T-pose."""
        return _shaped(self.template_joint_m, self.joint_directions_m, self._checked(betas))

    def rest_vertices(self, betas: Float[Tensor, "*batch betas"]) -> Float[Tensor, "*batch vertices 3"]:
        """Surface in the rest pose, without pose correctives."""
        return _shaped(self.template_vertex_m, self.shape_directions_m, self._checked(betas))

    def joints(
        self,
        local_rotmat: Float[Tensor, "*#batch 24 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
    ) -> Float[Tensor, "*#batch 24 3"]:
        """Posed joints."""
        _, joint_m = self._pose(local_rotmat, self.rest_joints(betas))
        return joint_m + translation_m.unsqueeze(-2)

    def points(
        self,
        layout: JointLayout,
        local_rotmat: Float[Tensor, "*#batch 24 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
    ) -> Float[Tensor, "*#batch joints 3"]:
        """Posed points of `h36m_17`, `coco_17`, `halpe_26` or `smpl_24`; skins only the landmark vertices.

        Raises:
            ValueError: The body has no recipe for the layout.
        """
        regressor = self.point_regressor(layout)
        rest_joint_m = self.rest_joints(betas)
        rotmat, joint_m = self._pose(local_rotmat, rest_joint_m)
        landmark_m = self._skinned(local_rotmat, betas, rest_joint_m, rotmat, joint_m, self.landmark_ids)
        return regressor @ torch.cat([joint_m, landmark_m], -2) + translation_m.unsqueeze(-2)

    def vertices(
        self,
        local_rotmat: Float[Tensor, "*#batch 24 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
    ) -> Float[Tensor, "*#batch vertices 3"]:
        """Posed surface. Needs about 0.7 MB per frame on the way; `mesh` keeps that bounded for long clips."""
        rest_joint_m = self.rest_joints(betas)
        rotmat, joint_m = self._pose(local_rotmat, rest_joint_m)
        vertex_m = self._skinned(local_rotmat, betas, rest_joint_m, rotmat, joint_m, slice(None))
        return vertex_m + translation_m.unsqueeze(-2)

    def mesh(self, motion: BodyMotion) -> MeshMotion:
        """The surface of a whole clip, made a few frames at a time and without gradients.

        Raises:
            ValueError: The motion was made for another body.
        """
        if motion.body_model != self.name:
            raise ValueError(
                f"the motion is for body {motion.body_model!r}, this is {self.name!r}, and betas of one body mean "
                f"nothing on another; use load_body_model({motion.body_model!r}), or replace body_model and betas"
            )
        with torch.no_grad():
            chunks = [
                self.vertices(local_rotmat, motion.betas, translation_m)
                for local_rotmat, translation_m in zip(
                    motion.local_rotmat.split(_MESH_FRAMES_AT_ONCE),
                    motion.translation_m.split(_MESH_FRAMES_AT_ONCE),
                    strict=True,
                )
            ]
        return MeshMotion(torch.cat(chunks), self.faces, motion.fps, motion.frame)

    def _checked(self, betas: Tensor) -> Tensor:
        if betas.shape[-1] != self.beta_count:
            raise ValueError(f"body {self.name!r} takes {self.beta_count} betas, got {betas.shape[-1]}")
        return betas

    def _pose(self, local_rotmat: Tensor, rest_joint_m: Tensor) -> tuple[Tensor, Tensor]:
        """Rotation and position of each joint in the body's frame, before translation, level by level of the tree."""
        batch = torch.broadcast_shapes(local_rotmat.shape[:-3], rest_joint_m.shape[:-2])
        local_rotmat = local_rotmat.expand(*batch, 24, 3, 3)
        offset_m = (rest_joint_m - rest_joint_m[..., self._parent_index, :]).unsqueeze(-2)
        rotmats = [local_rotmat[..., :1, :, :]]
        positions = [rest_joint_m[..., :1, :].expand(*batch, 1, 3)]
        start_of_previous = 0
        for start, stop in self._levels:
            parent = self._parent_index[start:stop] - start_of_previous
            parent_rotmat = rotmats[-1].index_select(-3, parent)
            rotmats.append(parent_rotmat @ local_rotmat[..., start:stop, :, :])
            moved = (parent_rotmat * offset_m[..., start:stop, :, :]).sum(-1)
            positions.append(positions[-1].index_select(-2, parent) + moved)
            start_of_previous = start
        return torch.cat(rotmats, -3), torch.cat(positions, -2)

    def _skinned(
        self,
        local_rotmat: Tensor,
        betas: Tensor,
        rest_joint_m: Tensor,
        rotmat: Tensor,
        joint_m: Tensor,
        chosen: Tensor | slice,
    ) -> Tensor:
        """Posed positions of the chosen vertices, before translation."""
        rest_m = _shaped(self.template_vertex_m[chosen], self.shape_directions_m[chosen], betas)
        if self.pose_directions_m is not None:
            eye = torch.eye(3, device=local_rotmat.device, dtype=local_rotmat.dtype)
            rest_m = rest_m + _offset(self.pose_directions_m[chosen], (local_rotmat[..., 1:, :, :] - eye).flatten(-3))
        # What moves a rest point with each joint: the joint's rotation and the shift that keeps the joint in place.
        shift_m = joint_m - (rotmat * rest_joint_m.unsqueeze(-2)).sum(-1)
        transform = torch.cat([rotmat, shift_m.unsqueeze(-1)], -1).flatten(-2)  # batch 24 12
        blended = (self.skin_weights[chosen] @ transform).unflatten(-1, (3, 4))  # batch vertices 3 4
        return (blended[..., :3] * rest_m.unsqueeze(-2)).sum(-1) + blended[..., 3]


def _offset(directions_m: Tensor, coefficients: Tensor) -> Tensor:
    return (coefficients @ directions_m.flatten(0, 1).T).unflatten(-1, (-1, 3))


def _shaped(template_m: Tensor, directions_m: Tensor, betas: Tensor) -> Tensor:
    return template_m + _offset(directions_m, betas)


def _depth_levels(parents: tuple[int, ...]) -> list[tuple[int, int]]:
    """Ranges of joints at each depth below the root; SMPL numbers its joints by depth."""
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    assert depths == sorted(depths)
    return [(depths.index(d), depths.index(d) + depths.count(d)) for d in range(1, depths[-1] + 1)]
