"""Reads pickles of arrays and plain containers without running anything in them.

Every class and function that such a file names has a stand-in here, which only records its arguments. A file that names
anything else is refused.
"""

import bz2
import io
import lzma
import mmap
import pickle
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from motionrep.files.arrays import BROKEN_NPZ, member_bytes, read_header, require_shape_within
from motionrep.files.limits import OverLimitError, limit, require_within
from motionrep.files.pickle_machine import Inert, PickleMachine, as_dict, as_ordered, as_set, require_bounded
from motionrep.files.reading import read_bytes, require_file

MALFORMED = (
    pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError, MemoryError,
    RecursionError,
)  # fmt: skip
# How files begin that joblib compressed by zlib, gzip, bz2, xz, lzma and lz4, and what undoes it.
_UNPACKERS: dict[tuple[bytes, ...], Callable[[], Any] | None] = {
    (b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b"): lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 32),
    (b"BZh",): bz2.BZ2Decompressor,
    (b"\xfd7zXZ", b"]\x00\x00"): lzma.LZMADecompressor,
    (b"\x04\x22M\x18",): None,
}
COMPRESSED = tuple(mark for marks in _UNPACKERS for mark in marks)


def read_pickle(path: Path, what: str, stand_in: Callable[[str, str], Any] = lambda module, name: None) -> Any:
    """What a pickle of Python 2 or 3, or of joblib, holds; see `as_array` for its arrays.

    Args:
        what: What the file should be, for messages: "SMPL model".
        stand_in: Gives the stand-in for a further name (module, name), or None to refuse it.

    Raises:
        ValueError: The file is compressed by lz4, cut off or no pickle, or asks to import anything else; nothing in it
            was run.
    """
    require_file(path)
    with path.open("rb") as file:
        if path.stat().st_size and not file.read(8).startswith(COMPRESSED):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:  # a copy would double large files
                return _read(content, path, what, stand_in)
    return _read(io.BytesIO(unpacked(path)), path, what, stand_in)


def unpacked(path: Path) -> bytes:
    """The content of a file, without the compression of joblib. Raises ValueError as `read_pickle`."""
    content = read_bytes(path)
    if not content.startswith(COMPRESSED):
        return content
    unpacker = next(unpacker for marks, unpacker in _UNPACKERS.items() if content.startswith(marks))
    if unpacker is None:
        raise ValueError(f"{path}: is compressed by lz4, which needs a library; save it with compress=3")
    try:
        plain = unpacker().decompress(content, limit("bytes") + 1)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise ValueError(f"{path}: its compression is damaged ({error}); get it again") from error
    require_within(path, "bytes", len(plain))
    return plain


def read_npy_object(path: Path, what: str) -> Any:
    """The Python object that `np.save(path, object)` wrote, as `read_npz_object`. Raises ValueError likewise."""
    try:
        file = io.BytesIO(read_bytes(path))
        header = read_header(file)
        if header.dtype.kind != "O" or header.shape != ():
            raise ValueError(f"it should be one object (a dict), it is {header.dtype} of shape {header.shape}")
        content = file.read()
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: {error}") from error
    return _only_item(_read(io.BytesIO(content), path, what, lambda module, name: None), path)


def read_npz_object(path: Path, key: str, what: str) -> Any:
    """The Python object that `np.savez(path, key=object)` wrote, which NumPy itself only reads with allow_pickle.

    Args:
        what: What the file should be, for messages: "Human3.6M file of VideoPose3D".

    Raises:
        FileNotFoundError: No such file.
        ValueError: No .npz, no such key (the message lists those there are), numbers instead of an object, or the
            object asks to import something; nothing in it was run.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a {what}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in names:
                raise ValueError(f"a {what} has {key!r}, this file has {', '.join(names) or 'nothing'}")
            file = io.BytesIO(member_bytes(archive, f"{key}.npy", path))
        header = read_header(file)
        if header.dtype.kind != "O" or header.shape != ():
            raise ValueError(
                f"{key!r} should be one object (a dict), it is an array of shape {header.shape}, {header.dtype}"
            )
        content = file.read()
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: {error}") from error
    return _only_item(_read(io.BytesIO(content), path, what, lambda module, name: None), path)


def _only_item(value: Any, path: Path) -> Any:
    try:
        return value.state[-1][0]
    except MALFORMED as error:
        raise ValueError(f"{path}: is not as NumPy writes an object ({error}); get the file again") from error


def read_outline(stream: BinaryIO | io.BufferedIOBase) -> Any:
    """What a pickle holds, for looking only: whatever is no plain container, text or number becomes `Unknown`.

    Args:
        stream: `io.BytesIO`, or another whose `read` makes no room for more than there is.

    Raises:
        One of `MALFORMED`: The pickle is cut off or is none; nothing in it was run.
    """
    find = _finder(stream, lambda module, name: Unknown)
    return require_bounded(PickleMachine(stream, find, lambda key: Unknown()).load())


class Unknown(Inert):
    """Stands for an object of any class where a file is only looked at; takes whatever is done to it."""

    def __call__(self, *arguments: Any) -> "Unknown":
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    append = extend = add = update = __call__


def as_array(value: Any) -> np.ndarray:
    """The array of numbers that a value of `read_pickle` stands for. Raises one of `MALFORMED` for any other."""
    match value:
        case _Array():
            *_, shape, dtype, fortran, raw = value.state
            return _from_bytes(raw, dtype, shape, "F" if fortran else "C")
        case _Buffer():
            raw, dtype, shape, order = value.arguments
            return _from_bytes(raw, dtype, shape, order)
        case _Scalar():
            dtype, raw = value.arguments
            return _from_bytes(raw, dtype, (), "C")
        case _JoblibArray():
            return value.array
        case _Tensor():
            return _from_tensor(*value.arguments)
        case bool() | int() | float():
            return _numbers(value)
        case list() | tuple():
            plain = all(type(item) in (float, int, bool) for item in value)
            return _numbers(value if plain else [as_array(item) for item in value])
    raise TypeError(f"it holds a {type(value).__name__}")


def _numbers(value: Any) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind not in "fiub":
        raise TypeError("its elements are not numbers")
    return array


def as_items(value: Any) -> list[Any]:
    """The items of a list, a tuple or an array of objects or text. Raises one of `MALFORMED` for any other value."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, _Array):
        *_, shape, dtype, _, content = value.state
        if isinstance(content, list) and len(shape) == 1:
            return content
        return _text(content, dtype, shape).tolist()
    if isinstance(value, _Buffer):
        raw, dtype, shape, _ = value.arguments
        return _text(raw, dtype, shape).tolist()
    raise TypeError(f"it holds a {type(value).__name__}")


def as_text(value: Any) -> str:
    """The string that a value stands for: a string, or NumPy's. Raises one of `MALFORMED` for any other value."""
    if isinstance(value, str):
        return value
    if isinstance(value, _Scalar):
        dtype, raw = value.arguments
        return str(_text(raw, dtype, ()))
    raise TypeError(f"it holds a {type(value).__name__}")


class _Refused(Exception):  # noqa: N818
    """The file names something that is not on the list."""


class _Array(Inert): ...


class _Buffer(Inert): ...


class _Dtype(Inert): ...


class _Scalar(Inert): ...


class _Storage(Inert): ...


class _Tensor(Inert): ...


class _JoblibArray(Inert):
    """joblib writes the numbers of an array into the stream, right behind the object that describes it."""

    stream: io.BytesIO | mmap.mmap
    array: np.ndarray

    def __setstate__(self, state: Any) -> None:
        kind = _dtype(state["dtype"])
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        shape = state["shape"]
        raw = self.stream.read(require_shape_within("an array in it", shape) * kind.itemsize)
        self.array = np.frombuffer(raw, kind).reshape(shape, order=state["order"])


class _Rebuilt(Inert):
    """Objects in pickles of protocol 0 and 1: (class, base, state of the base)."""

    def __new__(cls, *arguments: Any) -> Any:
        wanted = arguments[0]
        if not (isinstance(wanted, type) and issubclass(wanted, Inert)):
            raise pickle.UnpicklingError("an object of unknown class")
        return wanted()


class _Bytes(Inert):
    """Bytes in pickles of protocol 2 that Python 3 wrote: (text, "latin1")."""

    def __new__(cls, *arguments: Any) -> Any:
        return str(arguments[0]).encode("latin1")


class _DefaultDict(dict[Any, Any]):
    """Has no factory, so that looking up a key calls nothing."""

    __slots__ = ()

    def __init__(self, *arguments: Any) -> None:
        super().__init__()


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("copy_reg", "_reconstructor"): _Rebuilt,
    ("copyreg", "_reconstructor"): _Rebuilt,
    ("_codecs", "encode"): _Bytes,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("collections", "OrderedDict"): as_ordered,
    ("collections", "defaultdict"): _DefaultDict,
}
for _numpy in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS |= {
        (f"{_numpy}.multiarray", "_reconstruct"): _Array,
        (f"{_numpy}.multiarray", "scalar"): _Scalar,
        (f"{_numpy}.numeric", "_frombuffer"): _Buffer,
    }
for _builtins in ("__builtin__", "builtins"):  # Python 2 and 3
    _STAND_INS |= {(_builtins, "set"): as_set, (_builtins, "object"): Inert, (_builtins, "dict"): as_dict}


def _read(stream: io.BytesIO | mmap.mmap, path: Path, what: str, stand_in: Callable[[str, str], Any]) -> Any:
    try:
        return require_bounded(PickleMachine(stream, _finder(stream, stand_in)).load())
    except _Refused as error:
        raise ValueError(f"{path}: asks to import {error}, which no {what} needs; refused, nothing was run") from None
    except OverLimitError as error:
        raise OverLimitError(f"{path}: {error}") from None
    except MALFORMED as error:
        raise ValueError(
            f"{path}: not a whole pickle of a {what} ({type(error).__name__}: {error}); get it again"
        ) from error


def _finder(stream: Any, stand_in: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Gives the stand-in for a name, or refuses it. joblib's arrays lie between the pickle's own bytes."""
    joblib_array = type("_JoblibArray", (_JoblibArray,), {"stream": stream})

    def find(module: str, name: str) -> Any:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return joblib_array
        known = _STAND_INS.get((module, name)) or stand_in(module, name)
        if known is None:
            raise _Refused(f"{module}.{name}")
        return known

    return find


def _from_bytes(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    numbers = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as text
    require_shape_within("an array in it", shape)
    return np.frombuffer(numbers, _dtype(dtype)).reshape(shape, order=order)


def _from_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """Of a tensor of torch that was pickled as an ordinary object."""
    from motionrep.files.checkpoints import read_storage, view_of  # bring torch, which most pickles do without

    if not isinstance(storage, _Storage) or len(storage.arguments) != 1:
        raise TypeError("a tensor of unknown kind")
    return view_of(read_storage(storage.arguments[0]), offset, size, stride).float().numpy()


def _dtype(dtype: Any) -> np.dtype:
    kind = dtype.arguments[0] if isinstance(dtype, _Dtype) else None
    if not isinstance(kind, str) or not re.fullmatch(r"[fiub]\d+", kind):
        raise TypeError("its elements are not numbers")
    return np.dtype(kind).newbyteorder(dtype.state[1] if dtype.state else "<")


def _text(raw: Any, dtype: Any, shape: Any) -> np.ndarray:
    kind = dtype.arguments[0] if isinstance(dtype, _Dtype) else None
    if not isinstance(kind, str) or not re.fullmatch(r"[US]\d+", kind):
        raise TypeError("its elements are not text")
    numbers = raw.encode("latin1") if isinstance(raw, str) else raw
    require_shape_within("an array in it", shape)
    text = np.frombuffer(numbers, np.dtype(kind).newbyteorder(dtype.state[1])).reshape(shape)
    return np.char.decode(text, "utf-8") if kind.startswith("S") else text


def array_of(path: Path, name: str, value: Any) -> np.ndarray:
    """`as_array` for a field of a file. Raises ValueError that names both."""
    try:
        return as_array(value)
    except MALFORMED as error:
        raise ValueError(f"{path}: field {name!r} is no array that can be read: {error}") from error
