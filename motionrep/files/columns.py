"""What the columns of a table of keypoints mean, by their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_AXES = {
    "x": 0, "y": 1, "c": 2, "v": 2, "s": 2, "p": 2, "conf": 2, "confidence": 2, "score": 2, "vis": 2, "visibility": 2,
    "likelihood": 2, "prob": 2, "visible": 2,
}  # fmt: skip
_FRAMES = ("frame", "frameid", "frameindex", "frameidx", "framenumber", "frameno", "framenum", "framename", "imageid",
           "image", "imagename", "filename", "img")  # fmt: skip
_TRACKS = ("trackid", "personid", "person", "track", "id", "idx", "instanceid", "individual", "personindex", "pose")
_VIDEOS = ("video", "videoid", "vidid", "videoname", "sourcevideo")
_JOINTS = ("landmark", "landmarkid", "landmarkindex", "joint", "jointid", "jointname", "keypoint", "keypointid",
           "keypointname", "landmarkname", "bodypart", "name")  # fmt: skip
_FEWEST = 5


@dataclass(frozen=True)
class Columns:
    """Places of the columns of a table.

    `places` are those of x, y and confidence of each joint, None where a joint has no confidence. A long table has one
    joint a row: then `joint` is the column of its name, and `places` has one entry.
    """

    joints: tuple[str, ...]
    places: tuple[tuple[int, int, int | None], ...]
    frame: int | None
    track: int | None
    video: int | None
    joint: int | None = None


def columns_of(header: Sequence[str]) -> Columns | None:
    """The columns of a table of keypoints, or None for a table of something else."""
    found: dict[str, dict[int, int]] = {}
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    for place, name in enumerate(header):
        joint, axis = _joint_and_axis(name)
        if axis is not None:
            found.setdefault(joint, {}).setdefault(axis, place)
    marks = {
        "frame": _first(plain, _FRAMES), "track": _first(plain, _TRACKS), "video": _first(plain, _VIDEOS),
    }  # fmt: skip
    long = found.get("", {})
    if {0, 1} <= long.keys() and (joint := _first(plain, _JOINTS)) is not None and marks["frame"] is not None:
        marks["track"] = None if marks["track"] == joint else marks["track"]
        return Columns((), ((long[0], long[1], long.get(2)),), **marks, joint=joint)
    whole = {joint: axes for joint, axes in found.items() if joint and {0, 1} <= axes.keys()}
    if len(whole) < _FEWEST:
        return None
    return Columns(tuple(whole), tuple((axes[0], axes[1], axes.get(2)) for axes in whole.values()), **marks)


def _joint_and_axis(column: str) -> tuple[str, int | None]:
    """`nose_x`, `x_nose`, `LEFT_HIP.y`, `landmark_12_visibility` or `x12`; the axis is None for any other column."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", column) if part]
    if not parts:
        return "", None
    if parts[-1].lower() in _AXES:
        return "_".join(parts[:-1]), _AXES[parts[-1].lower()]
    if parts[0].lower() in _AXES:
        return "_".join(parts[1:]), _AXES[parts[0].lower()]
    if glued := re.fullmatch(r"([xyvc])(\d+)", column.strip().lower()):
        return glued[2], _AXES[glued[1]]
    return "", None


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)
