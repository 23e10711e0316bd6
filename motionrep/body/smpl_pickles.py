"""Reads SMPL's pickled files without running anything in them, and without chumpy, which they were written with.

Every class and function that such a file names has a stand-in here that only takes down what it is given. Anything
else is refused by its name.
"""

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

_MALFORMED = (
    pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError, MemoryError,
    RecursionError,
)  # fmt: skip


def read_smpl_pickle(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The wanted fields that the file has, as dense arrays.

    Read are pickles of Python 2 and 3 that hold NumPy arrays, SciPy's csc and csr matrices, and of chumpy plain arrays,
    selections, reshapings and transpositions of them.

    Raises:
        ValueError: The file is cut off or no SMPL file, names anything else to be imported, or a wanted field holds
            something else; nothing in it was run.
    """
    try:
        content = _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except _Refused as error:
        raise ValueError(
            f"{path}: asks to import {error}, which no SMPL file needs; refused, nothing was run"
        ) from None
    except _MALFORMED as error:
        raise ValueError(
            f"{path}: not a whole pickle of a SMPL model ({type(error).__name__}: {error}); download it again"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dict of SMPL's fields, the file holds a {type(content).__name__}")
    fields: dict[str, np.ndarray] = {}
    for name in wanted:
        if name in content:
            try:
                fields[name] = _dense(content[name])
            except _MALFORMED as error:
                raise ValueError(f"{path}: field {name!r} is no array that can be read: {error}") from error
    return fields


class _Refused(Exception):  # noqa: N818
    """The file names something that is not on the list."""


class _Object:
    """What the file says about an object. A class as stand-in for a function, too: files cannot change classes."""

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> Any:
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Object): ...


class _Buffer(_Object): ...


class _Dtype(_Object): ...


class _Sparse(_Object): ...


class _Chumpy(_Object): ...


class _Rebuilt(_Object):
    """Objects in pickles of protocol 0 and 1: (class, base, state of the base)."""

    def __new__(cls, *arguments: Any) -> Any:
        wanted = arguments[0]
        if not (isinstance(wanted, type) and issubclass(wanted, _Object)):
            raise pickle.UnpicklingError("an object of unknown class")
        return wanted()


class _Bytes(_Object):
    """Bytes in pickles of protocol 2 that Python 3 wrote: (text, "latin1")."""

    def __new__(cls, *arguments: Any) -> Any:
        return str(arguments[0]).encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("copy_reg", "_reconstructor"): _Rebuilt,
    ("copyreg", "_reconstructor"): _Rebuilt,
    ("_codecs", "encode"): _Bytes,
    ("collections", "OrderedDict"): OrderedDict,
}
for _numpy in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS |= {
        (f"{_numpy}.multiarray", "_reconstruct"): _Array,
        (f"{_numpy}.multiarray", "scalar"): _Object,
        (f"{_numpy}.numeric", "_frombuffer"): _Buffer,
    }
for _builtins in ("__builtin__", "builtins"):  # Python 2 and 3
    _STAND_INS |= {(_builtins, "set"): set, (_builtins, "object"): _Object}


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        known = _STAND_INS.get((module_name, global_name))
        if known is not None:
            return known
        if module_name.startswith("scipy.sparse.") and re.fullmatch("cs[cr]_(matrix|array)", global_name):
            return type(global_name, (_Sparse,), {})
        if module_name.split(".")[0] == "chumpy":
            return type(global_name, (_Chumpy,), {})
        raise _Refused(f"{module_name}.{global_name}")


def _dense(value: Any) -> np.ndarray:
    match value:
        case _Array():
            *_, shape, dtype, fortran, raw = value.state
            return _from_bytes(raw, dtype, shape, "F" if fortran else "C")
        case _Buffer():
            raw, dtype, shape, order = value.arguments
            return _from_bytes(raw, dtype, shape, order)
        case _Sparse():
            return _from_sparse(type(value).__name__, value.state)
        case _Chumpy():
            return _from_chumpy(type(value).__name__, value.state)
    raise TypeError(f"it holds a {type(value).__name__}")


def _from_bytes(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    kind = dtype.arguments[0] if isinstance(dtype, _Dtype) else None
    if not isinstance(kind, str) or not re.fullmatch(r"[fiub]\d+", kind):
        raise TypeError("its elements are not numbers")
    numbers = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as text
    order_of_bytes = dtype.state[1] if dtype.state else "<"
    return np.frombuffer(numbers, np.dtype(kind).newbyteorder(order_of_bytes)).reshape(shape, order=order)


def _from_sparse(kind: str, state: dict[str, Any]) -> np.ndarray:
    rows, columns = (int(size) for size in state["_shape" if "_shape" in state else "shape"])
    values, inner, start = (_dense(state[name]) for name in ("data", "indices", "indptr"))
    if rows * columns > 1e8:
        raise ValueError(f"a matrix of {rows} x {columns}")
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
