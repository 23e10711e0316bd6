"""From the skeleton of a motion file to the body: named joint tables, rest-pose corrections, other body shapes."""

from dataclasses import dataclass, field
from typing import Literal

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.bvh import BvhMotion
from motionrep.layouts import SMPL_24

# Where the bone of a joint points to on the body.
_BONE_END = {
    "left_hip": "left_knee", "left_knee": "left_ankle", "left_ankle": "left_foot",
    "left_shoulder": "left_elbow", "left_elbow": "left_wrist", "left_wrist": "left_hand",
    "right_hip": "right_knee", "right_knee": "right_ankle", "right_ankle": "right_foot",
    "right_shoulder": "right_elbow", "right_elbow": "right_wrist", "right_wrist": "right_hand",
}  # fmt: skip
_REQUIRED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
_HIPS = [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]
_LEGS = [SMPL_24.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle") for side in ("left", "right")]


@dataclass(frozen=True)
class SkeletonMap:
    """How a file's skeleton drives the body.

    `joints` names, for a joint of the SMPL_24 layout, the file's joint whose world rotation it copies. Pelvis, hips,
    knees and ankles must be there; joints left out move rigidly with their parent. `bone_ends` names, for a limb joint,
    the file's joint that its bone points to ("lFoot end" is the End Site below lFoot): the body's bone is turned to
    point the same way, which makes up for the difference between the two rest poses (T-pose, arms at 45 degrees).
    Joints without an entry are taken to have the same rest orientation. `wrist_twist` says what becomes of the twist of
    the wrists, see `retarget`. The file's axes must be those of the world,
    y up, and its rest pose must face +z; its unit of length does not matter, since the legs give the scale.
    """

    name: str
    joints: dict[str, str]
    bone_ends: dict[str, str] = field(default_factory=dict)
    wrist_twist: Literal["shared", "kept"] = "shared"

    def __post_init__(self) -> None:
        for joint in self.joints:
            SMPL_24.index(joint)
        if lacking := [joint for joint in _REQUIRED if joint not in self.joints]:
            raise ValueError(f"SkeletonMap {self.name!r}: joints must also name {', '.join(lacking)}")
        if unusable := [joint for joint in self.bone_ends if joint not in _BONE_END or joint not in self.joints]:
            raise ValueError(
                f"SkeletonMap {self.name!r}: bone_ends may name mapped limb joints only, got {', '.join(unusable)}"
            )

    def missing_from(self, joints: tuple[str, ...]) -> list[str]:
        """The file joints that the map needs and a skeleton lacks."""
        needed = dict.fromkeys([*self.joints.values(), *self.bone_ends.values()])
        return [joint for joint in needed if joint not in joints]


def _sides(table: dict[str, str]) -> dict[str, str]:
    """Writes out a table for the left and the right: `*_hip: *Thigh` -> `left_hip: lThigh`, `right_hip: rThigh`."""
    sides = (("left_", "l"), ("right_", "r"))
    return {ours.replace("*_", side): theirs.replace("*", s) for ours, theirs in table.items() for side, s in sides}


# The figure of the "Daz-friendly" BVH conversion of the CMU motion capture database (cgspeed.com, 2010). Its collars
# and buttocks never move and its feet have no toe joint, so collars, toes and hands are rigid with their parents.
CMU_DAZ = SkeletonMap(
    name="cmu_daz",
    joints={"pelvis": "hip", "spine1": "abdomen", "spine2": "chest", "neck": "neck", "head": "head"}
    | _sides({"*_hip": "*Thigh", "*_knee": "*Shin", "*_ankle": "*Foot"})
    | _sides({"*_shoulder": "*Shldr", "*_elbow": "*ForeArm", "*_wrist": "*Hand"}),
    bone_ends=_sides({"*_hip": "*Shin", "*_knee": "*Foot", "*_ankle": "*Foot end"})
    | _sides({"*_shoulder": "*ForeArm", "*_elbow": "*Hand", "*_wrist": "*Mid1"}),
)
# What `motionrep.export` writes: the body's own joints in its own rest pose.
SMPL_BODY = SkeletonMap(name="smpl_24", joints={joint: joint for joint in SMPL_24.joints}, wrist_twist="kept")
SKELETONS: dict[str, SkeletonMap] = {skeleton.name: skeleton for skeleton in (CMU_DAZ, SMPL_BODY)}


def find_skeleton(joints: tuple[str, ...]) -> SkeletonMap:
    """The known skeleton whose joints are all among those named. Raises ValueError with what the nearest one lacks."""
    for skeleton in SKELETONS.values():
        if not skeleton.missing_from(joints):
            return skeleton
    nearest = min(SKELETONS.values(), key=lambda known: len(known.missing_from(joints)))
    lacking = f"{nearest.name} lacks {', '.join(nearest.missing_from(joints))}"
    raise ValueError(
        f"skeleton not recognised ({lacking}); its joints are {', '.join(joints)}. Pass skeleton=SkeletonMap(name, "
        "joints={SMPL_24 joint: joint of the file}, bone_ends={limb joint: joint of the file its bone points to})"
    )


def retarget(
    bvh: BvhMotion, skeleton: SkeletonMap, body: BodyModel
) -> tuple[Float[Tensor, "frames 24 3 3"], Float[Tensor, "frames 3"]]:
    """Local rotations and translation (metres) that make the mean body (betas = 0) move as the file's skeleton does.

    World rotations are copied, up to the rest-pose corrections of `SkeletonMap.bone_ends`; these are computed on the
    mean body, and the rotations hold for every other shape too (see `translation_for_betas`). The hips' midpoint
    follows the file's, scaled by the ratio of the leg lengths. Half of each wrist's twist about the forearm is moved to
    the elbow, as in a real forearm, unless the map says that it is kept: skinning pinches a wrist that twists alone.
    The hand's world rotation stays.

    Raises:
        ValueError: The file lacks joints of the map.
    """
    if lacking := skeleton.missing_from(bvh.joints):
        raise ValueError(
            f"skeleton map {skeleton.name!r} names joints that the file lacks: {', '.join(lacking)} "
            f"(joints of the file: {', '.join(bvh.joints)})"
        )
    file_index = {ours: bvh.joints.index(theirs) for ours, theirs in skeleton.joints.items()}
    rest = body.rest_joints(torch.zeros(body.beta_count))
    file_rest = forward_kinematics(torch.eye(3).expand(len(bvh.joints), 3, 3), bvh.offset, bvh.parents)[1]
    file_rotmat, file_position = forward_kinematics(bvh.local_rotmat, bvh.local_position, bvh.parents)

    world_rotmat: list[Tensor] = []
    local_rotmat: list[Tensor] = []
    for joint, parent in zip(SMPL_24.joints, SMPL_24.parent_indices, strict=True):
        if joint in file_index:
            rotmat = file_rotmat[:, file_index[joint]]
            if joint in skeleton.bone_ends:
                ours = rest[SMPL_24.index(_BONE_END[joint])] - rest[SMPL_24.index(joint)]
                theirs = file_rest[bvh.joints.index(skeleton.bone_ends[joint])] - file_rest[file_index[joint]]
                rotmat = rotmat @ _smallest_rotation(ours, theirs)
        else:
            rotmat = world_rotmat[parent]
        world_rotmat.append(rotmat)
        local_rotmat.append(world_rotmat[parent].mT @ rotmat if parent >= 0 else rotmat)

    file_legs = torch.stack([file_rest[file_index[SMPL_24.joints[joint]]] for joint in _LEGS])
    scale = _leg_length(rest[_LEGS]) / _leg_length(file_legs)
    mid_hips = file_position[:, [file_index["left_hip"], file_index["right_hip"]]].mean(1)
    translation_m = translation_from_mid_hips(scale * mid_hips, world_rotmat[0], rest)
    rotations = torch.stack(local_rotmat, 1)
    return _share_wrist_twist(rotations, rest) if skeleton.wrist_twist == "shared" else rotations, translation_m


def y_up_turn(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Rotation about x by quarters that turns the y or z axis nearest to `up` to y: z up becomes x, z, -y."""
    axis = torch.zeros(3)
    nearest = 1 + int(up[1:].abs().argmax())
    axis[nearest] = float(torch.sign(up[nearest]))
    x = torch.tensor([1.0, 0.0, 0.0])
    return torch.stack([x, axis, torch.linalg.cross(x, axis)])


def forward_kinematics(
    local_rotmat: Float[Tensor, "*batch joints 3 3"],
    local_position: Float[Tensor, "*#batch joints 3"],
    parents: tuple[int, ...],
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotations and positions; `local_position` is relative to the parent, in its axes (-1: in the world's)."""
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


def translation_for_betas(
    translation_m: Float[Tensor, "*batch frames 3"],
    root_rotmat: Float[Tensor, "*batch frames 3 3"],
    body: BodyModel,
    betas_from: Float[Tensor, "*#batch betas"],
    betas_to: Float[Tensor, "*batch betas"],
) -> Float[Tensor, "*batch frames 3"]:
    """Translation that carries a motion over to other shapes of the same body; the rotations stay as they are.

    The path of the hips' midpoint is scaled about the world's origin by the ratio of the leg lengths, so steps and hip
    height fit the new legs. Soles keep their height up to about 2 cm (`with_betas` corrects that).
    """
    rest_from, rest_to = body.rest_joints(betas_from), body.rest_joints(betas_to)
    mid_hips = translation_m + _mid_hips_from_translation(root_rotmat, rest_from)
    scale = _leg_length(rest_to[..., _LEGS, :]) / _leg_length(rest_from[..., _LEGS, :])
    return translation_from_mid_hips(scale[..., None, None] * mid_hips, root_rotmat, rest_to)


def _mid_hips_from_translation(
    root_rotmat: Float[Tensor, "*batch frames 3 3"], rest_joint_m: Float[Tensor, "*#batch 24 3"]
) -> Float[Tensor, "*batch frames 3"]:
    """Where the hips' midpoint lies when the translation is zero."""
    pelvis = rest_joint_m[..., 0, :]
    arm = rest_joint_m[..., _HIPS, :].mean(-2) - pelvis
    return pelvis[..., None, :] + (root_rotmat @ arm[..., None, :, None])[..., 0]


def translation_from_mid_hips(
    mid_hips_m: Float[Tensor, "*batch frames 3"],
    root_rotmat: Float[Tensor, "*batch frames 3 3"],
    rest_joint_m: Float[Tensor, "*#batch 24 3"],
) -> Float[Tensor, "*batch frames 3"]:
    """Translation that puts the middle of the hip joints where it is wanted."""
    return mid_hips_m - _mid_hips_from_translation(root_rotmat, rest_joint_m)


def _leg_length(legs: Float[Tensor, "*batch 6 3"]) -> Float[Tensor, "*batch"]:
    """Thigh plus shin, mean of both sides; the joints are ordered as in `_LEGS`."""
    bones = legs.unflatten(-2, (3, 2)).diff(dim=-3)  # batch, thigh and shin, sides, 3
    return bones.norm(dim=-1).sum(-2).mean(-1)


def _smallest_rotation(from_direction: Float[Tensor, "3"], to_direction: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    axis = torch.linalg.cross(from_direction, to_direction)
    angle = torch.atan2(axis.norm(), from_direction @ to_direction)
    return roma.rotvec_to_rotmat(torch.nn.functional.normalize(axis, dim=0) * angle)


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
