"""`motionrep evaluate`."""

import argparse
from pathlib import Path
from typing import Literal

from motionrep.commands.options import Precision, add_precision, positive


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="Folder with an index.csv, or of .bvh and .npz motion files."
    )
    parser.add_argument("--encoder", default="ktpformer-s", help="A shipped encoder or a folder (default %(default)s).")
    parser.add_argument("--head", default="mesh-ktpformer-s", help="A shipped head or a folder (default %(default)s).")
    parser.add_argument("--output", type=Path, help="A JSON file to write the result to as well.")
    parser.add_argument(
        "--split", choices=("train", "val"), default="val", help="Which part of the data (default %(default)s)."
    )
    parser.add_argument(
        "--layout", default="h36m_17",
        help="What the simulated detector reports: h36m_17, coco_17 or halpe_26 (default %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--views",
        type=positive,
        default=4,
        help="Random cameras, bodies, detections per window (default %(default)s).",
    )
    parser.add_argument("--seed", type=int, default=1000, help="Decides what is random (default %(default)s).")
    add_precision(parser)


def run(
    data: Path, encoder: str, head: str, output: Path | None, split: Literal["train", "val"], layout: str, views: int,
    seed: int, precision: Precision,
) -> None:  # fmt: skip
    """Measures an encoder and a head on motion files; prints the errors with their protocol."""
    from motionrep.evaluation import evaluate as measure

    result = measure(data, encoder, head, output, split, layout, views, seed, precision)
    for name, value in result["metrics"].items():
        print(f"{name:15s} {value:9.3f} {result['units'].get(name, '')}".rstrip())
    print("protocol: " + ", ".join(f"{key} {value}" for key, value in result["protocol"].items()))
