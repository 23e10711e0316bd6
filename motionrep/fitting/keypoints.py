"""Refines a predicted body motion so that it agrees better with the 2D keypoints it was predicted from.

Heads reproduce the keypoints only approximately. Here rotations, shape and translation are changed a little, so that
the posed body projects closer to the keypoints. This follows SMPLify (Bogo et al., ECCV 2016), but starts from the
prediction, uses it instead of a pose prior, and solves for a whole clip at once.
"""

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.fitting.minimising import geman_mcclure, minimise, second_difference, solve_in_windows
from motionrep.geometry.cameras import PinholeCamera, project, require_picture
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion, Keypoints

_SHAPE_FRAMES = 96
_ITERATIONS, _SHAPE_ITERATIONS = 25, 15
_JOINTS = SMPL_24.joint_count
# Standard deviations. They were chosen with other cameras than those of the reported numbers (benchmarks/refine.md).
_KEYPOINT_M = 0.03  # of a keypoint from the body, at the person's distance; large since errors last over frames
_OUTLIER_M = 0.1
_ROTATION_RAD = 0.15  # of the prediction from the truth
_BETA = 0.5
_TRANSLATION_M = 0.5
_ACCELERATION = 20.0  # m/s^2; of the pelvis, and of the other joints relative to it and to the prediction
_NEAREST_M = 0.2


@dataclass(frozen=True)
class _Problem:
    """What is known of the frames that are solved together. `metre_per_px` is the size of a pixel at the person."""

    body: BodyModel
    start: BodyMotion
    regressor: Float[Tensor, "joints sources"]
    camera: PinholeCamera
    xy_px: Float[Tensor, "frames joints 2"]
    weight: Float[Tensor, "frames joints"]
    metre_per_px: Float[Tensor, " frames"]

    def at(self, frames: Tensor | slice) -> "_Problem":
        start = replace(
            self.start,
            local_rotmat=self.start.local_rotmat[frames],
            translation_m=self.start.translation_m[frames],
            expression=None if self.start.expression is None else self.start.expression[frames],
        )
        return replace(
            self,
            start=start,
            xy_px=self.xy_px[frames],
            weight=self.weight[frames],
            metre_per_px=self.metre_per_px[frames],
        )

    def points(self, rotvec: Tensor, moved_m: Tensor, betas: Tensor) -> Tensor:
        """SMPL's joints and the landmarks, after changes of the prediction's rotations and translation."""
        local_rotmat, translation_m = self.motion(rotvec, moved_m)
        return self.body.points(JOINTS_AND_LANDMARKS, local_rotmat, betas, translation_m, self.start.expression)

    @torch.no_grad()
    def predicted_m(self, betas: Tensor) -> Tensor:
        """The predicted joints relative to the pelvis, for a body of that shape."""
        still = self.weight.new_zeros(len(self.weight), _JOINTS, 3)
        joint_m = self.points(still, still[:, 0], betas)[:, :_JOINTS]
        return joint_m - joint_m[:, :1]

    def motion(self, rotvec: Tensor, moved_m: Tensor) -> tuple[Tensor, Tensor]:
        given, others = self.start.local_rotmat.split([_JOINTS, self.start.local_rotmat.shape[1] - _JOINTS], 1)
        turned = given @ roma.rotvec_to_rotmat(rotvec)
        others = others.expand(len(turned), -1, 3, 3)
        return torch.cat([turned, others], 1), self.start.translation_m + moved_m


def refine(
    motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera | None = None, progress: bool = False
) -> BodyMotion:
    """The motion near a predicted one whose body projects closer to the keypoints.

    Solved for are changes of the rotations of SMPL's 24 joints and of the translation in each frame, and one change of
    the betas. Distances from the keypoints are weighted by the square of the confidence; large ones have little
    influence. Changes are kept small, so that what keypoints leave open stays as predicted. The pelvis should
    accelerate little, and the other joints relative to it as predicted, without jitter. Clips of more than 512 frames
    are solved in windows that overlap. Hands, face and expression stay as they are.

    Args:
        motion: In `camera` axes, as the mesh head predicts it.
        keypoints: Of the same frames, in any layout a body has points of; best as the detector wrote them.
        camera: The one that the motion was predicted for; None is the mesh head's, with a horizontal field of view of
            50 degrees.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        ValueError: The motion is in other axes, behind the camera or of another length than the keypoints; no keypoint
            was seen; the camera's picture has another size; or the body has no points of the layout.
    """
    keypoints = keypoints.to(motion.translation_m.device)
    problem = _problem(motion, keypoints, camera or PinholeCamera.from_hfov(keypoints.width_px, keypoints.height_px))
    frames = motion.frame_count
    chosen = torch.linspace(0, frames - 1, min(frames, _SHAPE_FRAMES)).round().long()
    betas = _solve(problem.at(chosen), motion.betas, with_shape=True)[2]
    unchanged = motion.translation_m.new_zeros(frames, _JOINTS, 3), torch.zeros_like(motion.translation_m)
    rotvec, moved_m = solve_in_windows(unchanged, lambda window: _solve(problem.at(window), betas)[:2], progress)
    local_rotmat, translation_m = problem.motion(rotvec, moved_m)
    return replace(motion, local_rotmat=local_rotmat, translation_m=translation_m, betas=betas)


@torch.no_grad()
def reprojection_error_px(motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera | None = None) -> float:
    """Mean distance of the body's points from the keypoints that were seen, weighted by confidence (at most 1).

    Raises:
        ValueError: As `refine`.
    """
    keypoints = keypoints.to(motion.translation_m.device)
    camera = camera or PinholeCamera.from_hfov(keypoints.width_px, keypoints.height_px)
    problem = _problem(motion, keypoints, camera)
    weight = keypoints.confidence.clamp(max=1) * (problem.weight > 0)
    source_m = problem.body.points(
        JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m, motion.expression
    )
    point_m = problem.regressor @ source_m
    distance_px = (project(point_m, camera) - keypoints.xy_px).norm(dim=-1)
    return float((weight * distance_px).sum() / weight.sum())


def _problem(motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera) -> _Problem:
    if motion.frame != "camera":
        raise ValueError(
            f"motion: is in {motion.frame} axes; only a motion in camera axes, as predicted, can be refined"
        )
    if motion.frame_count != keypoints.frame_count:
        raise ValueError(
            f"motion: {motion.frame_count} frames, the keypoints have {keypoints.frame_count}; pass the clip that the "
            "motion was predicted from"
        )
    require_picture(camera, keypoints.width_px, keypoints.height_px)
    if not bool((keypoints.confidence > 0).any()):
        raise ValueError("keypoints: confidence is 0 everywhere, so there is nothing to refine with")
    body = load_body_model(motion.body_model, len(motion.betas)).to(motion.local_rotmat.device)
    regressor = body.point_regressor(keypoints.layout)
    with torch.no_grad():
        joint_m = body.joints(motion.local_rotmat[:, :_JOINTS], motion.betas, motion.translation_m, motion.expression)
    if bool((joint_m[..., 2] < _NEAREST_M).any()):
        frame = int((joint_m[..., 2] < _NEAREST_M).any(1).nonzero()[0, 0])
        raise ValueError(
            f"motion: in frame {frame} the body is behind the camera or less than {_NEAREST_M} m from it; "
            "predict with the camera that took the clip"
        )
    depth_m = joint_m[..., 2].mean(1)
    known = regressor.any(1)
    weight = keypoints.confidence.clamp(max=1).square() * known  # joints without a point do not count
    regressor = regressor.where(known[:, None], regressor[known][:1])  # and are put where they can be projected
    if not bool((weight > 0).any()):
        raise ValueError(f"keypoints: no joint of layout {keypoints.layout.name!r} that a body has was seen")
    return _Problem(
        body, motion, regressor, camera, keypoints.xy_px.to(joint_m), weight.to(joint_m), depth_m / camera.focal_px
    )


def _solve(problem: _Problem, betas: Tensor, with_shape: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Changes of rotations (rotation vectors) and of translation, and betas.

    L-BFGS over coefficients of smooth changes, scaled so that the cost is about equally curved in all of them. With the
    shape, frames are far apart, so nothing is smoothed.
    """
    frames, fps = len(problem.xy_px), problem.start.fps
    first = problem.weight.new_zeros(frames, 3 * _JOINTS + 3)
    roughness = None if with_shape or frames < 3 else second_difference(frames).to(first) * fps**2
    data, motion_m2 = _curvature(problem, betas)
    allowed = first.new_tensor([_ROTATION_RAD] * (3 * _JOINTS) + [_TRANSLATION_M] * 3)
    if roughness is None:
        basis, stiffness, expected = torch.eye(frames).to(first), first.new_zeros(frames, 1), first.new_zeros(())
    else:
        eigenvalue, basis = torch.linalg.eigh(roughness.T @ roughness)
        stiffness = eigenvalue.clamp(min=0)[:, None] * motion_m2 / _ACCELERATION**2
        expected = _without_jitter(roughness @ problem.predicted_m(betas).flatten(1))
    scale = (data + allowed**-2 + stiffness).rsqrt()
    coefficient = first.clone().requires_grad_()
    shape = torch.zeros_like(betas, requires_grad=with_shape)

    def current() -> tuple[Tensor, Tensor, Tensor]:
        change = basis @ (scale * coefficient)
        shaped = betas + _BETA * frames**-0.5 * shape
        return change[:, :-3].unflatten(1, (_JOINTS, 3)), change[:, -3:], shaped

    def cost() -> Tensor:
        rotvec, moved_m, shaped = current()
        source_m = problem.points(rotvec, moved_m, shaped)
        xy_px = project(problem.regressor @ source_m, problem.camera)
        squared = ((xy_px - problem.xy_px) * problem.metre_per_px[:, None, None]).square().sum(-1)
        total = (problem.weight * geman_mcclure(squared, _OUTLIER_M)).sum() / _KEYPOINT_M**2
        total = total + (rotvec / _ROTATION_RAD).square().sum() + (moved_m / _TRANSLATION_M).square().sum()
        if with_shape:
            total = total + frames * ((shaped - betas) / _BETA).square().sum()
        if roughness is not None:
            unexpected = roughness @ source_m[:, :_JOINTS].flatten(1) - expected
            total = total + (unexpected / _ACCELERATION).square().sum()
        return total / frames

    free = [coefficient, shape] if with_shape else [coefficient]
    iterations = _SHAPE_ITERATIONS if with_shape else _ITERATIONS
    minimise(cost, free, iterations)
    rotvec, moved_m, shaped = (found.detach() for found in current())
    return rotvec, moved_m, shaped


def _without_jitter(acceleration: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames numbers"]:
    """Accelerations of the joints, of which large ones are reduced: they are jitter rather than motion."""
    of_joint = acceleration.unflatten(1, (-1, 3))
    size = of_joint.norm(dim=-1, keepdim=True)
    return (of_joint / (1 + (size / _ACCELERATION).square())).flatten(1)


@torch.no_grad()
def _curvature(problem: _Problem, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Curvature of a frame's cost, and the squared displacement of its joints, for each of 75 changes.

    By finite differences in the middle frame; only the speed of the solution depends on it.
    """
    step, middle = 0.01, len(problem.xy_px) // 2
    one = problem.at(slice(middle, middle + 1))
    moves = torch.cat([torch.zeros(1, 75), step * torch.eye(75)]).to(betas)
    source_m = one.points(moves[:, :72].unflatten(1, (_JOINTS, 3)), moves[:, 72:], betas)
    xy_m = project(one.regressor @ source_m, one.camera) * one.metre_per_px[:, None, None]
    data = ((xy_m[1:] - xy_m[0]) / step).square().sum(-1) @ problem.weight.mean(0) / _KEYPOINT_M**2
    joint_m = source_m[:, :_JOINTS]
    return data, ((joint_m[1:] - joint_m[0]) / step).square().sum((-1, -2))
