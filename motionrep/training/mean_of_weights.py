"""The mean of the weights of two runs, one of which began with those of the other (Wortsman et al. 2022, WiSE-FT).

    python -m motionrep.training.mean_of_weights runs/faster runs/real --share 0.4 --output runs/mean

Training further for new views costs some of what the weights knew. Weights on the straight line between before and
after can keep most of both.
"""

import argparse
import shutil
from pathlib import Path

from torch import Tensor, nn

from motionrep.encoders import load_encoder, weights_digest
from motionrep.head_api.loading import load_head, save_head, trained_head_name


def mean_of_runs(before: Path, after: Path, share: float, output: Path) -> Path:
    """Writes a run folder with the mean of two runs' encoders, and of the heads that both have.

    Args:
        before, after: Run folders of `finetune` with an encoder that was tuned.
        share: Of `after`; 0 is `before`, 1 is `after`.

    Raises:
        ValueError: The share is not from 0 to 1, or the networks differ in more than their weights.
        FileExistsError: There is something at `output`.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    output.mkdir(parents=True)
    encoder = load_encoder(after / "encoder")
    _move_towards(load_encoder(before / "encoder"), encoder, share)
    encoder.name = output.resolve().name
    encoder.save_pretrained(output / "encoder")
    digest = weights_digest(encoder)
    for folder in sorted(path.name for path in after.glob("head*") if (before / path.name).is_dir()):
        head = load_head(after / folder)
        _move_towards(load_head(before / folder), head, share)
        name = trained_head_name(after / folder)
        save_head(head, output / folder, name, encoder.name, encoder_digest=digest)
    for name in ("config.yaml", "versions.json"):
        shutil.copy(after / name, output / name)
    return output


def _move_towards(before: nn.Module, after: nn.Module, share: float) -> None:
    """Gives `after` the mean weights."""
    old, new = before.state_dict(), after.state_dict()
    if {name: weight.shape for name, weight in old.items()} != {name: weight.shape for name, weight in new.items()}:
        raise ValueError("the runs have networks of different sizes; take a run and the one that it began with")

    def mean(name: str) -> Tensor:
        return old[name].lerp(new[name], share) if new[name].is_floating_point() else new[name]

    after.load_state_dict({name: mean(name) for name in new})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, required=True, help="Of the second run, from 0 to 1.")
    parser.add_argument("--output", type=Path, required=True, help="Run folder to write.")
    mean_of_runs(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
