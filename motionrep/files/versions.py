"""Format numbers in the files that this library writes, such as "motionrep body motion 1".

A number grows when files change so that older versions would misread them. Readers take all numbers up to their own.
"""

import re
from pathlib import Path


def require_readable(path: Path, declared: str | None, name: str, newest: int) -> int:
    """The format number that a file declares; 1 for files that declare none, as some of version 0.1.0.

    Args:
        declared: What the file says, a name and a number; None where it says nothing.
        name: The name that it should say: "motionrep body motion".
        newest: The highest number that the reader knows.

    Raises:
        ValueError: A higher number, or another name.
    """
    if declared is None:
        return 1
    match = re.fullmatch(rf"{re.escape(name)} ([1-9]\d{{0,8}})", declared)
    if match is None:
        raise ValueError(f"{path}: its format should be {name!r} and a number, got {declared!r}")
    number = int(match[1])
    if number > newest:
        raise ValueError(
            f"{path}: is in format {number} of {name}s, this version reads up to {newest}; update motionrep"
        )
    return number
