"""Retargets motion from the skeleton of a file to the body."""

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.translation import LEGS, leg_length, translation_from_mid_hips
from motionrep.geometry.alignment import smallest_rotation
from motionrep.geometry.rotations import y_up_turn
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import BvhMotion
from motionrep.motion.retargeting.checking import corrected, in_parents_axes, whole
from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.rest_axes import body_axes, rests_as_body
from motionrep.motion.retargeting.skeletons import BONE_END, SkeletonMap
from motionrep.motion.retargeting.up import up_of

# Bones that are turned to point as the file's do where the body's axes are found.
_LIMBS = tuple(joint for joint in BONE_END if not joint.endswith("ankle"))
_POINTED_FOOT_DEG = 35.0  # a foot whose bone is this far from the body's is not flat on the floor in the zero pose


def retarget(
    bvh: BvhMotion, skeleton: SkeletonMap, body: BodyModel
) -> tuple[Float[Tensor, "frames 24 3 3"], Float[Tensor, "frames 3"]]:
    """Local rotations and translation (metres) that make the mean body (betas = 0) move as the file's skeleton does.

    World rotations are copied, with the rest-pose corrections of `SkeletonMap.bone_ends`. These are computed on the
    mean body, but the rotations hold for every other shape (`translation_for_betas` gives its translation). The hips'
    midpoint follows the file's, scaled by the ratio of the leg lengths.

    Half of each wrist's twist about the forearm is moved to the elbow, as in a real forearm, since skinning pinches a
    wrist that twists alone. The hand's world rotation stays. The map may say that the twist is kept.

    The result is compared with the file's joint positions, and what points elsewhere is corrected (`checking`).

    Raises:
        ValueError: The file lacks joints of the map, or the body still points elsewhere than the file's joints.
    """
    if lacking := skeleton.missing_from(bvh.joints):
        raise ValueError(
            f"skeleton map {skeleton.name!r} names joints that the file lacks: {', '.join(lacking)} "
            f"(joints of the file: {', '.join(bvh.joints)})"
        )
    rest = body.rest_joints(torch.zeros(body.beta_count))
    theirs = Skeleton(bvh, skeleton)
    legs = [theirs.named[SMPL_24.joints[joint]] for joint in LEGS]
    if skeleton.reference == "zero" and rests_as_body(theirs, skeleton, rest):
        turn = torch.eye(3) if skeleton.up is None else y_up_turn(up_of(theirs, skeleton))
        rotmats = _from_zero_pose(theirs, skeleton, rest, turn)
        file_legs = theirs.zero_position[legs]
    else:
        turn = y_up_turn(up_of(theirs, skeleton))
        rotmats = _from_found_axes(theirs, skeleton, rest, turn)
        file_legs = theirs.position[:, legs]

    rotmats = whole(corrected(in_parents_axes(rotmats, theirs, rest, turn), theirs, rest, turn))
    world_rotmat = [rotmats[joint] for joint in SMPL_24.joints]
    local_rotmat = [
        world_rotmat[parent].mT @ rotmat if parent >= 0 else rotmat
        for rotmat, parent in zip(world_rotmat, SMPL_24.parent_indices, strict=True)
    ]

    scale = leg_length(rest[LEGS]) / leg_length(file_legs).mean()
    mid_hips = theirs.position[:, [theirs.named["left_hip"], theirs.named["right_hip"]]].mean(1) @ turn.mT
    translation_m = translation_from_mid_hips(scale * mid_hips, world_rotmat[0], rest)
    rotations = torch.stack(local_rotmat, 1)
    return _share_wrist_twist(rotations, rest) if skeleton.wrist_twist == "shared" else rotations, translation_m


def _from_zero_pose(
    theirs: Skeleton, skeleton: SkeletonMap, rest: Float[Tensor, "24 3"], turn: Float[Tensor, "3 3"]
) -> dict[str, Tensor]:
    """World rotations of the body's joints for a zero pose like the body's rest pose, except for bone directions."""
    rotmats: dict[str, Tensor] = {}
    for joint in skeleton.joints:
        start = theirs.named[joint]
        rotmats[joint] = turn @ theirs.rotmat[:, start]
        if joint in skeleton.bone_ends and joint in theirs.ends:
            ours = rest[SMPL_24.index(BONE_END[joint])] - rest[SMPL_24.index(joint)]
            bone = theirs.zero_position[theirs.ends[joint]] - theirs.zero_position[start]
            rotmats[joint] = rotmats[joint] @ smallest_rotation(ours, bone)
    return rotmats


def _from_found_axes(
    theirs: Skeleton, skeleton: SkeletonMap, rest: Float[Tensor, "24 3"], turn: Float[Tensor, "3 3"]
) -> dict[str, Tensor]:
    """World rotations of the body's joints, with y up; limb bones point as the file's do in each frame."""
    rotmats: dict[str, Tensor] = {}
    for joint, axes in body_axes(theirs, skeleton, rest, turn[1]).items():
        rotmat = theirs.rotmat[:, theirs.index[joint]] @ axes
        bone = theirs.to_end(joint)
        if joint in BONE_END and bone is not None:
            ours = rotmat @ (rest[SMPL_24.index(BONE_END[joint])] - rest[SMPL_24.index(joint)])
            apart_deg = torch.rad2deg(torch.acos(torch.cosine_similarity(ours, bone, dim=-1).clamp(-1, 1)))
            if joint in _LIMBS or float(apart_deg.mean()) > _POINTED_FOOT_DEG:
                rotmat = smallest_rotation(ours, bone) @ rotmat
        rotmats[joint] = turn @ rotmat
    return rotmats


def _share_wrist_twist(
    local_rotmat: Float[Tensor, "frames 24 3 3"], rest_joint_m: Float[Tensor, "24 3"]
) -> Float[Tensor, "frames 24 3 3"]:
    """Moves half of the wrists' twist about the forearms to the elbows; the hands' world rotation stays."""
    shared = local_rotmat.clone()
    for side in ("left", "right"):
        elbow, wrist = SMPL_24.index(f"{side}_elbow"), SMPL_24.index(f"{side}_wrist")
        axis = torch.nn.functional.normalize(rest_joint_m[wrist] - rest_joint_m[elbow], dim=0)
        quaternion = roma.rotmat_to_unitquat(local_rotmat[:, wrist])  # x y z w
        twist = _unwrapped(2 * torch.atan2(quaternion[:, :3] @ axis, quaternion[:, 3]))
        half = roma.rotvec_to_rotmat(twist[:, None] / 2 * axis)
        shared[:, elbow] = local_rotmat[:, elbow] @ half
        shared[:, wrist] = half.mT @ local_rotmat[:, wrist]
    return shared


def _unwrapped(angle_rad: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Without jumps of a full turn in time; its median lies within half a turn of zero."""
    turn = 2 * torch.pi
    jump = torch.round(angle_rad.diff(prepend=angle_rad[:1]) / turn)
    angle_rad = angle_rad - turn * jump.cumsum(0)
    return angle_rad - turn * torch.round(angle_rad.median() / turn)
