"""Finds files of body models in the user's folder of bodies."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from motionrep.body.model import BodyModel

USUAL_BETAS = 10
_DEEPEST = 6  # folders below the folder of bodies; archives unpack three deep


@dataclass(frozen=True)
class BodyFiles:
    """The files that a body may stand in.

    Attributes:
        names: File names, the preferred first; upper and lower case do not matter. "male/model.npz" is a `model.npz`
            in a folder `male`.
        how_to_get: One line for whoever lacks the file: where to download it, and under which terms.
        fits: Whether a file such as "male/model.npz" is of this body; bodies may share such names.
    """

    names: tuple[str, ...]
    how_to_get: str
    fits: Callable[[Path], bool] = lambda path: True


@dataclass(frozen=True)
class BodySource:
    """How a body is loaded by its name.

    Attributes:
        load: Makes the body of that name with so many betas.
        files: Files of the user's that it needs; None for a body that needs none.
        betas: How many betas it has where nobody says.
    """

    load: Callable[[str, int], BodyModel]
    files: BodyFiles | None = None
    betas: int = USUAL_BETAS


def body_folder() -> Path:
    """Where body models are looked for by name: `motionrep/bodies` in the platform's folder for a user's data.

    That is `~/.local/share` on Linux (or `$XDG_DATA_HOME`), `~/Library/Application Support` on macOS, and
    `%LOCALAPPDATA%` on Windows. The folder need not exist.
    """
    if sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        data = Path(os.environ.get("XDG_DATA_HOME", ""))
        if not data.is_absolute():  # the XDG specification: relative paths are to be ignored
            data = Path.home() / ".local" / "share"
    return data / "motionrep" / "bodies"


def find_body_files(wanted: Mapping[str, BodyFiles]) -> dict[str, list[Path]]:
    """The files in the folder of bodies and below it, by the name of the body.

    The first file of a body is the one used: preferred file names before others, then files in fewer folders, then
    alphabetically. Bodies without a file are left out.
    """
    known: dict[str, list[tuple[str, int]]] = {}
    for body, files in wanted.items():
        for rank, name in enumerate(files.names):
            known.setdefault(name.lower(), []).append((body, rank))
    found: dict[str, list[tuple[int, int, Path]]] = {}
    for path in _files(body_folder()):
        name = path.name.lower()
        for body, rank in known.get(name, []):
            found.setdefault(body, []).append((rank, len(path.parts), path))
        for body, rank in known.get(f"{path.parent.name.lower()}/{name}", []):
            if wanted[body].fits(path):
                found.setdefault(body, []).append((rank, len(path.parts), path))
    return {body: [path for *_, path in sorted(found[body])] for body in wanted if body in found}


def find_body_file(name: str, files: BodyFiles) -> Path:
    """The file of a body.

    Raises:
        FileNotFoundError: There is none; the message says where it was looked for, under which file names, and where
            to get it.
    """
    paths = find_body_files({name: files}).get(name)
    if paths is None:
        raise FileNotFoundError(
            f"body {name!r}: no {' or '.join(files.names)} in {body_folder()} or below it; {files.how_to_get}"
        )
    return paths[0]


def _files(root: Path) -> Iterator[Path]:
    """All files below a folder, also through links."""
    for folder, folders, files in os.walk(root, followlinks=True):
        if len(Path(folder).relative_to(root).parts) >= _DEEPEST:
            folders.clear()
        for file in files:
            yield Path(folder, file)
