"""Weights that ship with motionrep, in versions.

The newest version of `ktpformer-s` lies in the folder of that name, and version 1, once there is a newer one, in
`ktpformer-s@1`. config.json says which version a folder holds.
"""

import json
from pathlib import Path
from typing import Any, Literal

Kind = Literal["encoder", "head"]
# Of commands and functions that are told none.
DEFAULT_ENCODER, DEFAULT_HEAD, DEFAULT_ACTION_HEAD = "ktpformer-s", "mesh-ktpformer-s", "action-ktpformer-s"
DEFAULT_GROUND_HEAD = "ground-ktpformer-s"
FOLDER = Path(__file__).parent

_MARKS = {"encoder": "architecture", "head": "head"}  # the entry of config.json that only this kind has


def shipped(kind: Kind) -> dict[str, Path]:
    """Folders of the shipped encoders or heads by name, each in its newest version."""
    return {folder.name: folder for folder in _configs(kind) if "@" not in folder.name}


def shipped_versions(kind: Kind, name: str) -> dict[int, Path]:
    """Folders of all versions of a shipped encoder or head by number, the newest first; empty if it does not ship."""
    versions = {
        config.get("version", 1): folder
        for folder, config in _configs(kind).items()
        if folder.name.partition("@")[0] == name
    }
    return dict(sorted(versions.items(), reverse=True))


def find_shipped(kind: Kind, name_or_path: str | Path) -> Path | None:
    """The folder of shipped weights called `name` or `name@version`; None if they do not ship.

    A `Path` that exists means that file or folder, even under the name of shipped weights.

    Raises:
        ValueError: The weights ship, but not in this version.
    """
    if isinstance(name_or_path, Path) and name_or_path.exists():
        return None
    name, at, version = str(name_or_path).partition("@")
    versions = shipped_versions(kind, name)
    if not versions or not at:
        return shipped(kind).get(name)
    if not version.isdecimal() or int(version) not in versions:
        known = ", ".join(f"{name}@{number}" for number in versions)
        raise ValueError(f"{kind} {name!r} has no version {version!r} (there are {known}; {name!r} is the newest)")
    return versions[int(version)]


def _configs(kind: Kind) -> dict[Path, dict[str, Any]]:
    """config.json of all shipped encoders or heads by their folders."""
    paths = sorted(FOLDER.glob("*/config.json"))
    configs = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    return {folder: config for folder, config in configs.items() if _MARKS[kind] in config}
