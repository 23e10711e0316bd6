"""Compares a retargeted body with the joint positions of its file, bone by bone, and turns what points elsewhere."""

import logging
import math

import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.geometry.alignment import smallest_rotation
from motionrep.layouts import SMPL_24
from motionrep.motion.retargeting.figure import Skeleton
from motionrep.motion.retargeting.rest_axes import axes_of_figure, stands
from motionrep.motion.retargeting.skeletons import BONE_END

logger = logging.getLogger(__name__)

WRONG_DEG = 30.0
_OWN_AXES_DEG, _SIDEWAYS_DEG, _BENT_WRIST_DEG = 50.0, 25.0, 95.0
_UPRIGHT_DEG, _FACE_DEG = 30.0, 60.0  # lean of a head's End Site in a standing zero pose: on top of it, or at its face
_SAME_LEAN_DEG = 10.0
_OWN_END_DEG = 5.0  # a hand that the file shows points as it does there to within this
_UP = torch.tensor([0.0, 1.0, 0.0])
_HIPS, _SHOULDERS = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"))
_LIMBS = {joint: end for joint, end in BONE_END.items() if joint.endswith(("hip", "knee", "shoulder", "elbow"))}
_NAMES = {"hip": "thigh", "knee": "shin", "shoulder": "upper arm", "elbow": "forearm", "wrist": "hand"}


def angles_deg(
    world_rotmat: dict[str, Float[Tensor, "frames 3 3"]], skeleton: Skeleton, rest: Float[Tensor, "24 3"], turn: Tensor
) -> dict[str, Float[Tensor, " frames"]]:
    """How far each bone of the body points from where the file's does, by the name of its joint.

    Besides limbs, hands, neck and head there are "hips" and "shoulders", the lines from the right to the left one, and
    "torso", from the middle of the hips to that of the shoulders.

    Args:
        world_rotmat: World rotations of the body's joints, y up; others are rigid with their parent.
        turn: From the file's axes to those with y up.
    """
    rotmat = whole(world_rotmat)
    place = _places(rotmat, rest)
    ours, theirs = {}, {}
    for joint, end in _LIMBS.items():
        if joint in skeleton.ends:
            ours[joint] = place[end] - place[joint]
            theirs[joint] = skeleton.between(skeleton.index[joint], skeleton.ends[joint])
    for joint, end in skeleton.last_ends.items():
        ours[joint] = rotmat[joint] @ _last_bone(skeleton, rest, joint)
        theirs[joint] = skeleton.between(skeleton.index[joint], end)
    lines = {"hips": _HIPS, "shoulders": _SHOULDERS}
    for name, (left, right) in lines.items():
        if left in skeleton.index and right in skeleton.index:
            ours[name] = place[left] - place[right]
            theirs[name] = skeleton.between(skeleton.index[right], skeleton.index[left])
    if "shoulders" in ours:
        ours["torso"] = _middle(place, _SHOULDERS) - _middle(place, _HIPS)
        places = {joint: skeleton.position[:, skeleton.index[joint]] for joint in (*_HIPS, *_SHOULDERS)}
        theirs["torso"] = _middle(places, _SHOULDERS) - _middle(places, _HIPS)
    cosine = {name: torch.cosine_similarity(ours[name], theirs[name] @ turn.mT, dim=-1) for name in ours}
    long = {name: bool((theirs[name].norm(dim=-1) > 0).all()) for name in ours}
    return {name: torch.rad2deg(torch.acos(each.clamp(-1, 1))) for name, each in cosine.items() if long[name]}


def in_parents_axes(
    world_rotmat: dict[str, Float[Tensor, "frames 3 3"]], skeleton: Skeleton, rest: Float[Tensor, "24 3"], turn: Tensor
) -> dict[str, Float[Tensor, "frames 3 3"]]:
    """The same rotations; a neck, head, foot or hand that is far off its parent all the time is turned to it.

    Such a joint has axes of its own, which no pose of the file shows. A neck or head whose bone points as the file's
    does may only be twisted. Of a hand without an end in the file only the bone counts, and only where no wrist bends
    as far.
    """
    found = dict(world_rotmat)
    off_deg = _means(angles_deg(found, skeleton, rest, turn))
    hands = [hand for hand in ("left_wrist", "right_wrist") if hand not in skeleton.last_ends]
    for joint in ("neck", "head", "left_ankle", "right_ankle", *hands):
        if joint not in found:
            continue
        parent = whole(found)[SMPL_24.parents[SMPL_24.index(joint)] or "pelvis"]
        relative = parent.mT @ found[joint]
        mean, _ = roma.special_procrustes(relative.mean(0), return_singular_values=True)
        apart_deg = math.degrees(float(roma.rotmat_to_rotvec(mean).norm()))
        limit_deg = _OWN_AXES_DEG
        if joint in ("neck", "head"):
            if off_deg.get(joint, math.inf) < WRONG_DEG:
                apart_deg = _twist_deg(mean)
            elif abs(math.degrees(math.asin(min(1.0, max(-1.0, float(mean[0, 1])))))) > _SIDEWAYS_DEG:
                limit_deg = 0.0  # nobody's head lies on the shoulder all the time
        if joint in hands:
            limit_deg = _BENT_WRIST_DEG
            forearm = rest_bone(rest, joint.replace("wrist", "elbow"))
            cosine = torch.cosine_similarity(relative @ rest_bone(rest, joint), forearm, dim=-1)
            apart_deg = math.degrees(float(torch.acos(cosine.clamp(-1, 1)).mean()))
            if WRONG_DEG * 2 < apart_deg <= _BENT_WRIST_DEG:
                logger.warning(
                    "the %s is bent by %.0f degrees on average, and the file does not show where it ends; look at it",
                    _spoken(joint), apart_deg,
                )  # fmt: skip
        if apart_deg > limit_deg:
            found[joint] = found[joint] @ mean.mT
    return found


def _twist_deg(rotmat: Float[Tensor, "3 3"]) -> float:
    """How far a rotation turns about y, without its sign."""
    quaternion = roma.rotmat_to_unitquat(rotmat)  # x y z w
    turned_deg = math.degrees(2 * float(torch.atan2(quaternion[1], quaternion[3])))
    return abs((turned_deg + 180) % 360 - 180)


def corrected(
    world_rotmat: dict[str, Float[Tensor, "frames 3 3"]], skeleton: Skeleton, rest: Float[Tensor, "24 3"], turn: Tensor
) -> dict[str, Float[Tensor, "frames 3 3"]]:
    """The same rotations where the body points as the file does; others are turned from what the positions show.

    Raises:
        ValueError: A bone still points more than 30 degrees away on average; names the bones and the angles.
    """
    found = dict(world_rotmat)
    if "head" in skeleton.last_ends and _is_at_face(skeleton, "head"):
        logger.warning("the head's end leans forward in the zero pose and in the motion; it is taken to be at the face")
    off = _means(angles_deg(found, skeleton, rest, turn))
    if off.get("hips", 0.0) > WRONG_DEG:
        found["pelvis"] = _pelvis_of_positions(skeleton, rest, turn)
    for joint in skeleton.chain[1:] if off.get("torso", 0.0) > WRONG_DEG else ():
        end = skeleton.next_in_chain(joint)
        if end is not None:
            ours = found[joint] @ (rest[SMPL_24.index(end)] - rest[SMPL_24.index(joint)])
            theirs = skeleton.between(skeleton.index[joint], skeleton.index[end]) @ turn.mT
            found[joint] = smallest_rotation(ours, theirs) @ found[joint]
    if off.get("shoulders", 0.0) > WRONG_DEG:
        found |= _shoulders_of_positions(found, skeleton, rest, turn)
    for joint in _LIMBS:
        if off.get(joint, 0.0) > WRONG_DEG:
            ours = found[joint] @ rest_bone(rest, joint)
            theirs = skeleton.between(skeleton.index[joint], skeleton.ends[joint]) @ turn.mT
            found[joint] = smallest_rotation(ours, theirs) @ found[joint]
    for joint, end in skeleton.last_ends.items():
        if off.get(joint, 0.0) > (_OWN_END_DEG if joint in BONE_END else WRONG_DEG):
            found[joint] = _pointed(found[joint], skeleton, joint, end, rest, turn)
    wrong = {
        name: angle for name, angle in _means(angles_deg(found, skeleton, rest, turn)).items() if angle > WRONG_DEG
    }
    if wrong:
        bones = ", ".join(f"{_spoken(name)} by {angle:.0f} degrees" for name, angle in wrong.items())
        raise ValueError(
            f"the skeleton moves the body wrongly: compared with the file's joints, {bones} off; say which joint is "
            "which, or a frame of the file that is a T-pose (reference), with skeleton=SkeletonMap(...) or --skeleton"
        )
    return found


def whole(world_rotmat: dict[str, Float[Tensor, "frames 3 3"]]) -> dict[str, Float[Tensor, "frames 3 3"]]:
    """World rotations of all joints of the body, where those that are not given are rigid with their parent."""
    rotmat: dict[str, Tensor] = {}
    for joint, parent in zip(SMPL_24.joints, SMPL_24.parents, strict=True):
        rotmat[joint] = world_rotmat[joint] if joint in world_rotmat or parent is None else rotmat[parent]
    return rotmat


def rest_bone(rest: Float[Tensor, "24 3"], joint: str) -> Float[Tensor, "3"]:
    return rest[SMPL_24.index(BONE_END[joint])] - rest[SMPL_24.index(joint)]


def _places(rotmat: dict[str, Tensor], rest: Float[Tensor, "24 3"]) -> dict[str, Float[Tensor, "frames 3"]]:
    """The body's joints, from the pelvis."""
    place = {"pelvis": torch.zeros(len(rotmat["pelvis"]), 3)}
    for joint, parent in zip(SMPL_24.joints[1:], SMPL_24.parents[1:], strict=True):
        assert parent is not None
        bone = rest[SMPL_24.index(joint)] - rest[SMPL_24.index(parent)]
        place[joint] = place[parent] + rotmat[parent] @ bone
    return place


def _middle(places: dict[str, Tensor], pair: tuple[str, str]) -> Float[Tensor, "frames 3"]:
    return (places[pair[0]] + places[pair[1]]) / 2


def _means(angles: dict[str, Float[Tensor, " frames"]]) -> dict[str, float]:
    return {name: float(each.mean()) for name, each in angles.items()}


def _pelvis_of_positions(skeleton: Skeleton, rest: Float[Tensor, "24 3"], turn: Tensor) -> Float[Tensor, "frames 3 3"]:
    """In each frame from the line of the hips and the way to the spine."""
    above = skeleton.next_in_chain("pelvis")
    left, right = (SMPL_24.index(joint) for joint in _HIPS)
    top = rest[SMPL_24.index(above)] if above else rest[SMPL_24.index("spine1")]
    hips = {joint: skeleton.position[:, skeleton.index[joint]] for joint in _HIPS}
    theirs_up = (
        skeleton.position[:, skeleton.index[above]] - _middle(hips, _HIPS)
        if above
        else turn[1].expand(len(skeleton.position), 3)
    )
    line = skeleton.between(skeleton.index["right_hip"], skeleton.index["left_hip"])
    theirs = _frame(line @ turn.mT, theirs_up @ turn.mT)
    return theirs @ _frame(rest[left] - rest[right], top - (rest[left] + rest[right]) / 2).mT


def _shoulders_of_positions(
    found: dict[str, Tensor], skeleton: Skeleton, rest: Float[Tensor, "24 3"], turn: Tensor
) -> dict[str, Tensor]:
    """The chest turned to the line of the shoulders, with the collars at rest on it."""
    rotmat = whole(found)
    ours = rotmat["spine3"] @ (rest[SMPL_24.index("left_shoulder")] - rest[SMPL_24.index("right_shoulder")])
    line = skeleton.between(skeleton.index["right_shoulder"], skeleton.index["left_shoulder"]) @ turn.mT
    chest = smallest_rotation(ours, line) @ rotmat["spine3"]
    return {"spine3": chest, "left_collar": chest, "right_collar": chest}


def _pointed(
    rotmat: Tensor, skeleton: Skeleton, joint: str, end: int, rest: Float[Tensor, "24 3"], turn: Tensor
) -> Float[Tensor, "frames 3 3"]:
    """A hand or head whose bone points as the file's does; turned by the same in all frames, in its own axes."""
    theirs = skeleton.between(skeleton.index[joint], end) @ turn.mT
    in_joint = (rotmat.mT @ normalize(theirs, dim=-1)[..., None])[..., 0].mean(0)
    return rotmat @ smallest_rotation(_last_bone(skeleton, rest, joint), in_joint)


def _last_bone(skeleton: Skeleton, rest: Float[Tensor, "24 3"], joint: str) -> Float[Tensor, "3"]:
    """The bone of a hand, head or neck on the body at rest; the latter as the file has them in a standing zero pose.

    There it points up. Where it leans there and not in the motion, the head has axes of its own. Where it leans in
    both, its End Site is at the face.
    """
    if joint in BONE_END:
        return rest_bone(rest, joint)
    own, lean_deg = _zero_bone(skeleton, joint)
    return own if lean_deg < _UPRIGHT_DEG or _is_at_face(skeleton, joint) else _UP


def _zero_bone(skeleton: Skeleton, joint: str) -> tuple[Float[Tensor, "3"], float]:
    """A bone in a standing zero pose, in left, up and front of the figure, and how far it leans; upright in others."""
    zero = skeleton.zero_position
    standing = axes_of_figure(zero, skeleton)
    if not stands(zero, skeleton, standing):
        return _UP, 0.0
    own = standing.mT @ (zero[skeleton.last_ends[joint]] - zero[skeleton.index[joint]])
    return own, math.degrees(math.acos(float(torch.cosine_similarity(own, _UP, dim=0).clamp(-1, 1))))


def _is_at_face(skeleton: Skeleton, joint: str) -> bool:
    """Whether the end of a head leans forward in the zero pose, and as far in the motion."""
    own, lean_deg = _zero_bone(skeleton, joint)
    forward = _UPRIGHT_DEG <= lean_deg < _FACE_DEG and float(own[2]) > float(own[0].abs())
    return forward and skeleton.lean_deg(joint, skeleton.last_ends[joint]) > lean_deg - _SAME_LEAN_DEG


def _frame(first: Float[Tensor, "*batch 3"], second: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Columns: the first direction, the second made perpendicular to it, and their cross product."""
    first = normalize(first, dim=-1)
    second = normalize(second - (second * first).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def _spoken(name: str) -> str:
    side, _, part = name.rpartition("_")
    return f"{side} {_NAMES.get(part, part)}".strip()
