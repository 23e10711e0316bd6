"""Skeletons of bodies with hands and face: SMPL's 24 joints first, then fingers, then jaw and eyes."""

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.layouts import SMPL_24, JointLayout

_FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # in the order of SMPL-H and SMPL-X, three joints each
_FINGER_BONES = tuple(
    (f"{side}_{finger}{number}", f"{side}_{finger}{number - 1}" if number > 1 else f"{side}_{root}")
    for side in ("left", "right")
    for finger in _FINGERS
    for number in (1, 2, 3)
    for root in ("wrist" if finger == "thumb" else "hand",)
)
_FACE_BONES = (("jaw", "head"), ("left_eye", "head"), ("right_eye", "head"))


def _extended(name: str, bones: tuple[tuple[str, str], ...]) -> JointLayout:
    joints, parents = zip(*bones, strict=True)
    return JointLayout(name, SMPL_24.joints + joints, SMPL_24.parents + parents)


HANDS = tuple(SMPL_24.index(f"{side}_hand") for side in ("left", "right"))
SMPLH_54 = _extended("smplh_54", _FINGER_BONES)
SMPLX_57 = _extended("smplx_57", _FINGER_BONES + _FACE_BONES)

# By joint count, which identifies them.
BODY_SKELETONS: dict[int, JointLayout] = {layout.joint_count: layout for layout in (SMPL_24, SMPLH_54, SMPLX_57)}

_BODY_JOINTS = SMPL_24.index("left_hand")  # SMPL-H and SMPL-X share all joints up to the wrists with SMPL
_FACE = tuple(joint for joint, _ in _FACE_BONES)
# Index in the layouts above of each joint of a SMPL-H or SMPL-X file, which have no joints of the hands.
_BODY = tuple(range(_BODY_JOINTS))
_FINGER_JOINTS = tuple(range(SMPL_24.joint_count, SMPLH_54.joint_count))
FILE_ORDERS: dict[int, tuple[int, ...]] = {
    SMPLH_54.joint_count: _BODY + _FINGER_JOINTS,
    SMPLX_57.joint_count: _BODY + tuple(SMPLX_57.index(joint) for joint in _FACE) + _FINGER_JOINTS,
}


def on_smpl_24(layout: JointLayout) -> Float[Tensor, "joints 24"]:
    """One where a joint is, or is rigid with, one of SMPL's 24 when fingers are flat and the face is still."""
    owners: list[int] = []
    for joint, parent in enumerate(layout.parent_indices):
        owners.append(joint if joint < SMPL_24.joint_count else owners[parent])
    return torch.eye(SMPL_24.joint_count)[owners]
