"""`motionrep finetune`."""

from collections.abc import Sequence

from motionrep.cli.options import Parser
from motionrep.cli.training_options import parse, start

EXAMPLES = """\
  motionrep finetune --config configs/mesh_ktpformer_s.yaml --data MOTIONS --output runs/mine
  motionrep finetune --head pose3d --encoder ktpformer-s --tune frozen --data MOTIONS --output runs/pose
  motionrep finetune --config runs/mine/config.yaml --data MOTIONS --output runs/mine --resume
"""


def add_options(parser: Parser) -> None:
    """Adds none: `run` has a parser of its own, since the many settings can also stand in YAML files."""


def run(arguments: Sequence[str]) -> None:
    """Trains heads, and the encoder with them, on motion files; settings in YAML."""
    config, options = parse(
        "finetune", "Trains heads, and the encoder with them, on motion files.", arguments, EXAMPLES
    )
    start("finetune", config, options, arguments)
