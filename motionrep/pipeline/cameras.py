"""Which camera people are placed in: a given one, one from a file, or one fitted to the clip."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from motionrep.body import load_body_model
from motionrep.geometry.camera_files import read_camera
from motionrep.geometry.cameras import PinholeCamera, fitted_camera
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding

_WEAK_HFOV_DEG = 2.0


def places_people(head: Any) -> bool:
    """Whether a head's `predict` takes a camera."""
    return "camera" in inspect.signature(head.predict).parameters


def camera_of(
    camera: PinholeCamera | str | Path, clip: Keypoints, heads: Mapping[str, Any], embedding: MotionEmbedding | None
) -> PinholeCamera:
    """The camera that was asked for.

    Args:
        camera: One that is there already, a .json file, "weak" (a field of view of 2 degrees: weak perspective), or
            "fit" (the field of view in which the first result of `heads` fits the keypoints best).
        heads: By name, of which the first one that places people counts.
        embedding: Of the clip; needed for "fit" only.

    Raises:
        ValueError: No head places people, or none of them predicts a pose to fit a camera to.
        OSError: The file cannot be read.
    """
    placing = next((head for head in heads.values() if places_people(head)), None)
    if placing is None:
        named = ", ".join(map(repr, heads))
        raise ValueError(
            f"camera: needs a head that places people in it, got {named}; leave it out, or add such a head"
        )
    if isinstance(camera, PinholeCamera):
        return camera
    size = clip.width_px, clip.height_px
    if camera == "weak":
        return PinholeCamera.from_hfov(*size, _WEAK_HFOV_DEG)
    if camera != "fit":
        return read_camera(Path(camera), *size)
    assert embedding is not None
    return _fitted(placing.predict(embedding), clip)


def stands_in_world(camera: PinholeCamera) -> bool:
    """Whether it is known where in the world the camera stands or moves."""
    return camera.moves or not torch.equal(camera.camera_from_world, torch.eye(4).to(camera.camera_from_world))


def floor_is_known(camera: PinholeCamera) -> bool:
    """Whether the floor is at y = 0 of the world that the camera stands or moves in."""
    return camera.world == "floor" and stands_in_world(camera)


def _fitted(motion: Any, clip: Keypoints) -> PinholeCamera:
    if isinstance(motion, BodyMotion):
        body = load_body_model(motion.body_model, len(motion.betas)).to(motion.local_rotmat.device)
        still = torch.zeros_like(motion.translation_m)
        point_m = body.points(H36M_17, motion.local_rotmat, motion.betas, still)
    elif isinstance(motion, JointMotion):
        point_m = motion.position_m
    else:
        raise ValueError(
            "camera 'fit': needs a mesh or a 3D pose, but the first head that takes a camera gives "
            f"{type(motion).__name__}"
        )
    seen = clip.as_h36m_17()
    return fitted_camera(point_m.cpu(), seen.xy_px, seen.confidence, clip.width_px, clip.height_px)
