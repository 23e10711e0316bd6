"""A file's skeleton by the body's joint names: what moves with what, where bones end, which ends can be trusted."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.body.kinematics import forward_kinematics
from motionrep.motion.bvh_files import BvhMotion
from motionrep.motion.retargeting.skeletons import BONE_END, SkeletonMap

_SPINE = ("spine1", "spine2", "spine3")
_ALONG_AXIS_DEG = 5.0
_NO_LENGTH = 1e-3  # of a leg's length
_HEEL_DEG = 25.0
# Between a hand and its forearm, or a head and the torso, on average: if in line in the zero pose, and if not.
_TRUSTED_DEG = {"wrist": (110.0, 70.0), "head": (80.0, 50.0)}
_IN_LINE_DEG = 20.0


class Skeleton:
    """A file's skeleton, with world rotations and positions of its joints, by the body's joint names.

    The pelvis is the joint that both thighs hang on, whatever it is called. Where the map does not name the joint that
    both arms hang on, the spine is what leads there.
    """

    def __init__(self, bvh: BvhMotion, table: SkeletonMap) -> None:
        self.named = {ours: bvh.joints.index(theirs) for ours, theirs in table.joints.items()}
        self.index = dict(self.named)
        self.rotmat, self.position = forward_kinematics(bvh.local_rotmat, bvh.local_position, bvh.parents)
        still = torch.eye(3).expand(len(bvh.joints), 3, 3)
        self.zero_position = forward_kinematics(still, bvh.zero_offset(), bvh.parents)[1]
        self._parents, self._names = bvh.parents, bvh.joints
        self.index["pelvis"] = self._common(self.index["left_hip"], self.index["right_hip"])
        self._find_spine()
        leg = [self.zero_position[self.index[f"left_{joint}"]] for joint in ("hip", "knee", "ankle")]
        self._no_length = _NO_LENGTH * float((leg[0] - leg[1]).norm() + (leg[1] - leg[2]).norm())
        spine = [joint for joint in _SPINE if joint in self.index]
        self.chain = ["pelvis", *spine, *(joint for joint in ("neck", "head") if joint in self.index)]
        self.chest = self.chain[len(spine)]
        self.ends = {ours: bvh.joints.index(theirs) for ours, theirs in table.bone_ends.items()}
        self._find_ends()
        for ankle in ("left_ankle", "right_ankle"):
            if ankle in self.ends and self.ends[ankle] not in self.index.values() and self._is_below(ankle):
                del self.ends[ankle]

        # Whether most joints have an axis along their bone.
        limbs = [joint for joint in self.ends if joint.endswith(("hip", "knee", "shoulder", "elbow"))]
        bones = (self.in_joint(joint, self.between(self.index[joint], self.ends[joint])) for joint in limbs)
        self.on_axes = 2 * sum(lies_along_axis(normalize(bone, dim=0)) for bone in bones) > len(limbs)

        # Ends of hands and heads that prolong the bone before them; they need be no joints of the body. And the neck's.
        self.last_ends = {wrist: self.ends[wrist] for wrist in ("left_wrist", "right_wrist") if wrist in self.ends}
        for joint, before in (("left_wrist", "left_elbow"), ("right_wrist", "right_elbow"), ("head", "neck")):
            end = self._own_end(joint)
            if end is not None and joint not in self.last_ends and self._is_trusted(joint, before, end):
                self.last_ends[joint] = end
        if {"neck", "head"} <= self.index.keys() and self.next_in_chain("neck") == "head":
            self.last_ends["neck"] = self.index["head"]
        if "head" in self.last_ends:
            self.ends.setdefault("head", self.last_ends["head"])

    def to_end(self, joint: str) -> Float[Tensor, "frames 3"] | None:
        """The vector of a joint's bone in the world; None for a joint without one."""
        return self.between(self.index[joint], self.ends[joint]) if joint in self.ends else None

    def between(self, start: int, end: int) -> Float[Tensor, "frames 3"]:
        return self.position[:, end] - self.position[:, start]

    def in_joint(self, joint: str, vector: Float[Tensor, "frames 3"]) -> Float[Tensor, "3"]:
        """Mean of a vector in the joint's own axes."""
        return (self.rotmat[:, self.index[joint]].mT @ vector[..., None])[..., 0].mean(0)

    def next_in_chain(self, joint: str) -> str | None:
        """The next joint from pelvis to head that does not lie at the same place."""
        start = self._middle_of_hips() if joint == "pelvis" else self.position[:, self.index[joint]]
        for end in self.chain[self.chain.index(joint) + 1 :]:
            if float((self.position[:, self.index[end]] - start).norm(dim=-1).mean()) > self._no_length:
                return end
        return None

    def _middle_of_hips(self) -> Float[Tensor, "frames 3"]:
        return self.position[:, [self.index["left_hip"], self.index["right_hip"]]].mean(1)

    def _find_ends(self) -> None:
        for joint in self.chain[:-1]:
            end = self.next_in_chain(joint)
            if end is not None:
                self.ends.setdefault(joint, self.index[end])
        for joint, end in BONE_END.items():
            if end in self.index and joint in self.index:
                self.ends.setdefault(joint, self.index[end])
        for side in ("left", "right"):
            if {f"{side}_collar", f"{side}_shoulder"} <= self.index.keys():
                self.ends[f"{side}_collar"] = self.index[f"{side}_shoulder"]
        for part in ("ankle", "elbow", "shoulder"):
            for joint in (f"left_{part}", f"right_{part}"):
                if (end := self._own_end(joint)) is not None:
                    self.ends.setdefault(joint, end)

    def _find_spine(self) -> None:
        """Names the joints from the pelvis to where the arms hang, if the map does not know the last of them."""
        pairs = (kind for kind in ("collar", "shoulder") if {f"left_{kind}", f"right_{kind}"} <= self.index.keys())
        kind = next(pairs, None)
        known = {self.index[joint] for joint in ("pelvis", *_SPINE, "neck", "head") if joint in self.index}
        if kind is None:
            return
        chest = self._common(self.index[f"left_{kind}"], self.index[f"right_{kind}"])
        path = self._above(chest)
        if chest in known or self.index["pelvis"] not in path:
            return
        spine = path[: path.index(self.index["pelvis"])][::-1]
        spine = spine if len(spine) < 3 else [spine[0], spine[len(spine) // 2], spine[-1]]
        for joint in _SPINE:
            self.index.pop(joint, None)
        self.index |= dict(zip(_SPINE, spine, strict=False))

    def _above(self, joint: int) -> list[int]:
        """The joint and those above it, up to the root."""
        path = []
        while joint >= 0:
            path.append(joint)
            joint = self._parents[joint]
        return path

    def _common(self, one: int, other: int) -> int:
        """The nearest joint that carries both; the root where there is none."""
        above = self._above(other)[1:]
        return next((joint for joint in self._above(one)[1:] if joint in above), 0)

    def _own_end(self, joint: str) -> int | None:
        """Where the bone of a joint ends by the file alone: at its only child; of fingers, at the middle one."""
        if joint not in self.index:
            return None
        place = self.zero_position[self.index[joint]]
        away, here = [], [self.index[joint]]
        for start in here:  # grows: joints at the same place, as CMU's hands at their wrists
            for child in (child for child, parent in enumerate(self._parents) if parent == start):
                far = float((self.zero_position[child] - place).norm()) > self._no_length
                (away if far else here).append(child)
        away = [child for child in away if "thumb" not in self._names[child].lower()]
        if joint == "head" and len(away) > 1:  # beside eyes and a jaw, such as HeadEnd and HeadTop_End
            away = [child for child in away if "head" in self._names[child].lower()]
        if len(away) < 2 or not joint.endswith("wrist"):
            return away[0] if len(away) == 1 else None
        bones = normalize(self.zero_position[away] - place, dim=-1)
        return away[int((bones @ bones.sum(0)).argmax())]

    def _is_below(self, ankle: str) -> bool:
        """Whether a foot's end goes on from the shin: it lies on the floor below the ankle, and not at the toes."""
        knee, place = self.index[ankle.replace("ankle", "knee")], self.index[ankle]
        return _angle_deg(self.between(knee, place), self.between(place, self.ends[ankle])) < _HEEL_DEG

    def _is_trusted(self, joint: str, before: str, end: int) -> bool:
        """Whether the last bone goes on in about the direction of what carries it, or does so in a human zero pose."""
        if before not in self.index:
            return True
        first, middle = self.index[before], self.index[joint]
        zero = normalize(self.zero_position[[middle, end]] - self.zero_position[[first, middle]], dim=-1)
        spine, leg = (
            self.zero_position[self.index[end]] - self.zero_position[self.index[start]]
            for start, end in (("pelvis", self.chain[-1]), ("left_hip", "left_ankle"))
        )
        in_line = float(spine @ leg) < 0 and float(zero[0] @ zero[1]) > math.cos(math.radians(_IN_LINE_DEG))
        if joint == "head":
            return self.lean_deg(before, end, joint) < _TRUSTED_DEG["head"][0 if in_line else 1]
        bones = (self.between(first, middle), self.between(middle, end))
        return _angle_deg(*bones) < _TRUSTED_DEG["wrist"][0 if in_line else 1]

    def lean_deg(self, joint: str, end: int, start: str = "") -> float:
        """The mean angle between the way from the pelvis to a joint and that from `start`, or the joint, to an end."""
        torso = self.between(self.index["pelvis"], self.index[joint])
        return _angle_deg(torso, self.between(self.index[start or joint], end))


def _angle_deg(first: Float[Tensor, "frames 3"], second: Float[Tensor, "frames 3"]) -> float:
    """The mean angle between two bones."""
    return math.degrees(float(torch.acos(torch.cosine_similarity(first, second, dim=-1).clamp(-1, 1)).mean()))


def lies_along_axis(direction: Float[Tensor, "3"]) -> bool:
    return float(direction.abs().max()) > math.cos(math.radians(_ALONG_AXIS_DEG))
