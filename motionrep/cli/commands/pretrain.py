"""`motionrep pretrain`."""

import argparse
from collections.abc import Sequence

from motionrep.cli.training_options import parse, start


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds none, as for finetune."""


def run(arguments: Sequence[str]) -> None:
    """Trains a new encoder to lift 2D keypoints, on motion files and keypoint clips; settings in YAML."""
    config, options = parse("pretrain", "Trains a new encoder to lift 2D keypoints, on motion files.", arguments)
    if config.new_encoder is None:
        raise ValueError("pretrain trains a new encoder: set new_encoder, or take finetune for one that is trained")
    start(config, options)
