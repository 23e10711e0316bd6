"""The mean of a run's weights and of those that it began with (Wortsman et al. 2022, WiSE-FT).

    python -m motionrep.training.mean_of_weights runs/real --share 0.5 --output runs/mean

Training further for new views costs some of what the weights knew. Weights on the straight line between before and
after can keep most of both.
"""

import argparse
import shutil
from pathlib import Path

from torch import Tensor, nn

from motionrep.encoders import load_encoder, weights_digest
from motionrep.head_api.loading import head_entry_points, load_head, save_head, trained_head_name
from motionrep.training.config import FinetuneConfig


def mean_of_weights(run: Path, share: float, output: Path) -> Path:
    """Writes a run folder with the mean encoder, and the mean of each head that the run trained further.

    Heads that the run made anew have nothing to be averaged with, and are left out: train them again.

    Args:
        run: Run folder of `finetune` whose encoder was tuned. What it began with is read from its config.yaml.
        share: Of the run's weights; 0 is what it began with, 1 is the run.

    Raises:
        ValueError: The share is not from 0 to 1, the run's encoder is new or was frozen, or the networks differ in
            more than their weights.
        FileNotFoundError: No run, or what it began with is not there any more.
        FileExistsError: There is something at `output`.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    config = FinetuneConfig.from_file(run / "config.yaml")
    if config.encoder is None or config.tune == "frozen":
        raise ValueError(f"{run}: its encoder is new or was frozen; take a run that tuned a trained encoder")
    output.mkdir(parents=True)
    encoder = load_encoder(run / "encoder")
    _move_towards(load_encoder(config.encoder), encoder, share)
    encoder.name = output.resolve().name
    encoder.save_pretrained(output / "encoder")
    digest, installed = weights_digest(encoder), head_entry_points()
    for number, began_with in enumerate((config.head, *config.more_heads)):
        if began_with in installed:
            continue
        name = trained_head_name(began_with)
        folder = f"head_{name}" if number else "head"
        head = load_head(run / folder)
        _move_towards(load_head(began_with), head, share)
        save_head(head, output / folder, name, encoder.name, encoder_digest=digest)
    for name in ("config.yaml", "versions.json"):
        shutil.copy(run / name, output / name)
    return output


def _move_towards(before: nn.Module, after: nn.Module, share: float) -> None:
    """Gives `after` the mean weights."""
    old, new = before.state_dict(), after.state_dict()
    if {name: weight.shape for name, weight in old.items()} != {name: weight.shape for name, weight in new.items()}:
        raise ValueError("the run changed the size of its networks, such as by another fps; their mean has no meaning")

    def mean(name: str) -> Tensor:
        return old[name].lerp(new[name], share) if new[name].is_floating_point() else new[name]

    after.load_state_dict({name: mean(name) for name in new})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="Run folder of motionrep finetune.")
    parser.add_argument("--share", type=float, required=True, help="Of the run's weights, from 0 to 1.")
    parser.add_argument("--output", type=Path, required=True, help="Run folder to write.")
    mean_of_weights(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
