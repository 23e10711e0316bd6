"""`motionrep embed`."""

import argparse
from pathlib import Path
from typing import Literal

import torch

import motionrep
from motionrep.cli.options import Precision, Size, add_clip, add_computing
from motionrep.embedding.tables import check_table_path, write_embeddings
from motionrep.files.kinds import names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "keypoints", type=Path, nargs="+",
        help=f"Keypoint files or folders ({names('keypoints')}).",
    )  # fmt: skip
    add_clip(parser)
    parser.add_argument("--output", type=Path, required=True, help="The .parquet file to write.")
    parser.add_argument(
        "--encoder", default="ktpformer-s",
        help="A shipped encoder, a folder, a published checkpoint, or a Hugging Face Hub id (default %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--level", choices=("clip", "frame", "joint"), default="frame",
        help="What gets a row of the table (default %(default)s).",
    )  # fmt: skip
    parser.add_argument("--flip", action="store_true", help="Averages with the embedding of the mirrored clip.")
    add_computing(parser)


def run(
    keypoints: list[Path], output: Path, encoder: str, level: Literal["clip", "frame", "joint"], layout: str | None,
    fps: float | None, size: Size | None, flip: bool, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Writes the motion embeddings of every person in keypoint files as a Parquet table."""
    check_table_path(output)
    names = _names(keypoints)
    files = [(name, person) for path, name in zip(keypoints, names, strict=True)
             for person in motionrep.load_keypoints(path, layout, fps, size)]  # fmt: skip
    people = [person for _, person in files]
    network = motionrep.load_encoder(encoder)
    dtype = getattr(torch, precision)
    embeddings = [
        motionrep.embed(person, network, flip=flip, device=device, dtype=dtype, progress=True) for person in people
    ]
    write_embeddings(embeddings, output, level, [name for name, _ in files])
    frames = sum(person.frame_count for person in people)
    print(f"{output}: {len(people)} person(s), {frames} frames, {network.channels} channels")


def _names(paths: list[Path]) -> list[str]:
    """The files' names without suffix, or, where two would be the same, their paths."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [path.with_suffix("").as_posix() for path in paths]
