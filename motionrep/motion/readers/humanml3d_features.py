"""HumanML3D's features (`new_joint_vecs`, and what models trained on it give): SMPL's 22 joints from 263 numbers.

A frame has the root's turn about y since the frame before (half the angle, radians), its step along x and z in its own
heading, its height, and the other 21 joints from the ground below the root, in its heading. Rotations, speeds and
contacts follow, which are not needed.
"""

from pathlib import Path

import numpy as np

from motionrep.files.arrays import read_array
from motionrep.files.contents import Contents
from motionrep.layouts import SMPL_24
from motionrep.motion.readers.joint_array import HUMANML3D_FPS, SMPL_BODY, on_smpl_24
from motionrep.motion.records import JointOptions, RecordedJoints, chosen

FEATURES = 263
_THIGH_M = (0.2, 0.7)
_THIGH_SPREAD = 0.2  # how much its length may change, of the mean


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The joints in a world with y up, in metres, as `recover_from_ric` of HumanML3D's code gives them.

    Raises:
        ValueError: The numbers give no body, such as features that were normalised for a network.
    """
    path = contents.path
    chosen(path, 1, options.person)
    if options.layout not in (None, SMPL_24.name):
        raise ValueError(f"{path}: holds {SMPL_BODY} joints of SMPL; leave layout={options.layout!r} out")
    name = next(name for name, header in contents.arrays.items() if header.shape[1:] == (FEATURES,))
    joints = _joints(read_array(path, name).astype(np.float64))
    _require_metres(path, joints)
    return RecordedJoints(on_smpl_24(joints), SMPL_24, axes="y-up", usual_fps=HUMANML3D_FPS)


def _joints(features: np.ndarray) -> np.ndarray:
    """(frames, 22, 3) of (frames, 263)."""
    frames = len(features)
    half_rad = np.concatenate([[0.0], features[:-1, 0].cumsum()])
    cosine, sine = np.cos(2 * half_rad), np.sin(2 * half_rad)
    local = np.zeros((frames, SMPL_BODY, 3))
    local[:, 1:] = features[:, 4 : 4 + 3 * (SMPL_BODY - 1)].reshape(frames, -1, 3)
    steps = np.zeros((frames, 3))
    steps[1:, [0, 2]] = features[:-1, 1:3]
    place = _turned(steps[:, None], cosine, sine)[:, 0].cumsum(0)
    joints = _turned(local, cosine, sine) + place[:, None]
    joints[:, 0, 1] = features[:, 3]
    return joints


def _turned(vectors: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
    """From the heading's axes to the world's: the heading is kept as the turn that undoes it."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    cosine, sine = cosine[:, None], sine[:, None]
    return np.stack([cosine * x - sine * z, y, sine * x + cosine * z], -1)


def _require_metres(path: Path, joints: np.ndarray) -> None:
    thigh_m = np.linalg.norm(joints[:, 1] - joints[:, 4], axis=-1)
    mean_m = float(thigh_m.mean())
    if not (_THIGH_M[0] < mean_m < _THIGH_M[1]) or thigh_m.std() > _THIGH_SPREAD * mean_m:
        raise ValueError(
            f"{path}: has {FEATURES} numbers a frame as HumanML3D's features, but they give no body in metres (a thigh "
            f"of {mean_m:.2f} m); multiply normalised features by Std.npy and add Mean.npy first"
        )
