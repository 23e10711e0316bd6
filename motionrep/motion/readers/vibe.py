"""Results of VIBE and of programs made from it, such as TCMR and PARE (`vibe_output.pkl`): everybody, in the camera."""

from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import rotvecs_of
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_FPS = 30.0  # the file does not say
_NAMES = ("pose", "orig_cam", "betas", "frame_ids")


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person.

    The file has a scaled orthographic camera for the whole picture (sx, sy, tx, ty). People are put where a camera
    sees them so whose focal length is the picture's diagonal, which WHAM and CLIFF assume too.

    Raises:
        ValueError: A broken file.
    """
    fps, axes = fps_or_usual(contents.path, options.fps, _FPS), TrackAxes("camera", "shared")
    return [_person(contents.path, person, fields, axes, fps) for person, fields in contents.value.items()]


def _person(path: Path, person: Any, fields: Any, axes: TrackAxes, fps: float) -> Track:
    name = str(person if isinstance(person, str | int) else array_of(path, "the person's number", person))
    if lacking := [it for it in _NAMES if not isinstance(fields, dict) or it not in fields]:
        raise ValueError(f"{path}: person {name} lacks {', '.join(lacking)}, which VIBE's demo.py writes")
    camera, betas, numbers = (array_of(path, it, fields[it]) for it in _NAMES[1:])
    poses = rotvecs_of(path, "pose", fields["pose"])
    if camera.ndim != 2 or camera.shape[1] != 4 or not (camera[:, :2] > 0).all():
        raise ValueError(f"{path}: person {name}: orig_cam should hold sx, sy, tx and ty of each frame, sx and sy > 0")
    depth = 2 * np.sqrt((1 / camera[:, :2] ** 2).sum(1))
    arrays = TrackArrays(poses.reshape(len(poses), -1), np.column_stack([camera[:, 2:], depth]), betas)
    return checked_track(path, name, arrays, "smpl", fps, axes, numbers)
