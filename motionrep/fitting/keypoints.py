"""Refines a predicted body motion so that it agrees better with the 2D keypoints it was predicted from.

Heads reproduce the keypoints only approximately. Here rotations, shape and translation are changed a little, so that
the posed body projects closer to the keypoints. This follows SMPLify (Bogo et al., ECCV 2016), but starts from the
prediction, uses it instead of a pose prior, and solves for a whole clip at once.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.files.progress import progress_bar
from motionrep.fitting.bodies import body_of
from motionrep.fitting.minimising import blend_into, windows_of
from motionrep.fitting.refining import Floor, People, joined, solve_changes, solve_shape
from motionrep.geometry.cameras import PinholeCamera, project, require_picture
from motionrep.layouts import SMPL_24
from motionrep.motion.axes import world_from_camera
from motionrep.motion.contacts import POINTS, Ground, contact_weights, point_radii_m
from motionrep.types import BodyMotion, Keypoints

logger = logging.getLogger(__name__)

_SHAPE_FRAMES = 24
_FRAMES_AT_ONCE = 2048  # of all people together, with their padding
_JOINTS = SMPL_24.joint_count
_NEAREST_M = 0.2
_PROBABLE = 0.2  # contacts that are kept on the floor


def refine(
    motion: BodyMotion,
    keypoints: Keypoints,
    camera: PinholeCamera | None = None,
    progress: bool = False,
    ground: Ground | None = None,
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
        ground: What touches the floor, which is then at y = 0 of the camera's world: it is kept on the floor, where it
            holds.

    Raises:
        ValueError: The motion is in other axes, behind the camera or of another length than the keypoints; no keypoint
            was seen; the camera's picture has another size; the body has no points of the layout; or a ground without
            a camera.
    """
    return refine_people([motion], [keypoints], camera, progress, None if ground is None else [ground])[0]


def refine_people(
    motions: Sequence[BodyMotion],
    clips: Sequence[Keypoints],
    camera: PinholeCamera | None = None,
    progress: bool = False,
    grounds: Sequence[Ground] | None = None,
) -> list[BodyMotion]:
    """Refines everybody before one camera side by side; each as `refine` does alone, but faster.

    Whoever would end behind the camera stays as predicted, with a warning.
    """
    people = [_person(motion, clip, _camera(camera, clip)) for motion, clip in zip(motions, clips, strict=True)]
    if grounds is not None:
        if camera is None:
            raise ValueError("ground: says nothing without the camera's place; pass the camera of fitting.floor")
        together = zip(people, motions, grounds, strict=True)
        people = [_on_floor(one, motion, ground, camera) for one, motion, ground in together]
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, (one, motion, clip) in enumerate(zip(people, motions, clips, strict=True)):
        expression = None if one.expression is None else one.expression.shape[-1]
        shapes = one.local_rotmat.shape[2], one.betas.shape[-1], expression
        alike[motion.body_model, clip.layout, one.fps, *shapes].append(index)
    refined = list(motions)
    for indices in alike.values():
        solved = _solved([people[index] for index in indices], progress)
        for index, (local_rotmat, translation_m, betas) in zip(indices, solved, strict=True):
            changed = {"local_rotmat": local_rotmat, "translation_m": translation_m, "betas": betas}
            solution = replace(motions[index], **changed)
            if _first_too_near(_joints_m(solution)) is None:
                refined[index] = solution
            else:
                logger.warning(
                    "person %s is not refined: keypoints and floor would put the body behind the camera; is the "
                    "camera the one that took the clip?",
                    clips[index].person,
                )
    return refined


def _solved(people: list[People], progress: bool) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Rotations, translations and betas of people of one kind."""
    betas = solve_shape(joined([one.at(_spread(one)) for one in people]))
    changes = [[torch.zeros_like(one.local_rotmat[0, :, :_JOINTS, 0]), one.translation_m[0] * 0] for one in people]
    jobs = [(index, window) for index, one in enumerate(people) for window in windows_of(one.real.shape[1])]
    for batch in progress_bar(_batches(jobs), "fit", "batch", progress):
        parts = []
        for index, window in batch:
            frames = torch.arange(window.start, window.stop, device=betas.device)
            parts.append(people[index].at(frames[None]))
        rows = [index for index, _ in batch]
        rotvec, moved_m = solve_changes(joined(parts), betas[rows])
        for row, (index, window) in enumerate(batch):
            length = window.stop - window.start
            blend_into(changes[index], window, (rotvec[row, :length], moved_m[row, :length]))
    moved = [one.moved(rotvec[None], moved_m[None]) for one, (rotvec, moved_m) in zip(people, changes, strict=True)]
    return [(local_rotmat[0], moved_m[0], betas[row]) for row, (local_rotmat, moved_m) in enumerate(moved)]


def _spread(one: People) -> Tensor:
    """Numbers of frames all over the clip, which tell a person's shape."""
    frames = one.real.shape[1]
    return torch.linspace(0, frames - 1, min(frames, _SHAPE_FRAMES), device=one.real.device).round().long()[None]


def _batches(jobs: list[tuple[int, slice]]) -> list[list[tuple[int, slice]]]:
    """Windows that are solved side by side: of similar length, and not too many. A person's windows stay in order."""
    batches: list[list[tuple[int, slice]]] = []
    longest = 0
    for job in sorted(jobs, key=lambda job: (job[1].start, job[1].start - job[1].stop)):
        length = job[1].stop - job[1].start
        fits = batches and 2 * length > longest and (len(batches[-1]) + 1) * longest <= _FRAMES_AT_ONCE
        if fits and all(index != job[0] for index, _ in batches[-1]):
            batches[-1].append(job)
        else:
            batches.append([job])
            longest = length
    return batches


def _camera(camera: PinholeCamera | None, clip: Keypoints) -> PinholeCamera:
    return camera or PinholeCamera.from_hfov(clip.width_px, clip.height_px)


def _on_floor(one: People, motion: BodyMotion, ground: Ground, camera: PinholeCamera) -> People:
    """The person with a floor, on the plane y = 0 of the camera's world."""
    if len(ground.contact) != one.real.shape[1]:
        raise ValueError(
            f"ground: {len(ground.contact)} frames, the motion has {one.real.shape[1]}; both are of one clip"
        )
    weight = contact_weights(ground, _PROBABLE).to(one.real)[None]
    turn, eye_m = world_from_camera(motion, camera)
    frames = one.real.shape[1]
    way = turn.expand(1, frames, 3, 3), eye_m.expand(1, frames, 3), camera.moves
    points = torch.tensor(POINTS, device=one.real.device)
    return replace(one, floor=Floor(*way, point_radii_m(one.body), points, weight))


@torch.no_grad()
def reprojection_error_px(motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera | None = None) -> float:
    """Mean distance of the body's points from the keypoints that were seen, weighted by confidence (at most 1).

    Raises:
        ValueError: As `refine`.
    """
    keypoints = keypoints.to(motion.translation_m.device)
    camera = _camera(camera, keypoints)
    person = _person(motion, keypoints, camera)
    weight = keypoints.confidence.clamp(max=1) * (person.weight[0] > 0)
    source_m = person.body.points(
        JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m, motion.expression
    )
    point_m = person.regressor @ source_m
    distance_px = (project(point_m, camera) - keypoints.xy_px).norm(dim=-1)
    return float((weight * distance_px).sum() / weight.sum())


@torch.no_grad()
def _joints_m(motion: BodyMotion) -> Float[Tensor, "frames joints 3"]:
    body = body_of(motion)
    return body.joints(motion.local_rotmat[:, :_JOINTS], motion.betas, motion.translation_m, motion.expression)


def _first_too_near(joint_m: Float[Tensor, "frames joints 3"]) -> int | None:
    """The first frame with a joint behind the camera or close before it."""
    too_near = (joint_m[..., 2] < _NEAREST_M).any(1)
    return int(too_near.nonzero()[0, 0]) if bool(too_near.any()) else None


def _person(motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera) -> People:
    keypoints = keypoints.to(motion.translation_m.device)
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
    body = body_of(motion)
    regressor = body.point_regressor(keypoints.layout)
    joint_m = _joints_m(motion)
    if (frame := _first_too_near(joint_m)) is not None:
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
    ray = (keypoints.xy_px.to(joint_m) - joint_m.new_tensor(camera.center_px)) / camera.focal_px
    expression = None if motion.expression is None else motion.expression[None]
    return People(
        body, regressor, motion.fps, motion.local_rotmat[None], motion.translation_m[None], motion.betas[None],
        expression, ray[None], weight.to(joint_m)[None], depth_m[None], torch.ones_like(depth_m)[None],
    )  # fmt: skip
