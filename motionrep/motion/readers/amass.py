"""AMASS .npz: one person, turned from z up to y up."""

import logging
import math

import numpy as np
import torch

from motionrep.body.registry import BODIES
from motionrep.body.skeletons import FILE_ORDERS
from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.contents import Contents
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Generation, Track, TrackArrays, TrackAxes, checked_track

logger = logging.getLogger(__name__)

_BETAS = 10
_RATES = ("mocap_framerate", "mocap_frame_rate")
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
        track, gender = _track(arrays), _gender(arrays)
    _warn_of_another_gender(contents, gender, options.body_model)
    return [track]


def _track(arrays: Arrays) -> Track:
    path = arrays.path
    rate = next((name for name in _RATES if name in arrays), None)
    if rate is None or "trans" not in arrays:
        raise ValueError(
            f"{path}: an AMASS motion has poses, trans and {' or '.join(_RATES)}, this file has "
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
    joints = poses.shape[1] // 3
    order = FILE_ORDERS.get(joints + 2)  # where the file's joints stand on a body, which has SMPL's two hands as well
    if order is not None:
        on_body = np.zeros((len(poses), joints + 2, 3))
        on_body[:, order] = poses.reshape(len(poses), joints, 3)
        poses = on_body.reshape(len(poses), -1)
    betas = arrays["betas"] if "betas" in arrays else np.zeros(_BETAS)
    axes = TrackAxes("world", "on_floor", y_up_turn(torch.tensor([0.0, 0.0, 1.0])))
    return checked_track(path, "0", TrackArrays(poses, trans, betas), generation, _fps(arrays, rate), axes)


def _fps(arrays: Arrays, name: str) -> float:
    """Frames per second, also when they are text or an array of one number."""
    value = arrays[name]
    try:
        fps = float(value.item()) if value.size == 1 else math.nan
    except (ValueError, TypeError):
        fps = math.nan
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{arrays.path}: field {name!r} must be one positive number, frames per second, got {value}")
    return fps


def _gender(arrays: Arrays) -> str | None:
    """The gender of the body that the file means, in small letters; None when it does not say."""
    try:
        gender = arrays["gender"].ravel() if "gender" in arrays else np.zeros(0)
        return gender.astype("U").item().lower() if gender.dtype.kind in "SU" and gender.size == 1 else None
    except ValueError:  # a Python object, or text that is none; the motion can be read without it
        return None


def _warn_of_another_gender(contents: Contents, gender: str | None, body_model: str) -> None:
    kind, _, named = body_model.partition("-")
    wanted = f"{kind}-{gender}"
    if {body_model, wanted} <= BODIES.keys() and named.partition("-")[0] != gender:
        logger.warning(
            "%s: its betas are those of the %s body and mean another shape on %s; pass body_model=%r, as for "
            "load_body_model",
            contents.path, gender, body_model, wanted,
        )  # fmt: skip
