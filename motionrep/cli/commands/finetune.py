"""`motionrep finetune`."""

import argparse
from collections.abc import Sequence

from motionrep.cli.training_options import parse, start


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds none: `run` has a parser of its own, since the many settings can also stand in YAML files."""


def run(arguments: Sequence[str]) -> None:
    """Trains heads, and the encoder with them, on motion files; settings in YAML."""
    start(*parse("finetune", "Trains heads, and the encoder with them, on motion files.", arguments))
