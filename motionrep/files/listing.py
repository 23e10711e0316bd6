"""The inputs of a data set: files, folders, globs and lists, on this machine or elsewhere."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from motionrep.files.contents import VIDEO_SUFFIXES, look
from motionrep.files.kinds import kind_of, suffixes
from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.files.remote import file_system, is_remote, local_copy
from motionrep.files.texts import read_json, read_text

_LIST_COLUMNS = ("path", "file")
_READ = {*suffixes("keypoints"), *VIDEO_SUFFIXES}


class Input(NamedTuple):
    """A file, or a folder that is read as one; `bytes` is 0 where the size is not known."""

    path: str
    bytes: int


def find_inputs(given: Sequence[str | Path], output: str) -> Iterator[Input]:
    """Every input once, in the order given, those of a folder or a glob by name.

    Of a folder all files below it are taken that may hold keypoints or a video by their suffix, but no hidden ones. A
    folder that is read as one, such as one of OpenPose's frames, stays one. A list is a .parquet or .csv table with a
    column `path` or `file`; its relative paths start at the list's folder.

    Args:
        output: The folder that is written to, whose own files are no inputs.

    Raises:
        FileNotFoundError: There is nothing under a path, or no file fits a glob.
        ValueError: A folder or a list without any input.
    """
    seen: set[str] = set()
    for one in map(str, given):
        found = 0
        for item in _inputs_of(one):
            found += 1
            if item.path not in seen and not _is_inside(item.path, output):
                seen.add(item.path)
                yield item
        if not found:
            raise ValueError(f"{one}: holds no keypoint files and no videos ({', '.join(sorted(_READ))})")


def is_data_set(path: str) -> bool:
    """Whether an input stands for any number of files: a URL, a glob, a list, or a folder that is not read as one."""
    if is_remote(path):
        return True
    if not Path(path).exists():
        return _is_glob(path)
    return not _is_one(Path(path)) if Path(path).is_dir() else _list_column(path) is not None


def _inputs_of(one: str) -> Iterator[Input]:
    if is_remote(one):
        yield from _remote(one)
    elif (path := Path(one)).exists():
        yield from _local(path)
    elif _is_glob(one):
        paths = sorted(glob.glob(one, recursive=True))  # noqa: PTH207 (absolute patterns)
        if not paths:
            raise FileNotFoundError(f"{one}: no file fits it")
        for found in paths:
            yield from _local(Path(found))
    else:
        raise FileNotFoundError(f"{one}: no such keypoint file, video or folder")


def _local(path: Path) -> Iterator[Input]:
    if not path.is_dir():
        listed = _listed(str(path))
        yield from [Input(str(path), path.stat().st_size)] if listed is None else listed
    elif _is_one(path):
        yield Input(str(path), sum(file.stat().st_size for file in path.iterdir() if file.is_file()))
    else:
        for inside in sorted(path.iterdir()):
            if inside.name.startswith("."):
                continue
            if inside.is_dir():
                yield from _local(inside)
            elif inside.suffix.lower() in _READ:
                yield Input(str(inside), inside.stat().st_size)


def _remote(url: str) -> Iterator[Input]:
    fs, there = file_system(url)
    if _is_glob(there):
        found = fs.glob(there, detail=True)
    elif fs.isdir(there):
        found = fs.find(there, detail=True)
        found = {path: it for path, it in found.items() if PurePosixPath(path).suffix.lower() in _READ}
    elif not fs.exists(there):
        raise FileNotFoundError(f"{url}: no such file or folder")
    else:
        listed = _listed(url)
        yield from [Input(url, fs.size(there) or 0)] if listed is None else listed
        return
    if not found and _is_glob(there):
        raise FileNotFoundError(f"{url}: no file fits it")
    for path in sorted(found):
        if found[path].get("type") != "directory" and not re.search(r"(^|/)[.]", path.removeprefix(there)):
            yield Input(fs.unstrip_protocol(path), found[path].get("size") or 0)


def _listed(path: str) -> list[Input] | None:
    """The inputs that a list names; None for a file that is no list."""
    column = _list_column(path)
    if column is None:
        return None
    with local_copy(path) as copy:
        names = _table(copy).column(column).to_pylist()
    folder = path.rpartition("/")[0]
    return [Input(name if _stands_alone(name) or not folder else f"{folder}/{name}", 0) for name in names if name]


def _list_column(path: str) -> str | None:
    if PurePosixPath(path).suffix.lower() not in (".csv", ".parquet"):
        return None
    with local_copy(path) as copy:
        if kind_of(look(copy)).holds not in ("unknown", "embeddings"):
            return None
        try:
            names = _table(copy, 0).column_names
        except ValueError:  # pyarrow's errors are
            return None
    return next((column for column in _LIST_COLUMNS if column in names), None)


def _table(path: Path, rows: int | None = None) -> Any:
    _, parquet = pyarrow_and_parquet()
    if path.suffix.lower() == ".parquet":
        return parquet.read_schema(path).empty_table() if rows == 0 else parquet.read_table(path)
    from pyarrow import csv

    return csv.read_csv(path)


def _is_inside(path: str, folder: str) -> bool:
    if is_remote(path) or is_remote(folder):
        return path.startswith(f"{folder.rstrip('/')}/")
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ""))  # noqa: PTH100, PTH118 (fast)


def _stands_alone(name: str) -> bool:
    return is_remote(name) or Path(name).is_absolute()


def _is_glob(path: str) -> bool:
    return glob.has_magic(path)


def _is_one(folder: Path) -> bool:
    contents = look(folder)
    # Three of its files tell the kind of a folder; to read a million takes hours.
    vars(contents)["_outcome"] = _first_files(folder)
    kind = kind_of(contents)
    return kind.holds in ("keypoints", "video", "picture") and kind.name != "folder of videos"


def _first_files(folder: Path) -> dict[str, Any]:
    for suffix, read in ((".json", read_json), (".txt", read_text)):
        names = sorted(it.name for it in os.scandir(folder) if it.name.endswith(suffix) and it.name[0] != ".")
        if names:
            try:
                return {name: read(folder / name) for name in names[:3]}
            except ValueError:
                return {}
    return {}
