"""GVHMR results (`hmr4d_results.pt`): one person, in the world or in the camera."""

import numpy as np
from torch import Tensor

from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.contents import Contents
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track

_FPS = 30.0  # its program resamples every video to that


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The one person of a video. Gravity-view coordinates have y up; their height and heading mean nothing.

    Raises:
        ValueError: A broken file, or one that asks to import what tensors do not need.
    """
    path = contents.path
    axes = TrackAxes(options.frame or "world", "own")
    key = "smpl_params_incam" if axes.frame == "camera" else "smpl_params_global"
    fields = read_checkpoint(path, unknown="refused").get(key)
    names = ("global_orient", "body_pose", "transl", "betas")
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), Tensor) for name in names):
        raise ValueError(f"{path}: expected {key!r} with tensors {', '.join(names)}")
    root, pose, transl, betas = (fields[name].detach().float().numpy() for name in names)
    if root.ndim != 2 or pose.ndim != 2 or len(root) != len(pose):
        raise ValueError(
            f"{path}: expected global_orient (frames, 3), body_pose (frames, 63), got {root.shape}, {pose.shape}"
        )
    arrays = TrackArrays(np.concatenate([root, pose], 1), transl, betas)
    return [checked_track(path, "0", arrays, "smplx", _FPS, axes)]
