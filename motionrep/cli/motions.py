"""Motions of the files a command was given: read, or recovered from keypoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from motionrep.cli.inputs import name_of, read_shown, refuse_clip_options
from motionrep.cli.options import Axes, Precision, Size
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.keypoints.loading import read_keypoints
from motionrep.pipeline import Recoverer, load_networks

if TYPE_CHECKING:
    from motionrep.viewing import ViewedMotion


def viewed_motions(
    paths: Sequence[Path], head: str, encoder: str | None, frame: Axes | None, layout: str | None, fps: float | None,
    size: Size | None, device: str, precision: Precision,
) -> "list[ViewedMotion]":  # fmt: skip
    """Everybody in all the files, named after the file; keypoints are embedded and go through the head."""
    from motionrep.viewing import ViewedMotion

    files = [look(path) for path in paths]
    if all(kind_of(file).holds in ("motion", "joints") for file in files):
        refuse_clip_options(files, layout=layout, size=size, encoder=encoder, fps=fps)
    found: list[ViewedMotion] = []
    recoverer: Recoverer | None = None
    for path, file in zip(paths, files, strict=True):
        if kind_of(file).holds in ("motion", "joints"):
            motions = read_shown(file, frame, fps)
            found += [ViewedMotion(name_of(path, index, len(motions)), motion) for index, motion in enumerate(motions)]
            continue
        people = read_keypoints(file, layout, fps, size)
        recoverer = recoverer or Recoverer(
            *load_networks([head], encoder, device), device=device, dtype=getattr(torch, precision), progress=True
        )
        for index, person in enumerate(people):
            recovered = recoverer(person, index)
            found.append(ViewedMotion(name_of(path, index, len(people)), recovered.motion, person, recovered.embedding))
    return found
