"""Persons that a program describes frame by frame, gathered into a track for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from motionrep.files.pickles import array_of
from motionrep.motion.tracks import Generation, Track, TrackArrays, TrackAxes, checked_track

_FIELDS = ("pose", "place", "betas")


@dataclass(frozen=True)
class Sighting:
    """One person in one frame: pose (axis-angle, radians), SMPL's translation in metres, and betas."""

    person: str
    frame_number: int
    pose: np.ndarray
    place: np.ndarray
    betas: np.ndarray


def tracks_of(
    path: Path, sightings: Iterable[Sighting], generation: Generation, fps: float, axes: TrackAxes
) -> list[Track]:
    """The track of every person, in the order of their names.

    Raises:
        ValueError: Nobody is there, a person is twice in a frame, or sizes change from frame to frame.
    """
    people: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        people.setdefault(sighting.person, []).append(sighting)
    if not people:
        raise ValueError(f"{path}: nobody was seen in any frame")
    tracks = []
    for person, seen in sorted(people.items(), key=lambda item: (len(item[0]), item[0])):
        seen.sort(key=lambda sighting: sighting.frame_number)
        try:
            pose, place, betas = (np.stack([getattr(it, name).ravel() for it in seen]) for name in _FIELDS)
        except ValueError as error:
            raise ValueError(f"{path}: person {person}: numbers of a frame change over time ({error})") from error
        numbers = np.array([it.frame_number for it in seen])
        tracks.append(checked_track(path, person, TrackArrays(pose, place, betas), generation, fps, axes, numbers))
    return tracks


def rotvecs_of(path: Path, name: str, value: Any) -> np.ndarray:
    """Axis-angles of a field that holds rotation matrices (..., 3, 3), or axis-angles already; (..., 3)."""
    values = (value if isinstance(value, np.ndarray) else array_of(path, name, value)).astype(np.float64)
    if values.shape[-2:] != (3, 3):
        return values.reshape(*values.shape[:-1], -1, 3)
    matrices = torch.from_numpy(np.ascontiguousarray(values))
    if not torch.allclose(matrices @ matrices.mT, torch.eye(3, dtype=matrices.dtype), atol=1e-2):
        raise ValueError(f"{path}: field {name!r} should hold rotation matrices, those here are none")
    return roma.rotmat_to_rotvec(matrices).numpy()
