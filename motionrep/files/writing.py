"""Writes files so that nothing half-written ever stands under the final name."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted; without hidden ones, such as macOS's `._a.bvh`, and those in hidden folders."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or folder to; renames it to `path` at the end.

    The temporary name keeps the suffix, since many writers choose the format by it. When the block raises, what was
    written is removed and an older `path` stays as it was. Parent folders are made. A folder replaces an older folder
    and everything in it; a file never replaces a folder.

    Raises:
        OSError: The disk is full, the folder cannot be written to, or a folder is in the file's place; the message
            names `path`.
    """
    beside = path.with_name(f".{path.stem}.{uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        if beside.is_dir() and path.is_dir():
            shutil.rmtree(path)
        beside.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"{path} was not written: {error.strerror or error}") from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            with suppress(OSError):
                beside.unlink()


def write_json(content: Any, path: Path, indent: int | None = 2) -> None:
    """Writes JSON as `written_beside` does, indented (None: on one line), with a line feed at the end.

    Raises:
        ValueError: NaN or infinite numbers, which JSON does not have.
        OSError: As `written_beside`.
    """
    text = json.dumps(content, indent=indent, allow_nan=False) + "\n"
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")
