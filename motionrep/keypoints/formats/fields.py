"""Fields of detectors' JSON, with errors that say where one is missing or of another type."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

# In small letters, without what joins words.
_TRACKS = (
    "trackid", "idx", "trackingid", "track", "personid", "playerid", "pid", "instanceid", "objectid", "objid", "id_",
)  # fmt: skip
_FRAMES = ("frame_id", "frame", "frame_number", "frame_index", "frame_idx", "frame_num", "frameId")
_MAY_NUMBER_DETECTIONS = ("instanceid", "objectid", "objid", "id_")
_VIDEOS = (
    "videoid", "vidid", "video", "videoname", "vid", "clip", "clipid", "clipname", "sequence", "sequenceid",
    "sequencename", "seq", "seqid", "seqname", "camera", "cameraid", "cam",
)  # fmt: skip


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
    """The number that each frame of a list gives as `frame_id`, `frame` and so on, or its place in the list."""
    return [
        next((frame[name] for name in _FRAMES if name in frame), i) if isinstance(frame, dict) else i
        for i, frame in enumerate(frames)
    ]


def track_of(entry: Any) -> str | None:
    """The id of a person whom a tool followed, wherever it puts that; None where it followed nobody."""
    if not isinstance(entry, dict):
        return None
    named = _by_plain_name(entry)
    for name in _TRACKS:
        if (found := person_id(named.get(name))) is not None:
            return found
    return track_of(entry["attributes"]) if "attributes" in entry else None


def may_number_detections(entry: dict[str, Any]) -> bool:
    """Whether the id that `track_of` finds has a name that some tools give to the number of a detection."""
    named = _by_plain_name(entry)
    return next((name for name in _TRACKS if name in named), "") in _MAY_NUMBER_DETECTIONS


def _by_plain_name(entry: dict[str, Any]) -> dict[str, Any]:
    """The fields by their names in small letters; `id_` keeps its mark, for `id` numbers annotations."""
    return {_plain(name): value for name, value in entry.items()}


@lru_cache(1000)
def _plain(name: str) -> str:
    return name if name == "id_" else re.sub("[_ -]", "", name).lower()


def video_of(entry: Any) -> str | None:
    """The video that a detection or picture says it is of."""
    named = _by_plain_name(entry) if isinstance(entry, dict) else {}
    found = [named[name] for name in _VIDEOS if named.get(name) not in (None, "")]
    return str(found[0]) if found and isinstance(found[0], int | str) else None


def picture_size(entry: Any) -> tuple[int, int] | None:
    """Width and height in pixels where a picture's entry says them."""
    if not isinstance(entry, dict):
        return None
    for names in (("width", "height"), ("canvas_width", "canvas_height")):
        sides = [int(side) for name in names if isinstance(side := entry.get(name), int | float) and 1 <= side < 1e6]
        if len(sides) == 2:
            return sides[0], sides[1]
    return None


def frame_rate(entry: Any) -> float | None:
    """Frames per second where an entry says them."""
    rate = entry.get("fps", entry.get("frame_rate")) if isinstance(entry, dict) else None
    return float(rate) if isinstance(rate, int | float) and 0 < rate < 10_000 else None


def flat_values(keypoints: Any) -> Any:
    """x, y, confidence of each joint in one list, where a tool writes [[x, y, c], ...] or [[x, y], ...]."""
    if not isinstance(keypoints, list) or not keypoints or not all(isinstance(point, list) for point in keypoints):
        return keypoints
    sizes = {len(point) for point in keypoints}
    if sizes == {2}:
        return [value for point in keypoints for value in (*point, 1.0)]
    return [value for point in keypoints for value in point] if sizes == {3} else keypoints


def person_id(value: Any) -> str | None:
    """Ids come as 3, 3.0, [3] or [[3.0], [3.0]]; OpenPose writes -1 for "not tracked"."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return str(value) if value >= 0 else None
    return value if isinstance(value, str) else None


def with_confidence(points: np.ndarray) -> np.ndarray:
    """x, y, confidence of points; those without a confidence have 1, or 0 where they are 0, 0 or NaN."""
    if points.shape[-1] == 3:
        return points.astype(float)
    xy = points.astype(float)
    unseen = (xy == 0).all(-1) | ~np.isfinite(xy).all(-1)
    return np.concatenate([np.where(unseen[..., None], 0, xy), ~unseen[..., None]], axis=-1)
