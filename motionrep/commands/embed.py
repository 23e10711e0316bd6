"""`motionrep embed`."""

import argparse
from pathlib import Path
from typing import Literal

import torch

import motionrep
from motionrep.commands.inputs import load_people
from motionrep.commands.options import Precision, Size, add_computing, add_keypoints
from motionrep.tables import write_embeddings


def add_options(parser: argparse.ArgumentParser) -> None:
    add_keypoints(parser)
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
    keypoints: Path, output: Path, encoder: str, level: Literal["clip", "frame", "joint"], layout: str | None,
    fps: float | None, size: Size | None, flip: bool, device: str, precision: Precision,
) -> None:  # fmt: skip
    """Writes the motion embeddings of every person in a keypoint file as a Parquet table."""
    people = load_people(keypoints, layout, fps, size)
    network = motionrep.load_encoder(encoder)
    dtype = getattr(torch, precision)
    embeddings = [
        motionrep.embed(person, network, flip=flip, device=device, dtype=dtype, progress=True) for person in people
    ]
    write_embeddings(embeddings, output, level, [keypoints.stem] * len(people))
    frames = sum(person.frame_count for person in people)
    print(f"{output}: {len(people)} person(s), {frames} frames, {network.channels} channels")
