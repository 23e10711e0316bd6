"""How much a file may ask for, so that a small file cannot fill the memory or keep the program busy.

The limits are far above what recordings need. The environment variable `MOTIONREP_LIMITS` multiplies all of them.
"""

import math
import os
from pathlib import Path
from typing import Literal

SETTING = "MOTIONREP_LIMITS"
What = Literal[
    "bytes", "bytes of settings", "settings", "numbers", "opcodes", "levels of nesting", "digits", "joints", "persons",
    "frames", "frames in a gap",
]  # fmt: skip
LIMITS: dict[What, int] = {
    "bytes": 4 * 2**30,  # of a file, of what it unpacks to, and of the clips that it makes
    "bytes of settings": 2**20,
    "settings": 100_000,
    "numbers": 100_000_000,  # or other items, in one array or in one file of text
    "opcodes": 20_000_000,  # of a pickle
    "levels of nesting": 100,
    "digits": 300,  # of one number
    "joints": 5_000,
    "persons": 10_000,
    "frames": 1_000_000,  # of one person: nine hours of 30 frames per second
    "frames in a gap": 108_000,  # in which a person is not seen: an hour
}


class OverLimitError(ValueError):
    """A file asks for more than a limit."""


def limit(what: What) -> int:
    """The limit, as the setting has it.

    Raises:
        ValueError: The setting is no number of at least 1.
    """
    setting = os.environ.get(SETTING, "1")
    try:
        factor = float(setting)
    except ValueError:
        factor = math.nan
    if not 1 <= factor < math.inf:
        raise ValueError(f"{SETTING} should be a number of at least 1 that multiplies all limits, got {setting!r}")
    return int(LIMITS[what] * factor)


def require_within(where: Path | str, what: What, count: float) -> None:
    """Checks what a file asks for against a limit.

    Args:
        where: The file, or the argument.

    Raises:
        OverLimitError: It is more than the limit; the message says how to raise that.
    """
    if not count <= (most := limit(what)):
        factor = math.ceil(count / LIMITS[what]) if count < math.inf else "..."
        got = f"{count:,.0f}" if count < 1e15 else f"{count:.3g}"
        raise OverLimitError(
            f"{where}: asks for {got} {what}, the limit is {most:,}; if the file is right, raise it with the "
            f"environment variable {SETTING}={factor}"
        )
