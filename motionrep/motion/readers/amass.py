"""AMASS .npz."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from motionrep.body.skeletons import FILE_ORDERS
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.tracks import Generation, Track, _track

_BETAS = 10


# Whose betas an AMASS file has, and of which body its poses are, by how many numbers (axis-angle) a pose has.
_AMASS_POSES: dict[int, tuple[Generation, str]] = {
    66: ("smpl", "the body without hands"),
    72: ("smpl", "SMPL"),
    156: ("smpl", "SMPL-H"),
    165: ("smplx", "SMPL-X"),
}


def amass_track(path: Path, field: Callable[[str], np.ndarray], names: list[str]) -> Track:
    """The one person of an AMASS .npz of the SMPL-H or SMPL-X generation, turned from z up to y up.

    Args:
        field: Gives a named array of the file.
        names: The arrays that the file has.

    Raises:
        ValueError: Fields are missing, of the wrong shape, or no positive frame rate.
    """
    rate = next((name for name in ("mocap_framerate", "mocap_frame_rate") if name in names), None)
    if rate is None or "poses" not in names or "trans" not in names:
        raise ValueError(
            f"{path}: no AMASS motion and none of motionrep's; expected poses, trans and mocap_framerate or "
            f"mocap_frame_rate, got {', '.join(names)} (AMASS's shape.npz and *_stagei.npz hold no motion)"
        )
    poses, trans = field("poses"), field("trans")
    if poses.ndim != 2 or poses.shape[1] not in _AMASS_POSES or trans.shape != (len(poses), 3) or not len(poses):
        accepted = ", ".join(f"{count} ({what})" for count, (_, what) in _AMASS_POSES.items())
        raise ValueError(
            f"{path}: expected poses (frames, numbers) with as many numbers as one of {accepted}, and "
            f"trans (frames, 3), got {poses.shape} and {trans.shape}"
        )
    generation, _ = _AMASS_POSES[poses.shape[1]]
    joints = poses.shape[1] // 3
    order = FILE_ORDERS.get(joints + 2)  # where the file's joints stand on a body, which has SMPL's two hands as well
    if order is not None:
        on_body = np.zeros((len(poses), joints + 2, 3))
        on_body[:, order] = poses.reshape(len(poses), joints, 3)
        poses = on_body.reshape(len(poses), -1)
    betas = field("betas") if "betas" in names else np.zeros(_BETAS)
    turn = y_up_turn(torch.tensor([0.0, 0.0, 1.0]))
    return _track(
        path,
        "0",
        poses,
        trans,
        betas,
        generation,
        _rate(path, rate, field(rate)),
        "world",
        "on_floor",
        turn=turn,
    )


def amass_gender(field: Callable[[str], np.ndarray], names: list[str]) -> str | None:
    """The gender of the body that an AMASS file means, in small letters; None when it does not say."""
    try:
        gender = field("gender").ravel() if "gender" in names else np.zeros(0)
        return gender.astype("U").item().lower() if gender.dtype.kind in "SU" and gender.size == 1 else None
    except ValueError:  # a Python object, or text that is none; the motion can be read without it
        return None


def _rate(path: Path, name: str, value: np.ndarray) -> float:
    """Frames per second, also when they are text or an array of one number."""
    try:
        fps = float(value.item()) if value.size == 1 else math.nan
    except (ValueError, TypeError):
        fps = math.nan
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{path}: field {name!r} must be one positive number, frames per second, got {value}")
    return fps
