"""Body motion in motionrep's own .npz, as `save_motion` writes it."""

from pathlib import Path

import torch

from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.contents import Contents
from motionrep.files.versions import require_readable
from motionrep.motion.records import MotionOptions
from motionrep.types import BodyMotion

FORMAT, NEWEST = "motionrep body motion", 1


def read(contents: Contents, options: MotionOptions) -> list[BodyMotion]:
    """The motion as it was saved, whatever body was asked for.

    Raises:
        ValueError: A newer format, a missing field, or values that are no motion.
    """
    path = contents.path
    require_readable(path, contents.declared, FORMAT, NEWEST)
    with open_npz(path) as arrays:
        frame = str(arrays["frame"])
        if frame not in ("camera", "world"):
            raise ValueError(f"{path}: 'frame' must be camera or world, got {frame!r}")
        names = ("local_rotmat", "translation_m", "betas") + (("expression",) if "expression" in arrays else ())
        tensors = {name: torch.from_numpy(arrays[name]) for name in names}
        body_model, fps, first_frame = str(arrays["body_model"]), float(arrays["fps"]), first_frame_of(path, arrays)
    try:
        return [BodyMotion(**tensors, body_model=body_model, fps=fps, frame=frame, first_frame=first_frame)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def first_frame_of(path: Path, arrays: Arrays) -> int:
    """The number of the first frame; 0 in files of before there was one."""
    if "first_frame" not in arrays:
        return 0
    number = arrays["first_frame"]
    if number.ndim or number.dtype.kind not in "iu":
        raise ValueError(f"{path}: 'first_frame' must be a whole number, got {number.dtype} of shape {number.shape}")
    return int(number)
