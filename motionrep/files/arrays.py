"""Reads .npy and .npz files without unpickling; errors name the file and the field."""

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.lib.npyio import NpzFile

from motionrep.files.limits import require_within
from motionrep.files.reading import require_file

# What NumPy raises, besides OSError, for .npy and .npz files that are cut off, altered or of another kind.
BROKEN_NPZ = (
    ValueError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, TypeError, SyntaxError,
    tokenize.TokenError, MemoryError, ArithmeticError, LookupError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class ArrayHeader:
    """What an array says about itself before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype


@dataclass(frozen=True)
class Arrays:
    """The arrays of an open .npz file by name."""

    path: Path
    file: NpzFile

    @property
    def names(self) -> list[str]:
        return self.file.files

    def __contains__(self, name: str) -> bool:
        return name in self.file.files

    def __getitem__(self, name: str) -> np.ndarray:
        """Raises ValueError for an array that is not there, is damaged or holds Python objects."""
        if name not in self:
            raise ValueError(f"{self.path}: no field {name!r} (fields: {', '.join(self.names)})")
        try:
            header = self._header(name)
            if header.dtype.kind != "O":
                return self.file[name]
        except (OSError, *BROKEN_NPZ) as error:
            raise ValueError(f"{self.path}: field {name!r} cannot be read ({error}); get the file again") from error
        raise ValueError(
            f"{self.path}: field {name!r} holds Python objects, which are never unpickled; save it again as plain "
            "numbers"
        )

    def _header(self, name: str) -> ArrayHeader:
        """The head of an array, checked against what the archive has of it."""
        archive = self.file.zip
        assert archive is not None, "the file is open"
        entry = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.NameToInfo else name)
        with archive.open(entry) as file:
            header = read_header(file)
        require_numbers_there(self.path, header, entry.file_size)
        return header


@contextmanager
def open_npz(path: Path) -> Iterator[Arrays]:
    """The arrays of an .npz file. Raises ValueError for a file that is none."""
    require_file(path)
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive of arrays")
        file = np.load(path, allow_pickle=False)
    except BROKEN_NPZ as error:
        raise ValueError(unreadable_npz(path, error)) from error
    if not isinstance(file, NpzFile):
        raise ValueError(unreadable_npz(path, "it is a single array"))
    with file:
        yield Arrays(path, file)


def npz_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz file. Raises ValueError for a file that is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except BROKEN_NPZ as error:
        raise ValueError(unreadable_npz(path, error)) from error


def npz_text(path: Path, name: str) -> str | None:
    """The text that an array of an .npz file holds; None where there is no such array, or one of something else.

    A text above the limit on settings is None too.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            header = read_header(file)
            if header.dtype.kind != "U" or header.shape:
                return None
            require_within(path, "bytes of settings", header.dtype.itemsize)
            return str(np.frombuffer(file.read(header.dtype.itemsize), header.dtype)[0])
    except (OSError, KeyError, *BROKEN_NPZ):
        return None


def npz_headers(path: Path) -> dict[str, ArrayHeader]:
    """Shapes and types of all arrays of an .npz file. Raises ValueError where one cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {}
            for name in archive.namelist():
                with archive.open(name) as file:
                    headers[name.removesuffix(".npy")] = read_header(file)
            return headers
    except (OSError, *BROKEN_NPZ) as error:
        raise ValueError(unreadable_npz(path, error)) from error


def npy_header(path: Path) -> ArrayHeader:
    """Shape and type of the array of a .npy file. Raises ValueError for a file that is none."""
    require_file(path)
    try:
        with path.open("rb") as file:
            return read_header(file)
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: not a readable .npy file ({error}); get it again") from error


def read_header(file: IO[bytes] | io.BufferedIOBase) -> ArrayHeader:
    """Reads the head of a .npy file, up to its numbers. Raises one of `BROKEN_NPZ`."""
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(file)
    return ArrayHeader(shape, dtype)


def require_shape_within(where: Path | str, shape: Any) -> int:
    """The number of elements of a shape, which a file says. An axis of no length does not hide the others.

    Raises:
        ValueError: It is no shape, or has more elements than the limit.
    """
    if not isinstance(shape, tuple | list) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"{where}: has no shape that an array can have")
    require_within(where, "numbers", math.prod(max(length, 1) for length in shape))
    return math.prod(shape)


def require_numbers_there(path: Path, header: ArrayHeader, stored_bytes: int) -> None:
    """Raises ValueError where an array says that it has more elements than are stored, or than the limit."""
    count = require_shape_within(path, header.shape)
    require_within(path, "bytes", count * header.dtype.itemsize)
    if header.dtype.kind != "O" and count * header.dtype.itemsize > stored_bytes:
        raise ValueError(f"{path}: an array of shape {header.shape} has only {stored_bytes} bytes; it was cut off")


def member_bytes(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """The content of a member of an archive. Raises ValueError where that is more than the limit."""
    require_within(path, "bytes", archive.getinfo(name).file_size)
    return archive.read(name)


def read_array(path: Path, name: str) -> np.ndarray:
    """The array of a .npy file, or one of an .npz by its name. Raises ValueError where it cannot be read."""
    if name:
        with open_npz(path) as arrays:
            return arrays[name]
    header = npy_header(path)
    require_numbers_there(path, header, path.stat().st_size)
    try:
        return np.load(path, allow_pickle=False)
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: not a readable .npy file ({error}); get it again") from error


def unreadable_npz(path: Path, why: object) -> str:
    return f"{path}: not a readable .npz file ({why}); it was cut off or is of another kind, get it again"
