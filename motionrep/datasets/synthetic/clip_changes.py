"""The changes of data augmentation: turned limbs, moving cameras, hidden keypoints."""

import math
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.layouts import SMPL_24

LEGS = [SMPL_24.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
_LIMBS = (
    ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"), ("left_hip",), ("right_hip",),
    ("spine1", "spine2", "spine3", "neck", "head"),
)  # fmt: skip
_KEY_FRAME_S = 0.7
# A camera that moves: standard deviations, of what it does in a second or of how much it shakes.
_ORBIT_DEG_PER_S, _PITCH_DEG_PER_S, _CLOSER_PER_S, _SHAKE_DEG, _SHAKE_S = 12.0, 3.0, 0.08, 0.4, 0.25


@dataclass(frozen=True)
class CameraMove:
    """How a camera moves relative to where it stands in the middle frame; all zero for one on a tripod.

    Attributes:
        turn_rad: Pitch, yaw and roll.
        closer: Logarithm of the factor by which the distance shrinks.
        follow: Share of the person's path that the camera follows.
    """

    turn_rad: Float[np.ndarray, "frames 3"]
    closer: Float[np.ndarray, " frames"]
    follow: float

    @classmethod
    def none(cls, frames: int) -> "CameraMove":
        return cls(np.zeros((frames, 3)), np.zeros(frames), 0.0)


def random_camera_move(frames: int, fps: float, rng: np.random.Generator) -> CameraMove:
    """A hand-held camera: it orbits, tilts and approaches at constant speed, and shakes."""
    at_s = (np.arange(frames) - (frames - 1) / 2) / fps
    speed = np.radians(rng.normal(0, [_PITCH_DEG_PER_S, _ORBIT_DEG_PER_S, 0.0]))
    shake = np.radians(_SHAKE_DEG) * slow_noise(frames, fps, _SHAKE_S, (3,), rng)
    return CameraMove(at_s[:, None] * speed + shake, at_s * rng.normal(0, _CLOSER_PER_S), rng.uniform())


def with_turned_limbs(
    quaternion: Float[Tensor, "frames 24 4"], deg: float, fps: float, rng: np.random.Generator
) -> Float[Tensor, "frames 24 4"]:
    """The motion with slow random rotations added at some joints, in the joint's own axes.

    Args:
        quaternion: Local rotations, xyzw.
        deg: Standard deviation about each axis.
    """
    frames = len(quaternion)
    vector = np.zeros((frames, 24, 3))
    for limb in _LIMBS:
        joints = [SMPL_24.index(name) for name in limb]
        strength = math.radians(deg) * (1 if len(limb) < 3 else 1 / 3) * (rng.random() < 0.5)
        steady, slow = (
            rng.standard_normal((len(joints), 3)),
            slow_noise(frames, fps, _KEY_FRAME_S, (len(joints), 3), rng),
        )
        vector[:, joints] = strength * math.sqrt(0.5) * (steady + slow)
    return roma.quat_product(quaternion, roma.rotvec_to_unitquat(torch.from_numpy(vector).float()))


def masked(
    keypoints: Float[Tensor, "frames joints 3"], augmentation: Augmentation, rng: np.random.Generator
) -> Float[Tensor, "frames joints 3"]:
    """Keypoints (x, y, confidence) with random joints and frames set to zero, as if unseen."""
    frames, joints = keypoints.shape[:2]
    hidden = rng.random((frames, joints)) < augmentation.masked_joints
    hidden |= rng.random((frames, 1)) < augmentation.masked_frames
    return keypoints.masked_fill(torch.from_numpy(hidden)[..., None], 0.0)


def slow_noise(frames: int, fps: float, key_s: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Standard normal numbers at key frames `key_s` apart, interpolated by cosines."""
    at = np.arange(frames) / (key_s * fps) + rng.uniform()
    key = rng.standard_normal((int(at[-1]) + 2, *shape))
    before = at.astype(int)
    share = (0.5 - 0.5 * np.cos(np.pi * (at - before))).reshape(-1, *(1 for _ in shape))
    return (1 - share) * key[before] + share * key[before + 1]
