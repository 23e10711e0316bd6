"""Trains shipped weights again, from the motion files to the model cards.

    python -m motionrep.training.reproduce ssr-stf-s --data CMU --output runs/ssr-stf-s
    python -m motionrep.training.reproduce ktpformer-s --data CMU --more PREPARED --output runs/ktpformer-s

--more is what motionrep.datasets.free_motions makes; the runs for real video take it beside CMU's motion files.
Run it in a checkout, since the configurations are not installed. The command can be stopped and started at any time:
finished steps are not repeated, and an interrupted step goes on. Scores are written beside the weights. They agree with
the shipped ones except for the order of sums on another machine.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.files.writing import write_json
from motionrep.training.config import FinetuneConfig
from motionrep.training.mean_of_weights import mean_of_weights
from motionrep.training.pack import pack
from motionrep.training.run import train
from motionrep.training.run_folder import require_same_settings

_CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        start: The run that it starts from, whose encoder and heads take the place of shipped ones that the
            configuration names.
        more: Whether it takes the further motion files.
    """

    name: str
    configuration: str
    start: str | None = None
    more: bool = False


@dataclass(frozen=True)
class Mean:
    """The mean of the weights of a run and of those that it began with (`mean_of_weights`)."""

    name: str
    run: str
    share: float


@dataclass(frozen=True)
class Recipe:
    """How an encoder and its heads are trained.

    Attributes:
        runs: In order.
        encoder: The run whose encoder ships.
        heads: The folder of each head that ships, by kind.
        version: That of the weights.
    """

    runs: tuple[Run | Mean, ...]
    encoder: str
    heads: dict[str, str]
    version: int = 1


RECIPES = {
    "ktpformer-s": Recipe(
        (
            Run("pretrained", "pretrain_ktpformer_s"),
            Run("mesh", "mesh_ktpformer_s", "pretrained"),
            Run("longer", "mesh_ktpformer_s_longer", "mesh"),
            Run("faster", "mesh_ktpformer_s_30fps", "longer"),
            Run("real", "mesh_ktpformer_s_real", "faster", more=True),
            Mean("mean", "real", 0.5),
            Run("slower", "mesh_ktpformer_s_slower", "mean", more=True),
            Mean("settled", "slower", 0.5),
            Run("frozen", "mesh_ktpformer_s_frozen", "settled", more=True),
            Run("action", "action_ktpformer_s", "settled"),
            Run("ground", "ground_ktpformer_s", "settled", more=True),
        ),
        "settled",
        {"mesh": "frozen/head", "pose3d": "frozen/head_pose3d", "action": "action/head", "ground": "ground/head"},
        version=2,
    ),
    "ssr-stf-s": Recipe(
        (
            Run("pretrained", "pretrain_ssr_stf_s"),
            Run("mesh", "mesh_ssr_stf_s", "pretrained"),
            Run("longer", "mesh_ssr_stf_s_longer", "mesh"),
            Run("action", "action_ssr_stf_s", "longer"),
        ),
        "longer",
        {"mesh": "longer/head", "pose3d": "longer/head_pose3d", "action": "action/head"},
    ),
}


def reproduce(name: str, data: Path, output: Path, more: Path | None = None, note: str = "") -> Path:
    """Trains, evaluates and packs an encoder and its heads.

    Args:
        name: One of RECIPES.
        data: Folder of motion files.
        output: Folder for the runs and, in `packed`, for the weights.
        more: Folder of further motion files, for the recipes that take them.
        note: A sentence for the cards, such as the hardware and the time.

    Returns:
        The folder of what would be shipped.

    Raises:
        ValueError: The recipe takes further motion files and there are none.
    """
    recipe = RECIPES[name]
    if more is None and any(isinstance(run, Run) and run.more for run in recipe.runs):
        raise ValueError(f"{name} takes further motion files; give --more what motionrep.datasets.free_motions makes")
    for run in recipe.runs:
        if isinstance(run, Mean):
            if not (output / run.name).is_dir():
                mean_of_weights(output / run.run, run.share, output / run.name)
            continue
        config = FinetuneConfig.from_dict(yaml.safe_load((_CONFIGS / f"{run.configuration}.yaml").read_text("utf-8")))
        if run.start is not None:
            config = _started(config, name, output / run.start)
        folder = output / run.name
        if (folder / "metrics.json").is_file():
            require_same_settings(config, folder / "config.yaml")
        else:
            motions = [data] if more is None or not run.more else [data, more]
            train(config, motions, folder, resume=(folder / "checkpoints" / "last.ckpt").is_file())
    packed = output / "packed"
    scores = {kind: _scores(recipe, kind, name, data, more, output) for kind in recipe.heads}
    every = [path for paths in scores.values() for path in paths]
    after, version = _steps(recipe), recipe.version
    pack(output / recipe.encoder, "encoder", name, packed, every, "", after, note, version)
    for kind, head in recipe.heads.items():
        run, folder = head.split("/")
        pack(output / run, folder, f"{kind}-{name}", packed, scores[kind], name, "", note, version)
    return packed


def _scores(recipe: Recipe, kind: str, name: str, data: Path, more: Path | None, output: Path) -> list[Path]:
    """Files with the scores of a head: on the validation clips, and on the people that its run left out, if any."""
    head = output / recipe.heads[kind]
    left_out = FinetuneConfig.from_file(head.parent / "config.yaml").held_out
    motions: dict[str | None, list[Path]] = {None: [data]}
    if more is not None and left_out is not None:
        motions[left_out] = [data, more]
    paths = []
    for people, folders in motions.items():
        paths.append(output / (f"{kind}.json" if people is None else f"{kind}_held_out.json"))
        if not paths[-1].is_file():
            options = SyntheticViews(held_out=people, views=4 if people is None else 1)
            result = evaluate(folders, str(output / recipe.encoder / "encoder"), str(head), options=options)
            write_json(result | {"encoder": name, "head": f"{kind}-{name}"}, paths[-1])
    return paths


def _steps(recipe: Recipe) -> str:
    """What came before the configuration that the encoder's card shows, and what came after it."""
    names = [run.name for run in recipe.runs]
    last = recipe.runs[names.index(recipe.encoder)]
    shown = names.index(last.run if isinstance(last, Mean) else last.name)
    told = " after " + ", ".join(_told(run) for run in recipe.runs[:shown]) if shown else ""
    return told + (f", then {_told(last)}" if isinstance(last, Mean) else "")


def _told(run: Run | Mean) -> str:
    if isinstance(run, Run):
        return f"`configs/{run.configuration}.yaml`"
    return f"the mean of the weights before and after that ({run.share:g} of those after)"


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
    parser.add_argument("--more", type=Path, help="Folder of further motion files.")
    parser.add_argument("--output", type=Path, required=True, help="Folder for the runs and the weights.")
    parser.add_argument("--note", default="", help="A sentence for the model cards: hardware, time.")
    print(reproduce(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
