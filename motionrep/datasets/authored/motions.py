"""Example motions written by hand. They look natural, are free to use, and differ with every seed."""

import math
import zlib
from functools import lru_cache

import numpy as np
import roma
import torch

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.datasets.authored.posing import Rig, mirror_channels, pose
from motionrep.datasets.authored.tables import AUTHORED
from motionrep.files.naming import did_you_mean
from motionrep.motion.axes import in_axes
from motionrep.types import BodyMotion

# Standard deviations of the differences between performers' posture, degrees.
_POSTURE_DEG = {"bend": 2.5, "nod": 3.0, "arm_spread": 2.0, "elbow": 3.0, "foot_yaw": 3.0}


def authored_motion(name: str, seed: int = 0, seconds: float = 4.0, fps: float = 30.0) -> BodyMotion:
    """One of the motions of `AUTHORED`. The seed draws body shape, tempo, reach, posture, side and facing.

    The motion is on the open body, in world axes with the floor at y = 0, and starts near the origin. Cyclic motions
    repeat until the end; `sit_down` stays seated. The same name and seed give the same person and style at any length
    and frame rate.

    Raises:
        ValueError: An unknown name (lists the known ones), or fewer than one frame.
    """
    if name not in AUTHORED:
        raise ValueError(f"unknown motion {name!r}{did_you_mean(name, AUTHORED)} (known: {', '.join(AUTHORED)})")
    if not (math.isfinite(fps) and fps > 0 and math.isfinite(seconds) and round(seconds * fps) >= 1):
        raise ValueError(f"seconds and fps must be positive and give at least one frame, got {seconds} s at {fps} fps")
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    betas = torch.from_numpy(rng.normal(0.0, 0.8, 10)).float()
    tempo = _draw(rng, 1.0, 0.06)
    action = AUTHORED[name](_draw(rng, 1.0, 0.07))
    posture = {channel: _draw(rng, 0.0, deg) for channel, deg in _POSTURE_DEG.items()}
    mirrored, facing_rad = rng.random() < 0.5, rng.uniform(-math.pi, math.pi)

    body = _open_body()
    rig = Rig.of(body, betas)
    # Wider hips push the hanging arms outwards.
    posture["arm_spread"] += math.degrees(math.atan2(max(rig.half_width_m - 0.18, 0.0), 0.5))
    offsets = posture | {f"{side}_{channel}": at for side in ("left", "right") for channel, at in posture.items()}
    channels = action.sample(np.arange(round(seconds * fps)) / fps * tempo, offsets)
    local_rotmat, translation_m = pose(rig, mirror_channels(channels) if mirrored else channels)

    motion = BodyMotion(local_rotmat, translation_m, betas, body.name, fps, "world")
    return in_axes(motion, body, roma.rotvec_to_rotmat(torch.tensor([0.0, facing_rad, 0.0])))


@lru_cache(1)
def _open_body() -> BodyModel:
    return load_body_model("open")


def _draw(rng: np.random.Generator, mean: float, deviation: float) -> float:
    """A normal number, at most two deviations from the mean."""
    return mean + deviation * min(max(rng.standard_normal(), -2.0), 2.0)
