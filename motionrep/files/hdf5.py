"""Looks into HDF5 files, and reads the tables that pandas writes there. Nothing in them is run."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motionrep.files.arrays import ArrayHeader, require_shape_within
from motionrep.files.limits import require_within
from motionrep.files.pickles import MALFORMED, read_outline

# What h5py raises, besides OSError, for files that are cut off or altered.
_BROKEN = (KeyError, RuntimeError, ValueError, TypeError)


class PandasFrame(NamedTuple):
    """A table as pandas holds it: each column and each row has a name of one or several parts."""

    columns: list[tuple[str, ...]]
    rows: list[tuple[str, ...]]
    values: np.ndarray


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The file, open for reading.

    Raises:
        ValueError: h5py is missing, or the file is damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f"{path}: HDF5 files need h5py; pip install 'motionrep[hdf5]'") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, *_BROKEN) as error:
        if isinstance(error, ValueError) and str(error).startswith(f"{path}"):
            raise
        raise ValueError(
            f"{path}: not a readable HDF5 file ({error}); it was cut off or altered, get it again"
        ) from error


def whole(array: Any, path: Path) -> np.ndarray:
    """The numbers of an array in a file.

    Raises:
        ValueError: It has more elements than the limit, or its numbers lie in another file.
    """
    require_shape_within(path, array.shape)
    if array.is_virtual or array.external or not path.samefile(array.file.filename):
        raise ValueError(f"{path}: array {array.name!r} has its numbers in another file; write a file that has its own")
    return array[:]


def outline(path: Path) -> dict[str, tuple[str, ...] | ArrayHeader]:
    """The arrays at the top of a file by name, and the names in its groups. Raises ValueError as `open_hdf5`."""
    with open_hdf5(path) as file:
        return {
            name: tuple(it) if hasattr(it, "keys") else ArrayHeader(it.shape or (), it.dtype)
            for name, it in file.items()
        }


def pandas_columns(path: Path) -> list[tuple[str, ...]]:
    """The columns of the table that `DataFrame.to_hdf` wrote. Raises ValueError where there is none."""
    with open_hdf5(path) as file:
        return _columns(_group(file, path), path)


def pandas_frame(path: Path) -> PandasFrame:
    """The table that `DataFrame.to_hdf` wrote, in its fixed or its table format.

    Raises:
        ValueError: No such table, or one of other things than numbers.
    """
    with open_hdf5(path) as file:
        group = _group(file, path)
        if "table" in group:
            table = whole(group["table"], path)
            names = table.dtype.names or ()
            blocks = [name for name in names if name.startswith("values_block_")]
            index = [name for name in names if name not in blocks]
            rows = [tuple(_text(row[name]) for name in index) for row in table]
        else:
            blocks, rows = [""], _names(group, "axis1", path)
            table = {"": whole(group["block0_values"], path)}
        columns = _columns(group, path)
        values = table[blocks[0]].astype(float) if len(blocks) == 1 else np.empty(0)
        if values.shape != (len(rows), len(columns)):
            raise ValueError(f"{path}: its table should be numbers only, a column for each coordinate; save it so")
        return PandasFrame(columns, rows, values)


def _group(file: Any, path: Path) -> Any:
    """The first table of a file."""
    for group in file.values():
        if hasattr(group, "keys") and ("block0_values" in group or "non_index_axes" in group.attrs):
            return group
    raise ValueError(f"{path}: holds no table of pandas")


def _columns(group: Any, path: Path) -> list[tuple[str, ...]]:
    if "block0_values" in group:
        return _names(group, "block0_items", path)
    try:  # [(1, columns)], pickled by PyTables
        ((_, columns),) = read_outline(io.BytesIO(bytes(group.attrs["non_index_axes"])))
    except MALFORMED:
        columns = []
    names = [column if isinstance(column, tuple) else (column,) for column in columns]
    return names if all(isinstance(part, str) for name in names for part in name) else []


def _names(group: Any, axis: str, path: Path) -> list[tuple[str, ...]]:
    """The names along an axis, which may have several levels: codes, and what these stand for."""
    if axis in group:
        return [(_text(name),) for name in whole(group[axis], path)]
    count = int(group.attrs[f"{axis}_nlevels"])
    require_within(path, "levels of nesting", count)
    levels = [[_text(name) for name in whole(group[f"{axis}_level{i}"], path)] for i in range(count)]
    codes = [whole(group[f"{axis}_label{i}"], path).tolist() for i in range(count)]
    return [tuple(level[code] for level, code in zip(levels, name, strict=True)) for name in zip(*codes, strict=True)]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
