"""Reads the fields of SMPL, SMPL-H and SMPL-X files as they are downloaded, with joints in the order of our bodies."""

import hashlib
import logging
from pathlib import Path

import numpy as np

from motionrep.body.skeletons import BODY_SKELETONS, FILE_ORDERS
from motionrep.body.smpl_pickles import read_smpl_pickle
from motionrep.files.arrays import open_npz
from motionrep.files.contents import look
from motionrep.files.writing import written_beside
from motionrep.layouts import JointLayout

logger = logging.getLogger(__name__)

NEEDED = ("v_template", "f", "weights", "J_regressor", "kintree_table", "shapedirs")
_LANDMARKS = ("vertex_id_names", "vertex_id_values")
_FIELDS = (*NEEDED, "posedirs", *_LANDMARKS)
_CONVERTED = "motionrep body 2, from sha256 "


def read_smpl_fields(path: Path) -> dict[str, np.ndarray]:
    """Those of SMPL's fields that a body needs and the file has, as dense arrays.

    Joints are in the order of `motionrep.body.skeletons`.

    A pickle is converted once. Its arrays are saved next to it as `NAME.motionrep.npz`, with the checksum of the
    pickle, and read from there until the pickle changes. Where the folder cannot be written to, the pickle is read
    each time.

    Raises:
        ValueError: The file is neither a pickle nor an .npz of plain arrays, or is broken.
    """
    fields = _from_pickle(path) if look(path).container == "pickle" else _from_npz(path)
    return with_smpl_joints_first(path, fields)


def smpl_file_joints(path: Path) -> int | None:
    """The number of joints in an .npz; None for files of another kind, such as those of soft tissue."""
    try:
        with open_npz(path) as arrays:
            return arrays["kintree_table"].shape[-1]
    except (OSError, ValueError, IndexError):
        return None


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with open_npz(path) as arrays:
            return {name: arrays[name] for name in _FIELDS if name in arrays}
    except ValueError as error:
        raise ValueError(
            f"{path}: expected an .npz of plain numeric arrays, got: {error}; save every field as a dense array"
        ) from error


def _from_pickle(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        source = _CONVERTED + hashlib.file_digest(file, "sha256").hexdigest()
    converted = path.with_suffix(".motionrep.npz")
    try:
        with open_npz(converted) as arrays:
            if str(arrays["source"]) == source:
                return {name: arrays[name] for name in _FIELDS if name in arrays}
    except (OSError, ValueError):
        pass  # not there yet, or damaged: it is written again
    fields = read_smpl_pickle(path, _FIELDS)
    fields = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in fields.items()}
    if all(name in fields for name in NEEDED):
        try:
            with written_beside(converted, told=False) as beside:
                np.savez(beside, source=np.array(source), **fields)  # pyright: ignore[reportArgumentType]
        except OSError as error:
            logger.info("the converted body was not kept: %s", error)
    return fields


def with_smpl_joints_first(path: Path | str, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields of SMPL-H and SMPL-X with joints in the order of `body.skeletons`; others as they are.

    SMPL's two hand joints are added, which those files lack. They lie in the middle of the knuckles of the four
    fingers, are the parents of these and move no vertex themselves.
    """
    joints = fields["kintree_table"].shape[-1] if "kintree_table" in fields else 0
    layout = BODY_SKELETONS[joints + 2] if joints + 2 in FILE_ORDERS else None
    same = all(name in fields and joints in fields[name].shape for name in ("weights", "J_regressor"))
    if layout is None or not same:
        return fields
    order = FILE_ORDERS[layout.joint_count]
    if fields["kintree_table"][0, 1:].tolist() != _file_parents(layout)[1:]:
        raise ValueError(f"{path}: field 'kintree_table' has {joints} joints but not the tree of SMPL-H or SMPL-X")

    regressor = _spread(fields["J_regressor"], order, layout, 0)
    for hand in ("left_hand", "right_hand"):
        knuckles = [joint for joint, parent in enumerate(layout.parents) if parent == hand]
        regressor[layout.index(hand)] = regressor[knuckles].mean(0)
    changed = {
        "kintree_table": np.array([layout.parent_indices, range(layout.joint_count)]),
        "weights": _spread(fields["weights"], order, layout, 1),
        "J_regressor": regressor,
    }
    if "posedirs" in fields:
        directions = fields["posedirs"]
        if directions.ndim != 3 or directions.shape[-1] != 9 * (joints - 1):
            raise ValueError(f"{path}: field 'posedirs' should end in {9 * (joints - 1)}, got {directions.shape}")
        columns = (9 * np.array(order[1:])[:, None] - 9 + np.arange(9)).ravel()
        changed["posedirs"] = np.zeros((*directions.shape[:2], 9 * (layout.joint_count - 1)), directions.dtype)
        changed["posedirs"][..., columns] = directions
    return fields | changed


def _spread(array: np.ndarray, order: tuple[int, ...], layout: JointLayout, axis: int) -> np.ndarray:
    """Moves the file's joints to their places along an axis; joints that the file lacks get zeros."""
    shape = [*array.shape]
    shape[axis] = layout.joint_count
    spread = np.zeros(shape, array.dtype)
    spread[(slice(None),) * axis + (list(order),)] = array
    return spread


def _file_parents(layout: JointLayout) -> list[int]:
    """Parent indices in the file, where all fingers are children of the wrists."""
    order = FILE_ORDERS[layout.joint_count]
    parents = list(layout.parent_indices)
    for joint, parent in enumerate(layout.parents):
        if parent in ("left_hand", "right_hand"):
            parents[joint] = layout.index(parent.replace("hand", "wrist"))
    return [-1, *(order.index(parents[joint]) for joint in order[1:])]
