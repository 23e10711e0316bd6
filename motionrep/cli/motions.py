"""Motions of the files a command was given: read, or recovered from keypoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import motionrep
from motionrep.cli.inputs import is_motion, load_people, npz_fields
from motionrep.cli.options import Axes, Precision, Size
from motionrep.types import BodyMotion, JointMotion
from motionrep.weights import shipped

if TYPE_CHECKING:
    from motionrep.viewing import Exhibit


def exhibits(
    paths: Sequence[Path], head: str, encoder: str | None, frame: Axes | None, layout: str | None, fps: float | None,
    size: Size | None, device: str, precision: Precision,
) -> "list[Exhibit]":  # fmt: skip
    """Everybody in all the files, named after the file; keypoints are embedded and go through the head."""
    from motionrep.viewing import Exhibit

    of_keypoints = {"layout": layout, "size": size, "encoder": encoder}
    if not any(path.suffix.lower() == ".pkl" for path in paths):
        of_keypoints["fps"] = fps
    given = [name for name, value in of_keypoints.items() if value is not None]
    if given and all(is_motion(path) for path in paths):
        raise ValueError(f"{paths[0]}: a motion file, and --{given[0]} is for keypoints; leave it out")
    found: list[Exhibit] = []
    networks: tuple[Any, nn.Module] | None = None
    for path in paths:
        if is_motion(path):
            motions = _motions(path, frame, fps)
            found += [Exhibit(_name(path, index, len(motions)), motion) for index, motion in enumerate(motions)]
            continue
        people = load_people(path, layout, fps, size)
        trained, network = networks = networks or load_networks(head, encoder)
        for index, person in enumerate(people):
            embedding = motionrep.embed(person, network, device=device, dtype=getattr(torch, precision), progress=True)
            motion = trained.predict(embedding)
            if not isinstance(motion, BodyMotion | JointMotion):
                raise ValueError(f"head {head!r} gives {type(motion).__name__}, which cannot be shown; see --head")
            found.append(Exhibit(_name(path, index, len(people)), motion, person, embedding))
    return found


def load_networks(head: str, encoder: str | None) -> tuple[Any, nn.Module]:
    """A trained head, and the given encoder or the shipped one that the head was trained on."""
    trained: Any = motionrep.load_head(head)
    return trained, motionrep.load_encoder(encoder_for(trained, head) if encoder is None else encoder)


def encoder_for(trained: Any, head: str) -> str:
    """Name of the shipped encoder that a head was trained on, or the published checkpoint that holds both."""
    if Path(head).is_file():
        return head
    name = str(trained.trained_on)
    if name not in shipped("architecture"):
        raise ValueError(
            f"{head}: trained on encoder {name!r}, which is not a shipped one; pass its folder or Hub id as --encoder"
        )
    return name


def _motions(path: Path, frame: Axes | None, fps: float | None) -> Sequence[BodyMotion | JointMotion]:
    if "position_m" in npz_fields(path):
        return [motionrep.load_joint_motion(path)]
    # other motion files tell their rate; --fps is then for the keypoints beside them
    pickled = path.suffix.lower() == ".pkl"
    return motionrep.load_motions(path, frame=frame, fps=fps if pickled else None)


def _name(path: Path, index: int, count: int) -> str:
    return path.stem if count == 1 else f"{path.stem}, person {index}"
