"""Trains variants of a configuration, with several seeds each, and tabulates the scores.

    python benchmarks/ablate.py benchmarks/ssr_stf_streams.yaml --data MOTIONS --output runs/ssr_stf_streams

The YAML file holds `base` (a configuration, relative to the file), `settings` that override it in every run, `seeds`,
and `variants`: names and the settings that each overrides, possibly with another `base`. Nested settings are merged.
The command can be stopped and started at any time: finished runs are not repeated, and an interrupted run goes on.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import yaml

from motionrep.encoders import ENCODERS
from motionrep.files.writing import write_json
from motionrep.training.config import FinetuneConfig
from motionrep.training.run import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", help="Only these, to share the work among processes.")
    options = parser.parse_args()
    plan = yaml.safe_load(options.plan.read_text(encoding="utf-8"))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in plan["variants"]}
    for seed in options.seeds or plan["seeds"]:
        for name, changes in plan["variants"].items():
            changes = {"base": plan["base"], **(changes or {})}
            base = yaml.safe_load((options.plan.parent / changes.pop("base")).read_text(encoding="utf-8"))
            settings = merged(merged(base, plan.get("settings", {})), changes) | {"seed": seed}
            config = FinetuneConfig.from_dict(settings)
            results[name].append(trained(config, options.data, options.output / f"{name}_{seed}".replace(" ", "_")))
    print(table(results))


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` overridden by the changes; nested dictionaries are merged."""
    both = {
        name: merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in changes.items()
    }
    return base | both


def trained(config: FinetuneConfig, data: Path, folder: Path) -> dict[str, float]:
    """Scores of the run in a folder, after training it as far as needed, and `minutes` since it was last started."""
    result = folder / "ablation.json"
    if result.is_file():
        return json.loads(result.read_text(encoding="utf-8"))
    start = time.monotonic()
    scores = train(config, [data], folder, resume=(folder / "checkpoints" / "last.ckpt").is_file())
    scores = scores | {"minutes": (time.monotonic() - start) / 60}
    if config.new_encoder is not None:
        options = {name: value for name, value in config.new_encoder.items() if name != "architecture"}
        encoder = ENCODERS[config.new_encoder["architecture"]](**options)
        scores["parameters"] = sum(parameter.numel() for parameter in encoder.parameters())
    write_json(scores, result)
    return scores


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table: a row for each variant, with the mean of each score and the values of the seeds."""
    names = [name for name in next(iter(results.values()))[0] if name != "loss"]
    lines = [f"| variant | {' | '.join(names)} |", "|" + "---|" * (len(names) + 1)]
    for variant, runs in results.items():
        cells = []
        for name in names:
            values = [run[name] for run in runs]
            each = ", ".join(f"{value:.4g}" for value in values)
            cells.append(f"{statistics.mean(values):.4g} ({each})" if len(set(values)) > 1 else f"{values[0]:.4g}")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
