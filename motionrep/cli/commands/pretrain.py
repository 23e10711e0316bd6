"""`motionrep pretrain`."""

from collections.abc import Sequence

from motionrep.cli.options import Parser
from motionrep.cli.training_options import parse, start

EXAMPLES = """\
  motionrep pretrain --config configs/pretrain_ktpformer_s.yaml --data MOTIONS --output runs/new
  motionrep pretrain --config configs/pretrain_ktpformer_s.yaml --data MOTIONS --output runs/new --clips-per-epoch 256
  motionrep pretrain --config configs/pretrain_ktpformer_s.yaml --data MOTIONS --output runs/new --fast-dev-run
"""


def add_options(parser: Parser) -> None:
    """Adds none, as for finetune."""


def run(arguments: Sequence[str]) -> None:
    """Trains a new encoder to lift 2D keypoints, on motion files and keypoint clips; settings in YAML."""
    config, options = parse(
        "pretrain", "Trains a new encoder to lift 2D keypoints, on motion files.", arguments, EXAMPLES
    )
    if config.new_encoder is None:
        raise ValueError("pretrain trains a new encoder: set new_encoder, or take finetune for one that is trained")
    start("pretrain", config, options, arguments)
