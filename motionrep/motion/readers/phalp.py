"""Results of PHALP and 4D-Humans (.pkl of joblib): every tracked person, in the camera."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import Sighting, rotvecs_of, tracks_of
from motionrep.motion.tracks import Track, TrackAxes, fps_or_usual

_FPS = 30.0  # of the video that its demo writes; the results do not say


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person. Frames in which a person was only guessed (`tracked_time` above 0) count as not seen.

    The camera has a focal length of about 20 times the picture's size, so people are far away and small in depth.

    Raises:
        ValueError: A broken file, or nobody in it.
    """
    path = contents.path
    fps = fps_or_usual(path, options.fps, _FPS)
    frames = contents.value.items()
    sightings = [it for number, (name, frame) in enumerate(frames) for it in _seen(path, number, str(name), frame)]
    return tracks_of(path, sightings, "smpl", fps, TrackAxes("camera", "shared"))


def _seen(path: Path, number: int, name: str, frame: Any) -> Iterator[Sighting]:
    people, bodies, cameras = (frame.get(it) if isinstance(frame, dict) else None for it in ("tid", "smpl", "camera"))
    if not (isinstance(people, list) and isinstance(bodies, list) and isinstance(cameras, list)):
        raise ValueError(f"{path}: frame {name!r} should list tid, smpl and camera, one entry for each person")
    guessed = frame.get("tracked_time") or [0] * len(people)
    if len({len(people), len(bodies), len(cameras), len(guessed)}) != 1:
        raise ValueError(
            f"{path}: frame {name!r} has {len(people)} persons in tid, and other numbers in smpl or camera"
        )
    time = int(array_of(path, "time", frame.get("time", number)))
    for person, smpl, camera, since in zip(people, bodies, cameras, guessed, strict=True):
        if since:
            continue
        if not isinstance(smpl, dict) or not {"global_orient", "body_pose", "betas"} <= smpl.keys():
            raise ValueError(f"{path}: frame {name!r}: smpl should have global_orient, body_pose and betas")
        pose = [rotvecs_of(path, field, smpl[field]).reshape(-1, 3) for field in ("global_orient", "body_pose")]
        place, betas = array_of(path, "camera", camera), array_of(path, "betas", smpl["betas"])
        yield Sighting(str(int(array_of(path, "tid", person))), time, np.concatenate(pose), place, betas)
