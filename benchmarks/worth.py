"""Plots what pretraining is worth, from the finished runs of worth_mesh.yaml and worth_action.yaml.

python benchmarks/worth.py runs/worth_mesh runs/worth_action docs/pretraining.svg
"""

import argparse
import json
import statistics
from pathlib import Path

from matplotlib.figure import Figure

KINDS = {"from scratch": "#9aa3ad", "pretrained": "#2b78bf", "pretrained and frozen": "#e08b2c"}
SHARES = ("10 %", "100 %")
PANELS = (("pve", "mesh head: PVE in mm, less is better"), ("macro_accuracy", "action head: macro accuracy"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("action", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    figure = Figure((8, 3.2), layout="constrained")
    for plot, folder, (metric, title) in zip(
        figure.subplots(1, 2), (options.mesh, options.action), PANELS, strict=True
    ):
        for row, (kind, colour) in enumerate(KINDS.items()):
            for column, share in enumerate(SHARES):
                values, at = scores(folder, f"{kind}, {share}", metric), column + 0.27 * (row - 1)
                mean = statistics.mean(values)
                plot.bar(at, mean, 0.25, color=colour, label=kind if column == 0 else None)
                plot.plot([at] * len(values), values, ".", color="black", markersize=4)
                plot.annotate(f"{mean:.3g}", (at, max(values)), (0, 4), textcoords="offset points", ha="center")
        plot.set_title(title, fontsize=10)
        plot.set_xticks(range(len(SHARES)), [f"{share} of the clips" for share in SHARES])
        plot.margins(y=0.12)
        plot.spines[["top", "right"]].set_visible(False)
    figure.legend(*plot.get_legend_handles_labels(), loc="outside lower center", ncols=len(KINDS), frameon=False)
    figure.savefig(options.output)


def scores(folder: Path, variant: str, metric: str) -> list[float]:
    """The metric of the run of every seed."""
    runs = sorted(folder.glob(f"{variant.replace(' ', '_')}_*/ablation.json"))
    if not runs:
        raise FileNotFoundError(f"{folder}: no finished run of {variant!r}; make them with benchmarks/ablate.py")
    return [json.loads(run.read_text(encoding="utf-8"))[metric] for run in runs]


if __name__ == "__main__":
    main()
