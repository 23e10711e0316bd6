"""Converts MakeHuman's rig and A-pose to SMPL's 24 joints and T-pose.

Joints are in the order of `SMPL_24`. World rotations are relative to the source's rest pose; a joint's position follows
from the rotation of its parent.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from motionrep.body.open_body.makehuman import MakeHuman
from motionrep.layouts import SMPL_24

_SIDES = (("left_", ".L", 1.0), ("right_", ".R", -1.0))

# Stems of the names of bones whose skin weights make up a joint. Other bones (face, breast) belong to their parents.
_BONES = {
    "pelvis": ("root", "pelvis", "spine05"),
    "spine1": ("spine04", "spine03"),
    "spine2": ("spine02",),
    "spine3": ("spine01",),
    "neck": ("neck01", "neck02"),
    "head": ("neck03", "head", "eye"),
    "hip": ("upperleg01", "upperleg02"),
    "knee": ("lowerleg01", "lowerleg02"),
    "ankle": ("foot",),
    "foot": ("toe1", "toe2", "toe3", "toe4", "toe5"),
    "collar": ("clavicle", "shoulder01"),
    "shoulder": ("upperarm01", "upperarm02"),
    "elbow": ("lowerarm01", "lowerarm02"),
    "wrist": ("wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4", "finger1"),
    "hand": ("finger2", "finger3", "finger4", "finger5"),
}
_JOINT_OF_BONE = {stem: joint for joint, stems in _BONES.items() for stem in stems}
_MIN_WEIGHT = 1e-3

_HIP_WIDTH = 0.85  # MakeHuman's hip joints are 22 cm apart, anatomy has about 18, SMPL 13
_COLLAR_RAISE_DEG = 15.0
# Directions of the limbs in the T-pose, for the left side. SMPL's rest shins lean back by about 6 degrees.
_THIGH, _SHIN, _ARM, _HAND = (0.09, -1.0, -0.01), (-0.02, -1.0, -0.10), (1.0, 0.0, 0.0), (1.0, -0.05, 0.0)
# Rotation vectors, in degrees, of the left joints of a pose that bends every limb.
_BENT_DEG = {
    "hip": (-80, 0, 0),
    "knee": (90, 0, 0),
    "ankle": (25, 0, 0),
    "shoulder": (0, 0, -50),
    "elbow": (0, -90, 0),
    "wrist": (0, 0, -40),
}


def merge_bones(source: MakeHuman) -> Float[np.ndarray, "vertices 24"]:
    """Skin weights of the 24 joints: sums over their bones, without those below 0.001; rows sum to 1."""
    weights = np.zeros((len(source.bone_weights), SMPL_24.joint_count))
    for column, bone in enumerate(source.bone_parents):
        weights[:, SMPL_24.index(joint_of_bone(bone, source.bone_parents))] += source.bone_weights[:, column]
    weights[weights < _MIN_WEIGHT] = 0
    return weights / weights.sum(1, keepdims=True)


def joints_from_bones(
    source: MakeHuman, head_m: Float[np.ndarray, "bodies bones 3"]
) -> Float[np.ndarray, "bodies 24 3"]:
    """Joints where SMPL has them, from the heads of MakeHuman's bones.

    The pelvis lies 8 cm above the hips. Knee and elbow are moved, by 8 % of the shin and 6 % of the upper arm, to where
    the skin weights of both sides are equal.
    """

    def head(bone: str) -> np.ndarray:
        return head_m[:, source.bone_index(bone)]

    def mean_head(bones: list[str]) -> np.ndarray:
        return np.mean([head(bone) for bone in bones], 0)

    joints = {
        "pelvis": 0.5 * (head("spine05") + head("spine04")),
        "spine1": head("spine03"),
        "spine2": head("spine02"),
        "spine3": head("spine01"),
        "neck": head("neck01"),
        "head": head("head"),
    }
    joints["pelvis"][:, 2] = head("spine05")[:, 2]
    for left, s, _ in _SIDES:
        joints[left + "hip"] = (0.65 * head("upperleg01" + s) + 0.35 * head("upperleg02" + s)) * [_HIP_WIDTH, 1, 1]
        joints[left + "knee"] = 0.92 * head("lowerleg01" + s) + 0.08 * head("foot" + s)
        joints[left + "ankle"] = head("foot" + s)
        joints[left + "foot"] = mean_head([f"toe{k}-1{s}" for k in range(1, 6)])
        joints[left + "collar"] = 0.5 * (head("clavicle" + s) + head("shoulder01" + s))
        joints[left + "shoulder"] = head("upperarm01" + s)
        joints[left + "elbow"] = 0.94 * head("lowerarm01" + s) + 0.06 * head("upperarm01" + s)
        joints[left + "wrist"] = head("wrist" + s)
        joints[left + "hand"] = mean_head([f"finger{k}-1{s}" for k in range(2, 6)])
    return np.stack([joints[joint] for joint in SMPL_24.joints], 1)


def to_t_pose(
    vertex_m: Float[np.ndarray, "bodies vertices 3"],
    joint_m: Float[np.ndarray, "bodies 24 3"],
    weights: Float[np.ndarray, "vertices 24"],
) -> tuple[Float[np.ndarray, "bodies vertices 3"], Float[np.ndarray, "bodies 24 3"]]:
    """Vertices (float64) and joints of bodies in the T-pose, pelvis at the origin.

    The skin follows by dual quaternions, which can be inverted exactly. Arms that are lowered again therefore look as
    the artist made them.
    """
    posed_m, posed_joint_m = np.empty(vertex_m.shape), np.empty(joint_m.shape)
    for body, (vertices, joints) in enumerate(zip(vertex_m.astype(np.float64), joint_m, strict=True)):
        rotmat = t_pose_rotations(joints)
        moved = _forward_kinematics(joints, rotmat)
        posed_m[body] = _skin_dual_quaternions(vertices, weights, joints, moved, rotmat) - moved[0]
        posed_joint_m[body] = moved - moved[0]
    return posed_m, posed_joint_m


def bend(
    vertex_m: Float[np.ndarray, "vertices 3"],
    joint_m: Float[np.ndarray, "24 3"],
    weights: Float[np.ndarray, "vertices 24"],
) -> Float[np.ndarray, "vertices 3"]:
    """A T-posed body with all limbs bent, by linear blend skinning."""
    local = np.tile(np.eye(3), (SMPL_24.joint_count, 1, 1))
    for left, _, sign in _SIDES:
        for joint, (x, y, z) in _BENT_DEG.items():
            vector = np.radians([x, sign * y, sign * z])
            local[SMPL_24.index(left + joint)] = Rotation.from_rotvec(vector).as_matrix()
    rotmat = local.copy()
    for joint, parent in SMPL_24.bones:
        rotmat[joint] = rotmat[parent] @ local[joint]
    moved = _forward_kinematics(joint_m, rotmat)
    offset = moved - np.einsum("jab,jb->ja", rotmat, joint_m)
    return np.einsum("vab,vb->va", np.einsum("vj,jab->vab", weights, rotmat), vertex_m) + weights @ offset


def t_pose_rotations(joint_m: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "24 3 3"]:
    """World rotation of each joint from a body's rest pose to the T-pose; trunk, head and feet stay."""
    rotmat = np.tile(np.eye(3), (SMPL_24.joint_count, 1, 1))
    for left, _, sign in _SIDES:

        def along(start: str, end: str, left: str = left) -> np.ndarray:
            return joint_m[SMPL_24.index(left + end)] - joint_m[SMPL_24.index(left + start)]

        def aim(before: np.ndarray, bone: np.ndarray, target: tuple[float, ...], sign: float = sign) -> np.ndarray:
            return _shortest_rotation(before @ bone, np.array(target) * [sign, 1, 1]) @ before

        hip = aim(np.eye(3), along("hip", "knee"), _THIGH)
        collar = Rotation.from_euler("z", sign * _COLLAR_RAISE_DEG, degrees=True).as_matrix()
        shoulder = aim(collar, along("shoulder", "elbow"), _ARM)
        elbow = aim(shoulder, along("elbow", "wrist"), _ARM)
        wrist = aim(elbow, along("wrist", "hand"), _HAND)
        limbs = {"hip": hip, "knee": aim(hip, along("knee", "ankle"), _SHIN), "collar": collar}
        limbs |= {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hand": wrist}
        for joint, matrix in limbs.items():
            rotmat[SMPL_24.index(left + joint)] = matrix
    return rotmat


def joint_of_bone(bone: str, parents: dict[str, str]) -> str:
    """The joint of a bone, or of its nearest ancestor that has one."""
    stem = bone.removesuffix(".L").removesuffix(".R")
    joint = _JOINT_OF_BONE.get(stem.split("-")[0])
    if joint is None:
        return joint_of_bone(parents[bone], parents)
    side = {".L": "left_", ".R": "right_"}.get(bone[len(stem) :], "")
    return side + joint if side + joint in SMPL_24.joints else joint


def _shortest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation matrix that turns one direction into another by the smallest angle."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, start @ end)).as_matrix()


def _forward_kinematics(joint_m: np.ndarray, rotmat: np.ndarray) -> np.ndarray:
    """Posed joints from rest joints and world rotations; the root stays in place."""
    posed_m = joint_m.copy()
    for joint, parent in SMPL_24.bones:
        posed_m[joint] = posed_m[parent] + rotmat[parent] @ (joint_m[joint] - joint_m[parent])
    return posed_m


def _skin_dual_quaternions(
    vertex_m: np.ndarray, weights: np.ndarray, joint_m: np.ndarray, posed_m: np.ndarray, rotmat: np.ndarray
) -> np.ndarray:
    """Vertices that follow the joints by blended dual quaternions (Kavan et al. 2008); xyzw with w >= 0."""
    real = Rotation.from_matrix(rotmat).as_quat(canonical=True)
    offset = posed_m - np.einsum("jab,jb->ja", rotmat, joint_m)
    axis, w = real[:, :3], real[:, 3:]
    dual = 0.5 * np.concatenate([w * offset + np.cross(offset, axis), -(offset * axis).sum(1, keepdims=True)], 1)
    real, dual = weights @ real, weights @ dual
    length = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / length, dual / length
    axis, w, moment, dual_w = real[:, :3], real[:, 3:], dual[:, :3], dual[:, 3:]
    turned = vertex_m + 2 * np.cross(axis, np.cross(axis, vertex_m) + w * vertex_m)
    return turned + 2 * (w * moment - dual_w * axis + np.cross(axis, moment))
