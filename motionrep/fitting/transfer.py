"""Carries a motion over to another body: the shape from the rest pose, the pose from joints and surface."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.fitting.solving import ROOT_SMOOTHING_S, Pose, Targets, solve_pose
from motionrep.geometry.alignment import rotvec_over_time, smoothed
from motionrep.layouts import SMPL_24
from motionrep.motion.floor import floor_height_m, raised
from motionrep.types import BodyMotion

_BETA_WEIGHT = 1e-4  # m^2: a beta of 1 is as bad as all points together being off by 1 cm
_LANDMARK_WEIGHT = 0.5
_JITTER_M = 0.002
_SHAPE_STEPS = 10


@dataclass(frozen=True)
class Transfer:
    """A motion on another body, with the distance of its joints and landmarks from those of the first.

    `point_error_mm` is the mean over the frames, in the order of `motionrep.body.points.JOINTS_AND_LANDMARKS`. It is
    not 0 even on the same surface where bodies place joints differently, as they do the hips.
    """

    motion: BodyMotion
    point_error_mm: Float[Tensor, " points"]

    @property
    def joint_error_mm(self) -> float:
        """Mean over the 24 joints."""
        return float(self.point_error_mm[: SMPL_24.joint_count].mean())

    @property
    def landmark_error_mm(self) -> float:
        """Mean over the landmarks of the surface."""
        return float(self.point_error_mm[SMPL_24.joint_count :].mean())


def transfer(motion: BodyMotion, to: BodyModel) -> Transfer:
    """The motion on another body.

    The betas make the joints and landmarks of the two rest poses agree best, stature included. The pose starts from the
    same rotations and is solved so that posed joints and landmarks agree. Fingers and face are carried over where both
    bodies have them, and are still otherwise. An expression is dropped. A motion in world axes keeps the height of its
    soles above the floor. On the body it was made for, a motion stays as it is.

    Raises:
        FileNotFoundError, ValueError: The motion's own body cannot be loaded.
    """
    if motion.body_model == to.name:
        return Transfer(motion, motion.betas.new_zeros(JOINTS_AND_LANDMARKS.joint_count))
    source = load_body_model(motion.body_model, len(motion.betas))
    local_rotmat = motion.local_rotmat[:, : SMPL_24.joint_count]
    with torch.no_grad():
        wanted_m = source.points(JOINTS_AND_LANDMARKS, local_rotmat, motion.betas, motion.translation_m)
        betas = same_shape(source, motion.betas, to)
        moved_m = source.rest_joints(motion.betas)[0] - to.rest_joints(betas)[0]
    root_rotmat = smoothed(local_rotmat[:, 0], ROOT_SMOOTHING_S * motion.fps)
    turn = torch.cat([(root_rotmat.mT @ local_rotmat[:, 0]).unsqueeze(1), local_rotmat[:, 1:]], 1)
    start = Pose(root_rotmat, rotvec_over_time(turn), motion.translation_m + moved_m)

    def points(rotmat: Tensor, shape: Tensor, translation_m: Tensor) -> Tensor:
        return to.points(JOINTS_AND_LANDMARKS, rotmat, shape, translation_m)

    weight = torch.ones_like(wanted_m[..., 0])
    weight[:, SMPL_24.joint_count :] = _LANDMARK_WEIGHT
    targets = Targets(points, wanted_m, weight, _JITTER_M, motion.fps)
    pose = solve_pose(targets, start, betas, keep=True)

    solved = pose.local_rotmat()
    shared = min(motion.local_rotmat.shape[1], to.joint_count)
    if shared > SMPL_24.joint_count:  # fingers stand first, then the face
        still = torch.eye(3).to(solved).expand(len(solved), to.joint_count - shared, 3, 3)
        solved = torch.cat([solved, motion.local_rotmat[:, SMPL_24.joint_count : shared], still], 1)
    moved = BodyMotion(
        solved, pose.translation_m, betas, to.name, motion.fps, motion.frame, first_frame=motion.first_frame
    )
    if motion.frame == "world":
        moved = raised(moved, floor_height_m(motion, source) - floor_height_m(moved, to))
    with torch.no_grad():
        got_m = to.points(JOINTS_AND_LANDMARKS, moved.local_rotmat, betas, moved.translation_m)
    return Transfer(moved, 1000 * (got_m - wanted_m).norm(dim=-1).mean(0))


def same_shape(source: BodyModel, source_betas: Tensor, to: BodyModel) -> Tensor:
    """Betas with which the points of the two rest poses, each around its own middle, agree best: Gauss-Newton steps."""
    wanted_m, betas = _centred_rest(source, source_betas), source_betas.new_zeros(to.beta_count)
    weight = _BETA_WEIGHT * torch.eye(to.beta_count).to(betas)
    for _ in range(1 if to.own_joints is None else _SHAPE_STEPS):  # other bodies are linear in their betas
        got_m = _centred_rest(to, betas)
        directions_m = (_centred_rest(to, betas + torch.eye(to.beta_count).to(betas)) - got_m).flatten(1)
        missing = directions_m @ (wanted_m - got_m).flatten() - weight @ betas
        betas = betas + torch.linalg.solve(directions_m @ directions_m.T + weight, missing)
    return betas


def _centred_rest(body: BodyModel, betas: Tensor) -> Tensor:
    rest = torch.eye(3).to(betas).expand(SMPL_24.joint_count, 3, 3)
    point_m = body.points(JOINTS_AND_LANDMARKS, rest, betas, betas.new_zeros(3))
    return point_m - point_m.mean(-2, keepdim=True)
