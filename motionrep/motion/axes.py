"""Changes the axes of motions: camera, world, y or z up."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.geometry.cameras import PinholeCamera
from motionrep.types import BodyMotion

# From y up to the upward axis of a file.
TURN_TO_UP = {"y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}


def in_axes(
    motion: BodyMotion,
    body: BodyModel,
    turn: Float[Tensor, "*frames 3 3"],
    shift_m: Float[Tensor, "*frames 3"] | None = None,
    frame: Literal["camera", "world"] | None = None,
) -> BodyMotion:
    """The same motion in other axes: what was at x is at turn @ x + shift_m.

    A body turns about its pelvis, which does not rest at the origin, so the pelvis' path is transformed, not the
    translation.

    Args:
        body: The motion's own.
        turn: Rotation for all frames, or one for each.
        shift_m: The same for the shift, in the new axes; zero when None.
        frame: What the new axes are; what the old ones were when None.
    """
    pelvis_m = body.rest_joints(motion.betas)[0]
    turn = turn.to(motion.translation_m)
    local_rotmat = torch.cat([(turn @ motion.local_rotmat[:, 0])[:, None], motion.local_rotmat[:, 1:]], 1)
    place_m = (turn @ (motion.translation_m + pelvis_m)[..., None])[..., 0]
    if shift_m is not None:
        place_m = place_m + shift_m.to(place_m)
    return replace(
        motion,
        local_rotmat=local_rotmat,
        translation_m=place_m - pelvis_m,
        frame=motion.frame if frame is None else frame,
    )


def in_world(motion: BodyMotion, camera: PinholeCamera) -> BodyMotion:
    """A motion in camera axes, in the axes of the world that the camera stands or moves in.

    Raises:
        ValueError: The motion is not in camera axes, or goes on when the camera is not known any more.
    """
    require_frame(motion, "camera")
    body = load_body_model(motion.body_model, len(motion.betas)).to(motion.translation_m.device)
    turn, place_m = world_from_camera(motion, camera)
    return in_axes(motion, body, turn, place_m, "world")


def in_camera(motion: BodyMotion, body: BodyModel, camera: PinholeCamera) -> BodyMotion:
    """A motion in world axes, in the axes of a camera.

    Raises:
        ValueError: The motion is not in world axes, or goes on when the camera is not known any more.
    """
    require_frame(motion, "world")
    pose = camera.during(motion.first_frame, motion.frame_count).camera_from_world
    return in_axes(motion, body, pose[..., :3, :3], pose[..., :3, 3], "camera")


def world_from_camera(
    motion: BodyMotion, camera: PinholeCamera
) -> tuple[Float[Tensor, "*frames 3 3"], Float[Tensor, "*frames 3"]]:
    """Rotation from the camera to the world and the camera's place in it; for each frame if the camera moves.

    Raises:
        ValueError: The motion goes on when the camera is not known any more.
    """
    pose = camera.during(motion.first_frame, motion.frame_count).camera_from_world.to(motion.translation_m)
    turn = pose[..., :3, :3].mT
    return turn, -(turn @ pose[..., :3, 3:])[..., 0]


def require_frame(motion: BodyMotion, frame: Literal["camera", "world"]) -> None:
    """Raises ValueError for a motion in other axes."""
    if motion.frame != frame:
        other = "in_world" if frame == "world" else "in_camera"
        raise ValueError(f"the motion must be in {frame} axes, got {motion.frame} axes; see motion.axes.{other}")
