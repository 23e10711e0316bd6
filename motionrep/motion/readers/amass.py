"""AMASS .npz: one person, turned from z up to y up."""

import numpy as np
import torch

from motionrep.body.skeletons import FILE_ORDERS
from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.contents import Contents
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.readers.frame_rates import RATES, said_fps
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Generation, Track, TrackArrays, TrackAxes, checked_track

_BETAS = 10
# Whose betas an AMASS file has, and of which body its poses are, by how many numbers (axis-angle) a pose has.
_POSES: dict[int, tuple[Generation, str]] = {
    66: ("smpl", "the body without hands"),
    72: ("smpl", "SMPL"),
    156: ("smpl", "SMPL-H"),
    165: ("smplx", "SMPL-X"),
}


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The one person of a file of the SMPL-H or SMPL-X generation.

    Raises:
        ValueError: Fields are missing, of the wrong shape, or no positive frame rate.
    """
    with open_npz(contents.path) as arrays:
        return [_track(arrays)]


def _track(arrays: Arrays) -> Track:
    path = arrays.path
    fps = said_fps(path, arrays)
    if fps is None or "trans" not in arrays:
        raise ValueError(
            f"{path}: an AMASS motion has poses, trans and {' or '.join(RATES)}, this file has "
            f"{', '.join(arrays.names)} (AMASS's shape.npz and *_stagei.npz hold no motion)"
        )
    poses, trans = arrays["poses"], arrays["trans"]
    if poses.ndim != 2 or poses.shape[1] not in _POSES or trans.shape != (len(poses), 3) or not len(poses):
        accepted = ", ".join(f"{count} ({what})" for count, (_, what) in _POSES.items())
        raise ValueError(
            f"{path}: expected poses (frames, numbers) with as many numbers as one of {accepted}, and "
            f"trans (frames, 3), got {poses.shape} and {trans.shape}"
        )
    generation, _ = _POSES[poses.shape[1]]
    poses = on_body(poses)
    betas = arrays["betas"] if "betas" in arrays else np.zeros(_BETAS)
    axes = TrackAxes("world", "on_floor", y_up_turn(torch.tensor([0.0, 0.0, 1.0])))
    track = TrackArrays(poses, trans, betas)
    return checked_track(path, "0", track, generation, fps, axes, gender=gender_of(arrays))


def on_body(poses: np.ndarray) -> np.ndarray:
    """The joints of a file in the order of a body, which has SMPL's two hands as well; bodies without fingers stay."""
    joints = poses.shape[1] // 3
    order = FILE_ORDERS.get(joints + 2)
    if order is None:
        return poses
    ordered = np.zeros((len(poses), joints + 2, 3))
    ordered[:, order] = poses.reshape(len(poses), joints, 3)
    return ordered.reshape(len(poses), -1)


def gender_of(arrays: Arrays) -> str | None:
    """The gender of the body that the file means, in small letters; None when it does not say."""
    try:
        gender = arrays["gender"].ravel() if "gender" in arrays else np.zeros(0)
        return gender.astype("U").item().lower() if gender.dtype.kind in "SU" and gender.size == 1 else None
    except ValueError:  # a Python object, or text that is none; the motion can be read without it
        return None
