"""3DPW sequences (.pkl)."""

from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from motionrep.files.pickles import array_of as _array
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.tracks import Track, _Frame, _track


def _threedpw(path: Path, content: dict[str, Any], frame: _Frame, fps: float | None) -> list[Track]:
    """Poses at 30 frames/s go with the images and cameras; those at 60 Hz have no cameras."""
    if fps not in (None, 30, 60) or (fps == 60 and frame == "camera"):
        raise ValueError(f"{path}: 3DPW has 30 frames/s, and 60 in the world, got fps={fps:g} and {frame} axes")
    suffix = "_60Hz" if fps == 60 else ""
    all_poses, all_trans, all_betas = (
        _listed(path, content, name) for name in (f"poses{suffix}", f"trans{suffix}", "betas")
    )
    if not len(all_poses) == len(all_trans) == len(all_betas):
        raise ValueError(
            f"{path}: {len(all_poses)} persons in poses, {len(all_trans)} in trans, {len(all_betas)} in betas"
        )
    if frame == "camera":
        camera_from_world = torch.from_numpy(_array(path, "cam_poses", content["cam_poses"]).astype(np.float64))
        if camera_from_world.shape != (len(all_poses[0]), 4, 4):
            raise ValueError(
                f"{path}: expected cam_poses ({len(all_poses[0])} frames, 4, 4), got {tuple(camera_from_world.shape)}"
            )
        turn, shift_m = camera_from_world[:, :3, :3], camera_from_world[:, :3, 3]
    else:  # the file does not say which way is up
        roots = torch.from_numpy(np.concatenate([poses[:, :3] for poses in all_poses])).double()
        turn, shift_m = y_up_turn(roma.rotvec_to_rotmat(roots)[..., 1].mean(0)), torch.zeros(3)
    return [
        _track(
            path,
            str(person),
            *arrays,
            "smpl",
            30.0 if fps is None else fps,
            frame,
            "shared",
            turn=turn,
            shift_m=shift_m,
        )
        for person, arrays in enumerate(zip(all_poses, all_trans, all_betas, strict=True))
    ]


def _listed(path: Path, content: dict[str, Any], name: str) -> list[np.ndarray]:
    """One array for each person."""
    if not isinstance(content.get(name), list) or not content[name]:
        raise ValueError(f"{path}: expected {name!r} to list an array for each person")
    return [_array(path, name, value) for value in content[name]]
