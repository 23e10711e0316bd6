"""Results of ROMP and BEV (`video_results.npz`, or the .npz of one picture): every person, in the camera."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of, read_npz_object
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import Sighting, tracks_of
from motionrep.motion.tracks import Track, TrackAxes, fps_or_usual

_FPS = 24.0  # the default of its --frame_rate
# Names in the package simple_romp, and in the releases before.
_POSE, _PLACE, _BETAS = ("smpl_thetas", "poses", "pose"), ("cam_trans", "trans"), ("smpl_betas", "betas")


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person. The file follows people only where ROMP ran with --temporal_optimize.

    Raises:
        ValueError: A broken file, or several persons in a frame whom the file does not follow.
    """
    path = contents.path
    results = read_npz_object(path, "results", "file of ROMP's results")
    if any(name in results for name in _POSE):
        results = {"0": results}
    numbers = [re.findall(r"\d+", str(name).rpartition(".")[0]) for name in results]
    numbered = all(numbers) and len({found[-1] for found in numbers}) == len(results)
    sightings = [
        sighting
        for order, (name, frame) in enumerate(results.items())
        for sighting in _seen(path, int(numbers[order][-1]) if numbered else order, str(name), frame)
    ]
    return tracks_of(path, sightings, "smpl", fps_or_usual(path, options.fps, _FPS), TrackAxes("camera", "shared"))


def _seen(path: Path, number: int, name: str, frame: Any) -> Iterator[Sighting]:
    if not frame:
        return
    people = frame if isinstance(frame, list) else [frame]
    if not all(isinstance(person, dict) for person in people):
        raise ValueError(f"{path}: frame {name!r} should hold arrays over persons, or list persons")
    fields = []
    for names in (_POSE, _PLACE, _BETAS):
        if any((field := next((it for it in names if it in person), None)) is None for person in people):
            raise ValueError(f"{path}: frame {name!r} has no {' or '.join(names)}")
        fields.append(np.concatenate([np.atleast_2d(array_of(path, str(field), person[field])) for person in people]))
    count = len(fields[0])
    if "track_ids" in people[0]:
        ids = [int(it) for it in array_of(path, "track_ids", people[0]["track_ids"]).ravel()]
    elif count > 1:
        raise ValueError(
            f"{path}: frame {name!r} has {count} persons and does not say who is who; run ROMP on the video with "
            "--temporal_optimize, or with --show_largest for one person"
        )
    else:
        ids = [0] * count
    if len({count, len(ids), *(len(field) for field in fields)}) != 1:
        raise ValueError(f"{path}: frame {name!r} has {count} persons, and other numbers of places, betas or track_ids")
    for person, pose, place, betas in zip(ids, *fields, strict=True):
        yield Sighting(str(person), number, pose, place, betas)
