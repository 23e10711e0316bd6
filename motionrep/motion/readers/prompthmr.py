"""Results of PromptHMR's video pipeline (`results.pkl`): everybody on SMPL-X, in one world or in the camera."""

from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.readers.amass import on_body
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import rotvecs_of
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_FPS = 30.0  # the file does not say


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person. The world has y up.

    Raises:
        ValueError: A broken file, or one without persons.
    """
    path, people = contents.path, contents.value["people"]
    fps, axes = fps_or_usual(path, options.fps, _FPS), TrackAxes(options.frame or "world", "shared")
    return [_person(path, str(name), fields, axes, fps) for name, fields in people.items()]


def _person(path: Path, name: str, fields: Any, axes: TrackAxes, fps: float) -> Track:
    part, pose = ("smplx_cam", "rotmat") if axes.frame == "camera" else ("smplx_world", "pose")
    found = fields.get(part) if isinstance(fields, dict) else None
    if not isinstance(found, dict) or not {pose, "shape", "trans"} <= found.keys() or "frames" not in fields:
        raise ValueError(f"{path}: person {name} should have frames, and {part} with {pose}, shape and trans")
    poses = rotvecs_of(path, pose, found[pose])
    betas, place = (array_of(path, it, found[it]) for it in ("shape", "trans"))
    arrays = TrackArrays(on_body(poses.reshape(len(poses), -1)), place.reshape(-1, 3), betas)
    return checked_track(path, name, arrays, "smplx", fps, axes, array_of(path, "frames", fields["frames"]))
