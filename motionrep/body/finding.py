"""Body models by name: which files of SMPL, SMPL-H and SMPL-X stand in the user's folder of bodies."""

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motionrep.files.writing import BROKEN_NPZ

_GENDERS = {"neutral": "neutral", "male": "m", "female": "f"}  # and what SMPL's own files call them
# The preferred file first. AMASS means the extended SMPL-H, which unpacks to folders by gender.
_PATTERNS = {
    "smpl": (
        "basicModel_{letter}_lbs_10_207_0_v1.1.0.pkl",
        "basicModel_{letter}_lbs_10_207_0_v1.0.0.pkl",
        "SMPL_{GENDER}.npz",
        "SMPL_{GENDER}.pkl",
    ),
    "smplh": ("{gender}/model.npz", "SMPLH_{GENDER}.npz", "SMPLH_{GENDER}.pkl"),
    "smplx": ("SMPLX_{GENDER}.npz", "SMPLX_{GENDER}.pkl", "{gender}/model.npz"),
}
_SITES = {
    "smpl": "smpl.is.tue.mpg.de (the neutral body of version 1.0.0: smplify.is.tue.mpg.de)",
    "smplh": "mano.is.tue.mpg.de (extended SMPL+H)",
    "smplx": "smpl-x.is.tue.mpg.de",
}
_KIND_OF_JOINTS = {24: "smpl", 52: "smplh", 55: "smplx"}
_DEEPEST = 6  # folders below the folder of bodies; archives unpack three deep

FILE_NAMES = {
    f"{kind}-{gender}": tuple(
        pattern.format(gender=gender, GENDER=gender.upper(), letter=letter) for pattern in patterns
    )
    for kind, patterns in _PATTERNS.items()
    for gender, letter in _GENDERS.items()
} | {"smplx-neutral-2020": ("SMPLX_NEUTRAL_2020.npz",)}  # other betas than SMPL-X's of 2019
"""The names of bodies, and the files each may stand in; upper and lower case do not matter."""


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


def find_bodies() -> dict[str, list[Path]]:
    """The files of `FILE_NAMES` in the folder of bodies and below it, by the name of their body.

    The first file of a body is the one used: preferred file names before others, then files in fewer folders, then
    the alphabet.
    """
    known = {file.lower(): (body, rank) for body, files in FILE_NAMES.items() for rank, file in enumerate(files)}
    found: dict[str, list[tuple[int, int, Path]]] = {}
    for path in _files(body_folder()):
        name = path.name.lower()
        if name == "model.npz":  # the folder says the gender, the number of joints the model
            name = f"{path.parent.name.lower()}/{name}"
            body = f"{_kind(path)}-{path.parent.name.lower()}"
            if name not in FILE_NAMES.get(body, ()):
                continue
            rank = FILE_NAMES[body].index(name)
        elif name in known:
            body, rank = known[name]
        else:
            continue
        found.setdefault(body, []).append((rank, len(path.parts), path))
    return {body: [path for *_, path in sorted(found[body])] for body in FILE_NAMES if body in found}


def find_body(name: str) -> Path:
    """The file of the body of that name, one of `FILE_NAMES`.

    Raises:
        FileNotFoundError: There is none; the message says where it was looked for, under which file names, and where
            to get it.
    """
    paths = find_bodies().get(name)
    if paths is None:
        raise FileNotFoundError(
            f"body {name!r}: no {' or '.join(FILE_NAMES[name])} in {body_folder()} or below it; {how_to_get(name)}"
        )
    return paths[0]


def how_to_get(name: str) -> str:
    """One line: where to download the body of that name, and under which terms."""
    site = _SITES[name.partition("-")[0]]
    return f"register at {site}, accept the licence (non-commercial research only) and put the file there"


def _files(root: Path) -> Iterator[Path]:
    """All files below, through links too."""
    for folder, folders, files in os.walk(root, followlinks=True):
        if len(Path(folder).relative_to(root).parts) >= _DEEPEST:
            folders.clear()
        for file in files:
            yield Path(folder, file)


def _kind(path: Path) -> str | None:
    """Which model an .npz is of by its number of joints; None for other files, such as those of soft tissue."""
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            return _KIND_OF_JOINTS.get(file["kintree_table"].shape[-1])
    except (OSError, KeyError, *BROKEN_NPZ):
        return None
