"""GVHMR results (`hmr4d_results.pt`)."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from motionrep.motion.tracks import Track, _Frame, _track

_GVHMR_FPS = 30.0  # its program resamples every video to that


def _gvhmr(path: Path, content: dict[str, Any], frame: _Frame, fps: float | None) -> Track:
    """Gravity-view coordinates have y up; their height and heading mean nothing."""
    if fps not in (None, _GVHMR_FPS):
        raise ValueError(f"{path}: GVHMR's results have {_GVHMR_FPS:g} frames/s, got fps={fps:g}; leave it out")
    key = "smpl_params_incam" if frame == "camera" else "smpl_params_global"
    fields = content.get(key)
    names = ("global_orient", "body_pose", "transl", "betas")
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), Tensor) for name in names):
        raise ValueError(f"{path}: expected {key!r} with tensors {', '.join(names)}")
    root, pose, transl, betas = (fields[name].detach().float().numpy() for name in names)
    if root.ndim != 2 or pose.ndim != 2 or len(root) != len(pose):
        raise ValueError(
            f"{path}: expected global_orient (frames, 3), body_pose (frames, 63), got {root.shape}, {pose.shape}"
        )
    return _track(path, "0", np.concatenate([root, pose], 1), transl, betas, "smplx", _GVHMR_FPS, frame, "own")
