"""People who take no part in training: lists of patterns for the names of clips."""

from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from motionrep.datasets.motion_folders import MotionClip
from motionrep.files.naming import did_you_mean
from motionrep.files.texts import read_text


def read_held_out(name: str) -> tuple[str, ...]:
    """The patterns of a list.

    Args:
        name: A list that ships, such as `people-1`, or a text file with a pattern in each line. Empty lines and lines
            that begin with # do not count.

    Raises:
        FileNotFoundError: No such list and no such file.
        ValueError: The file holds no pattern.
    """
    shipped = {path.stem: path for path in Path(__file__).parent.glob("people-*.txt")}
    path = shipped.get(name, Path(name))
    if not path.is_file():
        raise FileNotFoundError(
            f"{name}: no list of held-out people{did_you_mean(name, shipped)} (known: {', '.join(sorted(shipped))}) "
            "and no such file"
        )
    lines = [line.strip() for line in read_text(path).splitlines()]
    patterns = tuple(line for line in lines if line and not line.startswith("#"))
    if not patterns:
        raise ValueError(f"{path}: holds no pattern; write one for the names of clips in each line, such as 02_*")
    return patterns


def is_held_out(clip: MotionClip, patterns: tuple[str, ...]) -> bool:
    """Whether the name of the clip's file, without folders and suffix, matches one of the patterns."""
    file = PurePosixPath(clip.name.partition("#")[0])
    stem = file.stem if file.suffix.lower() in (".bvh", ".npz", ".txt", ".pkl", ".pt", ".json") else file.name
    return any(fnmatchcase(stem, pattern) for pattern in patterns)
