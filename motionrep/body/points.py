"""Where the points of other joint layouts sit on a body: one matrix per layout over joints and landmark vertices.

Limb joints below the hips and shoulders are the body's joint centres in every layout; eyes, ears, the nose of `coco_17`
and `halpe_26`, the top of the head (`head` of `h36m_17` and `halpe_26`), toes and heels are vertices of the surface.
The rest:

- hips (`h36m_17`, `coco_17`, `halpe_26`): 0.133 m to either side, as in Human3.6M, and half-way up from the hip joints
  to the pelvis joint; data sets and detectors put them there, and body models lower and closer together.
- pelvis (`h36m_17`), hip (`halpe_26`): the middle of those hips.
- thorax (`h36m_17`), neck (`halpe_26`): base of the neck, just above the line between the shoulders. It moves with the
  chest, not with the arms.
- spine (`h36m_17`): on the spine, 48 % of the way up from the pelvis to the thorax.
- nose (`h36m_17`): the middle of the head, below its top and at the height of the nose. It turns with the head.

The weights of the last two are solved on the body's mean shape.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.layouts import COCO_17, H36M_17, HALPE_26, SMPL_24

LANDMARKS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_small_toe",
    "right_small_toe", "left_heel", "right_heel", "head_top",
)  # fmt: skip

_SOURCES = (*SMPL_24.joints, *LANDMARKS)
_MID_HIPS = {"left_hip": 0.25, "right_hip": 0.25, "pelvis": 0.5}
_HALF_HIP_WIDTH_M = 0.133
_THORAX = {"left_collar": 0.325, "right_collar": 0.325, "neck": 0.35}
# Human3.6M's standard skeleton: pelvis to spine 0.233 m, spine to thorax 0.257 m.
_SPINE_FRACTION = 0.233 / (0.233 + 0.257)


def layout_regressors(
    joint_m: Float[Tensor, "24 3"], landmark_m: Float[Tensor, "landmarks 3"]
) -> dict[str, Float[Tensor, "joints sources"]]:
    """Matrix of each layout, by its name, from the rest pose of the mean shape; rows sum to 1."""
    source_m = torch.cat([joint_m, landmark_m])
    head_top = {"head_top": 1.0}
    hips = _hip_recipes(joint_m)
    recipes = {
        H36M_17: hips
        | {
            "pelvis": _MID_HIPS,
            "spine": _spine_recipe(source_m),
            "thorax": _THORAX,
            "nose": _middle_of_head_recipe(source_m),
            "head": head_top,
        },
        COCO_17: hips,
        HALPE_26: hips | {"head": head_top, "neck": _THORAX, "hip": _MID_HIPS},
        SMPL_24: {},
    }
    return {
        layout.name: torch.stack([_row(recipe.get(joint, {joint: 1.0})) for joint in layout.joints]).to(joint_m)
        for layout, recipe in recipes.items()
    }


def find_landmarks(vertex_m: Float[Tensor, "vertices 3"], weights: Float[Tensor, "vertices 24"]) -> dict[str, int]:
    """Landmark vertices by geometry, for a body in the T-pose that faces +z with y up and its left at +x.

    Top of the head: highest vertex. Nose: front-most vertex of the head. Ears: outermost ones above the nose. Eyes:
    nearest to 0.35 of the way from the midline to the ear and 0.29 of the way from the nose to the top of the head
    (the open body's proportions), in front of the ears. Heel: rearmost vertex of the foot in its lowest 4 cm. Toes:
    there furthest to the front, the big one also to the inside and the small one to the outside.
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
        wanted = torch.stack([0.35 * out[ear], nose_m[1] + 0.29 * (head_top_m[1] - nose_m[1])])
        eye = furthest(-torch.stack([out, up], 1).sub(wanted).norm(dim=1), head & (front > vertex_m[ear, 2]))
        foot = (part == SMPL_24.index(f"{side}_foot")) | (part == SMPL_24.index(f"{side}_ankle"))
        low = foot & (up < up.min() + 0.04)
        found[f"{side}_ear"], found[f"{side}_eye"] = ear, eye
        found[f"{side}_heel"] = furthest(-front, low)
        found[f"{side}_big_toe"] = furthest(front - 0.5 * out, low)
        found[f"{side}_small_toe"] = furthest(front + out, low)
    return found


def _row(recipe: dict[str, float]) -> Tensor:
    row = torch.zeros(len(_SOURCES))
    for source, weight in recipe.items():
        row[_SOURCES.index(source)] = weight
    return row


def _hip_recipes(joint_m: Tensor) -> dict[str, dict[str, float]]:
    """Hips at the wanted distance from each other, around `_MID_HIPS`."""
    left, right = SMPL_24.index("left_hip"), SMPL_24.index("right_hip")
    outward = _HALF_HIP_WIDTH_M / float((joint_m[left] - joint_m[right]).norm())
    near, far = 0.25 + outward, 0.25 - outward
    return {
        "left_hip": {"left_hip": near, "right_hip": far, "pelvis": 0.5},
        "right_hip": {"right_hip": near, "left_hip": far, "pelvis": 0.5},
    }


def _spine_recipe(source_m: Tensor) -> dict[str, float]:
    """Blend of the two lower spine joints that has the wanted height."""
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
