"""The body model: poses and shapes a body of SMPL's format by linear blend skinning."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motionrep.body.kinematics import JointTree, common_batch
from motionrep.body.own_joints import OwnJoints, OwnPose
from motionrep.body.points import JOINTS_AND_LANDMARKS, LANDMARKS, layout_regressors, regressor_by_name
from motionrep.body.skeletons import BODY_SKELETONS, on_smpl_24
from motionrep.body.skinning import SkinnedSurface
from motionrep.layouts import LAYOUTS, NEEDED_JOINTS, SMPL_24, JointLayout, plain_joint_name
from motionrep.types import BodyMotion, JointMotion, MeshMotion

_FRAMES_AT_ONCE = 64
_BODY_JOINTS = SMPL_24.joint_count


class BodyModel(nn.Module):
    """A body that is posed by local rotations, betas and a translation (as in `BodyMotion`).

    The body's own axes are x to its left, y up, z to its front; metres. Everything is differentiable and follows the
    device and type of the module. Leading axes broadcast against each other: poses of shape (clips, frames, 24, 3, 3)
    go with betas of shape (clips, 1, 10).

    Every body takes rotations of SMPL's 24 joints. With these, fingers are flat and the face is still. A body with
    hands (`joint_count` 54) or hands and face (57) also takes rotations of all its joints, named by `joint_names`:
    SMPL's 24, 15 of the left and 15 of the right hand, jaw and eyes. Identity for the joints beyond 24 gives the same
    body as leaving them out, which is faster. `expression` goes with either.

    `left_hand` and `right_hand` are the parents of four fingers each; thumbs are children of the wrists. Files of
    SMPL-H and SMPL-X lack these two joints. With identity for them, a body is posed as in those models.

    A body of another tree (`own_joints`) has SMPL's 24 joints in front of its own, which follow them. Its rest surface
    is in the T-pose here. `own_pose` gives a motion in its own joints.

    `points` gives the joints of another layout without skinning the whole surface. A layout is one matrix
    (layout joints, 24 + 22) over the posed joints and 22 posed landmark vertices (`motionrep.body.points.LANDMARKS`).
    `motionrep.body.points` says where each point sits.

    Args:
        name: What `load_body_model` takes to load this body.
        template_vertex_m: Surface of the mean shape at rest: in the T-pose, or in the own rest pose of `own_joints`.
        skin_weights: One column for each joint. Their number (24, 54 or 57) says which joints the body has. With
            `own_joints`, one column for each of these.
        joint_regressor: Rest joints from rest vertices; rows sum to 1. None with `own_joints`.
        shape_directions_m: Offset of each vertex per unit of each beta, or of each coefficient of `own_joints.shape`.
        pose_directions_m: Offset of each vertex per element of (rotation matrix - identity) of all joints but the
            first; None for a body without pose correctives.
        landmark_ids: Vertex of each of `motionrep.body.points.LANDMARKS`.
        expression_directions_m: Offset of each vertex per unit of each expression coefficient; None for a still face.
        own_joints: Joints and shape parameters of a body that is not of SMPL's format.
    """

    template_vertex_m: Tensor
    faces: Tensor
    template_joint_m: Tensor
    landmark_ids: Tensor
    _joint_directions_m: Tensor
    _own_weights: Tensor

    def __init__(
        self,
        name: str,
        template_vertex_m: Float[Tensor, "vertices 3"],
        faces: Int[Tensor, "faces 3"],
        skin_weights: Float[Tensor, "vertices joints"],
        joint_regressor: Float[Tensor, "_ vertices"] | None,
        shape_directions_m: Float[Tensor, "vertices 3 betas"],
        pose_directions_m: Float[Tensor, "vertices 3 columns"] | None,
        landmark_ids: dict[str, int],
        expression_directions_m: Float[Tensor, "vertices 3 expressions"] | None = None,
        own_joints: OwnJoints | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.own_joints = own_joints
        self.layout = SMPL_24 if own_joints else BODY_SKELETONS[skin_weights.shape[1]]
        self.joint_names = self.layout.joints
        self.parents = self.layout.parent_indices
        self.joint_count = self.layout.joint_count
        self.beta_count = len(own_joints.shape.names) if own_joints else shape_directions_m.shape[-1]
        self.expression_count = 0 if expression_directions_m is None else expression_directions_m.shape[-1]
        self._tree_24 = JointTree(SMPL_24.parent_indices)
        self._tree = self._tree_24 if self.layout == SMPL_24 else JointTree(self.parents)

        # Everything that displaces a vertex at rest, in the order of the coefficients: expression, shape, pose.
        shape_m = (
            [shape_directions_m] if expression_directions_m is None else [expression_directions_m, shape_directions_m]
        )
        directions_m = torch.cat(shape_m if pose_directions_m is None else [*shape_m, pose_directions_m], -1)
        self.has_pose_correctives = pose_directions_m is not None
        ids = torch.tensor([landmark_ids[landmark] for landmark in LANDMARKS])
        weights = [skin_weights if own_joints is None else own_joints.on_segments(skin_weights)]
        if self.joint_count > _BODY_JOINTS:
            weights.append(skin_weights @ on_smpl_24(self.layout).to(skin_weights))
        self._surface = SkinnedSurface(template_vertex_m, directions_m, *weights)
        self._landmarks = SkinnedSurface(template_vertex_m[ids], directions_m[ids], *(some[ids] for some in weights))

        buffers = {"faces": faces, "landmark_ids": ids, "_own_weights": skin_weights}
        if own_joints is None:
            assert joint_regressor is not None
            buffers["template_joint_m"] = joint_regressor @ template_vertex_m
            buffers["_joint_directions_m"] = torch.einsum("jv,vxb->jxb", joint_regressor, torch.cat(shape_m, -1))
        else:
            buffers["template_joint_m"], buffers["_joint_directions_m"] = own_joints.smpl_joints()
        for key, value in buffers.items():
            self.register_buffer(key, value, persistent=False)
        if own_joints is not None:
            template_vertex_m = own_joints.t_posed(template_vertex_m, skin_weights)
        self.register_buffer("template_vertex_m", template_vertex_m, persistent=False)
        regressors = layout_regressors(self.template_joint_m[:_BODY_JOINTS], template_vertex_m[ids])
        for layout, matrix in regressors.items():
            self.register_buffer(f"_points_{layout}", matrix, persistent=False)
        self._layouts = tuple(regressors)

    @property
    def shape_directions_m(self) -> Float[Tensor, "vertices 3 betas"]:
        """Offset of each vertex per unit of each beta."""
        rows_m = self._surface.direction_planes_m[self.expression_count :][: self.beta_count]
        return rows_m.unflatten(-1, (3, -1)).permute(2, 1, 0)

    @property
    def skin_weights(self) -> Float[Tensor, "vertices joints"]:
        """How much each vertex follows each of the joints that `joint_names` has."""
        if self.own_joints is not None:
            return self.own_joints.on_smpl_24(self._own_weights)
        return self._surface.weights_for(self.joint_count).T

    @property
    def own_skin_weights(self) -> Float[Tensor, "vertices joints"]:
        """How much each vertex follows each of the body's own joints (`own_pose`)."""
        return self._own_weights

    @property
    def moves_as_24_bones(self) -> bool:
        """Whether `skin_weights`, the T-posed surface and SMPL's 24 joints alone give its surface."""
        return not (self.has_pose_correctives or self.own_joints)

    def stored_arrays(self) -> tuple[Tensor, ...]:
        """What the body's file holds besides faces and regressor, unchanged by arithmetic."""
        return self._surface.vertex_planes_m, self._surface.direction_planes_m, self._own_weights

    def point_regressor(self, layout: JointLayout) -> Float[Tensor, "joints sources"]:
        """Matrix that makes the points of a layout from 24 posed joints followed by the posed landmark vertices.

        Rows of joints that a body has no point for, such as fingers, are 0.

        Raises:
            ValueError: The layout's shoulders and hips are not among the points of a body.
        """
        if self._has_all(layout):
            return self.get_buffer(f"_points_{layout.name}")
        if not {plain_joint_name(joint) for joint in layout.joints}.issuperset(NEEDED_JOINTS):
            raise ValueError(f"a body has no points of layout {layout.name!r} (known: {', '.join(self._layouts)})")
        return regressor_by_name(layout, {name: self.get_buffer(f"_points_{name}") for name in self._layouts})

    def _has_all(self, layout: JointLayout) -> bool:
        return layout.name in self._layouts and layout in (JOINTS_AND_LANDMARKS, LAYOUTS.get(layout.name))

    def skin_weights_for(self, joint_count: int) -> Float[Tensor, "vertices joints"]:
        """Weights of all joints, or of SMPL's 24 for flat fingers and a still face.

        Raises:
            ValueError: It is neither number.
        """
        self._checked_count(joint_count)
        return self.skin_weights if self.own_joints is not None else self._surface.weights_for(joint_count).T

    def rest_joints(
        self,
        betas: Float[Tensor, "*#batch betas"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
        joint_count: int = SMPL_24.joint_count,
    ) -> Float[Tensor, "*#batch joints 3"]:
        """The first joints in the rest pose, which is a T-pose: SMPL's 24, or `body.joint_count` for all."""
        shape = self._shape(betas, expression)
        directions_m = self._joint_directions_m[:joint_count].flatten(0, 1)[:, -shape.shape[-1] :]
        return self.template_joint_m[:joint_count] + (shape @ directions_m.T).unflatten(-1, (-1, 3))

    def rest_vertices(
        self, betas: Float[Tensor, "*#batch betas"], expression: Float[Tensor, "*#batch expressions"] | None = None
    ) -> Float[Tensor, "*#batch vertices 3"]:
        """Surface in the T-pose, without pose correctives."""
        if self.own_joints is not None:
            still = torch.eye(3).to(betas).expand(_BODY_JOINTS, 3, 3)
            return self.vertices(still, betas, betas.new_zeros(3))
        return self._surface.rest(self._shape(betas, expression), self._first_direction(expression))

    def joints(
        self,
        local_rotmat: Float[Tensor, "*#batch joints 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> Float[Tensor, "*#batch joints 3"]:
        """Posed joints, as many as there are rotations.

        Raises:
            ValueError: The body does not have that many joints, betas or expression coefficients.
        """
        _, world = self._pose(local_rotmat, betas, expression)
        return world[..., :3, 3] + translation_m.unsqueeze(-2)

    def points(
        self,
        layout: JointLayout,
        local_rotmat: Float[Tensor, "*#batch joints 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> Float[Tensor, "*#batch points 3"]:
        """Posed points of a layout; skins only the landmark vertices.

        Raises:
            ValueError: The body has no point for a joint of the layout; or as `joints`.
        """
        regressor = self.point_regressor(layout)
        if not self._has_all(layout) and not bool(regressor.any(1).all()):
            lacking = ", ".join(j for j, row in zip(layout.joints, regressor, strict=True) if not bool(row.any()))
            raise ValueError(f"a body has no points of layout {layout.name!r} for {lacking}; leave them out")
        posed = self._pose(local_rotmat, betas, expression)
        landmark_m = self._skinned(self._landmarks, local_rotmat, betas, translation_m, expression, *posed)
        joint_m = posed[1][..., :_BODY_JOINTS, :3, 3] + translation_m.unsqueeze(-2)
        return regressor @ torch.cat([joint_m.expand(*landmark_m.shape[:-2], -1, 3), landmark_m], -2)

    def vertices(
        self,
        local_rotmat: Float[Tensor, "*#batch joints 3 3"],
        betas: Float[Tensor, "*#batch betas"],
        translation_m: Float[Tensor, "*#batch 3"],
        expression: Float[Tensor, "*#batch expressions"] | None = None,
    ) -> Float[Tensor, "*#batch vertices 3"]:
        """Posed surface. Needs about 0.1 MB per frame, and 0.7 MB with gradients or on a GPU.

        Raises:
            ValueError: As `joints`.
        """
        posed = self._pose(local_rotmat, betas, expression)
        return self._skinned(self._surface, local_rotmat, betas, translation_m, expression, *posed)

    def mesh(self, motion: BodyMotion) -> MeshMotion:
        """The surface of a whole clip, made a few frames at a time and without gradients.

        Raises:
            ValueError: The motion was made for another body.
        """
        vertex_m = self.template_vertex_m.new_empty(motion.frame_count, *self.template_vertex_m.shape)
        with torch.no_grad():
            for frames, part in self._parts(motion):
                vertex_m[frames] = self.vertices(part.local_rotmat, part.betas, part.translation_m, part.expression)
        return MeshMotion(vertex_m, self.faces, motion.fps, motion.frame, motion.first_frame)

    def joint_motion(self, motion: BodyMotion, layout: JointLayout = SMPL_24) -> JointMotion:
        """The `points` of a whole clip, made a few frames at a time and without gradients.

        Raises:
            ValueError: The body has no recipe for the layout; or the motion was made for another body.
        """
        point_m = self.template_vertex_m.new_empty(motion.frame_count, layout.joint_count, 3)
        with torch.no_grad():
            for frames, part in self._parts(motion):
                pose = (part.local_rotmat, part.betas, part.translation_m, part.expression)
                point_m[frames] = self.points(layout, *pose)
        return JointMotion(point_m, layout, motion.fps, motion.frame, motion.first_frame)

    def own_pose(self, motion: BodyMotion) -> OwnPose:
        """The motion in the body's own joints; SMPL's bodies have no others than those of the motion.

        Raises:
            ValueError: The motion was made for another body.
        """
        self._require_own(motion)
        count = motion.local_rotmat.shape[1]
        with torch.no_grad():
            if self.own_joints is None:
                rest_m = self.rest_joints(motion.betas, joint_count=count)
                root_m = rest_m[0] + motion.translation_m
                return OwnPose(self.joint_names[:count], self.parents[:count], rest_m, motion.local_rotmat, root_m)
            coefficients = self._shape(motion.betas, None)
            rest_m = self.own_joints.rest_m(coefficients)
            smpl_joint_m, world = self._pose(motion.local_rotmat, motion.betas, None)
            moved = self.own_joints.transforms(world, smpl_joint_m, coefficients)
            local_rotmat, root_m = self.own_joints.posed(*moved, rest_m)
        return OwnPose(
            self.own_joints.names, self.own_joints.parents, rest_m, local_rotmat, root_m + motion.translation_m
        )

    def own_rest_vertices(self, betas: Float[Tensor, "*#batch betas"]) -> Float[Tensor, "*#batch vertices 3"]:
        """Surface in the body's own rest pose (`own_pose`)."""
        return self._surface.rest(self._shape(betas, None), self._first_direction(None))

    def _parts(self, motion: BodyMotion) -> Iterator[tuple[slice, BodyMotion]]:
        """A few frames of a motion of this body after the other."""
        self._require_own(motion)
        for start in range(0, motion.frame_count, _FRAMES_AT_ONCE):
            stop = min(start + _FRAMES_AT_ONCE, motion.frame_count)
            yield slice(start, stop), motion.cut(start, stop)

    def _require_own(self, motion: BodyMotion) -> None:
        if motion.body_model != self.name:
            raise ValueError(
                f"the motion is for body {motion.body_model!r}, this is {self.name!r}, and betas of one body mean "
                f"nothing on another; use load_body_model({motion.body_model!r}), or replace body_model and betas"
            )

    def _shape(self, betas: Tensor, expression: Tensor | None) -> Tensor:
        """Coefficients of the shape: betas, or expression and betas."""
        if betas.shape[-1] != self.beta_count:
            raise ValueError(f"body {self.name!r} takes {self.beta_count} betas, got {betas.shape[-1]}")
        if expression is None:
            return betas if self.own_joints is None else self.own_joints.shape(betas)
        if expression.shape[-1] != self.expression_count:
            takes = f"{self.expression_count} expression coefficients" if self.expression_count else "no expression"
            raise ValueError(f"body {self.name!r} takes {takes}, got {expression.shape[-1]}")
        batch = common_batch(betas.shape[:-1], expression.shape[:-1])
        return torch.cat([expression.expand(*batch, -1), betas.expand(*batch, -1)], -1)

    def _first_direction(self, expression: Tensor | None) -> int:
        return self.expression_count if expression is None else 0

    def _checked_count(self, joint_count: int) -> int:
        if joint_count not in (_BODY_JOINTS, self.joint_count):
            takes = " or ".join(str(known) for known in sorted({_BODY_JOINTS, self.joint_count}))
            raise ValueError(
                f"body {self.name!r} takes rotations of {takes} joints, got {joint_count}; the first 24 are SMPL's in "
                "every body, `local_rotmat[..., :24, :, :]` leaves hands flat and the face still"
            )
        return joint_count

    def _pose(self, local_rotmat: Tensor, betas: Tensor, expression: Tensor | None) -> tuple[Tensor, Tensor]:
        """Rest joints, and the matrix of each joint in the body's frame, before translation."""
        count = self._checked_count(local_rotmat.shape[-3])
        rest_joint_m = self.rest_joints(betas, expression, count)
        tree = self._tree_24 if count == _BODY_JOINTS else self._tree
        return rest_joint_m, tree(local_rotmat, rest_joint_m)

    def _skinned(
        self,
        surface: SkinnedSurface,
        local_rotmat: Tensor,
        betas: Tensor,
        translation_m: Tensor,
        expression: Tensor | None,
        rest_joint_m: Tensor,
        world: Tensor,
    ) -> Tensor:
        """Posed vertices of the whole surface or of the landmarks."""
        batch = common_batch(world.shape[:-3], translation_m.shape[:-1])

        def rows(tensor: Tensor, kept: int) -> Tensor:
            """One row for each body of the batch; `kept` axes stay."""
            return tensor.expand(*batch, *tensor.shape[-kept:]).reshape(-1, *tensor.shape[-kept:])

        coefficients = rows(self._shape(betas, expression), 1)
        if self.has_pose_correctives:
            eye = torch.eye(3, device=local_rotmat.device, dtype=local_rotmat.dtype)
            turned = (local_rotmat[..., 1:, :, :] - eye).flatten(-3)
            coefficients = torch.cat([coefficients, rows(turned, 1)], -1)
        # What moves a rest point with each joint: the joint's rotation and the shift that keeps the joint in place.
        if self.own_joints is None:
            rotmat = world[..., :3, :3]
            shift_m = world[..., :3, 3] - (rotmat * rest_joint_m.unsqueeze(-2)).sum(-1)
        else:
            rotmat, shift_m = self.own_joints.transforms(world, rest_joint_m, self._shape(betas, expression))
        transform = torch.cat([rotmat, shift_m.unsqueeze(-1)], -1)
        first = self._first_direction(expression)
        vertex_m = surface.posed(coefficients, first, rows(transform, 3), rows(translation_m, 1))
        return vertex_m.reshape(*batch, *vertex_m.shape[-2:])
