"""Motions of the files a command was given: read, or recovered from keypoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import motionrep
from motionrep.cli.inputs import is_motion, load_people, name_of, npz_fields
from motionrep.cli.options import Axes, Precision, Size
from motionrep.pipeline import Recoverer, load_networks
from motionrep.types import BodyMotion, JointMotion

if TYPE_CHECKING:
    from motionrep.viewing import ViewedMotion


def viewed_motions(
    paths: Sequence[Path], head: str, encoder: str | None, frame: Axes | None, layout: str | None, fps: float | None,
    size: Size | None, device: str, precision: Precision,
) -> "list[ViewedMotion]":  # fmt: skip
    """Everybody in all the files, named after the file; keypoints are embedded and go through the head."""
    from motionrep.viewing import ViewedMotion

    of_keypoints = {"layout": layout, "size": size, "encoder": encoder}
    if not any(path.suffix.lower() == ".pkl" for path in paths):
        of_keypoints["fps"] = fps
    given = [name for name, value in of_keypoints.items() if value is not None]
    if given and all(is_motion(path) for path in paths):
        raise ValueError(f"{paths[0]}: a motion file, and --{given[0]} is for keypoints; leave it out")
    found: list[ViewedMotion] = []
    recoverer: Recoverer | None = None
    for path in paths:
        if is_motion(path):
            motions = _motions(path, frame, fps)
            found += [ViewedMotion(name_of(path, index, len(motions)), motion) for index, motion in enumerate(motions)]
            continue
        people = load_people(path, layout, fps, size)
        recoverer = recoverer or Recoverer(
            *load_networks([head], encoder, device), device=device, dtype=getattr(torch, precision), progress=True
        )
        for index, person in enumerate(people):
            recovered = recoverer(person, index)
            found.append(ViewedMotion(name_of(path, index, len(people)), recovered.motion, person, recovered.embedding))
    return found


def _motions(path: Path, frame: Axes | None, fps: float | None) -> Sequence[BodyMotion | JointMotion]:
    if "position_m" in npz_fields(path):
        return [motionrep.load_joint_motion(path)]
    # other motion files tell their rate; --fps is then for the keypoints beside them
    pickled = path.suffix.lower() == ".pkl"
    return motionrep.load_motions(path, frame=frame, fps=fps if pickled else None)
