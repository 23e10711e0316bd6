"""Converts between a translation and the path of the hips, which carries a motion over to another body shape."""

from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.layouts import SMPL_24

_HIPS = [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]
LEGS = [SMPL_24.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle") for side in ("left", "right")]


def translation_for_betas(
    translation_m: Float[Tensor, "*batch frames 3"],
    root_rotmat: Float[Tensor, "*batch frames 3 3"],
    body: BodyModel,
    betas_from: Float[Tensor, "*#batch betas"],
    betas_to: Float[Tensor, "*batch betas"],
) -> Float[Tensor, "*batch frames 3"]:
    """Translation that carries a motion over to other shapes of the same body; the rotations stay as they are.

    The path of the hips' midpoint is scaled about the world's origin by the ratio of the leg lengths, so that steps and
    hip height fit the new legs. Soles keep their height to about 2 cm (`with_betas` corrects that).
    """
    rest_from, rest_to = body.rest_joints(betas_from), body.rest_joints(betas_to)
    middle_m = mid_hips(translation_m, root_rotmat, rest_from)
    scale = leg_length(rest_to[..., LEGS, :]) / leg_length(rest_from[..., LEGS, :])
    return translation_from_mid_hips(scale[..., None, None] * middle_m, root_rotmat, rest_to)


def mid_hips(
    translation_m: Float[Tensor, "*batch frames 3"],
    root_rotmat: Float[Tensor, "*batch frames 3 3"],
    rest_joint_m: Float[Tensor, "*#batch 24 3"],
) -> Float[Tensor, "*batch frames 3"]:
    """Where the midpoint of the hips is."""
    return translation_m + _mid_hips_from_translation(root_rotmat, rest_joint_m)


def _mid_hips_from_translation(
    root_rotmat: Float[Tensor, "*batch frames 3 3"], rest_joint_m: Float[Tensor, "*#batch 24 3"]
) -> Float[Tensor, "*batch frames 3"]:
    """The midpoint of the hips for a translation of zero."""
    pelvis = rest_joint_m[..., 0, :]
    arm = rest_joint_m[..., _HIPS, :].mean(-2) - pelvis
    return pelvis[..., None, :] + (root_rotmat @ arm[..., None, :, None])[..., 0]


def translation_from_mid_hips(
    mid_hips_m: Float[Tensor, "*batch frames 3"],
    root_rotmat: Float[Tensor, "*batch frames 3 3"],
    rest_joint_m: Float[Tensor, "*#batch 24 3"],
) -> Float[Tensor, "*batch frames 3"]:
    """Translation that puts the midpoint of the hips where it is wanted."""
    return mid_hips_m - _mid_hips_from_translation(root_rotmat, rest_joint_m)


def leg_length(legs: Float[Tensor, "*batch 6 3"]) -> Float[Tensor, "*batch"]:
    """Length of thigh plus shin, mean of both sides; joints in the order of `LEGS`."""
    bones = legs.unflatten(-2, (3, 2)).diff(dim=-3)  # batch, thigh and shin, sides, 3
    return bones.norm(dim=-1).sum(-2).mean(-1)
