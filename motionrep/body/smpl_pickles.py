"""Reads SMPL's pickles without chumpy, with which they were written, and without running anything in them.

SciPy's matrices and chumpy's objects have stand-ins here that only record what they are given. The rest is done by
`motionrep.files.pickles`.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.pickles import MALFORMED, Inert, as_array, read_pickle


def read_smpl_pickle(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The wanted fields that the file has, as dense arrays.

    Pickles of Python 2 and 3 are read. They may hold NumPy arrays, SciPy's csc and csr matrices, and chumpy's plain
    arrays, selections, reshapings and transpositions.

    Raises:
        ValueError: The file is cut off or no SMPL file, asks to import anything else, or a wanted field holds anything
            else; nothing in it was run.
    """
    content = read_pickle(path, "SMPL model", _stand_in)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dict of SMPL's fields, the file holds a {type(content).__name__}")
    fields: dict[str, np.ndarray] = {}
    for name in wanted:
        if name in content:
            try:
                fields[name] = _dense(content[name])
            except MALFORMED as error:
                raise ValueError(f"{path}: field {name!r} is no array that can be read: {error}") from error
    return fields


class _Sparse(Inert): ...


class _Chumpy(Inert): ...


def _stand_in(module_name: str, global_name: str) -> Any:
    if module_name.startswith("scipy.sparse.") and re.fullmatch("cs[cr]_(matrix|array)", global_name):
        return type(global_name, (_Sparse,), {})
    if module_name.split(".")[0] == "chumpy":
        return type(global_name, (_Chumpy,), {})
    return None


def _dense(value: Any) -> np.ndarray:
    match value:
        case _Sparse():
            return _from_sparse(type(value).__name__, value.state)
        case _Chumpy():
            return _from_chumpy(type(value).__name__, value.state)
    return as_array(value)


def _from_sparse(kind: str, state: dict[str, Any]) -> np.ndarray:
    rows, columns = (int(size) for size in state["_shape" if "_shape" in state else "shape"])
    values, inner, start = (_dense(state[name]) for name in ("data", "indices", "indptr"))
    if rows * columns > 1e8:
        raise ValueError(f"a matrix of {rows} x {columns}")
    if len(start) == 0 or (np.diff(start) < 0).any() or int(start[-1]) != len(values):
        raise ValueError("a matrix whose indices do not fit its numbers")
    outer = np.repeat(np.arange(len(start) - 1), np.diff(start))
    dense = np.zeros((rows, columns))
    np.add.at(dense, (inner, outer) if kind.startswith("csc") else (outer, inner), values)
    return dense


def _from_chumpy(kind: str, state: dict[str, Any]) -> np.ndarray:
    match kind:
        case "Ch":
            return _dense(state["x"])
        case "Select":
            chosen = _dense(state["a"]).ravel()[_dense(state["idxs"])]
            return chosen.reshape(state.get("preferred_shape", chosen.shape))
        case "Reshape":
            return _dense(state["a"]).reshape(state["newshape"])
        case "transpose":
            return _dense(state["a"]).transpose(state.get("axes"))
    raise TypeError(f"it is chumpy's {kind!r}, which is not computed here; save its value as a plain array")
