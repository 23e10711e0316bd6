"""Motions as the arguments of a model of the `smplx` package, and back."""

import logging
from collections.abc import Mapping
from typing import Any, Literal

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.skeletons import FILE_ORDERS, HANDS, SMPLH_54, SMPLX_57
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion, as_float32

logger = logging.getLogger(__name__)

_BODY = 22  # joints that all of SMPL, SMPL-H and SMPL-X have
# The arguments that hold rotations, with their number of joints, in the order of the file's joints.
_PARTS: dict[int, tuple[tuple[str, int], ...]] = {
    SMPL_24.joint_count: (("global_orient", 1), ("body_pose", 23)),
    SMPLH_54.joint_count: (("global_orient", 1), ("body_pose", 21), ("left_hand_pose", 15), ("right_hand_pose", 15)),
    SMPLX_57.joint_count: (
        ("global_orient", 1), ("body_pose", 21), ("jaw_pose", 1), ("leye_pose", 1), ("reye_pose", 1),
        ("left_hand_pose", 15), ("right_hand_pose", 15),
    ),
}  # fmt: skip
_COMPARED_FRAMES = 32


def smplx_parameters(motion: BodyMotion, body: BodyModel) -> dict[str, Tensor]:
    """What `BodyMotion.to_smplx` returns, on the body of the motion."""
    if body.own_joints is not None:
        raise ValueError(f"body {body.name!r} is none of SMPL's, so the package smplx has no model of it")
    rotmat, order = motion.local_rotmat, range(body.joint_count)
    if body.joint_count != SMPL_24.joint_count:
        rotmat, order = hands_in_fingers(rotmat, body.joint_count), FILE_ORDERS[body.joint_count]
        _tell_of_hands(motion, rotmat, body)
    rotvec = roma.rotmat_to_rotvec(rotmat[:, list(order)].double()).float()
    sizes = [count for _, count in _PARTS[body.joint_count]]
    names = [name for name, _ in _PARTS[body.joint_count]]
    parameters = {name: it.flatten(1) for name, it in zip(names, rotvec.split(sizes, 1), strict=True)}
    parameters |= {"transl": motion.translation_m, "betas": motion.betas.expand(motion.frame_count, -1)}
    if body.expression_count:
        still = motion.translation_m.new_zeros(motion.frame_count, body.expression_count)
        parameters["expression"] = still if motion.expression is None else motion.expression
    return parameters


def motion_from_smplx(
    parameters: Mapping[str, Any],
    body_model: str,
    fps: float,
    frame: Literal["camera", "world"] = "world",
    first_frame: int = 0,
) -> BodyMotion:
    """The motion of arguments of a model of the `smplx` package, as `BodyMotion.to_smplx` gives them.

        motion = motionrep.motion_from_smplx(fitted, "smplx-neutral", fps=30, frame="camera")

    Args:
        parameters: Arrays or tensors. `global_orient` and `body_pose` have a row of axis-angles for each frame, hands
            without principal components and with flat hands at 0. Others may be left out.
        body_model: What `load_body_model` takes: the body that the parameters are for.

    Raises:
        FileNotFoundError: That body is not there.
        ValueError: An array is missing or does not fit the body.
    """
    for name in ("global_orient", "body_pose"):
        if name not in parameters:
            raise ValueError(f"smplx parameters: no {name!r}; expected arguments as those of smplx.SMPL")
    frames = len(as_float32(parameters["body_pose"]))
    betas = as_float32(parameters.get("betas", torch.zeros(1, 10))).reshape(-1, _last(parameters, "betas", 10))
    body = load_body_model(body_model, betas.shape[-1])
    if body.own_joints is not None:
        raise ValueError(f"body {body_model!r} is none of SMPL's, so parameters of the package smplx are not for it")
    parts = [_part(parameters, name, frames, count) for name, count in _PARTS[body.joint_count]]
    local_rotmat = torch.eye(3).repeat(frames, body.joint_count, 1, 1)
    order = FILE_ORDERS.get(body.joint_count, tuple(range(SMPL_24.joint_count)))
    local_rotmat[:, list(order)] = roma.rotvec_to_rotmat(torch.cat(parts, 1).double()).float()
    if not any(name.endswith(("hand_pose", "jaw_pose", "eye_pose")) for name in parameters):
        local_rotmat = local_rotmat[:, : SMPL_24.joint_count]
    expression = parameters.get("expression") if body.expression_count else None
    place_m = as_float32(parameters.get("transl", torch.zeros(frames, 3)))
    return BodyMotion(
        local_rotmat, place_m.reshape(-1, 3).expand(frames, 3), betas.mean(0), body.name, fps, frame,
        expression=None if expression is None else as_float32(expression), first_frame=first_frame,
    )  # fmt: skip


def hands_in_fingers(
    rotmat: Float[Tensor, "frames joints 3 3"], joint_count: int
) -> Float[Tensor, "frames all_joints 3 3"]:
    """Rotations of all joints in which the turn of `left_hand` and `right_hand` is that of the first finger joints.

    SMPL-H and SMPL-X have no joints of the hands. A finger then turns about its knuckle, not about the hand's middle.

    Args:
        joint_count: Joints of the body (54 or 57); those that `rotmat` lacks are at rest.
    """
    rest = torch.eye(3).to(rotmat).repeat(len(rotmat), joint_count - rotmat.shape[1], 1, 1)
    turned = torch.cat([rotmat, rest], 1)
    for hand in HANDS:
        fingers = [joint for joint, parent in enumerate(SMPLH_54.parent_indices) if parent == hand]
        turned[:, fingers] = turned[:, hand, None] @ turned[:, fingers]
        turned[:, hand] = torch.eye(3).to(rotmat)
    return turned


def rigid_hands(rotvec: Float[Tensor, "frames joints 3"]) -> Float[Tensor, "frames 2 3 3"]:
    """The turn of SMPL's hands in joints with fingers, as `hands_in_fingers` puts it there; none where fingers move.

    Args:
        rotvec: All joints of a body with fingers; those of the hands count where the fingers do not.
    """
    turns = rotvec[:, list(HANDS)].clone()
    for side, hand in enumerate(HANDS):
        knuckles = [joint for joint, parent in enumerate(SMPLH_54.parent_indices) if parent == hand]
        fingers = range(SMPL_24.joint_count + 15 * side, SMPL_24.joint_count + 15 * (side + 1))
        still = rotvec[:, [joint for joint in fingers if joint not in knuckles]]
        turned = rotvec[:, knuckles]
        if not bool(still.any()) and bool(torch.isclose(turned, turned[:, :1], atol=1e-5).all()):
            turns[:, side] = turned[:, 0]
    return roma.rotvec_to_rotmat(turns.double()).float()


def _tell_of_hands(motion: BodyMotion, turned: Tensor, body: BodyModel) -> None:
    """Warns where the surface changes since a hand is turned."""
    rest = torch.eye(3).to(turned)
    if bool(torch.isclose(motion.local_rotmat[:, list(HANDS)], rest, atol=1e-6).all()):
        return
    some = slice(None, None, max(1, motion.frame_count // _COMPARED_FRAMES))
    still = motion.translation_m[some]
    surfaces = [body.vertices(it[some], motion.betas, still) for it in (motion.local_rotmat, turned)]
    worst_mm = 1000 * float((surfaces[0] - surfaces[1]).norm(dim=-1).max())
    logger.warning(
        "the hands of the motion are turned, and %s has no joints for that; its fingers are turned instead, which "
        "moves the surface by up to %.1f mm",
        body.name, worst_mm,
    )  # fmt: skip


def _last(parameters: Mapping[str, Any], name: str, otherwise: int) -> int:
    return as_float32(parameters[name]).shape[-1] if name in parameters else otherwise


def _part(parameters: Mapping[str, Any], name: str, frames: int, joints: int) -> Float[Tensor, "frames joints 3"]:
    """The axis-angles of an argument; at rest where it is not given."""
    if name not in parameters:
        return torch.zeros(frames, joints, 3)
    values = as_float32(parameters[name])
    if values.numel() != frames * joints * 3:
        raise ValueError(
            f"smplx parameters: {name!r} should be ({frames} frames, {3 * joints}), got {tuple(values.shape)}; is it "
            "for another body, or are the hands principal components?"
        )
    return values.reshape(frames, joints, 3)
