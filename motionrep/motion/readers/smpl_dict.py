"""SMPL's parameters in a dict (.pkl, .pt, .npy or .json): global_orient and body_pose, of one person or of each.

Many programs write such dicts, and none says whose axes they are in. What cannot be read is refused by name.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import roma
import torch
from torch import Tensor

from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.readers.frame_rates import fps_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Generation, Track, TrackArrays, TrackAxes, checked_track

logger = logging.getLogger(__name__)

_ROOT, _BODY = "global_orient", "body_pose"
_PLACES = ("transl", "trans", "root_transl", "cam_trans", "camera_translation")
_SHAPES = ("betas", "shape")
_FACE = ("jaw_pose", "leye_pose", "expression")
_JOINTS = (21, 23)  # of SMPL-H and SMPL-X, and of SMPL, without the root
_REFUSED = {
    32: "VPoser's latent code; decode it and save the 63 numbers of the pose",
    72: "72 numbers, which hold the root as well; save them as poses of an .npz, as AMASS has them",
    126: "6 numbers a joint, which may be rows or columns of a matrix; save axis-angles",
    138: "6 numbers a joint, which may be rows or columns of a matrix; save axis-angles",
    84: "quaternions, whose order nobody says; save axis-angles",
    92: "quaternions, whose order nobody says; save axis-angles",
}
_STANDS = 0.5  # cosine, on average
_MOST_RAD = 7.0  # of an axis-angle; more would be degrees


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person. Who stands along -y is in a camera's axes, anybody else in a world with y up.

    Raises:
        ValueError: Rotations in another form than axis-angles or matrices, or numbers that do not go together.
    """
    in_torch = contents.container == "torch"
    value = read_checkpoint(contents.path, unknown="refused") if in_torch else contents.value
    if isinstance(value, list):
        raise ValueError(
            f"{contents.path}: lists dicts with {_ROOT} and {_BODY}, and does not say whether they are frames or "
            "persons; save one dict of arrays over the frames for each person"
        )
    people = {"0": value} if _ROOT in value else {str(name): it for name, it in value.items() if isinstance(it, dict)}
    fps = fps_of(contents.path, value, options)
    return [_person(contents, name, fields, fps, options) for name, fields in people.items()]


def _person(contents: Contents, name: str, fields: Mapping[str, Any], fps: float, options: MotionOptions) -> Track:
    path = contents.path
    if lacking := [it for it in (_ROOT, _BODY) if it not in fields]:
        raise ValueError(f"{path}: person {name} lacks {', '.join(lacking)}; it has {', '.join(map(str, fields))}")
    root = _rotations(contents, _ROOT, fields[_ROOT], (1,))
    pose = _rotations(contents, _BODY, fields[_BODY], _JOINTS)
    if len(root) != len(pose):
        raise ValueError(f"{path}: person {name}: {_ROOT} has {len(root)} frames, {_BODY} has {len(pose)}")
    place_name = next((it for it in _PLACES if it in fields), None)
    if place_name is None:
        logger.warning("%s: person %s has no transl, so the body stays at one place", path, name)
    place = np.zeros((len(root), 3)) if place_name is None else _numbers(contents, place_name, fields[place_name])
    shape_name = next((it for it in _SHAPES if it in fields), None)
    betas = np.zeros((1, 10)) if shape_name is None else _numbers(contents, shape_name, fields[shape_name])
    generation: Generation = "smplx" if pose.shape[1] == min(_JOINTS) * 3 else "smpl"
    if generation == "smplx" and not any(it in fields for it in _FACE):
        logger.warning("%s does not say whether its betas are SMPL-X's or SMPL-H's; taking SMPL-X", path)
    frame = options.frame or ("camera" if _stands_along(root) < -_STANDS or place_name in _PLACES[3:] else "world")
    poses = np.concatenate([root, pose], 1)
    arrays = TrackArrays(poses, place.reshape(-1, 3), betas.reshape(-1, betas.shape[-1]))
    return checked_track(path, name, arrays, generation, fps, TrackAxes(frame, "own"))


def _rotations(contents: Contents, name: str, value: Any, joints: tuple[int, ...]) -> np.ndarray:
    """Axis-angles (frames, 3 for each joint) of axis-angles or matrices in any shape."""
    values = _numbers(contents, name, value)
    matrices = values.shape[-2:] == (3, 3) and (values.ndim > 2 or np.allclose(values @ values.T, np.eye(3), atol=1e-3))
    known = {count * numbers: (count, numbers) for count in joints for numbers in ((9,) if matrices else (3, 9))}
    widths = [int(np.prod(values.shape[-axes:])) for axes in range(1, min(values.ndim, 3) + 1)]
    width = next((it for it in widths if it in known), None)
    if width is None:
        why = next((_REFUSED[it] for it in widths if it in _REFUSED and name == _BODY), f"shape {values.shape}")
        expected = "3 numbers or a matrix" if name == _ROOT else "63 or 69 numbers, or 21 or 23 matrices,"
        raise ValueError(f"{contents.path}: {name} should have {expected} a frame, got {why}")
    count, numbers = known[width]
    values = values.reshape(-1, count, numbers)
    if numbers == 9:
        matrix = torch.from_numpy(values.reshape(-1, count, 3, 3))
        if not torch.allclose(matrix @ matrix.mT, torch.eye(3, dtype=matrix.dtype), atol=1e-2):
            raise ValueError(f"{contents.path}: field {name!r} should hold rotation matrices, those here are none")
        values = roma.rotmat_to_rotvec(matrix).numpy()
    elif float(np.linalg.norm(values, axis=-1).max(initial=0)) > _MOST_RAD:
        raise ValueError(f"{contents.path}: {name} has angles above a full turn; if these are degrees, save radians")
    return values.reshape(len(values), -1)


def _numbers(contents: Contents, name: str, value: Any) -> np.ndarray:
    array = value.detach().float().numpy() if isinstance(value, Tensor) else array_of(contents.path, name, value)
    return np.atleast_1d(array.astype(np.float64))


def _stands_along(root: np.ndarray) -> float:
    """How far the body's upward axis points along y, on average."""
    return float(roma.rotvec_to_rotmat(torch.from_numpy(root))[:, 1, 1].mean())
