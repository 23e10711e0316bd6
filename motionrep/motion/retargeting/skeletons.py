"""Known skeletons of motion files: which of their joints drives which joint of the body."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from motionrep.files.texts import read_json
from motionrep.layouts import SMPL_24
from motionrep.motion.retargeting.name_words import joints_by_words

# The joint that a joint's bone points to on the body.
BONE_END = {
    "left_hip": "left_knee", "left_knee": "left_ankle", "left_ankle": "left_foot",
    "left_shoulder": "left_elbow", "left_elbow": "left_wrist", "left_wrist": "left_hand",
    "right_hip": "right_knee", "right_knee": "right_ankle", "right_ankle": "right_foot",
    "right_shoulder": "right_elbow", "right_elbow": "right_wrist", "right_wrist": "right_hand",
}  # fmt: skip
# An arm is known as far as its joints are.
_NEEDED = {
    "left_wrist": "left_elbow", "left_elbow": "left_shoulder",
    "right_wrist": "right_elbow", "right_elbow": "right_shoulder",
}  # fmt: skip
_SHOWN = {"head", *(f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist"))}
_REQUIRED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")


@dataclass(frozen=True)
class SkeletonMap:
    """How a file's skeleton drives the body.

    The unit of length does not matter, since the legs give the scale.

    Attributes:
        joints: For a joint of the SMPL_24 layout, the file's joint whose world rotation it copies. Pelvis, hips, knees
            and ankles are required; other joints may be left out and are then rigid with their parent.
        bone_ends: For a limb joint, the file's joint that its bone points to ("lFoot end" is the End Site below lFoot).
            The body's bone is turned to point the same way. This corrects the difference between the two rest poses,
            such as arms at 45 degrees instead of a T-pose.
        reference: The pose in which the file's skeleton stands as the body does at rest, in a T-pose:
            "zero": all rotations are zero, y is up and the figure faces +z. Joints without a bone end are assumed to
            have the body's orientation there. A file whose zero pose is another one is read as "found".
            "found": none; the axes are found from the skeleton and its motion (`rest_axes`). The zero pose may be no
            human pose, bones may lie along any axis of their joints, z may be up, and the figure may face anywhere.
            Bone ends are needed only for the wrists: a hand without one keeps the forearm's direction.
            A number: that frame of the file. Many files begin with a T-pose, but frame 0 is not assumed to be one.
        up: The file's axis that points up; None finds it (`up.up_of`).
        wrist_twist: What becomes of the twist of the wrists (`to_body.retarget`).
    """

    name: str
    joints: dict[str, str]
    bone_ends: dict[str, str] = field(default_factory=dict)
    wrist_twist: Literal["shared", "kept"] = "shared"
    reference: Literal["zero", "found"] | int = "zero"
    up: Literal["x", "y", "z"] | None = None

    def __post_init__(self) -> None:
        for name, table in (("joints", self.joints), ("bone_ends", self.bone_ends)):
            if not isinstance(table, dict) or not all(isinstance(joint, str) for joint in (*table, *table.values())):
                raise ValueError(f"SkeletonMap {self.name!r}: {name} must map names to names, got {table!r}")
        if self.reference not in ("zero", "found") and type(self.reference) is not int:
            raise ValueError(
                f"SkeletonMap {self.name!r}: reference must be zero, found or a frame, got {self.reference!r}"
            )
        if self.up not in (None, "x", "y", "z"):
            raise ValueError(f"SkeletonMap {self.name!r}: up must be x, y, z or None, got {self.up!r}")
        if self.wrist_twist not in ("shared", "kept"):
            raise ValueError(f"SkeletonMap {self.name!r}: wrist_twist must be shared or kept, got {self.wrist_twist!r}")
        for joint in self.joints:
            SMPL_24.index(joint)
        if lacking := [joint for joint in _REQUIRED if joint not in self.joints]:
            raise ValueError(f"SkeletonMap {self.name!r}: joints must also name {', '.join(lacking)}")
        if unusable := [joint for joint in self.bone_ends if joint not in BONE_END or joint not in self.joints]:
            raise ValueError(
                f"SkeletonMap {self.name!r}: bone_ends may name mapped limb joints only, got {', '.join(unusable)}"
            )

    def missing_from(self, joints: tuple[str, ...]) -> list[str]:
        """The file joints that the map needs and a skeleton lacks."""
        needed = dict.fromkeys([*self.joints.values(), *self.bone_ends.values()])
        return [joint for joint in needed if joint not in joints]


def read_skeleton(path: Path) -> SkeletonMap:
    """A skeleton from a .json file with the fields of `SkeletonMap`. The name may be left out; `reference` is "found".

    {"joints": {"pelvis": "Root", "left_hip": "thigh_l", ...}, "bone_ends": {"left_wrist": "middle_01_l", ...}}

    Raises:
        ValueError: The file is not JSON, has unknown fields, or lacks joints that a skeleton needs.
    """
    content = read_json(path)
    try:
        return SkeletonMap(**{"name": path.stem, "reference": "found"} | content)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"{path}: no skeleton of motionrep: {error}") from error


def find_skeleton(joints: tuple[str, ...], parents: tuple[int, ...] | None = None) -> SkeletonMap:
    """The known skeleton that uses most of the given joints, with their names as they are spelt there.

    Pelvis, hips, knees and ankles must be there. Other joints of a known skeleton may be missing, but not an elbow or
    shoulder whose wrist is there, and a file may have more. Upper and lower case, spaces, dots and underscores are
    ignored. All names may have the same prefix, as in "mixamorig:Hips".

    Args:
        parents: The joints' parents. With them, a skeleton that no table knows, or knows without arms or head, is found
            by the words in its names (`name_words`).

    Raises:
        ValueError: No known skeleton, with what the nearest one lacks; or names that could mean two joints.
    """
    plain = [_plain(joint) for joint in joints]
    found = [match for known in SKELETONS.values() for match in _matches(known, joints, plain)]
    worded = None if parents is None else joints_by_words(joints, parents)
    if worded and not any({*worded} & _SHOWN <= match.joints.keys() for match in found):
        return SkeletonMap("words", worded, reference="found")
    if not found:
        nearest = min(SKELETONS.values(), key=lambda known: len(_lacking(known, plain)) / len(known.joints))
        raise ValueError(
            f"skeleton not recognised ({nearest.name} lacks {', '.join(_lacking(nearest, plain))}); its joints are "
            f"{', '.join(joints)}. Pass skeleton=SkeletonMap(name, joints={{SMPL_24 joint: joint of the file}}, "
            "bone_ends={limb joint: joint of the file its bone points to}, reference='found'), or on the command line "
            "motionrep convert --skeleton with a .json of these fields"
        )
    best = max(found, key=lambda match: (len(match.joints) + len(match.bone_ends), -_left_out(match)))
    used = {*best.joints.values(), *best.bone_ends.values()}
    spelt = {_plain(joint) for joint in used}
    rivals = [match.joints["pelvis"] for match in found if match.name == best.name and match is not best]
    twice = [joint for joint in joints if _plain(joint) in spelt and joint not in used] + rivals
    if twice:
        raise ValueError(
            f"skeleton {best.name} could be read in two ways: {', '.join(twice)} look like its joints too; the joints "
            f"are {', '.join(joints)}. Rename them or pass skeleton=SkeletonMap(...)"
        )
    if worded and best.reference == "found":  # joints that this file calls otherwise
        taken = {*best.joints.values()}
        more = {ours: theirs for ours, theirs in worded.items() if ours not in best.joints and theirs not in taken}
        return replace(best, joints=best.joints | more)
    return best


def _matches(known: SkeletonMap, joints: tuple[str, ...], plain: list[str]) -> list[SkeletonMap]:
    """What the file has of the skeleton, in its spelling, once for each prefix with which it has what is required."""
    spelling = dict(zip(reversed(plain), reversed(joints), strict=True))  # the first of two that look alike
    matches = []
    for prefix in _prefixes(known, plain):
        spelt, ends = (
            {ours: spelling[name] for ours, theirs in table.items() if (name := prefix + _plain(theirs)) in spelling}
            for table in _tables(known)
        )
        if all(joint in spelt for joint in _REQUIRED) and all(
            needed in spelt for joint, needed in _NEEDED.items() if joint in spelt
        ):
            ends = {joint: end for joint, end in ends.items() if joint in spelt}
            matches.append(replace(known, joints=spelt, bone_ends=ends))
    return matches


def _left_out(match: SkeletonMap) -> int:
    """How many names of the known skeleton a file lacks."""
    return len(_names(SKELETONS[match.name])) - len(_names(match))


def _lacking(known: SkeletonMap, plain: list[str]) -> list[str]:
    """Joints that a skeleton needs and a file lacks, with the prefix that fits best."""
    prefixes = _prefixes(known, plain) or [""]
    return min(([name for name in _names(known) if prefix + _plain(name) not in plain] for prefix in prefixes), key=len)


def _prefixes(known: SkeletonMap, plain: list[str]) -> list[str]:
    pelvis = _plain(known.joints["pelvis"])
    return list(Counter(name.removesuffix(pelvis) for name in plain if name.endswith(pelvis)))


def _names(known: SkeletonMap) -> list[str]:
    return list(dict.fromkeys(theirs for table in _tables(known) for theirs in table.values()))


def _tables(known: SkeletonMap) -> tuple[dict[str, str], dict[str, str]]:
    return known.joints, known.bone_ends


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _sides(table: dict[str, str], left: str = "Left", right: str = "Right") -> dict[str, str]:
    """A table for both sides: `*_hip: *Thigh` becomes `left_hip: LeftThigh` and `right_hip: RightThigh`."""
    sides = (("left_", left), ("right_", right))
    return {ours.replace("*_", side): theirs.replace("*", s) for ours, theirs in table.items() for side, s in sides}


def _spine(names: str) -> dict[str, str]:
    """One to three joints from pelvis to neck; of more, the first, the middle and the last."""
    spine = names.split()
    joints = spine if len(spine) < 3 else (spine[0], spine[len(spine) // 2], spine[-1])
    return {f"spine{number}": joint for number, joint in enumerate(joints, 1)}


def _human_ik(name: str, spine: str, toe: str, **bone_ends: str) -> SkeletonMap:
    """Skeletons with the names of MotionBuilder's HumanIK: Mixamo, LaFAN1, SFU and one conversion of CMU."""
    joints = {"pelvis": "Hips", **_spine(spine), "neck": "Neck", "head": "Head"} | _sides(
        {
            "*_hip": "*UpLeg", "*_knee": "*Leg", "*_ankle": "*Foot", "*_foot": f"*{toe}",
            "*_collar": "*Shoulder", "*_shoulder": "*Arm", "*_elbow": "*ForeArm", "*_wrist": "*Hand",
        }
    )  # fmt: skip
    return SkeletonMap(name, joints, _sides(bone_ends), reference="found")


# The figure of the "Daz-friendly" BVH conversion of the CMU motion capture database (cgspeed.com, 2010). Its collars
# and buttocks never move and its feet have no toe joint, so collars, toes and hands are rigid with their parents.
CMU_DAZ = SkeletonMap(
    name="cmu_daz",
    joints={"pelvis": "hip", "spine1": "abdomen", "spine2": "chest", "neck": "neck", "head": "head"}
    | _sides({"*_hip": "*Thigh", "*_knee": "*Shin", "*_ankle": "*Foot"}, "l", "r")
    | _sides({"*_shoulder": "*Shldr", "*_elbow": "*ForeArm", "*_wrist": "*Hand"}, "l", "r"),
    bone_ends=_sides({"*_hip": "*Shin", "*_knee": "*Foot", "*_ankle": "*Foot end"}, "l", "r")
    | _sides({"*_shoulder": "*ForeArm", "*_elbow": "*Hand", "*_wrist": "*Mid1"}, "l", "r"),
)
# What `motionrep.motion.exporting` writes: the body's own joints in its own rest pose. MoMask and smpl2bvh say palm for
# the hand, the .fbx of SMPL says "f_avg_L_Hip".
SMPL_BODY = SkeletonMap(name="smpl_24", joints={joint: joint for joint in SMPL_24.joints}, wrist_twist="kept")
SMPL_PALMS = replace(
    SMPL_BODY, name="smpl_palms", joints=SMPL_BODY.joints | {"left_hand": "left_palm", "right_hand": "right_palm"}
)
SMPL_LETTERS = replace(
    SMPL_BODY,
    name="smpl_letters",
    joints={joint: joint.replace("left_", "L_").replace("right_", "R_") for joint in SMPL_24.joints},
)
# The "MotionBuilder-friendly" conversion of the CMU database (cgspeed.com, 2008).
CMU_MOTIONBUILDER = _human_ik("cmu_motionbuilder", "LowerBack Spine Spine1", "ToeBase", **{"*_wrist": "*HandIndex1"})
MIXAMO = _human_ik("mixamo", "Spine Spine1 Spine2", "ToeBase", **{"*_wrist": "*HandMiddle1"})
MIXAMO_WITHOUT_FINGERS = _human_ik("mixamo_without_fingers", "Spine Spine1 Spine2", "ToeBase")
LAFAN1 = _human_ik("lafan1", "Spine Spine1 Spine2", "Toe")
HUMAN_IK = _human_ik("human_ik", "Spine Spine1", "ToeBase")  # SFU
HUMAN_IK_LONG = _human_ik("human_ik_long", "Spine Spine1 Spine2 Spine3", "ToeBase")
# Bandai-Namco Research: each joint has its own axes (x along the bones of the left limbs, -x along those of the
# right), so that with all rotations zero the figure is no human pose; End Sites lie on their joints.
BANDAI_NAMCO = SkeletonMap(
    name="bandai_namco",
    joints={"pelvis": "Hips", "spine1": "Spine", "spine2": "Chest", "neck": "Neck", "head": "Head"}
    | _sides({"*_hip": "UpperLeg_*", "*_knee": "LowerLeg_*", "*_ankle": "Foot_*", "*_foot": "Toes_*"}, "L", "R")
    | _sides(
        {"*_collar": "Shoulder_*", "*_shoulder": "UpperArm_*", "*_elbow": "LowerArm_*", "*_wrist": "Hand_*"}, "L", "R"
    ),
    reference="found",
)
_CLASSIC = _sides(
    {
        "*_hip": "*Hip", "*_knee": "*Knee", "*_ankle": "*Ankle",
        "*_collar": "*Collar", "*_shoulder": "*Shoulder", "*_elbow": "*Elbow", "*_wrist": "*Wrist",
    }
)  # fmt: skip
# Xsens MVN; 100STYLE.
XSENS = SkeletonMap(
    name="xsens",
    joints={"pelvis": "Hips", **_spine("Chest Chest2 Chest3 Chest4"), "neck": "Neck", "head": "Head"}
    | _CLASSIC
    | _sides({"*_foot": "*Toe"}),
    reference="found",
)
CLASSIC = SkeletonMap(
    name="classic",
    joints={"pelvis": "Hips", "spine1": "Chest", "neck": "Neck", "head": "Head"} | _CLASSIC,
    reference="found",
)
# 3ds Max's Biped: "Bip01 L Thigh".
BIPED = SkeletonMap(
    name="biped",
    joints={"pelvis": "Pelvis", **_spine("Spine Spine1"), "neck": "Neck", "head": "Head"}
    | _sides({"*_hip": "* Thigh", "*_knee": "* Calf", "*_ankle": "* Foot", "*_foot": "* Toe0"}, "L", "R")
    | _sides({"*_collar": "* Clavicle", "*_shoulder": "* UpperArm", "*_elbow": "* Forearm"}, "L", "R")
    | _sides({"*_wrist": "* Hand"}, "L", "R"),
    reference="found",
)
# NVIDIA's SOMA, as in kimodo and BONES-SEED: a Leg is a thigh there, and a root at the origin is above the hips.
SOMA = SkeletonMap(
    name="soma",
    joints={"pelvis": "Hips", **_spine("Spine1 Spine2 Chest"), "neck": "Neck1", "head": "Head"}
    | _sides(
        {
            "*_hip": "*Leg", "*_knee": "*Shin", "*_ankle": "*Foot", "*_foot": "*ToeBase",
            "*_collar": "*Shoulder", "*_shoulder": "*Arm", "*_elbow": "*ForeArm", "*_wrist": "*Hand",
        }
    ),
    bone_ends=_sides({"*_wrist": "*HandMiddle2"}),
    reference="found",
)  # fmt: skip
_BLENDER = _sides(
    {
        "*_hip": "thigh.*", "*_knee": "shin.*", "*_ankle": "foot.*", "*_foot": "toe.*",
        "*_collar": "shoulder.*", "*_shoulder": "upper_arm.*", "*_elbow": "forearm.*", "*_wrist": "hand.*",
    },
    "L",
    "R",
)  # fmt: skip
# FreeMoCap's rig for Blender; some of its files have no hands, and the forearm ends in an End Site.
FREEMOCAP = SkeletonMap(
    name="freemocap",
    joints={"pelvis": "pelvis", **_spine("spine spine.001"), "neck": "neck", "head": "face"} | _BLENDER,
    bone_ends=_sides({"*_wrist": "f_middle.01.*"}, "L", "R"),
    reference="found",
)
# Blender's Rigify, whose pelvis is the first joint of the spine.
RIGIFY = SkeletonMap(
    name="rigify",
    joints={"pelvis": "spine", **_spine("spine.001 spine.002 spine.003"), "neck": "spine.004", "head": "spine.006"}
    | _BLENDER,
    bone_ends=_sides({"*_wrist": "f_middle.01.*"}, "L", "R"),
    reference="found",
)
SKELETONS: dict[str, SkeletonMap] = {
    skeleton.name: skeleton
    for skeleton in (
        CMU_DAZ, SMPL_BODY, CMU_MOTIONBUILDER, MIXAMO, MIXAMO_WITHOUT_FINGERS, LAFAN1, HUMAN_IK, HUMAN_IK_LONG,
        BANDAI_NAMCO, XSENS, CLASSIC, BIPED, SMPL_PALMS, SMPL_LETTERS, SOMA, FREEMOCAP, RIGIFY,
    )
}  # fmt: skip
