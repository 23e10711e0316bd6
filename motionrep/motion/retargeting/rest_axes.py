"""Finds the body's axes in the joints of a skeleton whose zero pose may be anything.

A joint that moves with the body's joint j has the world rotation G. The body's is G S, where the rotation S leads from
the body's axes at rest (x to its left, y up, z to its front) to the joint's. S is constant. It is known from a pose in
which the skeleton stands as the body does at rest:

* The zero pose, if that is a standing figure with straight limbs, or a frame that the user names.
* Otherwise S is composed from two directions in each joint. The first is that of the bone. The second is the line of
  the hips for the pelvis and that of the collars or shoulders for the chest. For an upper arm or thigh it is the side
  to which the limb bends: elbows bend forward, knees backward. Other joints take the second direction from their
  parent, through their mean rotation, or unchanged where the limb is straight in the zero pose. Where a bone lies along
  an axis of its joint, as is usual in rigs, the second direction is moved to the nearest axis.
"""

import math

import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.alignment import smallest_rotation
from motionrep.layouts import SMPL_24
from motionrep.motion.retargeting.figure import Skeleton, lies_along_axis
from motionrep.motion.retargeting.skeletons import BONE_END, SkeletonMap

_LEGS = [(f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right")]
_ARMS = [(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")]
_FRONT = torch.tensor([0.0, 0.0, 1.0])
_STRAIGHT_DEG = 45.0  # a limb of a standing figure bends less in the zero pose
_SAME_AXES_DEG = 20.0
_STRAIGHT_IN_ZERO_POSE_DEG = 10.0
_NEUTRAL_TWIST_DEG, _NEUTRAL_SWING_DEG = 70.0, 60.0
_BENDING = ("elbow", "knee", "shoulder", "hip")  # joints that may be bent or raised throughout a motion
_SAME_ARM_DEG = 5.0
_AS_BODY_DEG = 25.0
_RESTING_SHARE, _RESTING_STEP = 0.3, 0.03  # of the frames; of the leg's length from frame to frame
_MOST_PITCH_DEG = 40.0
_LEAST_BEND = 0.05  # least mean sine of the bend from which a limb's front is found


def body_axes(
    skeleton: Skeleton, table: SkeletonMap, rest: Float[Tensor, "24 3"], up: Float[Tensor, "3"]
) -> dict[str, Tensor]:
    """The rotation S for each joint of the body that the file's skeleton moves.

    Args:
        rest: The body's joints at rest.
        up: The direction up in the file's world.

    Raises:
        ValueError: The skeleton has no width or height, or the frame of reference is not in the file.
    """
    standing = axes_of_figure(reference_position(skeleton, table), skeleton)
    if isinstance(table.reference, int):
        return {joint: skeleton.rotmat[table.reference, index].mT @ standing for joint, index in skeleton.index.items()}
    if stands(skeleton.zero_position, skeleton, standing):
        wrists = _wrists_of_lowered_arms(skeleton, rest, standing)
        return dict.fromkeys(skeleton.index, standing) | wrists
    axes = _from_anatomy(skeleton, {joint: rest[SMPL_24.index(joint)] for joint in SMPL_24.joints})
    for ankle in ("left_ankle", "right_ankle"):
        axes[ankle] = _with_flat_sole(skeleton, ankle, axes[ankle], up)
    return axes


def reference_position(skeleton: Skeleton, table: SkeletonMap) -> Float[Tensor, "joints 3"]:
    """The joints in the pose that shall be the body's at rest. Raises ValueError for a frame that is not there."""
    if not isinstance(table.reference, int):
        return skeleton.zero_position
    if not 0 <= table.reference < len(skeleton.position):
        raise ValueError(f"reference frame {table.reference} is not one of {len(skeleton.position)} frames")
    return skeleton.position[table.reference]


def axes_of_figure(position: Float[Tensor, "joints 3"], skeleton: Skeleton) -> Float[Tensor, "3 3"]:
    """Left, up and front of a figure as columns, snapped to the file's axes if they are near."""
    left = position[skeleton.index["left_hip"]] - position[skeleton.index["right_hip"]]
    top = skeleton.index[skeleton.chain[-1]] if len(skeleton.chain) > 1 else skeleton.index["pelvis"]
    feet = (position[skeleton.index["left_ankle"]] + position[skeleton.index["right_ankle"]]) / 2
    return _snapped(_axes(left, position[top] - feet))


def rests_as_body(skeleton: Skeleton, table: SkeletonMap, rest: Float[Tensor, "24 3"]) -> bool:
    """Whether all rotations zero give the body's rest pose, y up, facing z; `table.bone_ends` may point elsewhere."""
    standing = axes_of_figure(skeleton.zero_position, skeleton)
    if not (bool(standing.equal(torch.eye(3))) and stands(skeleton.zero_position, skeleton, standing)):
        return False
    bones = [(joint, end) for joint, end in BONE_END.items() if joint not in table.bone_ends and "ankle" not in joint]
    for joint, end in bones:
        if {joint, end} <= skeleton.index.keys():
            theirs = skeleton.zero_position[skeleton.index[end]] - skeleton.zero_position[skeleton.index[joint]]
            ours = rest[SMPL_24.index(end)] - rest[SMPL_24.index(joint)]
            if float(torch.cosine_similarity(ours, theirs, dim=0)) < math.cos(math.radians(_AS_BODY_DEG)):
                return False
    return True


def upright(position: Float[Tensor, "joints 3"], skeleton: Skeleton, axes: Float[Tensor, "3 3"]) -> bool:
    """Whether straight legs point down and the head is above the pelvis."""
    own = {joint: position[index] @ axes for joint, index in skeleton.index.items()}  # in left, up, front
    down, limit = torch.tensor([0.0, -1.0, 0.0]), math.cos(math.radians(_STRAIGHT_DEG))
    bones = [own[skeleton.chain[-1]] - own["pelvis"]] if len(skeleton.chain) > 1 else []
    directions = [-normalize(bone, dim=0) for bone in bones]
    for hip, knee, ankle in _LEGS:
        directions += [normalize(bone, dim=0) for bone in (own[knee] - own[hip], own[ankle] - own[knee])]
    return all(bool(direction @ down > limit) for direction in directions)


def stands(position: Float[Tensor, "joints 3"], skeleton: Skeleton, axes: Float[Tensor, "3 3"]) -> bool:
    """Whether the legs point down, the arms down or to their own side, and limbs are straight."""
    own = {joint: position[index] @ axes for joint, index in skeleton.index.items()}  # in left, up, front
    limit = math.cos(math.radians(_STRAIGHT_DEG))
    standing = upright(position, skeleton, axes)
    for (shoulder, elbow, wrist), side in zip(_ARMS, (1.0, -1.0), strict=True):
        if {shoulder, elbow, wrist} <= own.keys():
            upper, lower = normalize(own[elbow] - own[shoulder], dim=0), normalize(own[wrist] - own[elbow], dim=0)
            outward = upper[0] * side
            standing &= bool(upper @ lower > limit) and bool(upper[2].abs() < limit) and bool(outward > -0.1)
    return standing


def _wrists_of_lowered_arms(
    skeleton: Skeleton, rest: Float[Tensor, "24 3"], standing: Float[Tensor, "3 3"]
) -> dict[str, Tensor]:
    """Axes of the wrists where the arms of a standing zero pose do not point as the body's do at rest."""
    found = {}
    for arm in _ARMS:
        shoulder, elbow, wrist = arm
        if not skeleton.index.keys() >= set(arm):
            continue
        axes, along = standing, True
        for joint, end in ((shoulder, elbow), (elbow, wrist)):
            ours = axes @ (rest[SMPL_24.index(end)] - rest[SMPL_24.index(joint)])
            theirs = skeleton.zero_position[skeleton.index[end]] - skeleton.zero_position[skeleton.index[joint]]
            along &= bool(torch.cosine_similarity(ours, theirs, dim=0) > math.cos(math.radians(_SAME_ARM_DEG)))
            axes = smallest_rotation(ours, theirs) @ axes
        if not along:
            found[wrist] = axes
    return found


def _from_anatomy(skeleton: Skeleton, rest: dict[str, Tensor]) -> dict[str, Tensor]:
    axes: dict[str, Tensor] = {}
    hips = skeleton.between(skeleton.index["right_hip"], skeleton.index["left_hip"])
    middle = skeleton.position[:, [skeleton.index["left_hip"], skeleton.index["right_hip"]]].mean(1)
    above = skeleton.next_in_chain("pelvis") or "pelvis"
    axes["pelvis"] = _pair(
        skeleton,
        (rest["left_hip"] - rest["right_hip"], rest[above] - (rest["left_hip"] + rest["right_hip"]) / 2),
        (
            skeleton.in_joint("pelvis", hips),
            skeleton.in_joint("pelvis", skeleton.position[:, skeleton.index[above]] - middle),
        ),
    )
    parent = "pelvis"
    for joint in skeleton.chain[1:]:
        axes[joint] = _carried(skeleton, axes, rest, parent, joint)
        if joint == skeleton.chest:
            axes[joint] = _of_chest(skeleton, rest, joint, axes[joint])
        parent = joint
    for limb, front in ((_LEGS, -1.0), (_ARMS, 1.0)):
        for top, middle_joint, end in limb:
            side = top.split("_")[0]
            parent = "pelvis" if limb is _LEGS else skeleton.chest
            if limb is _ARMS and f"{side}_collar" in skeleton.index:
                axes[f"{side}_collar"] = _carried(skeleton, axes, rest, parent, f"{side}_collar")
                parent = f"{side}_collar"
            for joint in (top, middle_joint, end, f"{side}_foot" if limb is _LEGS else f"{side}_hand"):
                if joint not in skeleton.index:
                    continue
                axes[joint] = _carried(skeleton, axes, rest, parent, joint)
                if joint == top:
                    axes[joint] = _by_bend(skeleton, rest, axes[joint], (top, middle_joint, end), front)
                parent = joint
    return axes


def _with_flat_sole(skeleton: Skeleton, ankle: str, axes: Tensor, up: Float[Tensor, "3"]) -> Tensor:
    """An ankle's axes, pitched so that the sole is level when the foot rests; rigs differ in the slope of the foot."""
    place = skeleton.position[:, skeleton.index[ankle]]
    leg = (skeleton.position[:, skeleton.index[ankle.replace("ankle", "hip")]] - place).norm(dim=-1).amax()
    step = place.diff(dim=0, prepend=place[:1]).norm(dim=-1) / leg
    resting = (step <= step.quantile(_RESTING_SHARE)) & (step < _RESTING_STEP)
    front = (skeleton.rotmat[:, skeleton.index[ankle]] @ axes)[resting, :, 2]
    pitch_rad = torch.asin((front @ up).clamp(-1, 1)).median() if len(front) else place.new_tensor(math.nan)
    if not abs(float(pitch_rad)) < math.radians(_MOST_PITCH_DEG):
        return axes
    return axes @ roma.rotvec_to_rotmat(pitch_rad * torch.eye(3)[0])


def _of_chest(skeleton: Skeleton, rest: dict[str, Tensor], joint: str, carried: Tensor) -> Tensor:
    """The chest's axes from the line of the collars, or else of the shoulders, and the bone to the neck."""
    kind = next((kind for kind in ("collar", "shoulder") if f"left_{kind}" in skeleton.index), None)
    bone = skeleton.to_end(joint)
    if kind is None or bone is None:
        return carried
    theirs = skeleton.between(skeleton.index[f"right_{kind}"], skeleton.index[f"left_{kind}"])
    end = skeleton.next_in_chain(joint)
    if end is None:
        return carried
    return _pair(
        skeleton,
        (rest[f"left_{kind}"] - rest[f"right_{kind}"], rest[end] - rest[joint]),
        (skeleton.in_joint(joint, theirs), skeleton.in_joint(joint, bone)),
    )


def _by_bend(
    skeleton: Skeleton, rest: dict[str, Tensor], carried: Tensor, limb: tuple[str, str, str], front: float
) -> Tensor:
    """Axes of an upper limb whose front is the side to which the lower limb bends (front = 1) or the other (-1)."""
    top, middle, _ = limb
    upper, lower = skeleton.to_end(top), skeleton.to_end(middle)
    if upper is None or lower is None:
        return carried
    upper = normalize(upper, dim=-1)
    lower = normalize(lower, dim=-1)
    bend = skeleton.in_joint(top, lower - (lower * upper).sum(-1, keepdim=True) * upper)
    if float(bend.norm()) < _LEAST_BEND:
        return carried
    bone = skeleton.in_joint(top, upper)
    own = rest[middle] - rest[top]
    found = _axes(bone, front * bend) @ _axes(own, _FRONT).mT
    return _on_axes(found, own, bone) if skeleton.on_axes else found


def _carried(skeleton: Skeleton, axes: dict[str, Tensor], rest: dict[str, Tensor], parent: str, joint: str) -> Tensor:
    """The parent's axes carried to the joint and turned to its bone."""
    relative = skeleton.rotmat[:, skeleton.index[parent]].mT @ skeleton.rotmat[:, skeleton.index[joint]]
    mean, _ = roma.special_procrustes(relative.mean(0), return_singular_values=True)
    bone = skeleton.to_end(joint)
    if _is_neutral_at_zero(skeleton, parent, joint, mean):
        mean = torch.eye(3)
    carried = mean.mT @ axes[parent]
    own = _bone_on_body(skeleton, rest, joint)
    if bone is None or own is None:
        return _snapped(carried) if skeleton.on_axes else carried
    bone = skeleton.in_joint(joint, bone)
    found = smallest_rotation(carried @ own, bone) @ carried
    if skeleton.on_axes:
        found = _on_axes(found, own, bone)
    # In rigs spines and necks are straight lines; the body's lean by up to 19 degrees.
    return _snapped(found) if skeleton.on_axes and joint in skeleton.chain else found


def _bone_on_body(skeleton: Skeleton, rest: dict[str, Tensor], joint: str) -> Tensor | None:
    """The bone of a joint on the body at rest; the head's points up."""
    if joint == "head":
        return torch.eye(3)[1]
    if joint in skeleton.chain:
        end = skeleton.next_in_chain(joint)
    else:
        end = joint.replace("collar", "shoulder") if joint.endswith("collar") else BONE_END.get(joint)
    return None if end is None else rest[end] - rest[joint]


def _is_neutral_at_zero(skeleton: Skeleton, parent: str, joint: str, mean: Float[Tensor, "3 3"]) -> bool:
    """Whether the limb is straight in the zero pose, and twists and, if it is no hinge, swings little in the motion."""
    if not joint.endswith(_BENDING) and float(roma.rotmat_to_rotvec(mean).norm()) > math.radians(_NEUTRAL_SWING_DEG):
        return False
    if skeleton.ends.get(parent) != skeleton.index[joint]:
        return False
    zero = skeleton.zero_position
    above = normalize(zero[skeleton.ends[parent]] - zero[skeleton.index[parent]], dim=0)
    if joint in skeleton.ends:
        below = normalize(zero[skeleton.ends[joint]] - zero[skeleton.index[joint]], dim=0)
        if float(above @ below) < math.cos(math.radians(_STRAIGHT_IN_ZERO_POSE_DEG)):
            return False
        quaternion = roma.rotmat_to_unitquat(mean)
        turned_rad = 2 * torch.atan2(quaternion[:3] @ above, quaternion[3])
        turned_rad = torch.remainder(turned_rad + math.pi, 2 * math.pi) - math.pi
    elif skeleton.on_axes:
        turned_rad = roma.rotmat_to_rotvec(mean).norm()
    else:  # the joint may have any axes
        return False
    return float(turned_rad.abs()) < math.radians(_NEUTRAL_TWIST_DEG)


def _pair(skeleton: Skeleton, ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> Float[Tensor, "3 3"]:
    """Rotation that takes our first direction to theirs, and our second as near to theirs as possible."""
    turn = _axes(*theirs) @ _axes(*ours).mT
    return _snapped(turn) if skeleton.on_axes else turn


def _axes(first: Float[Tensor, "3"], second: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Columns: the first direction, the second made perpendicular to it, and their cross product."""
    if float(torch.linalg.cross(first, second).norm()) < 1e-6 * float(first.norm() * second.norm()) + 1e-12:
        raise ValueError("the skeleton has no width or no height: hips, or spine and legs, lie on one line or point")
    first = normalize(first, dim=0)
    second = normalize(second - (second @ first) * first, dim=0)
    return torch.stack([first, second, torch.linalg.cross(first, second)], 1)


def _snapped(turn: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    """The nearest rotation that permutes the axes, if it is within 20 degrees; else the rotation itself."""
    quarters = torch.zeros(3, 3)
    nearest = turn.abs().argmax(0)
    quarters[nearest, torch.arange(3)] = torch.sign(turn[nearest, torch.arange(3)])
    if abs(float(torch.linalg.det(quarters)) - 1) > 0.5:
        return turn
    apart_deg = math.degrees(float(roma.rotmat_geodesic_distance(turn, quarters)))
    return quarters if apart_deg < _SAME_AXES_DEG else turn


def _on_axes(turn: Float[Tensor, "3 3"], own: Float[Tensor, "3"], bone: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Turned about a bone that lies along an axis of its joint, until the body's axes lie along the other axes."""
    bone = normalize(bone, dim=0)
    if not lies_along_axis(bone):
        return turn
    across = torch.zeros(3)
    across[int(own.abs().argmin())] = 1.0  # the body's axis most nearly perpendicular to its bone
    ours = turn @ across
    ours = normalize(ours - (ours @ bone) * bone, dim=0)
    theirs = torch.zeros(3)
    theirs[int(ours.abs().argmax())] = float(torch.sign(ours[ours.abs().argmax()]))
    theirs = normalize(theirs - (theirs @ bone) * bone, dim=0)
    angle_rad = torch.atan2(torch.linalg.cross(ours, theirs) @ bone, ours @ theirs)
    return roma.rotvec_to_rotmat(angle_rad * bone) @ turn
