"""Fits a body to 3D joints of any layout, from a network or from motion capture."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.fitting.joint_limits import ELBOW_TILT_DEG
from motionrep.fitting.solving import ROOT_SMOOTHING_S, Pose, Targets, solve_pose, solve_shape
from motionrep.geometry.alignment import nearest_rotation, rotvec_over_time, smallest_rotation, smoothed
from motionrep.geometry.cameras import up_in_camera
from motionrep.geometry.gaps import gaps_filled
from motionrep.layouts import SMPL_24
from motionrep.motion.axes import in_axes
from motionrep.motion.floor import sole_height_m
from motionrep.types import BodyMotion, JointMotion, as_float32

_TRUNK = ("pelvis", "hip", "mid_hip", "spine", "thorax", "neck", "shoulder", "clavicle", "collar")
# Bones whose direction gives a joint's rotation, from the trunk outwards: joint, its end, the end of the next bone.
_LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
_LOWEST_JITTER_M, _HIGHEST_JITTER_M = 0.002, 0.06
_LIMB_SMOOTHING_S = 0.05
_ANKLES = [SMPL_24.index("left_ankle"), SMPL_24.index("right_ankle")]


@dataclass(frozen=True)
class Fit:
    """A body motion with its distance from the joints it was fitted to.

    Attributes:
        joint_error_mm: Mean distance over the frames in which the joint was seen; NaN for a joint that was never seen.
        frame_error_mm: Mean over the joints seen in the frame; NaN where none was.
    """

    motion: BodyMotion
    joint_error_mm: Float[Tensor, " joints"]
    frame_error_mm: Float[Tensor, " frames"]

    @property
    def error_mm(self) -> float:
        """Mean over the joints."""
        return float(self.joint_error_mm.nanmean())


def fit_body(
    joints: JointMotion,
    body: BodyModel,
    confidence: Float[Tensor, "frames joints"] | Float[np.ndarray, "frames joints"] | None = None,
    betas: Float[Tensor, " betas"] | Float[np.ndarray, " betas"] | None = None,
    progress: bool = False,
) -> Fit:
    """Moves a body so that its points follow the joints.

    Solved for are a rotation of each joint and a translation in each frame and, unless given, one shape for the clip.
    What joints leave open stays natural: rotations keep to anatomical limits, unseen joints move smoothly between what
    is seen and rest near a neutral pose. Single joints that are far off have little influence. Smoothing follows from
    how much the joints jitter.

    A motion in `world` or `camera` axes stays where the joints are. The place of one in `root` axes is not known, so it
    is put into the world: y up, the lower sole on the floor in every frame, and the pelvis always above the same place.
    The camera is assumed to be level unless the person leans by more than 15 degrees on average.

    Args:
        confidence: 0 for joints that were not seen, whose positions are ignored; values above 1 count as 1. None: all
            were seen.
        betas: The shape, if it is known.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        ValueError: The body has no points of the layout, betas or confidence have another size, or fewer than three
            joints of the trunk (hips, shoulders, spine, neck) are ever seen.
    """
    position_m, weight = joints.position_m.detach(), _checked_weight(joints, body, confidence, betas)
    regressor = body.point_regressor(joints.layout)

    def points(local_rotmat: Tensor, shape: Tensor, translation_m: Tensor) -> Tensor:
        return regressor @ body.points(JOINTS_AND_LANDMARKS, local_rotmat, shape, translation_m)

    # Around the origin, since accelerations of far away numbers would be rounding errors.
    middle_m = position_m[weight > 0].mean(0)
    position_m = position_m - middle_m
    filled_m = gaps_filled(position_m, weight > 0)
    targets = Targets(points, filled_m, weight, _jitter_m(position_m, weight > 0), joints.fps)
    shape = position_m.new_zeros(body.beta_count) if betas is None else as_float32(betas).detach()
    rest_m = points(torch.eye(3).to(position_m).expand(24, 3, 3), shape, position_m.new_zeros(3))
    start = _initial_pose(joints, filled_m, (weight > 0).any(0), rest_m, body.rest_joints(shape)[0])
    if betas is None:
        shape = solve_shape(targets, start, shape)
    pose = solve_pose(targets, start, shape, progress=progress)
    local_rotmat = pose.local_rotmat()

    with torch.no_grad():
        error_mm = 1000 * (points(local_rotmat, shape, pose.translation_m) - position_m).norm(dim=-1)
    error_mm = error_mm.masked_fill(weight == 0, torch.nan)
    frame = "camera" if joints.frame == "camera" else "world"
    motion = BodyMotion(
        local_rotmat, pose.translation_m + middle_m, shape, body.name, joints.fps, frame, first_frame=joints.first_frame
    )
    if joints.frame == "root":
        motion = _grounded(motion, body)
    return Fit(motion, error_mm.nanmean(0), error_mm.nanmean(1))


def _checked_weight(
    joints: JointMotion, body: BodyModel, confidence: Tensor | np.ndarray | None, betas: Tensor | np.ndarray | None
) -> Float[Tensor, "frames joints"]:
    """Confidence from 0 to 1. Raises ValueError as `fit_body`."""
    weight = torch.ones_like(joints.position_m[..., 0]) if confidence is None else as_float32(confidence).detach()
    if weight.shape != joints.position_m.shape[:2]:
        raise ValueError(f"confidence: expected shape {tuple(joints.position_m.shape[:2])}, got {tuple(weight.shape)}")
    if betas is not None and betas.shape != (body.beta_count,):
        raise ValueError(f"betas: body {body.name!r} takes {body.beta_count}, got shape {tuple(betas.shape)}")
    weight = weight * body.point_regressor(joints.layout).any(1)  # joints without a point do not count
    if not bool((weight > 0).any()):
        raise ValueError("confidence is 0 everywhere: no joint was seen in any frame")
    return weight.clamp(0, 1)


def _grounded(motion: BodyMotion, body: BodyModel) -> BodyMotion:
    """From camera axes around the pelvis to the world's, with the lower sole on the floor in every frame."""
    with torch.no_grad():
        joint_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)
        upright = joint_m[:, SMPL_24.index("pelvis")] - joint_m[:, _ANKLES].mean(1)
        length_m = upright.norm(dim=-1)  # longest where legs are straight, so in frames of standing
        up = up_in_camera(upright[length_m >= length_m.quantile(0.75)].mean(0))
        side = torch.nn.functional.normalize(torch.linalg.cross(up, up.new_tensor([0.0, 0.0, -1.0])), dim=0)
        turn = torch.stack([side, up, torch.linalg.cross(side, up)])
        turned = in_axes(motion, body, turn)
        floor_m = torch.zeros_like(turned.translation_m)
        floor_m[:, 1] = sole_height_m(turned, body).amin(-1)
    return replace(turned, translation_m=turned.translation_m - floor_m)


def _jitter_m(position_m: Tensor, seen: Tensor) -> float:
    """Standard deviation of the noise of a coordinate from frame to frame, estimated from third differences."""
    if len(position_m) < 4:
        return _LOWEST_JITTER_M
    together = seen[3:] & seen[2:-1] & seen[1:-2] & seen[:-3]
    third_m = torch.diff(position_m, n=3, dim=0)[together].abs()
    if third_m.numel() == 0:
        return _LOWEST_JITTER_M
    sigma_m = float(third_m.median()) / (0.6745 * 20**0.5)  # 20 = 1 + 9 + 9 + 1; 0.6745 is the median of |N(0, 1)|
    return min(max(sigma_m, _LOWEST_JITTER_M), _HIGHEST_JITTER_M)


def _initial_pose(joints: JointMotion, position_m: Tensor, known: Tensor, rest_m: Tensor, pelvis_m: Tensor) -> Pose:
    """A pose to start from: the trunk as one rigid piece, then the limbs along their bones, from the trunk outwards."""
    names = joints.layout.joints
    stem = [name.removeprefix("left_").removeprefix("right_").rstrip("1234") for name in names]
    trunk = [index for index in range(len(names)) if stem[index] in _TRUNK and bool(known[index])]
    if len(trunk) < 3:
        raise ValueError(
            f"layout {joints.layout.name!r}: fitting needs three joints of the trunk (hips, shoulders, spine, neck), "
            f"seen are {', '.join(names[index] for index in trunk) or 'none'}"
        )
    middle_m, rest_middle_m = position_m[:, trunk].mean(1), rest_m[trunk].mean(0)
    moment = torch.einsum("fji,jk->fik", position_m[:, trunk] - middle_m[:, None], rest_m[trunk] - rest_middle_m)
    root_rotmat = smoothed(nearest_rotation(moment), ROOT_SMOOTHING_S * joints.fps)
    translation_m = middle_m - pelvis_m - (root_rotmat @ (rest_middle_m - pelvis_m))

    rotvec = position_m.new_zeros(len(position_m), SMPL_24.joint_count, 3)
    for limb in _LIMBS:
        for side in ("left_", "right_"):
            chain = [side + joint for joint in limb]
            if not all(name in names and bool(known[names.index(name)]) for name in chain):
                continue
            here, middle, end = (names.index(name) for name in chain)
            rest_bones = rest_m[middle] - rest_m[here], rest_m[end] - rest_m[middle]
            bones = position_m[:, middle] - position_m[:, here], position_m[:, end] - position_m[:, middle]
            upper, lower = _limb(root_rotmat, bones, rest_bones, knee=limb[0] == "hip")
            for name, rotmat in zip(chain, (upper, lower), strict=False):
                steady = smoothed(rotmat, _LIMB_SMOOTHING_S * joints.fps)
                rotvec[:, SMPL_24.index(name)] = rotvec_over_time(steady)
    return Pose(root_rotmat, rotvec, translation_m)


def _limb(
    parent_rotmat: Tensor, bones: tuple[Tensor, Tensor], rest_bones: tuple[Tensor, Tensor], knee: bool
) -> tuple[Tensor, Tensor]:
    """Local rotations of the first two joints of a limb; the first is twisted so that the second bends as a hinge."""
    upper, lower = (torch.nn.functional.normalize(bone, dim=-1) for bone in bones)
    rest_upper, rest_lower = (torch.nn.functional.normalize(bone, dim=-1) for bone in rest_bones)
    upper, lower = ((parent_rotmat.mT @ bone.unsqueeze(-1)).squeeze(-1) for bone in (upper, lower))
    swing = smallest_rotation(rest_upper.expand_as(upper), upper)
    # The shin bends to the back, the forearm to the front and up; where the limb is straight the hinge does not show.
    angle = math.pi if knee else math.radians(ELBOW_TILT_DEG)
    hinge = torch.linalg.cross(rest_upper, rest_upper.new_tensor([0.0, math.sin(angle), math.cos(angle)]))
    seen_hinge = torch.linalg.cross(upper, lower)
    moment = 10 * upper.unsqueeze(-1) * rest_upper + 3 * seen_hinge.unsqueeze(-1) * hinge + 0.3 * swing
    first = nearest_rotation(moment)
    second = smallest_rotation(rest_lower.expand_as(lower), (first.mT @ lower.unsqueeze(-1)).squeeze(-1))
    return first, second
