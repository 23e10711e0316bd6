"""Reads pickles of arrays and plain containers without running anything in them.

Every class and function that such a file names has a stand-in here, which only records its arguments. A file that names
anything else is refused.
"""

import bz2
import io
import lzma
import pickle
import re
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from motionrep.files.arrays import BROKEN_NPZ, read_header

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
_MOST_BYTES = 2**31  # a small file can unpack to any size


def read_pickle(path: Path, what: str, stand_in: Callable[[str, str], Any] = lambda module, name: None) -> Any:
    """What a pickle of Python 2 or 3, or of joblib, holds; see `as_array` for its arrays.

    Args:
        what: What the file should be, for messages: "SMPL model".
        stand_in: Gives the stand-in for a further name (module, name), or None to refuse it.

    Raises:
        ValueError: The file is compressed by lz4, cut off or no pickle, or asks to import anything else; nothing in it
            was run.
    """
    return _read(unpacked(path), path, what, stand_in)


def unpacked(path: Path) -> bytes:
    """The content of a file, without the compression of joblib. Raises ValueError as `read_pickle`."""
    content = path.read_bytes()
    if not content.startswith(COMPRESSED):
        return content
    unpacker = next(unpacker for marks, unpacker in _UNPACKERS.items() if content.startswith(marks))
    if unpacker is None:
        raise ValueError(f"{path}: is compressed by lz4, which needs a library; save it with compress=3")
    try:
        plain = unpacker().decompress(content, _MOST_BYTES)
    except (zlib.error, lzma.LZMAError, OSError) as error:
        raise ValueError(f"{path}: its compression is damaged ({error}); get it again") from error
    if len(plain) >= _MOST_BYTES:
        raise ValueError(f"{path}: unpacks to more than {_MOST_BYTES / 2**30:g} GiB; save it without compression")
    return plain


def read_npy_object(path: Path, what: str) -> Any:
    """The Python object that `np.save(path, object)` wrote, as `read_npz_object`. Raises ValueError likewise."""
    try:
        with path.open("rb") as file:
            header = read_header(file)
            if header.dtype.kind != "O" or header.shape != ():
                raise ValueError(f"it should be one object (a dict), it is {header.dtype} of shape {header.shape}")
            content = file.read()
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: {error}") from error
    return _only_item(_read(content, path, what, lambda module, name: None), path)


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
            with archive.open(f"{key}.npy") as file:
                header = read_header(file)
                if header.dtype.kind != "O" or header.shape != ():
                    raise ValueError(
                        f"{key!r} should be one object (a dict), it is an array of shape {header.shape}, {header.dtype}"
                    )
                content = file.read()
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: {error}") from error
    return _only_item(_read(content, path, what, lambda module, name: None), path)


def _only_item(value: Any, path: Path) -> Any:
    try:
        return value.state[-1][0]
    except MALFORMED as error:
        raise ValueError(f"{path}: is not as NumPy writes an object ({error}); get the file again") from error


def read_outline(stream: BinaryIO | io.BufferedIOBase) -> Any:
    """What a pickle holds, for looking only: whatever is no plain container, text or number becomes `Unknown`.

    Raises:
        One of `MALFORMED`: The pickle is cut off or is none; nothing in it was run.
    """
    return _OutlineReader(stream, lambda module, name: Unknown).load()


class Inert:
    """What the file says about an object. Stands for functions too: files cannot change the attributes of a class."""

    arguments: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *arguments: Any) -> Any:
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


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
        case bool() | int() | float() | list() | tuple():
            return np.array([as_array(item) for item in value] if isinstance(value, list | tuple) else value)
    raise TypeError(f"it holds a {type(value).__name__}")


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

    stream: io.BytesIO
    array: np.ndarray

    def __setstate__(self, state: Any) -> None:
        kind = _dtype(state["dtype"])
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        shape = state["shape"]
        raw = self.stream.read(int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
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

    def __setstate__(self, *state: Any) -> None:  # without it, the attributes of this class could be set
        raise pickle.UnpicklingError("a defaultdict with attributes")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("copy_reg", "_reconstructor"): _Rebuilt,
    ("copyreg", "_reconstructor"): _Rebuilt,
    ("_codecs", "encode"): _Bytes,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _DefaultDict,
}
for _numpy in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS |= {
        (f"{_numpy}.multiarray", "_reconstruct"): _Array,
        (f"{_numpy}.multiarray", "scalar"): _Scalar,
        (f"{_numpy}.numeric", "_frombuffer"): _Buffer,
    }
for _builtins in ("__builtin__", "builtins"):  # Python 2 and 3
    _STAND_INS |= {(_builtins, "set"): set, (_builtins, "object"): Inert, (_builtins, "dict"): dict}


def _read(content: bytes, path: Path, what: str, stand_in: Callable[[str, str], Any]) -> Any:
    try:
        return _Reader(io.BytesIO(content), stand_in).load()
    except _Refused as error:
        raise ValueError(f"{path}: asks to import {error}, which no {what} needs; refused, nothing was run") from None
    except MALFORMED as error:
        raise ValueError(
            f"{path}: not a whole pickle of a {what} ({type(error).__name__}: {error}); get it again"
        ) from error


class _Reader(pickle.Unpickler):
    # For joblib's arrays, which lie between the pickle's own bytes, the stream must be io.BytesIO: others are read
    # further than asked.
    def __init__(self, stream: BinaryIO | io.BufferedIOBase, stand_in: Callable[[str, str], Any]):
        super().__init__(stream, encoding="latin1")
        self._stand_in = stand_in
        self._joblib_array = type("_JoblibArray", (_JoblibArray,), {"stream": stream})

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return self._joblib_array
        known = _STAND_INS.get((module_name, global_name)) or self._stand_in(module_name, global_name)
        if known is None:
            raise _Refused(f"{module_name}.{global_name}")
        return known


class _OutlineReader(_Reader):
    def persistent_load(self, pid: Any) -> Unknown:
        return Unknown()


def _from_bytes(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    numbers = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2 wrote bytes as text
    return np.frombuffer(numbers, _dtype(dtype)).reshape(shape, order=order)


def _from_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """Of a tensor of torch that was pickled as an ordinary object."""
    from motionrep.files.checkpoints import read_storage  # brings torch, which most pickles do without

    if not isinstance(storage, _Storage) or len(storage.arguments) != 1:
        raise TypeError("a tensor of unknown kind")
    try:
        return read_storage(storage.arguments[0]).as_strided(size, stride, offset).float().numpy()
    except RuntimeError as error:
        raise ValueError(f"a tensor larger than its numbers ({error})") from error


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
    text = np.frombuffer(numbers, np.dtype(kind).newbyteorder(dtype.state[1])).reshape(shape)
    return np.char.decode(text, "utf-8") if kind.startswith("S") else text


def array_of(path: Path, name: str, value: Any) -> np.ndarray:
    """`as_array` for a field of a file. Raises ValueError that names both."""
    try:
        return as_array(value)
    except MALFORMED as error:
        raise ValueError(f"{path}: field {name!r} is no array that can be read: {error}") from error
