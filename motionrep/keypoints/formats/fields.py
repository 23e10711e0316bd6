"""Fields of detectors' JSON, with errors that say where one is missing or of another type."""

from pathlib import Path
from typing import Any


def field(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        found = ", ".join(map(repr, entry)) if isinstance(entry, dict) else type(entry).__name__
        raise ValueError(f"{where} has no {name!r} (found: {found})")
    return entry[name]


def as_list(value: Any, where: Path | str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: expected a list of frames or people, got {type(value).__name__}")
    return value


def frame_keys(frames: list[Any]) -> list[Any]:
    """The number that each frame of a list gives as `frame_id` or `frame`, or its place in the list."""
    return [
        frame.get("frame_id", frame.get("frame", i)) if isinstance(frame, dict) else i for i, frame in enumerate(frames)
    ]


def person_id(value: Any) -> str | None:
    """Ids come as 3, 3.0, [3] or [[3.0], [3.0]]; OpenPose writes -1 for "not tracked"."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return str(value) if value >= 0 else None
    return value if isinstance(value, str) else None
