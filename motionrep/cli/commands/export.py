"""`motionrep export`."""

import argparse
from pathlib import Path
from typing import Any, Literal

import motionrep
from motionrep.cli.options import MOTION_FILES, Axes, add_choice
from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.motion.writers.table import WRITERS
from motionrep.types import BodyMotion
from motionrep.weights import find_shipped


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", metavar="source", nargs="+",
        help=f"{MOTION_FILES[:-1]}, several share one .glb; or an encoder.",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True,
        help=f"For motion {', '.join(WRITERS)} (.npz is AMASS's; .obj and .ply are one file for each frame), for an "
        "encoder .onnx or .pt2.",
    )  # fmt: skip
    add_choice(parser)
    parser.add_argument("--head", help="With an encoder: the head to put behind it, a shipped one or a folder.")
    parser.add_argument("--unit", choices=("m", "cm"), default="m", help="Unit of length (default %(default)s).")
    parser.add_argument("--up", choices=("y", "z"), default="y", help="The upward axis (default %(default)s).")
    parser.add_argument("--fps", type=float, help="Frames per second of the file; left out, the motion's.")


def run(
    sources: list[str], output: Path, person: int | None, frame: Axes | None, unit: Literal["m", "cm"],
    up: Literal["y", "z"], fps: float | None, head: str | None,
) -> None:  # fmt: skip
    """Writes motion for other programs (GLB, BVH, OBJ, PLY, AMASS's .npz), or an encoder as ONNX or .pt2."""
    if output.suffix.lower() in (".onnx", ".pt2"):
        options = (("person", person, None), ("frame", frame, None), ("unit", unit, "m"), ("up", up, "y"))
        given = [name for name, value, default in (*options, ("fps", fps, None)) if value != default]
        _export_encoder(sources, output, head, given)
        return
    if head is not None:
        raise ValueError(f"{output}: --head belongs to an encoder, which is exported to .onnx or .pt2")
    if encoders := [name for name in sources if _is_encoder(name)]:
        raise ValueError(f"{encoders[0]}: an encoder, which is exported to .onnx or .pt2, not to {output.name}")
    motions = [Path(name) for name in sources]
    loaded = [motion for path in motions for motion in _load(path, person, frame, fps)]
    motionrep.export_motion(loaded, output, unit=unit, up=up, fps=fps)
    print(f"{output}: {len(loaded)} person(s)")


def _load(path: Path, person: int | None, frame: Axes | None, fps: float | None) -> list[BodyMotion]:
    """One person, or all persons of a file who can be shown together."""
    from motionrep.motion.loading import one_motion, read_motions  # brings roma, which takes as long as torch
    from motionrep.motion.records import MotionOptions

    contents = look(path)
    kind = require_kind(contents, "motion")
    if kind.takes_fps and fps is not None:
        raise ValueError(f"{path}: --fps is the frame rate of the export here; convert it first with --fps")
    motions = read_motions(contents, MotionOptions(frame=frame))
    if person is not None:
        return [one_motion(motions, person, path)]
    if len(motions) > 1 and motions[0].frame == "world" and kind.own_worlds:
        raise ValueError(
            f"{path}: holds {len(motions)} persons, each in a world and time of its own, so where they are to each "
            "other is not known; choose one with --person, or take --frame camera"
        )
    return motions


def _export_encoder(names: list[str], output: Path, head: str | None, motion_options: list[str]) -> None:
    from motionrep.deployment.network_export import export_encoder

    if motion_options:
        raise ValueError(f"{output}: holds an encoder, and --{motion_options[0]} is for motion; leave it out")
    if len(names) > 1:
        raise ValueError(f"{output}: holds one encoder, got {len(names)}")
    network = motionrep.load_encoder(names[0])
    trained: Any = None if head is None else motionrep.load_head(head)
    export_encoder(network, output, trained)
    print(f"{output}: {network.name}{f' with {head}' if head else ''}, {output.stat().st_size / 1e6:.1f} MB")


def _is_encoder(name: str) -> bool:
    return find_shipped("encoder", name) is not None or (Path(name) / "model.safetensors").is_file()
