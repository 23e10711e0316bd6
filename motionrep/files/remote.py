"""Files that may lie elsewhere: a path on this machine, or a URL of whatever `fsspec` reaches (s3://, gs://, ...)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import fsspec

from motionrep.files.writing import written_beside


def is_remote(path: str | Path) -> bool:
    """Whether a path is a URL."""
    return "://" in str(path)


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there.

    Raises:
        ImportError: fsspec needs another package for such URLs; the message names it.
        ValueError: A kind of URL that fsspec does not know.
    """
    return fsspec.url_to_fs(url)


@contextmanager
def local_copy(path: str) -> Iterator[Path]:
    """The file itself or, of a URL, a copy of the same name, which is deleted in the end."""
    if not is_remote(path):
        yield Path(path)
        return
    fs, there = file_system(path)
    with tempfile.TemporaryDirectory(prefix="motionrep-") as folder:
        copy = Path(folder) / PurePosixPath(there).name
        fs.get_file(there, str(copy))
        yield copy


@contextmanager
def written_to(path: str) -> Iterator[Path]:
    """Yields a local path to write to; what was written then stands under `path` at once (`written_beside`)."""
    if not is_remote(path):
        with written_beside(Path(path)) as beside:
            yield beside
        return
    fs, there = file_system(path)
    parent, _, name = there.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="motionrep-") as folder:
        written = Path(folder) / name
        yield written
        beside = f"{parent}/.{uuid4().hex[:8]}.{name}"
        fs.makedirs(parent, exist_ok=True)
        fs.put_file(str(written), beside)
        fs.mv(beside, there)


def names_in(folder: str) -> list[str]:
    """Names of the files in a folder, hidden ones too; none where there is no such folder."""
    if not is_remote(folder):
        return sorted(path.name for path in Path(folder).iterdir()) if Path(folder).is_dir() else []
    fs, there = file_system(folder)
    fs.invalidate_cache()
    return sorted(path.rpartition("/")[2] for path in fs.ls(there, detail=False)) if fs.isdir(there) else []


def delete(path: str) -> None:
    """Deletes a file, if it is there."""
    if not is_remote(path):
        Path(path).unlink(missing_ok=True)
        return
    fs, there = file_system(path)
    if fs.exists(there):
        fs.rm_file(there)
