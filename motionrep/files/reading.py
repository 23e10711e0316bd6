"""Reads whole files within the limits, and makes one sentence of whatever is wrong with a file."""

import lzma
import pickle
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motionrep.files.limits import OverLimitError, require_within

# What parsers and arithmetic raise for files that are cut off, altered or of another kind, besides OSError.
BROKEN = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError, RuntimeError, MemoryError,
    SyntaxError, StopIteration, tokenize.TokenError, struct.error, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, pickle.UnpicklingError,
)  # fmt: skip
_LONGEST = 2000  # characters of a message
_KINDS = (
    (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def irregular(path: Path) -> str | None:
    """What stands at a path that is neither file nor folder, "a pipe"; None where nothing or one of these stands."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return next((called for is_kind, called in _KINDS if is_kind(mode)), None)


def require_file(path: Path) -> None:
    """Raises ValueError for pipes and devices, which never end, and for files above the limit."""
    if (kind := irregular(path)) is not None:
        raise ValueError(f"{path}: is {kind}, not a file; write its content to a file and give that")
    require_within(path, "bytes", path.stat().st_size)


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises ValueError as `require_file`, OSError where it cannot be read."""
    require_file(path)
    return path.read_bytes()


@contextmanager
def reading(path: Path | str, what: str = "") -> Iterator[None]:
    """Turns what goes wrong while a file is read into a ValueError of one sentence that names the file.

    Args:
        what: The kind of file, for messages: "WHAM".
    """
    try:
        yield
    except (OSError, *BROKEN) as error:
        if isinstance(error, OSError) and (error.errno is None or error.filename is not None):
            raise  # names its file; without a name, a place that the file says was sought in it
        told = type(error) in (ValueError, OverLimitError, UnicodeDecodeError)
        text = str(error) if len(str(error)) < _LONGEST else f"{str(error)[:_LONGEST]} ..."
        if told and str(path) in text and text == str(error):
            raise
        if told:
            raise ValueError(f"{path}: {text}") from error
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: not a whole file{f' of the kind {what}' if what else ''}, or altered ({why[:300]}); get it again "
            "or export it anew"
        ) from error
