"""Keeps two processes from training into one run folder."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from lightning.pytorch.utilities import rank_zero_only

logger = logging.getLogger(__name__)

_NAME = ".lock"


@contextmanager
def held(output: Path) -> Iterator[bool]:
    """Holds the lock of a run folder, which is made if it does not exist; yields whether a run was killed in it before.

    The lock ends with its process, however that ends. Of the processes of a run only the first one holds it. A folder
    that the block leaves empty is removed again.

    Raises:
        ValueError: Another process trains into the folder.
    """
    if not is_first_process():
        yield True
        return
    path, made = output / _NAME, [folder for folder in (output, *output.parents) if not folder.exists()]
    output.mkdir(parents=True, exist_ok=True)
    was_there, lock = path.exists(), FileLock(path)
    try:
        lock.acquire(blocking=False)
        with suppress(PermissionError):  # Windows keeps the holder from writing, too
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    except Timeout as error:
        raise ValueError(
            f"{output}: {_holder(path)} trains into this folder; wait for it, or choose another --output"
        ) from error
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        logger.warning("%s: its disk has no locks; see to it that no other process trains into it", output)
    try:
        yield was_there
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: who finds the name afterwards makes a new file
        lock.release()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def is_first_process() -> bool:
    """Whether this is the first of a run's processes, which alone writes into the folder and tells of the run."""
    return not (rank_zero_only.rank or int(os.environ.get("NODE_RANK", 0)))


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
