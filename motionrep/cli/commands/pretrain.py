"""`motionrep pretrain`."""

import argparse
from collections.abc import Sequence

from motionrep.cli.training_options import parse, start


def add_options(parser: argparse.ArgumentParser) -> None:
    """None, as for finetune."""


def run(arguments: Sequence[str]) -> None:
    """Trains a new encoder to lift 2D keypoints, on motion files and clips of keypoints alone; settings in YAML."""
    config, options = parse("pretrain", "Trains a new encoder to lift 2D keypoints, on motion files.", arguments)
    if config.new_encoder is None:
        raise ValueError("pretrain makes a new encoder, so give 'new_encoder'; motionrep finetune goes on with one")
    start(config, options)
