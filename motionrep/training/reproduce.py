"""Trains shipped weights again, from the motion files to the model cards.

    python -m motionrep.training.reproduce ssr-stf-s --data MOTIONS --output runs/ssr-stf-s

Run it in a checkout, since the configurations are not installed. The command can be stopped and started at any time:
finished steps are not repeated, and an interrupted step goes on. Scores are written beside the weights. They agree with
the shipped ones except for the order of sums on another machine.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from motionrep.evaluation.synthetic_views import evaluate
from motionrep.files.writing import write_json
from motionrep.training.config import FinetuneConfig
from motionrep.training.pack import pack
from motionrep.training.run import train
from motionrep.training.run_folder import require_same_settings

_CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Recipe:
    """How an encoder and its heads are trained.

    Attributes:
        runs: In order: name, configuration, and the run that it starts from. That run's encoder and heads take the
            place of shipped ones that the configuration names.
        encoder: The run whose encoder ships.
        heads: The folder of each head that ships, by kind.
    """

    runs: tuple[tuple[str, str, str | None], ...]
    encoder: str
    heads: dict[str, str]


RECIPES = {
    "ktpformer-s": Recipe(
        (
            ("pretrained", "pretrain_ktpformer_s", None),
            ("mesh", "mesh_ktpformer_s", "pretrained"),
            ("longer", "mesh_ktpformer_s_longer", "mesh"),
            ("faster", "mesh_ktpformer_s_30fps", "longer"),
            ("action", "action_ktpformer_s", "faster"),
        ),
        "faster",
        {"mesh": "faster/head", "pose3d": "faster/head_pose3d", "action": "action/head"},
    ),
    "ssr-stf-s": Recipe(
        (
            ("pretrained", "pretrain_ssr_stf_s", None),
            ("mesh", "mesh_ssr_stf_s", "pretrained"),
            ("longer", "mesh_ssr_stf_s_longer", "mesh"),
            ("action", "action_ssr_stf_s", "longer"),
        ),
        "longer",
        {"mesh": "longer/head", "pose3d": "longer/head_pose3d", "action": "action/head"},
    ),
}


def reproduce(name: str, data: Path, output: Path, note: str = "") -> Path:
    """Trains, evaluates and packs an encoder and its heads.

    Args:
        name: One of RECIPES.
        data: Folder of motion files.
        output: Folder for the runs and, in `packed`, for the weights.
        note: A sentence for the cards, such as the hardware and the time.

    Returns:
        The folder of what would be shipped.
    """
    recipe = RECIPES[name]
    for run, configuration, start in recipe.runs:
        config = FinetuneConfig.from_dict(yaml.safe_load((_CONFIGS / f"{configuration}.yaml").read_text("utf-8")))
        if start is not None:
            config = _started(config, name, output / start)
        if (output / run / "metrics.json").is_file():
            require_same_settings(config, output / run / "config.yaml")
        else:
            train(config, [data], output / run, resume=(output / run / "checkpoints" / "last.ckpt").is_file())
    packed, scores = output / "packed", {}
    for kind, head in recipe.heads.items():
        scores[kind] = output / f"{kind}.json"
        if not scores[kind].is_file():
            result = evaluate(data, str(output / recipe.encoder / "encoder"), str(output / head))
            result |= {"encoder": name, "head": f"{kind}-{name}"}
            write_json(result, scores[kind])
    names = [run for run, _, _ in recipe.runs]
    before = recipe.runs[: names.index(recipe.encoder)]
    after = " after " + " and ".join(f"`configs/{configuration}.yaml`" for _, configuration, _ in before)
    pack(output / recipe.encoder, "encoder", name, packed, list(scores.values()), "", after, note)
    for kind, head in recipe.heads.items():
        run, folder = head.split("/")
        pack(output / run, folder, f"{kind}-{name}", packed, [scores[kind]], name, "", note)
    return packed


def _started(config: FinetuneConfig, name: str, run: Path) -> FinetuneConfig:
    """The configuration with the encoder and heads of a run in place of the shipped ones."""

    def trained(head: str) -> str:
        kind = head.removesuffix(f"-{name}")
        if kind == head:
            return head
        return str(run / (f"head_{kind}" if (run / f"head_{kind}").is_dir() else "head"))

    more = {trained(head): options for head, options in config.more_heads.items()}
    return replace(config, encoder=str(run / "encoder"), head=trained(config.head), more_heads=more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="Folder of motion files.")
    parser.add_argument("--output", type=Path, required=True, help="Folder for the runs and the weights.")
    parser.add_argument("--note", default="", help="A sentence for the model cards: hardware, time.")
    print(reproduce(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
