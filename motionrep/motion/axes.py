"""Changes the axes of motions: camera, world, y or z up."""

import dataclasses
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from motionrep.body import BodyModel, load_body_model
from motionrep.geometry.cameras import PinholeCamera
from motionrep.types import BodyMotion


def in_world(motion: BodyMotion, camera: PinholeCamera) -> BodyMotion:
    """A motion in camera axes, in the axes of the world that the camera stands in.

    Raises:
        ValueError: The motion is not in camera axes.
    """
    if motion.frame != "camera":
        raise ValueError(f"motion: expected one in camera axes, got {motion.frame} axes")
    pelvis_m = load_body_model(motion.body_model, len(motion.betas)).rest_joints(motion.betas)[0]
    transform = camera.camera_from_world.to(motion.translation_m)
    turn, moved_m = transform[:3, :3].T, transform[:3, 3]
    local_rotmat = torch.cat([turn @ motion.local_rotmat[:, :1], motion.local_rotmat[:, 1:]], 1)
    # The body turns around its pelvis, which rests beside the origin.
    translation_m = (motion.translation_m + pelvis_m - moved_m) @ turn.T - pelvis_m
    return replace(motion, local_rotmat=local_rotmat, translation_m=translation_m, frame="world")


def in_camera(motion: BodyMotion, body: BodyModel, camera: PinholeCamera) -> BodyMotion:
    """The same motion in the camera's axes instead of the world's."""
    _require_frame(motion, "world")
    turn, shift_m = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    local_rotmat = motion.local_rotmat.clone()
    local_rotmat[:, 0] = turn @ local_rotmat[:, 0]
    pelvis_m = body.rest_joints(motion.betas)[0]
    translation_m = (motion.translation_m + pelvis_m) @ turn.T + shift_m - pelvis_m
    return dataclasses.replace(motion, local_rotmat=local_rotmat, translation_m=translation_m, frame="camera")


def _require_frame(motion: BodyMotion, frame: str) -> None:
    if motion.frame != frame:
        raise ValueError(f"the motion must be in frame {frame!r}, got {motion.frame!r}; see in_camera")


_TURN = {"y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}  # file from y up


def _turned(motion: BodyMotion, body: BodyModel, turn: Float[torch.Tensor, "3 3"]) -> BodyMotion:
    """Turned about the origin. The root turns about the pelvis, so that is the point whose path is turned."""
    pelvis_m = body.rest_joints(motion.betas)[0]
    local_rotmat = motion.local_rotmat.clone()
    local_rotmat[:, 0] = turn @ local_rotmat[:, 0]
    translation_m = (motion.translation_m + pelvis_m) @ turn.T - pelvis_m
    return replace(motion, local_rotmat=local_rotmat, translation_m=translation_m)
