"""A virtual camera in front of a motion, and the keypoints that a detector would report through it."""

import dataclasses
import math

import numpy as np
import torch

from motionrep.body import BodyModel
from motionrep.datasets.synthetic.detector_noise import DetectorNoise, with_detector_noise
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project, to_camera
from motionrep.layouts import H36M_17, JointLayout
from motionrep.motion.axes import require_frame
from motionrep.types import BodyMotion, Keypoints

_MARGIN = 0.08


def random_camera(
    motion: BodyMotion, body: BodyModel, rng: np.random.Generator, width_px: int = 1280, height_px: int = 720
) -> PinholeCamera:
    """A still camera that sees the whole clip, with a horizontal field of view of 50 degrees.

    Args:
        motion: In world axes.

    Raises:
        ValueError: The motion is in other axes.
    """
    require_frame(motion, "world")
    joint_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    center_m = (joint_m.amin((0, 1)) + joint_m.amax((0, 1))) / 2
    yaw, pitch = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(3, 18))
    toward = torch.tensor([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    still = PinholeCamera.from_hfov(width_px, height_px)
    distance_m = 2.5
    while True:
        pose = camera_from_world_looking(center_m + distance_m * toward, center_m)
        camera = dataclasses.replace(still, camera_from_world=pose)
        seen_m = to_camera(joint_m, camera)
        share = project(seen_m, camera) / torch.tensor([width_px, height_px])
        if bool((seen_m[..., 2] > 1).all()) and bool(((share > _MARGIN) & (share < 1 - _MARGIN)).all()):
            return camera
        distance_m *= 1.05


def simulated_keypoints(
    motion: BodyMotion,
    body: BodyModel,
    camera: PinholeCamera,
    layout: JointLayout,
    rng: np.random.Generator,
    noise: DetectorNoise | None = None,
) -> Keypoints:
    """Keypoints as a detector would report them of a body's motion.

    Args:
        motion: In the camera's axes.
        layout: Joints that the detector reports; any layout that a body has points of.

    Raises:
        ValueError: The motion is in other axes, or the body has no points of the layout.
    """
    require_frame(motion, "camera")
    point_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
    xy_px, confidence = with_detector_noise(project(point_m, camera), layout, noise or DetectorNoise(), rng)
    return Keypoints(xy_px, confidence, layout, motion.fps, camera.width_px, camera.height_px)
