"""The points of other joint layouts on a body: one matrix per layout over joints and landmark vertices.

Shoulders and the limb joints below shoulders and hips are the body's own joints in every layout. These are vertices of
the surface: eyes, ears, mouth, toes, heels, knuckles, fingertips, the nose of all layouts but `h36m_17`, and the top of
the head (`head` of `h36m_17` and `halpe_26`, `head_top` of `mpi_inf_3dhp_*`). The rest:

- hips: half-way up from the hip joints to the pelvis joint, and 0.133 m to either side, as in Human3.6M. Detectors put
  them closer together: 0.111 m to either side in the layouts of COCO, Halpe and OpenPose, 0.096 m in `mediapipe_33`, as
  triangulated from their detections in videos of one man (223 and 192 mm apart), and 0.078 m in `ntu_25`.
- pelvis, hip (`halpe_26`), mid_hip (`openpose_25`), spine_base (`ntu_25`): the middle of those hips.
- thorax (`h36m_17`), neck (`halpe_26`, `mpi_inf_3dhp_*`), spine_shoulder (`ntu_25`): base of the neck, just above the
  line between the shoulders. It moves with the chest, not with the arms.
- neck (`openpose_*`): the middle of the shoulders, as that detector was trained.
- spine (`h36m_17`, `mpi_inf_3dhp_*`), spine_mid (`ntu_25`): on the spine, 48 % of the way up from the pelvis to the
  thorax.
- nose (`h36m_17`), head (`mpi_inf_3dhp_*`, `ntu_25`): the middle of the head, below its top and at the height of the
  nose. It turns with the head.
- corners of the eyes (`mediapipe_33`): on the line through both eyes; thumb (`mediapipe_33`): 60 % of the way from the
  wrist to the tip of the thumb.

The weights of spine and head are solved on the body's mean shape. Other layouts have the points that the names of their
joints tell (`regressor_by_name`).
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.layouts import (
    COCO_17,
    H36M_17,
    HALPE_26,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    NTU_25,
    OPENPOSE_18,
    OPENPOSE_25,
    SMPL_24,
    JointLayout,
    plain_joint_name,
)

LANDMARKS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_small_toe",
    "right_small_toe", "left_heel", "right_heel", "head_top", "left_mouth", "right_mouth", "left_thumb_tip",
    "right_thumb_tip", "left_index", "right_index", "left_pinky", "right_pinky", "left_hand_tip", "right_hand_tip",
)  # fmt: skip

_SOURCES = (*SMPL_24.joints, *LANDMARKS)
# All points that a body has by itself, as a layout.
JOINTS_AND_LANDMARKS = JointLayout("joints_and_landmarks", _SOURCES, (*SMPL_24.parents, *[""] * len(LANDMARKS)))
_MID_HIPS = {"left_hip": 0.25, "right_hip": 0.25, "pelvis": 0.5}
_HALF_HIP_WIDTH_M, _KINECT_HALF_HIP_WIDTH_M = 0.133, 0.078
_COCO_HALF_HIP_WIDTH_M, _MEDIAPIPE_HALF_HIP_WIDTH_M = 0.111, 0.096
_THORAX = {"left_collar": 0.325, "right_collar": 0.325, "neck": 0.35}
_MID_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
# Human3.6M's standard skeleton: pelvis to spine 0.233 m, spine to thorax 0.257 m.
_SPINE_FRACTION = 0.233 / (0.233 + 0.257)
_EYE_CORNER = 0.24  # half the width of an eye over the distance between the eyes

Recipe = dict[str, dict[str, float]]


def layout_regressors(
    joint_m: Float[Tensor, "24 3"], landmark_m: Float[Tensor, "landmarks 3"]
) -> dict[str, Float[Tensor, "joints sources"]]:
    """Matrix of each layout, by its name, from the rest pose of the mean shape; rows sum to 1."""
    source_m = torch.cat([joint_m, landmark_m])
    hips, kinect_hips, coco_hips, mediapipe_hips = (
        _hip_recipes(joint_m, half)
        for half in (_HALF_HIP_WIDTH_M, _KINECT_HALF_HIP_WIDTH_M, _COCO_HALF_HIP_WIDTH_M, _MEDIAPIPE_HALF_HIP_WIDTH_M)
    )
    spine, middle_of_head = _spine_recipe(source_m), _middle_of_head_recipe(source_m)
    head_top = {"head_top": 1.0}
    captury = hips | {
        "pelvis": _MID_HIPS, "spine": spine, "neck": _THORAX, "head": middle_of_head,
        "spine4": {"spine3": 0.5, "neck": 0.5},
        **_sides({"_clavicle": "_collar", "_toe": "_big_toe"}),
    }  # fmt: skip
    recipes: dict[JointLayout, Recipe] = {
        H36M_17: hips
        | {"pelvis": _MID_HIPS, "spine": spine, "thorax": _THORAX, "nose": middle_of_head, "head": head_top},
        COCO_17: coco_hips,
        HALPE_26: coco_hips | {"head": head_top, "neck": _THORAX, "hip": _MID_HIPS},
        SMPL_24: {},
        OPENPOSE_25: coco_hips | {"neck": _MID_SHOULDERS, "mid_hip": _MID_HIPS},
        OPENPOSE_18: coco_hips | {"neck": _MID_SHOULDERS},
        NTU_25: kinect_hips
        | {"spine_base": _MID_HIPS, "spine_mid": spine, "spine_shoulder": _THORAX, "head": middle_of_head}
        | _sides({"_thumb": "_thumb_tip"}),
        MEDIAPIPE_33: mediapipe_hips | _mediapipe_recipes(),
        MPI_INF_3DHP_17: captury,
        MPI_INF_3DHP_28: captury,
        JOINTS_AND_LANDMARKS: {},
    }
    return {
        layout.name: torch.stack([_row(recipe.get(joint, {joint: 1.0})) for joint in layout.joints]).to(joint_m)
        for layout, recipe in recipes.items()
    }


# Where the points of other layouts are taken from, by plain names; the first that has one counts. The head of
# Human3.6M is its top, that of the others named here its middle. The joint below a body's head is where skull and neck
# meet.
_NAMED = (COCO_17, HALPE_26, H36M_17, MEDIAPIPE_33, NTU_25)
_MORE: Recipe = {
    "upper_neck": {"head": 1}, "head_bottom": {"head": 1}, "spine_navel": {"spine1": 0.5, "spine2": 0.5},
    "spine_chest": {"spine3": 1}, "left_clavicle": {"left_collar": 1}, "right_clavicle": {"right_collar": 1},
    **{
        f"{side}_{name}": {f"{side}_{source}": 1}
        for side in ("left", "right")
        for name, source in (  # of the hands of Halpe-136 and COCO-WholeBody
            ("hand_root", "wrist"), ("thumb4", "thumb_tip"), ("forefinger1", "index"), ("pinky_finger1", "pinky"),
            ("middle_finger4", "hand_tip"),
        )
    },
}  # fmt: skip
_MIDDLE_HEADS = ("jhmdb_15", "kinect_azure_32")


def regressor_by_name(
    layout: JointLayout, regressors: Mapping[str, Float[Tensor, "_ sources"]]
) -> Float[Tensor, "joints sources"]:
    """Matrix of a layout from those of `layout_regressors`, by names of joints; 0 for joints without a point."""
    rows = {}
    for known in reversed(_NAMED):
        rows |= {plain_joint_name(j): row for j, row in zip(known.joints, regressors[known.name], strict=True)}
    rows |= {joint: _row(recipe).to(rows["head"]) for joint, recipe in _MORE.items()}
    rows["head_top"] = regressors["h36m_17"][H36M_17.index("head")]
    if layout.name in _MIDDLE_HEADS:
        rows["head"] = regressors["h36m_17"][H36M_17.index("nose")]
    nothing = torch.zeros_like(rows["head"])
    return torch.stack([rows.get(plain_joint_name(joint), nothing) for joint in layout.joints])


def find_landmarks(vertex_m: Float[Tensor, "vertices 3"], weights: Float[Tensor, "vertices 24"]) -> dict[str, int]:
    """Landmark vertices by geometry, for a body in the T-pose that faces +z with y up and its left at +x.

    - Top of the head: the highest vertex.
    - Nose: the foremost vertex of the head. Ears: the outermost ones above the nose.
    - Eyes: in front of the ears, nearest to 0.35 of the distance from the midline to the ear and 0.29 of that from the
      nose to the top of the head, as on the open body. Corners of the mouth: likewise at 0.28, and 0.19 below the nose.
    - Heel: the rearmost vertex in the lowest 4 cm of the foot. Toes: the foremost there, the big toe also to the inside
      and the small one to the outside.
    - Fingers: of the four that move with the hand joint, the outermost vertex (`hand_tip`) and those nearest to the
      body in front (knuckle of the `index`) and behind (`pinky`).
    - Tip of the thumb: the vertex of the wrist that is furthest out and to the front.
    """
    part = weights.argmax(1)
    found = {"head_top": int(vertex_m[:, 1].argmax())}

    def furthest(score: Tensor, where: Tensor) -> int:
        return int(score.masked_fill(~where, -torch.inf).argmax())

    head = part == SMPL_24.index("head")
    found["nose"] = furthest(vertex_m[:, 2] - vertex_m[:, 0].abs(), head)
    nose_m, head_top_m = vertex_m[found["nose"]], vertex_m[found["head_top"]]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        out, up, front = (vertex_m * vertex_m.new_tensor([sign, 1.0, 1.0])).unbind(1)
        ear = furthest(out, head & (up > nose_m[1]))
        face, forehead_m = head & (front > vertex_m[ear, 2]), head_top_m[1] - nose_m[1]
        for name, outward, upward in (("eye", 0.35, 0.29), ("mouth", 0.28, -0.19)):
            wanted = torch.stack([outward * out[ear], nose_m[1] + upward * forehead_m])
            found[f"{side}_{name}"] = furthest(-torch.stack([out, up], 1).sub(wanted).norm(dim=1), face)
        foot = (part == SMPL_24.index(f"{side}_foot")) | (part == SMPL_24.index(f"{side}_ankle"))
        low = foot & (up < up.min() + 0.04)
        found[f"{side}_ear"] = ear
        found[f"{side}_heel"] = furthest(-front, low)
        found[f"{side}_big_toe"] = furthest(front - 0.5 * out, low)
        found[f"{side}_small_toe"] = furthest(front + out, low)
        fingers = part == SMPL_24.index(f"{side}_hand")
        found[f"{side}_hand_tip"] = furthest(out, fingers)
        found[f"{side}_index"] = furthest(front - 2 * out, fingers)
        found[f"{side}_pinky"] = furthest(-front - 2 * out, fingers)
        found[f"{side}_thumb_tip"] = furthest(out + 0.8 * front, part == SMPL_24.index(f"{side}_wrist"))
    return found


def _row(recipe: dict[str, float]) -> Tensor:
    row = torch.zeros(len(_SOURCES))
    for source, weight in recipe.items():
        row[_SOURCES.index(source)] = weight
    return row


def _sides(names: dict[str, str]) -> Recipe:
    """Points that are one source under another name, left and right."""
    return {side + ours: {side + source: 1.0} for ours, source in names.items() for side in ("left", "right")}


def _mediapipe_recipes() -> Recipe:
    recipes: Recipe = _sides({"_foot_index": "_big_toe"})
    for side, other in (("left", "right"), ("right", "left")):
        recipes[f"{side}_eye_inner"] = {f"{side}_eye": 1 - _EYE_CORNER, f"{other}_eye": _EYE_CORNER}
        recipes[f"{side}_eye_outer"] = {f"{side}_eye": 1 + _EYE_CORNER, f"{other}_eye": -_EYE_CORNER}
        recipes[f"{side}_thumb"] = {f"{side}_thumb_tip": 0.6, f"{side}_wrist": 0.4}
    return recipes


def _hip_recipes(joint_m: Tensor, half_width_m: float) -> Recipe:
    """Hips at the wanted distance from the middle, which is `_MID_HIPS`."""
    left, right = SMPL_24.index("left_hip"), SMPL_24.index("right_hip")
    outward = half_width_m / float((joint_m[left] - joint_m[right]).norm())
    near, far = 0.25 + outward, 0.25 - outward
    return {
        "left_hip": {"left_hip": near, "right_hip": far, "pelvis": 0.5},
        "right_hip": {"right_hip": near, "left_hip": far, "pelvis": 0.5},
    }


def _spine_recipe(source_m: Tensor) -> dict[str, float]:
    """Blend of the two lower spine joints at the wanted height."""
    height_m = source_m[:, 1]
    pelvis, thorax = (float(_row(recipe).to(height_m) @ height_m) for recipe in (_MID_HIPS, _THORAX))
    low, high = (float(height_m[_SOURCES.index(joint)]) for joint in ("spine1", "spine2"))
    weight = (pelvis + _SPINE_FRACTION * (thorax - pelvis) - low) / (high - low)
    return {"spine1": 1 - weight, "spine2": weight}


def _middle_of_head_recipe(source_m: Tensor) -> dict[str, float]:
    """Smallest affine weights, equal left and right, of a point as high as the nose and as deep as the head's top."""
    groups = (("head",), ("nose",), ("head_top",), ("left_eye", "right_eye"), ("left_ear", "right_ear"))
    group_m = torch.stack([source_m[[_SOURCES.index(name) for name in group]].mean(0) for group in groups])
    _, height_m, depth_m = group_m.unbind(1)
    equations = torch.stack([torch.ones_like(height_m), height_m, depth_m]).double()
    wanted = torch.stack([torch.ones_like(height_m[0]), height_m[1], depth_m[2]]).double()
    weights = torch.linalg.pinv(equations) @ wanted
    return {name: float(w) / len(group) for group, w in zip(groups, weights, strict=True) for name in group}
