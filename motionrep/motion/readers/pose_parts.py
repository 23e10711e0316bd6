"""SMPL-H or SMPL-X in parts (.npz with root_orient and pose_body), as VPoser's, GMR's and PBHC's users have it."""

import logging

import numpy as np
import roma
import torch

from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.contents import Contents
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.readers.amass import gender_of, on_body
from motionrep.motion.readers.frame_rates import fps_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import (
    Generation,
    Track,
    TrackArrays,
    TrackAxes,
    checked_track,
)

logger = logging.getLogger(__name__)

_BODY, _FINGERS, _FACE = 66, 90, 9
_UPRIGHT = 0.8  # cosine, on average


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The one person, in AMASS's axes (z up). SMPL-X unless `surface_model_type` says otherwise, with a warning.

    Raises:
        ValueError: Fields are missing or of the wrong shape, or the file has another frame rate than was asked for.
    """
    path = contents.path
    with open_npz(path) as arrays:
        fps = fps_of(path, arrays, options)
        generation = _generation(arrays)
        poses, trans = _poses(arrays), arrays["trans"]
        betas = arrays["betas"] if "betas" in arrays else np.zeros(10)
        gender = gender_of(arrays)
    if options.up is None and _stands_along_y(poses):
        logger.warning(
            "%s: the person stands along y, where z is up in such files as in AMASS's; if y is up here, pass up='y' "
            "(--up y)", path,
        )  # fmt: skip
    axes = TrackAxes("world", "on_floor", y_up_turn(torch.tensor([0.0, 0.0, 1.0])))
    return [checked_track(path, "0", TrackArrays(poses, trans, betas), generation, fps, axes, gender=gender)]


def _stands_along_y(poses: np.ndarray) -> bool:
    roots = roma.rotvec_to_rotmat(torch.from_numpy(poses[:, :3].astype(np.float64)))
    return bool(roots[..., 1].mean(0)[1] > _UPRIGHT)


def _generation(arrays: Arrays) -> Generation:
    said = str(arrays["surface_model_type"]).lower() if "surface_model_type" in arrays else ""
    if said in ("smplx", "smplh", "smpl"):
        return "smplx" if said == "smplx" else "smpl"
    logger.warning("%s does not say whether its betas are SMPL-X's or SMPL-H's; taking SMPL-X", arrays.path)
    return "smplx"


def _poses(arrays: Arrays) -> np.ndarray:
    """Axis-angles of the body, with the fingers and the face where the file has them."""
    root = arrays["root_orient"]
    if "floor_plane" in arrays or (root.ndim == 3 and root.shape[1] > 1):
        raise ValueError(
            f"{arrays.path}: is a result of SLAHMR or HuMoR, with root_orient {root.shape}, and does not say which way "
            "is up; save root_orient (frames, 3), pose_body and trans of one person with z up"
        )
    frames = len(root)
    body = _joined(arrays, frames, ("root_orient", "pose_body"))
    if body.shape[1] < _BODY:
        raise ValueError(
            f"{arrays.path}: expected root_orient (frames, 3) and pose_body (frames, 63), got "
            f"{arrays['root_orient'].shape} and {arrays['pose_body'].shape}"
        )
    body = body[:, :_BODY]  # SMPL's pose_body has two rigid hands more
    hands = next((names for names in (("pose_hand",), ("left_hand_pose", "right_hand_pose")) if names[0] in arrays), ())
    fingers = _joined(arrays, frames, hands) if hands else np.zeros((frames, 0))
    if fingers.shape[1] != _FINGERS:
        return body
    face = [name for name in ("pose_jaw", "pose_eye") if name in arrays]
    turned = _joined(arrays, frames, tuple(face)) if face else np.zeros((frames, 0))
    return on_body(np.concatenate([body, turned, fingers] if turned.shape[1] == _FACE else [body, fingers], 1))


def _joined(arrays: Arrays, frames: int, names: tuple[str, ...]) -> np.ndarray:
    parts = [arrays[name].reshape(len(arrays[name]), -1) for name in names]
    if any(len(part) != frames for part in parts):
        raise ValueError(f"{arrays.path}: {', '.join(names)} have {', '.join(str(len(it)) for it in parts)} frames")
    return np.concatenate(parts, 1)
