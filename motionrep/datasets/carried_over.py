"""Motions of other bodies as clips of the body that is trained: carried over once, kept in the user's cache."""

import hashlib
import logging
import math
from pathlib import Path

import numpy as np
import torch

from motionrep.body.identity import body_digest
from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.files.arrays import open_npz
from motionrep.files.reading import reading
from motionrep.files.user_cache import user_cache
from motionrep.files.writing import written_beside
from motionrep.fitting.transfer import transfer
from motionrep.motion.loading import body_meant, load_motions
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)

_VERSION = 1
_TENSORS = ("local_rotmat", "translation_m", "betas")


def motions_on(path: Path, body: BodyModel) -> list[tuple[BodyMotion, float | None]]:
    """The motions of a file on a body, with the error in mm of those that were made for another one.

    SMPL's files of another generation than the body's are read on the body that they mean, if the user has it, and
    carried over with shape and surface (`fitting.transfer`). The error is the mean distance of joints and landmarks.

    Raises:
        ValueError: As `load_motions`.
    """
    source = None if body.name == "open" else body_meant(path, body)
    return [
        _carried_over(path, person, motion, body) if motion.body_model != body.name else (motion, None)
        for person, motion in enumerate(load_motions(path, source or body.name))
    ]


def _carried_over(path: Path, person: int, motion: BodyMotion, body: BodyModel) -> tuple[BodyMotion, float]:
    source = load_body_model(motion.body_model, len(motion.betas))
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    key = f"{_VERSION} {content} {person} {body_digest(source)} {body_digest(body)}"
    cache = user_cache()
    kept = None if cache is None else cache / "carried_over" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if kept is not None and (known := _read(kept, motion, body)) is not None:
        return known
    moved = transfer(motion, body)
    error_mm = float(moved.point_error_mm.mean())
    if kept is not None:
        _keep(kept, moved.motion, error_mm)
    return moved.motion, error_mm


def _read(kept: Path, motion: BodyMotion, body: BodyModel) -> tuple[BodyMotion, float] | None:
    """What an earlier run kept; None where that is nothing, or nothing that is whole: it is made again."""
    frame, first = motion.frame, motion.first_frame
    try:
        with reading(kept), open_npz(kept) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in _TENSORS}
            made = BodyMotion(**tensors, body_model=body.name, fps=motion.fps, frame=frame, first_frame=first)
            error_mm = float(arrays["error_mm"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.info("%s; the motion is carried over again", error)
        return None
    return (made, error_mm) if made.frame_count == motion.frame_count and 0 <= error_mm < math.inf else None


def _keep(kept: Path, motion: BodyMotion, error_mm: float) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(kept, told=False) as beside, beside.open("wb") as file:
            tensors = {name: getattr(motion, name).numpy() for name in _TENSORS}
            np.savez_compressed(file, error_mm=np.array(error_mm), **tensors)
    except OSError as error:
        logger.info("the motion carried over was not kept: %s", error)
