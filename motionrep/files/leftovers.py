"""Temporary files beside results: their names, and the removal of those whose writers were killed."""

import functools
import hashlib
import os
import re
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal
from uuid import uuid4

_NAME = re.compile(
    r"\.(?P<of>.+)\.motionrep-(?P<kind>new|old)-(?P<place>[0-9a-f]{8})-(?P<pid>\d{1,9})-[0-9a-f]{8}(\.[^.]*)?",
    re.DOTALL,
)
_DAY_S = 86400.0
_LARGE, _SHARE = 1000, 0.01  # looks into folders of more entries may take this share of the time
_looked: dict[Path, tuple[float, float]] = {}  # large folders: when, and for how long


def free_name(path: Path, kind: Literal["new", "old"] = "new") -> Path:
    """A free name beside `path`: for what will stand there, with its suffix, or for the folder that stood there.

    The name tells which process writes, so that another one can tell later whether that still lives.
    """
    of = path.name if kind == "old" else path.stem[:40]
    mark = f"motionrep-{kind}-{_place()}-{os.getpid()}-{uuid4().hex[:8]}"
    return path.with_name(f".{of}.{mark}{path.suffix if kind == 'new' else ''}")


def clear_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder; puts an older folder back that a killed writer had moved aside.

    A writer of this machine is known by its process. One of another machine, or of another container, counts as killed
    when nothing was written for a day. Large folders are not looked through for every file that is written to them.
    """
    folder, begun_s = folder.absolute(), time.monotonic()
    last_s, took_s = _looked.get(folder, (begun_s, 0.0))
    if took_s > (begun_s - last_s) * _SHARE:
        return
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(folder)]
        for match in filter(None, map(_NAME.fullmatch, names)):
            if not _may_live(folder / match[0], match["place"], int(match["pid"])):
                _clear(folder / match[0], folder / match["of"] if match["kind"] == "old" else None)
        if len(names) > _LARGE:
            _looked[folder] = begun_s, time.monotonic() - begun_s


def remove(path: Path) -> None:
    """Removes a file or a whole folder, as far as it can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _clear(leftover: Path, belongs_at: Path | None) -> None:
    if belongs_at is not None and not os.path.lexists(belongs_at):
        with suppress(OSError):
            leftover.rename(belongs_at)
    else:
        remove(leftover)


def _may_live(path: Path, place: str, pid: int) -> bool:
    if place == _place() and sys.platform != "win32":  # where signal 0 would be Ctrl-C
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True
    try:
        written_s = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:  # it changes just now
        return True
    return time.time() - written_s < _DAY_S


@functools.cache
def _place() -> str:
    """Names the machine, and the container in it, in which process ids mean the same."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    return hashlib.sha256(f"{socket.gethostname()} {processes}".encode()).hexdigest()[:8]
