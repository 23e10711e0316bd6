"""The fields of SMPL, SMPL-H and SMPL-X files as they are downloaded, made to fit the body's 24 joints."""

import hashlib
import logging
import zipfile
import zlib
from pathlib import Path

import numpy as np

from motionrep.body.smpl_pickles import read_smpl_pickle
from motionrep.files import written_beside
from motionrep.layouts import SMPL_24

logger = logging.getLogger(__name__)

NEEDED = ("v_template", "f", "weights", "J_regressor", "kintree_table", "shapedirs")
_LANDMARKS = ("vertex_id_names", "vertex_id_values")
_FIELDS = (*NEEDED, "posedirs", *_LANDMARKS)
_BROKEN = (ValueError, EOFError, zipfile.BadZipFile, zlib.error)
_BETAS = 10
_CONVERTED = "motionrep body 1, from sha256 "

_HEAD, _LEFT_WRIST, _LEFT_HAND = (SMPL_24.index(joint) for joint in ("head", "left_wrist", "left_hand"))
_BODY_JOINTS = _LEFT_HAND  # SMPL-H and SMPL-X share all joints up to the wrists with SMPL
_FACE_JOINTS = {52: 0, 55: 3}  # of SMPL-H and SMPL-X: jaw and eyes, which stand between the body and the hands
_FINGERS = 5  # index, middle, little, ring, thumb, three joints each


def read_smpl_fields(path: Path) -> dict[str, np.ndarray]:
    """Dense arrays of those of SMPL's fields that the file has, for 24 joints; other fields are not looked at.

    A pickle is converted once: its arrays are saved next to it as `NAME.motionrep.npz`, with the checksum of the
    pickle, and read from there until the pickle changes. Where that folder cannot be written to, the pickle is read
    each time.

    Raises:
        ValueError: The file is neither a pickle nor an .npz of plain arrays, or is broken.
    """
    fields = _from_pickle(path) if path.suffix.lower() == ".pkl" else _from_npz(path)
    return _on_24_joints(path, fields)


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in _FIELDS if name in file}
    except _BROKEN as error:
        raise ValueError(
            f"{path}: expected an .npz of plain numeric arrays, got: {error}; save every field as a dense array"
        ) from error


def _from_pickle(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        source = _CONVERTED + hashlib.file_digest(file, "sha256").hexdigest()
    converted = path.with_suffix(".motionrep.npz")
    try:
        with zipfile.ZipFile(converted), np.load(converted, allow_pickle=False) as file:
            if str(file["source"]) == source:
                return {name: file[name] for name in _FIELDS if name in file}
    except (OSError, KeyError, *_BROKEN):
        pass  # not there yet, or damaged: it is made anew
    fields = read_smpl_pickle(path, _FIELDS)
    if "shapedirs" in fields:
        fields["shapedirs"] = fields["shapedirs"][..., :_BETAS]  # of up to 400
    fields = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in fields.items()}
    if all(name in fields for name in NEEDED):
        try:
            with written_beside(converted) as beside:
                np.savez(beside, source=np.array(source), **fields)  # pyright: ignore[reportArgumentType]
        except OSError as error:
            logger.info("the converted body was not kept: %s", error)
    return fields


def _on_24_joints(path: Path, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """SMPL-H and SMPL-X with flat hands and a still face: exact, since such joints move rigidly with their parents.

    Four fingers follow the joint of the hand, whose place is the mean of their knuckles; the thumb follows the wrist,
    jaw and eyes follow the head. Pose correctives of fingers and face are left out.
    """
    joints = fields["kintree_table"].shape[-1] if "kintree_table" in fields else 0
    same = all(name in fields and joints in fields[name].shape for name in ("weights", "J_regressor"))
    if joints not in _FACE_JOINTS or not same:
        return fields
    parents, target = list(SMPL_24.parent_indices[:_BODY_JOINTS]), list(range(_BODY_JOINTS))
    parents += [_HEAD] * _FACE_JOINTS[joints]
    target += [_HEAD] * _FACE_JOINTS[joints]
    hands = []
    for side in (0, 1):
        hands.append(len(parents))
        for finger in range(_FINGERS):
            parents += [_LEFT_WRIST + side, len(parents), len(parents) + 1]
            target += [(_LEFT_HAND if finger < _FINGERS - 1 else _LEFT_WRIST) + side] * 3
    if fields["kintree_table"][0, 1:].tolist() != parents[1:]:
        raise ValueError(f"{path}: field 'kintree_table' has {joints} joints but not the tree of SMPL-H or SMPL-X")

    regressor = fields["J_regressor"]
    knuckles = [regressor[start : start + 3 * (_FINGERS - 1) : 3].mean(0) for start in hands]
    changed = {
        "kintree_table": np.array([SMPL_24.parent_indices, range(SMPL_24.joint_count)]),
        "weights": fields["weights"] @ np.eye(SMPL_24.joint_count, dtype=fields["weights"].dtype)[target],
        "J_regressor": np.concatenate([regressor[:_BODY_JOINTS], knuckles]),
    }
    if "posedirs" in fields:
        directions = fields["posedirs"]
        if directions.shape[-1] != 9 * (joints - 1):
            raise ValueError(f"{path}: field 'posedirs' should end in {9 * (joints - 1)}, got {directions.shape}")
        still = np.zeros((*directions.shape[:-1], 9 * (SMPL_24.joint_count - _BODY_JOINTS)), directions.dtype)
        changed["posedirs"] = np.concatenate([directions[..., : 9 * (_BODY_JOINTS - 1)], still], -1)
    return fields | changed
