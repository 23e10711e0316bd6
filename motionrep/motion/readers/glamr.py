"""GLAMR results (.pkl): every person in one world with z up, or in the camera."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track

_FPS = 30.0  # its program cuts every video into pictures at that rate


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person from the first to the last frame in which it exists; the program filled in what it did not see.

    Places are those of the pelvis, which GLAMR takes where MPII puts it, some centimetres from SMPL's.

    Raises:
        ValueError: A broken file, or one without persons.
    """
    path, people = contents.path, contents.value["person_data"]
    if not isinstance(people, dict) or not people:
        raise ValueError(f"{path}: expected 'person_data' to hold persons, it holds none")
    if options.frame == "camera":
        axes = TrackAxes("camera", "shared")
    else:
        axes = TrackAxes("world", "shared", y_up_turn(torch.tensor([0.0, 0.0, 1.0])))
    return [_person(path, str(name), fields, axes) for name, fields in people.items()]


def _person(path: Path, name: str, fields: Any, axes: TrackAxes) -> Track:
    suffix = "cam_in_world" if axes.frame == "camera" else "world"
    names = ("smpl_pose", f"smpl_orient_{suffix}", f"root_trans_{suffix}", "smpl_beta", "exist_frames")
    if lacking := [it for it in names if not isinstance(fields, dict) or it not in fields]:
        raise ValueError(f"{path}: person {name} lacks {', '.join(lacking)}, which GLAMR's run_demo.py writes")
    if fields.get("scale") is not None:
        raise ValueError(f"{path}: person {name} has a scale, which is not read; run GLAMR with est_type hybrik")
    pose, root, place, betas, exists = (array_of(path, it, fields[it]) for it in names)
    numbers = np.flatnonzero(exists)
    if not len(pose) == len(root) == len(place) == len(betas) == len(exists):
        raise ValueError(f"{path}: person {name}: {', '.join(names)} have different numbers of frames")
    poses = np.concatenate([root.reshape(len(root), -1), pose.reshape(len(pose), -1)], 1)[numbers]
    arrays = TrackArrays(poses, place[numbers], betas[numbers], "pelvis")
    return checked_track(path, name, arrays, "smpl", _FPS, axes, numbers)
