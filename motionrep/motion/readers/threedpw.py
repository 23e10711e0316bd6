"""3DPW sequences (.pkl): one or two persons in one world, or in the moving camera."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track

_FPS, _FASTER_FPS = 30.0, 60.0
_GENDERS = {"m": "male", "f": "female"}


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person of a sequence. Poses at 30 frames/s go with the cameras; those at 60 Hz have none.

    Raises:
        ValueError: A frame rate that 3DPW does not have, or a broken file.
    """
    path, content = contents.path, contents.value
    frame, fps = options.frame or "world", _FPS if options.fps is None else options.fps
    if fps not in (_FPS, _FASTER_FPS) or (fps == _FASTER_FPS and frame == "camera"):
        raise ValueError(f"{path}: 3DPW has 30 frames/s, and 60 in the world, got fps={fps:g} and {frame} axes")
    suffix = "_60Hz" if fps == _FASTER_FPS else ""
    poses, trans, betas = (_listed(path, content, name) for name in (f"poses{suffix}", f"trans{suffix}", "betas"))
    if not len(poses) == len(trans) == len(betas):
        raise ValueError(f"{path}: {len(poses)} persons in poses, {len(trans)} in trans, {len(betas)} in betas")
    if frame == "camera":
        camera_from_world = torch.from_numpy(array_of(path, "cam_poses", content["cam_poses"]).astype(np.float64))
        if camera_from_world.shape != (len(poses[0]), 4, 4):
            raise ValueError(
                f"{path}: expected cam_poses ({len(poses[0])} frames, 4, 4), got {tuple(camera_from_world.shape)}"
            )
        axes = TrackAxes(frame, "shared", camera_from_world[:, :3, :3].float(), camera_from_world[:, :3, 3].float())
    else:  # the file does not say which way is up; its cameras, held by hand, were upright, its people need not be
        axes = TrackAxes(frame, "shared", y_up_turn(_up_of_cameras(path, content)))
    arrays = [TrackArrays(*of_person) for of_person in zip(poses, trans, betas, strict=True)]
    said = content.get("genders")
    genders = [_GENDERS.get(str(it)) for it in said] if isinstance(said, list) else []
    genders += [None] * (len(arrays) - len(genders))
    return [
        checked_track(path, str(person), of, "smpl", fps, axes, gender=gender)
        for person, (of, gender) in enumerate(zip(arrays, genders, strict=False))
    ]


def _up_of_cameras(path: Path, content: dict[str, Any]) -> Float[Tensor, "3"]:
    """What is up in the picture, in the world, on average."""
    camera_from_world = array_of(path, "cam_poses", content["cam_poses"]).astype(np.float64)
    if camera_from_world.ndim != 3 or camera_from_world.shape[1:] != (4, 4):
        raise ValueError(f"{path}: expected cam_poses (frames, 4, 4), got {camera_from_world.shape}")
    return -torch.from_numpy(camera_from_world[:, 1, :3].mean(0)).float()


def _listed(path: Path, content: dict[str, Any], name: str) -> list[np.ndarray]:
    """One array for each person."""
    if not isinstance(content.get(name), list) or not content[name]:
        raise ValueError(f"{path}: expected {name!r} to list an array for each person")
    return [array_of(path, name, value) for value in content[name]]
