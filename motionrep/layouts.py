"""Names and order of joints in the layouts of the field, and their conversion to Human3.6M-17.

`layouts.json` holds those that need no more than their bones. Their orders are those of the projects that define them:
MMPose's `configs/_base_/datasets` (coco_wholebody, halpe, crowdpose, mpii, jhmdb, posetrack18, aic), the README of
Halpe-FullBody (halpe_136; halpe_68 has no face), OpenPose's `poseParameters.cpp` (BODY_25B, MPI), and `k4abt_joint_id_t` of
the Azure Kinect SDK. The sides of the face's points follow the `swap` fields of MMPose's coco_wholebody.
"""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Recipe = dict[str, dict[str, float]]
CocoRecipe = Literal["motionbert", "mhformer"]


@dataclass(frozen=True)
class JointLayout:
    """Names of the joints of a skeleton, in the order in which files and tensors hold them.

    `left_x` and `right_x` are mirror images of each other. `parents` names the other end of each joint's bone; it is ""
    for a joint without one. Names may be any. Those that `plain_joint_name` understands are enough for the conversion to
    Human3.6M-17; `recipe` says how to make the others of Human3.6M's joints (weights by name of this layout's joints).
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[str, ...]
    recipe: Recipe = field(default_factory=dict, compare=False, repr=False)

    @property
    def joint_count(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint. Raises ValueError with the nearest known name."""
        if joint not in self.joints:
            hint = _did_you_mean(joint, self.joints)
            raise ValueError(f"layout {self.name!r} has no joint {joint!r}{hint} (joints: {', '.join(self.joints)})")
        return self.joints.index(joint)

    @cached_property
    def parent_indices(self) -> tuple[int, ...]:
        """Index of each joint's parent, -1 for a joint without one."""
        return tuple(self.joints.index(p) if p else -1 for p in self.parents)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (joint, parent)."""
        return tuple((j, p) for j, p in enumerate(self.parent_indices) if p >= 0)

    @cached_property
    def flip_indices(self) -> tuple[int, ...]:
        """Index of each joint's mirror image: `mirrored = xy[..., flip_indices, :]`.

        Raises:
            ValueError: A joint of one side has no partner on the other.
        """
        place = {plain_joint_name(joint): j for j, joint in enumerate(self.joints)}
        place |= {joint: j for j, joint in enumerate(self.joints)}
        found = []
        for j, joint in enumerate(self.joints):
            plain = joint if mirror_name(joint) != joint else plain_joint_name(joint)
            mirrored = mirror_name(plain)
            if mirrored != plain and mirrored not in place:
                raise ValueError(f"layout {self.name!r}: {joint} has no partner on the other side; leave it out")
            found.append(j if mirrored == plain else place[mirrored])
        return tuple(found)

    @cached_property
    def side_pairs(self) -> tuple[tuple[int, int], ...]:
        """Left joints with their partners on the right, of those that have one."""
        place = {plain_joint_name(joint): j for j, joint in enumerate(self.joints)}
        left = [(plain, j) for plain, j in place.items() if plain.startswith("left_")]
        return tuple((j, place[mirror_name(plain)]) for plain, j in left if mirror_name(plain) in place)


def mirror_name(joint: str) -> str:
    """`left_knee` for `right_knee` and vice versa; midline joints keep their name."""
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    if joint.startswith("right_"):
        return "left_" + joint.removeprefix("right_")
    return joint


_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right", "lt": "left", "rt": "right"}
_MIDDLE = {
    **dict.fromkeys(("pelvis", "hip", "hips", "midhip", "midhips", "mhip", "root", "hipcenter", "centerhip", "spinebase"), "pelvis"),
    **dict.fromkeys(("thorax", "spineshoulder", "midshoulder", "midshoulders", "shouldercenter"), "thorax"),
    **dict.fromkeys(("spine", "spinemid", "midspine", "belly", "torso", "abdomen"), "spine"),
    **dict.fromkeys(("headtop", "tophead", "topofhead", "crown", "vertex", "skull"), "head_top"),
    "upperneck": "upper_neck", "headbottom": "head_bottom",
}  # fmt: skip
_LIMBS = {
    **{part: part for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "hand", "foot")},
    **{part.replace("_", ""): part for part in ("big_toe", "small_toe", "eye_inner", "eye_outer", "hand_tip", "foot_index")},
    **{part: part for part in ("mouth", "thumb", "index", "pinky", "clavicle", "toe", "collar")},
    **dict.fromkeys(("sho", "shldr", "shld", "should", "shoulders"), "shoulder"), "elb": "elbow", "wri": "wrist", "kne": "knee", "ank": "ankle",
    "littletoe": "small_toe", "tiphand": "hand_tip",
}  # fmt: skip

# k4: Azure Kinect's K4ABT_JOINT_...
_NO_NAMES = ("joint", "keypoint", "kp", "kpt", "landmark", "type", "k4", "abt", "pose", "body", "person")


@cache
def plain_joint_name(name: str) -> str:
    """A joint's name as most layouts here spell it: left_shoulder for LShoulder, l_sho or "Shoulder Left", pelvis for MidHip.

    A name that is not understood comes back in small letters with underscores.
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+", " ", name).lower().split()
    words = [word for word in split if word not in _NO_NAMES] or split
    if len(words) > 1 and words[0].isdecimal():  # its number
        words = words[1:]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = [word for word in words if word not in _SIDES]
    if not sides and (glued := re.fullmatch(r"(left|right|l|r)(.+)", "".join(rest))) and glued[2] in _LIMBS:
        sides, rest = [_SIDES[glued[1]]], [glued[2]]
    elif not sides and (glued := re.fullmatch(r"(.+)(left|right)", "".join(rest))) and glued[1] in _LIMBS:
        sides, rest = [_SIDES[glued[2]]], [glued[1]]
    if len(sides) != 1 or not rest:
        return _MIDDLE.get("".join(words), "_".join(words))
    return f"{sides[0]}_{_LIMBS.get(''.join(rest), '_'.join(rest))}"


def _layout(name: str, bones: str) -> JointLayout:
    """`bones` lists "joint<parent" in order; l_ and r_ stand for left_ and right_."""
    long = re.sub(r"\br_", "right_", re.sub(r"\bl_", "left_", bones)).split()
    pairs = [item.partition("<") for item in long]
    return JointLayout(name, tuple(p[0] for p in pairs), tuple(p[2] for p in pairs))


H36M_17 = _layout(
    "h36m_17",
    "pelvis r_hip<pelvis r_knee<r_hip r_ankle<r_knee l_hip<pelvis l_knee<l_hip l_ankle<l_knee spine<pelvis thorax<spine "
    "nose<thorax head<nose l_shoulder<thorax l_elbow<l_shoulder l_wrist<l_elbow r_shoulder<thorax r_elbow<r_shoulder r_wrist<r_elbow",
)
_COCO_BONES = (
    "nose l_eye<nose r_eye<nose l_ear<l_eye r_ear<r_eye l_shoulder<l_ear r_shoulder<r_ear l_elbow<l_shoulder r_elbow<r_shoulder "
    "l_wrist<l_elbow r_wrist<r_elbow l_hip<l_shoulder r_hip<r_shoulder l_knee<l_hip r_knee<r_hip l_ankle<l_knee r_ankle<r_knee"
)
COCO_17 = _layout("coco_17", _COCO_BONES)
HALPE_26 = _layout(
    "halpe_26",
    "nose<neck l_eye<nose r_eye<nose l_ear<l_eye r_ear<r_eye l_shoulder<neck r_shoulder<neck l_elbow<l_shoulder r_elbow<r_shoulder "
    "l_wrist<l_elbow r_wrist<r_elbow l_hip<hip r_hip<hip l_knee<l_hip r_knee<r_hip l_ankle<l_knee r_ankle<r_knee "
    "head<neck neck<hip hip l_big_toe<l_ankle r_big_toe<r_ankle l_small_toe<l_ankle r_small_toe<r_ankle l_heel<l_ankle r_heel<r_ankle",
)
OPENPOSE_25 = _layout(
    "openpose_25",
    "nose<neck neck<mid_hip r_shoulder<neck r_elbow<r_shoulder r_wrist<r_elbow l_shoulder<neck l_elbow<l_shoulder l_wrist<l_elbow "
    "mid_hip r_hip<mid_hip r_knee<r_hip r_ankle<r_knee l_hip<mid_hip l_knee<l_hip l_ankle<l_knee r_eye<nose l_eye<nose r_ear<r_eye "
    "l_ear<l_eye l_big_toe<l_ankle l_small_toe<l_ankle l_heel<l_ankle r_big_toe<r_ankle r_small_toe<r_ankle r_heel<r_ankle",
)
OPENPOSE_18 = _layout(
    "openpose_18",
    "nose<neck neck r_shoulder<neck r_elbow<r_shoulder r_wrist<r_elbow l_shoulder<neck l_elbow<l_shoulder l_wrist<l_elbow r_hip<neck "
    "r_knee<r_hip r_ankle<r_knee l_hip<neck l_knee<l_hip l_ankle<l_knee r_eye<nose l_eye<nose r_ear<r_eye l_ear<l_eye",
)
SMPL_24 = _layout(
    "smpl_24",
    "pelvis l_hip<pelvis r_hip<pelvis spine1<pelvis l_knee<l_hip r_knee<r_hip spine2<spine1 l_ankle<l_knee r_ankle<r_knee spine3<spine2 "
    "l_foot<l_ankle r_foot<r_ankle neck<spine3 l_collar<spine3 r_collar<spine3 head<neck l_shoulder<l_collar r_shoulder<r_collar "
    "l_elbow<l_shoulder r_elbow<r_shoulder l_wrist<l_elbow r_wrist<r_elbow l_hand<l_wrist r_hand<r_wrist",
)
NTU_25 = _layout(
    "ntu_25",
    "spine_base spine_mid<spine_base neck<spine_shoulder head<neck l_shoulder<spine_shoulder l_elbow<l_shoulder l_wrist<l_elbow "
    "l_hand<l_wrist r_shoulder<spine_shoulder r_elbow<r_shoulder r_wrist<r_elbow r_hand<r_wrist l_hip<spine_base l_knee<l_hip "
    "l_ankle<l_knee l_foot<l_ankle r_hip<spine_base r_knee<r_hip r_ankle<r_knee r_foot<r_ankle spine_shoulder<spine_mid "
    "l_hand_tip<l_hand l_thumb<l_wrist r_hand_tip<r_hand r_thumb<r_wrist",
)
MEDIAPIPE_33 = _layout(
    "mediapipe_33",
    "nose l_eye_inner<nose l_eye<l_eye_inner l_eye_outer<l_eye r_eye_inner<nose r_eye<r_eye_inner r_eye_outer<r_eye l_ear<l_eye_outer "
    "r_ear<r_eye_outer l_mouth<nose r_mouth<nose l_shoulder r_shoulder<l_shoulder l_elbow<l_shoulder r_elbow<r_shoulder l_wrist<l_elbow "
    "r_wrist<r_elbow l_pinky<l_wrist r_pinky<r_wrist l_index<l_wrist r_index<r_wrist l_thumb<l_wrist r_thumb<r_wrist l_hip<l_shoulder "
    "r_hip<r_shoulder l_knee<l_hip r_knee<r_hip l_ankle<l_knee r_ankle<r_knee l_heel<l_ankle r_heel<r_ankle l_foot_index<l_heel "
    "r_foot_index<r_heel",
)
MPI_INF_3DHP_28 = _layout(
    "mpi_inf_3dhp_28",
    "spine3<spine2 spine4<spine3 spine2<spine spine<pelvis pelvis neck<spine4 head<neck head_top<head l_clavicle<spine4 "
    "l_shoulder<l_clavicle l_elbow<l_shoulder l_wrist<l_elbow l_hand<l_wrist r_clavicle<spine4 r_shoulder<r_clavicle r_elbow<r_shoulder "
    "r_wrist<r_elbow r_hand<r_wrist l_hip<pelvis l_knee<l_hip l_ankle<l_knee l_foot<l_ankle l_toe<l_foot r_hip<pelvis r_knee<r_hip "
    "r_ankle<r_knee r_foot<r_ankle r_toe<r_foot",
)
MPI_INF_3DHP_17 = _layout(
    "mpi_inf_3dhp_17",
    "head_top<head neck<spine r_shoulder<neck r_elbow<r_shoulder r_wrist<r_elbow l_shoulder<neck l_elbow<l_shoulder l_wrist<l_elbow "
    "r_hip<pelvis r_knee<r_hip r_ankle<r_knee l_hip<pelvis l_knee<l_hip l_ankle<l_knee pelvis spine<pelvis head<neck",
)

# Microsoft's Kinect v2, with which NTU RGB+D was recorded.
KINECT_V2_25 = replace(NTU_25, name="kinect_v2_25")
_OTHERS = [
    _layout(name, bones)
    for name, bones in json.loads((Path(__file__).parent / "layouts.json").read_text(encoding="utf-8")).items()
]

LAYOUTS: dict[str, JointLayout] = {
    layout.name: layout
    for layout in (
        H36M_17, COCO_17, HALPE_26, OPENPOSE_25, OPENPOSE_18, SMPL_24, NTU_25, MEDIAPIPE_33, MPI_INF_3DHP_17, MPI_INF_3DHP_28,
        KINECT_V2_25, *_OTHERS,
    )
}  # fmt: skip
OPENPOSE_25B = LAYOUTS["openpose_25b"]

_MID_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_MID_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_MID_TRUNK = {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25}
_MID_EYES = {"left_eye": 0.5, "right_eye": 0.5}

# Weights for the joints of Human3.6M that a layout lacks or names differently. Layouts with a face but no head follow
# MotionBERT's readers (nose as joint 9, middle of the eyes as joint 10), as published checkpoints were trained.
_H36M_17_RECIPES: dict[str, Recipe] = {
    "h36m_17": {},
    "coco_17": {"pelvis": _MID_HIPS, "spine": _MID_TRUNK, "thorax": _MID_SHOULDERS, "head": _MID_EYES},
    "halpe_26": {"pelvis": {"hip": 1}, "spine": {"hip": 0.5, "neck": 0.5}, "thorax": {"neck": 1}},
    "openpose_25": {
        "pelvis": {"mid_hip": 1}, "spine": {"mid_hip": 0.5, "neck": 0.5}, "thorax": {"neck": 1}, "head": _MID_EYES,
    },
    "openpose_18": {"pelvis": _MID_HIPS, "spine": _MID_TRUNK, "thorax": {"neck": 1}, "head": _MID_EYES},
    "mediapipe_33": {"pelvis": _MID_HIPS, "spine": _MID_TRUNK, "thorax": _MID_SHOULDERS, "head": _MID_EYES},
    "smpl_24": {
        "pelvis": _MID_HIPS, "spine": {"spine1": 0.7, "spine2": 0.3}, "thorax": {"neck": 1},
        "nose": {"head": 1.5, "neck": -0.5}, "head": {"head": 2.8, "neck": -1.8},
    },
    "ntu_25": {
        "pelvis": _MID_HIPS, "spine": {"spine_mid": 1}, "thorax": {"spine_shoulder": 1}, "nose": {"head": 0.75, "neck": 0.25},
    },
    "mpi_inf_3dhp_28": {"pelvis": {"pelvis": 1}, "thorax": {"neck": 1}, "nose": {"head": 1}, "head": {"head_top": 1}},
    "mpi_inf_3dhp_17": {"thorax": {"neck": 1}, "nose": {"head": 1}, "head": {"head_top": 1}},
    "jhmdb_15": {"nose": {"head": 1}, "head": {"head": 2, "neck": -1}},  # its head is the middle of the head
    "kinect_azure_32": {"spine": {"spine_navel": 0.5, "spine_chest": 0.5}, "head": _MID_EYES},
}  # fmt: skip
_H36M_17_RECIPES["kinect_v2_25"] = _H36M_17_RECIPES["ntu_25"]
# How to make Human3.6M's joints of what another layout has, by plain names; the first that it has the joints for.
_BY_NAME: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": (_MID_HIPS,),
    "thorax": ({"neck": 1}, {"head_bottom": 1}, _MID_SHOULDERS),
    "spine": (
        {"pelvis": 0.5, "thorax": 0.5}, {"pelvis": 0.5, "neck": 0.5},
        {"left_hip": 0.25, "right_hip": 0.25, "neck": 0.5}, {"left_hip": 0.25, "right_hip": 0.25, "head_bottom": 0.5},
        {"pelvis": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25}, _MID_TRUNK,
    ),
    "nose": (
        {"upper_neck": 0.5, "head_top": 0.5}, {"neck": 0.5, "head_top": 0.5}, {"neck": 0.5, "head": 0.5},
        {"thorax": 0.5, "head_top": 0.5}, {"thorax": 0.5, "head": 0.5}, {"left_ear": 0.5, "right_ear": 0.5}, _MID_EYES,
    ),
    "head": ({"head_top": 1}, _MID_EYES, {"left_ear": 0.5, "right_ear": 0.5}),
}  # fmt: skip
NEEDED_JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")

# The other conversion of COCO-17 in use, for x and for y. It is that of MHFormer's demo (CVPR 2022,
# demo/lib/preprocess.py), from which others descend, such as MotionAGFormer's. Copies differ in how far they move the
# spine sideways.
_NOSE_TO_SHOULDERS = {"nose": 0.75, "left_shoulder": 0.125, "right_shoulder": 0.125}
_MHFORMER_RECIPES: tuple[Recipe, Recipe] = (
    {
        "pelvis": _MID_HIPS, "nose": _NOSE_TO_SHOULDERS,
        "spine": {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 5 / 12, "right_shoulder": 5 / 12, "nose": -1 / 3},
        "thorax": {"left_shoulder": 1 / 3, "right_shoulder": 1 / 3, "nose": 1 / 3},
        "head": {"left_eye": 0.25, "right_eye": 0.25, "left_ear": 0.25, "right_ear": 0.25},
    },
    {
        "pelvis": _MID_HIPS, "nose": _NOSE_TO_SHOULDERS, "spine": _MID_TRUNK,
        "thorax": {"left_shoulder": 1 / 3, "right_shoulder": 1 / 3, "nose": 1, "left_eye": -1 / 3, "right_eye": -1 / 3},
        "head": {"left_eye": 1, "right_eye": 1, "nose": -1},
    },
)  # fmt: skip


def find_layout(name: str) -> JointLayout:
    """The layout of that name. Raises ValueError that lists the known ones."""
    if name not in LAYOUTS:
        hint = _did_you_mean(name, LAYOUTS)
        raise ValueError(f"unknown layout {name!r}{hint} (known: {', '.join(LAYOUTS)})")
    return LAYOUTS[name]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def h36m_17_weights(layout: JointLayout) -> Float[Tensor, "17 joints"]:
    """Weights that make the Human3.6M-17 points from a layout's points: `h36m = weights @ points`.

    Rows sum to 1; that of a joint which cannot be made is 0.

    Raises:
        ValueError: The layout has no shoulders or hips; or as `_recipe_weights`.
    """
    known = LAYOUTS.get(layout.name) == layout and not layout.recipe
    weights = _recipe_weights(_H36M_17_RECIPES.get(layout.name, {}) if known else layout.recipe, layout)
    if lacking := [joint for joint in NEEDED_JOINTS if not weights[H36M_17.index(joint)].any()]:
        raise ValueError(
            f"no conversion from layout {layout.name!r} to h36m_17 (known: {', '.join(LAYOUTS)}): its joints "
            f"{', '.join(layout.joints[:30])} lack {', '.join(lacking)}; give them such names, or a recipe"
        )
    return weights


def _recipe_weights(recipe: Recipe, layout: JointLayout) -> Float[Tensor, "17 joints"]:
    """Weights by recipe, or else by the joints' names. Raises ValueError for a joint that the layout lacks."""
    weights = torch.zeros(H36M_17.joint_count, layout.joint_count)
    plain = {plain_joint_name(joint): joint for joint in reversed(layout.joints)}
    for row, joint in enumerate(H36M_17.joints):
        ways = [recipe[joint]] if joint in recipe else [{joint: 1.0}, *_BY_NAME.get(joint, ())]
        for way in ways:
            sources = {source if source in layout.joints else plain.get(source, source): w for source, w in way.items()}
            if joint in recipe or set(sources) <= set(layout.joints):
                for source, weight in sources.items():
                    weights[row, layout.index(source)] = weight
                break
    return weights


def to_h36m_17(
    point: Float[Tensor, "*batch joints dim"],
    confidence: Float[Tensor, "*batch joints"],
    layout: JointLayout,
    coco_recipe: CocoRecipe = "motionbert",
) -> tuple[Float[Tensor, "*batch 17 dim"], Float[Tensor, "*batch 17"]]:
    """Points and confidence in Human3.6M-17 order.

    A point made of several joints has the smallest of their confidences. It is unseen (0) if one of them is, or if the
    layout has nothing to make it of.

    Args:
        coco_recipe: How spine, thorax, nose and head are made of COCO-17; encoders declare it. Other layouts have one
            conversion. "mhformer" is for points in an image, x to the right and y down.

    Raises:
        ValueError: No conversion is known, or "mhformer" was asked for other than 2D points.
    """
    if coco_recipe == "mhformer" and layout == COCO_17:
        if point.shape[-1] != 2:
            raise ValueError(f"coco_recipe 'mhformer' is for 2D points, got {point.shape[-1]} dimensions")
        for_x, for_y = (_recipe_weights(recipe, layout).to(point) for recipe in _MHFORMER_RECIPES)
        used = (for_x != 0) | (for_y != 0)
        converted = torch.cat([for_x @ point[..., :1], for_y @ point[..., 1:]], -1)
    else:
        weights = h36m_17_weights(layout).to(point)
        used = weights != 0
        converted = weights @ point
    candidates = confidence.unsqueeze(-2).expand(*confidence.shape[:-1], H36M_17.joint_count, layout.joint_count)
    lowest = candidates.masked_fill(~used, torch.inf).amin(-1).where(used.any(-1), 0)
    return converted, lowest


def flip_index_tensor(layout: JointLayout, device: torch.device | None = None) -> Int[Tensor, " joints"]:
    """`layout.flip_indices` as a tensor."""
    return torch.tensor(layout.flip_indices, device=device)
