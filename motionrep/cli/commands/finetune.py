"""`motionrep finetune`."""

import argparse
from collections.abc import Sequence

from motionrep.cli.training_options import parse, start


def add_options(parser: argparse.ArgumentParser) -> None:
    """None: the settings are many and also stand in YAML files, so `run` reads them with a parser of its own."""


def run(arguments: Sequence[str]) -> None:
    """Trains heads, and the encoder with them, on motion files; settings in YAML."""
    start(*parse("finetune", "Trains heads, and the encoder with them, on motion files.", arguments))
