"""Reads files of `torch.save` without running anything in them.

Published checkpoints hold optimizer states and random generators. `torch.load(weights_only=True)` refuses those, and
`weights_only=False` would let them run code. Here tensors and plain containers are read; every other object in the file
becomes a stand-in that does nothing.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from torch import Tensor

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
_MALFORMED = (
    pickle.UnpicklingError, zipfile.BadZipFile, EOFError, AttributeError, TypeError, ValueError, LookupError,
    ArithmeticError, RuntimeError, NotImplementedError, MemoryError,
)  # fmt: skip


class Inert:
    """Stands for anything that is neither a tensor nor a plain container; ignores whatever is done to it."""

    __slots__ = ()

    def __new__(cls, *args: object, **kwargs: object) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object):
        pass

    def __call__(self, *args: object, **kwargs: object) -> "Inert":
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    append = extend = add = update = __call__


class _Allowed:
    """A function the file may call; unlike the bare function, the file cannot change its attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]):
        self._function = function

    def __call__(self, *args: object) -> object:
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("the file tries to change a function")


def read_checkpoint(path: Path, unknown: Literal["inert", "refused"] = "inert") -> dict[str, Any]:
    """The dict that a `torch.save` file holds; what is neither tensor nor plain container becomes `Inert`.

    Args:
        unknown: Whether other objects become stand-ins, or the file is refused with the name of what it asks for.

    Raises:
        ValueError: The file is truncated, is not a `torch.save` file, holds something other than a dict, or is refused.
    """
    unpickler = _InertUnpickler if unknown == "inert" else _RefusingUnpickler
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = _read_zip(archive, unpickler)
        else:
            with path.open("rb") as file:
                content = _read_legacy(file, path.stat().st_size, unpickler)
    except _Refused as error:
        raise ValueError(f"{path}: asks to import {error}; a file of tensors needs no such thing; refused") from None
    except _MALFORMED as error:
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
        storage = _read_legacy(io.BytesIO(content), len(content), _RefusingUnpickler)
    except (_Refused, *_MALFORMED) as error:
        raise ValueError(f"a tensor whose numbers cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(storage, Tensor):
        raise ValueError("a tensor without numbers")
    return storage


class _Refused(Exception):  # noqa: N818
    """The file names something that is not on the list."""


def _read_zip(archive: zipfile.ZipFile, unpickler: "type[_InertUnpickler]") -> object:
    """Layout: NAME/data.pkl, and NAME/data/KEY with the raw numbers of each storage."""
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("a zip file without exactly one data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
        raise ValueError("its numbers are big-endian; save it again on an ordinary computer")
    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if key not in storages:
            numbers = bytearray(archive.read(f"{folder}data/{key}"))
            storages[key] = (
                torch.frombuffer(numbers, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)
            )
        return storages[key]

    with archive.open(pickles[0]) as file:
        return unpickler(file, storage).load()


def _read_legacy(file: BinaryIO | io.BytesIO, size: int, unpickler: "type[_InertUnpickler]") -> object:
    """Layout: five pickles (magic, version, system, content, storage keys), then a count and raw numbers per key."""
    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if not 0 <= count * dtype.itemsize <= size:
            raise ValueError(f"storage {key} is larger than the file")
        return storages.setdefault(key, torch.empty(count, dtype=dtype))

    magic, _version, _system, content, keys = (unpickler(file, storage).load() for _ in range(5))
    if magic != _LEGACY_MAGIC or not isinstance(keys, list):
        raise ValueError("neither a zip file nor the older format")
    for key in keys:
        target = storages[key]
        if int.from_bytes(file.read(8), "little") != target.numel():
            raise ValueError(f"storage {key} has another length than the content says")
        numbers = bytearray(file.read(target.numel() * target.itemsize))
        if numbers:
            target.copy_(torch.frombuffer(numbers, dtype=target.dtype, count=target.numel()))
    return content


class _InertUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, storage: Callable[[str, torch.dtype, int], Tensor]):
        super().__init__(file, encoding="latin1")
        self._storage = storage

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _Allowed(_tensor)
            case "torch._utils", "_rebuild_parameter":
                return _Allowed(lambda tensor, *_: tensor)
            case "torch", name if name in _DTYPES:
                return _DTYPES[name]
        return Inert

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _location, count, *views = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or any(view is not None for view in views):
            raise pickle.UnpicklingError("a storage of unknown kind")
        return self._storage(str(key), dtype, int(count))


class _RefusingUnpickler(_InertUnpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = super().find_class(module_name, global_name)
        if found is Inert:
            raise _Refused(f"{module_name}.{global_name}")
        return found


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return storage.as_strided(size, stride, offset)
