"""Writes files so that nothing half-written ever stands under the final name."""

import errno
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from motionrep.files.leftovers import clear_leftovers, free_name, remove
from motionrep.files.reading import irregular

logger = logging.getLogger(__name__)

# Names of what is open, such as /dev/stdout, which would be replaced instead of written to.
_OF_DEVICES = ("/dev/std", "/dev/fd/", "/proc/")


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted; without hidden ones, such as macOS's `._a.bvh`, and those in hidden folders."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


@contextmanager
def written_beside(path: Path, told: bool = True) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or folder to; renames it to `path` at the end.

    The temporary name keeps the suffix, since many writers choose the format by it. When the block raises, what was
    written is removed and an older `path` stays as it was. A writer that is killed leaves its temporary file, which the
    next one in the folder removes. Parent folders are made. A folder replaces an older folder and everything in it; a
    file never replaces a folder.

    Args:
        told: Logs that something older was replaced; False for files that nobody asked for by name.

    Raises:
        OSError: The disk is full, the folder cannot be written to, or a folder is in the file's place; the message
            names `path`.
    """
    with temporary_beside(path) as beside:
        yield beside
        is_older = os.path.lexists(path)
        if beside.is_dir() and path.is_dir() and not path.is_symlink():
            _exchange(beside, path)
        else:
            beside.replace(path)
    if is_older and told:
        logger.info("%s: replaced an older one", path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yields a free name beside `path`; in the end removes what was written there, and what killed writers left.

    Raises:
        OSError: As `written_beside`.
    """
    if irregular(path) is not None or str(path.absolute()).startswith(_OF_DEVICES):
        raise FileExistsError(errno.EEXIST, f"{path} was not written: it is a device or a pipe; name a file")
    beside, made = free_name(path), []
    try:
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent)
        yield beside
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"{path} was not written: {error.strerror or error}") from error
    finally:
        remove(beside)
        for folder in made:
            with suppress(OSError):  # it holds what was written
                folder.rmdir()


def _exchange(beside: Path, path: Path) -> None:
    """Puts a folder in the place of an older one, which is whole under one of the names at every moment."""
    aside = free_name(path, "old")
    path.rename(aside)
    try:
        beside.replace(path)
    except BaseException:
        aside.rename(path)
        raise
    remove(aside)


def write_json(content: Any, path: Path, indent: int | None = 2, told: bool = True) -> None:
    """Writes JSON as `written_beside` does, indented (None: on one line), with a line feed at the end.

    Args:
        told: As of `written_beside`.

    Raises:
        ValueError: NaN or infinite numbers, which JSON does not have.
        OSError: As `written_beside`.
    """
    text = json.dumps(content, indent=indent, allow_nan=False) + "\n"
    with written_beside(path, told) as beside:
        beside.write_text(text, encoding="utf-8")
