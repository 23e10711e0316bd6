"""Reads files of `torch.save` without running anything in them.

Published checkpoints hold optimizer states and random generators. `torch.load(weights_only=True)` refuses those, and
`weights_only=False` would let them run code. Here tensors and plain containers are read; every other object in the file
becomes a stand-in that does nothing.
"""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from motionrep.files import pickle_machine
from motionrep.files.arrays import member_bytes, require_shape_within
from motionrep.files.limits import OverLimitError, require_within
from motionrep.files.pickle_machine import PickleMachine, as_ordered, require_bounded
from motionrep.files.reading import BROKEN, read_bytes, require_file

_DTYPES = {
    f"{name}Storage": dtype
    for name, dtype in {
        "Double": torch.float64, "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16,
        "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}  # fmt: skip
# Written first in the format that torch used before 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LARGEST_VIEW = 1_000_000  # elements of a tensor that repeats its numbers, as torch.save keeps what `expand` gives


class Inert(pickle_machine.Inert):
    """Stands for anything that is neither a tensor nor a plain container; ignores whatever is done to it."""

    def __new__(cls, *args: object) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *args: object):
        pass

    def __call__(self, *args: object) -> "Inert":
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    append = extend = add = update = __call__


def read_checkpoint(path: Path, unknown: Literal["inert", "refused"] = "inert") -> dict[str, Any]:
    """The dict that a `torch.save` file holds; what is neither tensor nor plain container becomes `Inert`.

    Args:
        unknown: Whether other objects become stand-ins, or the file is refused with the name of what it asks for.

    Raises:
        ValueError: The file is truncated, is not a `torch.save` file, holds something other than a dict, or is refused.
    """
    require_file(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = _read_zip(archive, path, unknown)
        else:
            content = _read_legacy(read_bytes(path), unknown)
    except _Refused as error:
        raise ValueError(f"{path}: asks to import {error}; a file of tensors needs no such thing; refused") from None
    except OverLimitError as error:
        raise OverLimitError(f"{path}: {error}") from None
    except (OSError, *BROKEN) as error:
        raise ValueError(
            f"{path}: not a whole checkpoint of torch.save ({type(error).__name__}: {error}); "
            "compare its size with the published one and download it again"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a dict of weights, the file holds a {type(content).__name__}")
    return content


def read_storage(content: bytes) -> Tensor:
    """The numbers of a tensor that was pickled without torch.save, which holds them as torch.save writes them.

    Raises:
        ValueError: They are cut off or of another kind; nothing in them was run.
    """
    try:
        storage = _read_legacy(content, "refused")
    except (_Refused, *BROKEN) as error:
        raise ValueError(f"a tensor whose numbers cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(storage, Tensor):
        raise ValueError("a tensor without numbers")
    return storage


class _Refused(Exception):  # noqa: N818
    """The file names something that is not on the list."""


def _read_zip(archive: zipfile.ZipFile, path: Path, unknown: str) -> object:
    """Layout: NAME/data.pkl, and NAME/data/KEY with the raw numbers of each storage."""
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("a zip file without exactly one data.pkl")
    require_within(path, "bytes", sum(entry.file_size for entry in archive.infolist()))
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
        raise ValueError("its numbers are big-endian; save it again on an ordinary computer")
    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if key not in storages:
            numbers = bytearray(member_bytes(archive, f"{folder}data/{key}", path))
            storages[key] = (
                torch.frombuffer(numbers, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)
            )
        return storages[key]

    content = io.BytesIO(member_bytes(archive, pickles[0], path))
    return require_bounded(_machine(content, storage, unknown).load())


def _read_legacy(content: bytes, unknown: str) -> object:
    """Layout: five pickles (magic, version, system, content, storage keys), then a count and raw numbers per key."""
    storages: dict[str, Tensor] = {}
    file = io.BytesIO(content)

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if not 0 <= count * dtype.itemsize <= len(content):
            raise ValueError(f"storage {key} is larger than the file")
        return storages.setdefault(key, torch.empty(count, dtype=dtype))

    magic, _version, _system, held, keys = (_machine(file, storage, unknown).load() for _ in range(5))
    if magic != _LEGACY_MAGIC or not isinstance(keys, list):
        raise ValueError("neither a zip file nor the older format")
    for key in keys:
        target = storages[key]
        if int.from_bytes(file.read(8), "little") != target.numel():
            raise ValueError(f"storage {key} has another length than the content says")
        numbers = bytearray(file.read(target.numel() * target.itemsize))
        if numbers:
            target.copy_(torch.frombuffer(numbers, dtype=target.dtype, count=target.numel()))
    return require_bounded(held)


def view_of(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    """The tensor that looks at a storage so. Raises ValueError where that is no storage, or it looks outside of it."""
    if not isinstance(storage, Tensor):
        raise ValueError("a tensor without numbers")
    count = require_shape_within("a tensor in it", size)
    if count > max(storage.numel(), _LARGEST_VIEW):
        raise ValueError(f"a tensor of {count} elements that has {storage.numel()} numbers")
    try:
        return storage.as_strided(size, stride, offset)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"a tensor larger than its numbers ({error})") from error


def _machine(stream: io.BytesIO, storage: Callable[[str, torch.dtype, int], Tensor], unknown: str) -> PickleMachine:
    repeated = [0]

    def tensor(held: Any, offset: Any = 0, size: Any = (), stride: Any = (), *_: object) -> Tensor:
        view = view_of(held, offset, size, stride)
        repeated[0] += max(0, view.numel() - held.numel())
        if repeated[0] > _LARGEST_VIEW:
            raise ValueError("tensors of more elements than it has numbers")
        return view

    def find(module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return as_ordered
            case "torch._utils", "_rebuild_tensor_v2":
                return tensor
            case "torch._utils", "_rebuild_parameter":
                return lambda held, *_: held
            case "torch", name if name in _DTYPES:
                return _DTYPES[name]
        if unknown == "refused":
            raise _Refused(f"{module}.{name}")
        return Inert

    def persistent(key: Any) -> Tensor:
        kind, dtype, name, _location, count, *views = key
        if kind != "storage" or not isinstance(dtype, torch.dtype) or any(view is not None for view in views):
            raise pickle.UnpicklingError("a storage of unknown kind")
        if type(count) is not int or count < 0:
            raise pickle.UnpicklingError("a storage of no length")
        return storage(str(name), dtype, count)

    return PickleMachine(stream, find, persistent)
