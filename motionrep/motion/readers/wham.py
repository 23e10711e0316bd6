"""WHAM results (`wham_output.pkl` of --save_pkl): each person in a world of its own, or in the camera."""

from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_FPS = 30.0  # where nobody says


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person of a video. Raises ValueError for a broken file."""
    fps = fps_or_usual(contents.path, options.fps, _FPS)
    axes = TrackAxes(options.frame or "world", "own")
    return [_person(contents.path, person, fields, axes, fps) for person, fields in contents.value.items()]


def _person(path: Path, person: Any, fields: Any, axes: TrackAxes, fps: float) -> Track:
    """In the world, `trans_world` is the middle of the hips; `trans` is SMPL's translation in the camera."""
    in_camera = axes.frame == "camera"
    names = (*(("pose", "trans") if in_camera else ("pose_world", "trans_world")), "betas", "frame_ids")
    if lacking := [name for name in names if not isinstance(fields, dict) or name not in fields]:
        found = ", ".join(map(str, fields)) if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(
            f"{path}: person {person!r} lacks {', '.join(lacking)}, which WHAM's --save_pkl writes; it has {found}"
        )
    pose, trans, betas, frame_ids = (array_of(path, name, fields[name]) for name in names)
    name = str(person if isinstance(person, str | int) else array_of(path, "the person's number", person))
    place_of = "vertices" if in_camera else "hips"
    return checked_track(path, name, TrackArrays(pose, trans, betas, place_of), "smpl", fps, axes, frame_ids)
