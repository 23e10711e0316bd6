"""SMPL of EasyMocap: a folder of .json, one for each frame, or one of them; each lists persons."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from motionrep.files.contents import Contents
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import Sighting, tracks_of
from motionrep.motion.tracks import PELVIS_M, Generation, Track, TrackAxes, fps_or_usual

_FPS = 30.0  # the files do not say
# By the numbers of a pose, the body and how many of them are joints; then come coefficients of fingers, and a face.
_BODIES: dict[int, tuple[Generation, int]] = {72: ("smpl", 72), 78: ("smpl", 66), 87: ("smplx", 66)}
_NAMES = ("id", "Rh", "Th", "poses", "shapes")
_IN_CAMERA = -0.5  # mean upward axis along y of who stands in a camera


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person: in a world with z up, as its calibration has it, or in the camera for who stands along -y.

    EasyMocap turns the posed body by Rh about the origin, not about the pelvis, and then adds Th.

    Raises:
        ValueError: A broken file, or poses of another body.
    """
    path = contents.path
    frames = contents.value.items() if contents.container == "folder" else [(path.name, contents.value)]
    seen = [it for order, (name, frame) in enumerate(frames) for it in _seen(path, order, name, frame)]
    generations: set[Generation] = {generation for generation, _, _ in seen}
    if len(generations) != 1:
        raise ValueError(
            f"{path}: poses should have 72, 78 or 87 numbers in every frame, {len(generations)} kinds are there"
        )
    upward = np.mean([up for _, up, _ in seen])
    in_camera = options.frame == "camera" or (options.frame is None and upward < _IN_CAMERA)
    world = TrackAxes("world", "shared", y_up_turn(torch.tensor([0.0, 0.0, 1.0])))
    axes = TrackAxes("camera", "shared") if in_camera else world
    sightings = [sighting for _, _, sighting in seen]
    return tracks_of(path, sightings, generations.pop(), fps_or_usual(path, options.fps, _FPS), axes)


def _seen(path: Path, order: int, name: str, frame: Any) -> Iterator[tuple[Generation, float, Sighting]]:
    """Generation of the body, upward axis along y, and what is said of each person."""
    numbers = re.findall(r"\d+", name.rpartition(".")[0])
    for person in frame["annots"] if isinstance(frame, dict) else frame:
        if not isinstance(person, dict) or not {*_NAMES} <= person.keys():
            raise ValueError(
                f"{path}: frame {name!r}: a person should have {', '.join(_NAMES)}, as EasyMocap writes them"
            )
        turn, place, poses, betas = (np.array(person[it], dtype=np.float64).ravel() for it in _NAMES[1:])
        if len(turn) != 3 or len(place) != 3 or len(poses) not in _BODIES:
            raise ValueError(
                f"{path}: frame {name!r}: expected 3 numbers in Rh and Th, and 72, 78 or 87 in poses, got {len(turn)}, "
                f"{len(place)} and {len(poses)}"
            )
        generation, body = _BODIES[len(poses)]
        about_origin = roma.rotvec_to_rotmat(torch.from_numpy(turn))
        root = about_origin @ roma.rotvec_to_rotmat(torch.from_numpy(poses[:3]))
        pelvis_m = np.array(PELVIS_M[generation])
        place = about_origin.numpy() @ pelvis_m + place - pelvis_m
        pose = np.concatenate([roma.rotmat_to_rotvec(root).numpy(), poses[3:body]])
        sighting = Sighting(str(person["id"]), int(numbers[-1]) if numbers else order, pose, place, betas)
        yield generation, float(root[1, 1]), sighting
