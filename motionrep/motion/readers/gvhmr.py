"""GVHMR results (`hmr4d_results.pt`, or the same in a .pkl): one person, in the world or in the camera."""

from typing import Any

import numpy as np
from torch import Tensor

from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track

_FPS = 30.0  # its program resamples every video to that
_NAMES = ("global_orient", "body_pose", "transl", "betas")


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The one person of a video. Gravity-view coordinates have y up; their height and heading mean nothing.

    Raises:
        ValueError: A broken file, or one that asks to import what tensors do not need.
    """
    path = contents.path
    axes = TrackAxes(options.frame or "world", "own")
    key = "smpl_params_incam" if axes.frame == "camera" else "smpl_params_global"
    in_torch = contents.container == "torch"
    fields = (read_checkpoint(path, unknown="refused") if in_torch else contents.value).get(key)
    if not isinstance(fields, dict) or not all(name in fields for name in _NAMES):
        raise ValueError(f"{path}: expected {key!r} with tensors {', '.join(_NAMES)}")
    root, pose, transl, betas = (_numbers(contents, name, fields[name]) for name in _NAMES)
    if root.ndim != 2 or pose.ndim != 2 or len(root) != len(pose):
        raise ValueError(
            f"{path}: expected global_orient (frames, 3), body_pose (frames, 63), got {root.shape}, {pose.shape}"
        )
    arrays = TrackArrays(np.concatenate([root, pose], 1), transl, betas)
    return [checked_track(path, "0", arrays, "smplx", _FPS, axes)]


def _numbers(contents: Contents, name: str, value: Any) -> np.ndarray:
    return value.detach().float().numpy() if isinstance(value, Tensor) else array_of(contents.path, name, value)
