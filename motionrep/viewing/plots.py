"""Plots over time, as SVG pictures."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from motionrep.rendering.skeleton import joint_color

_WIDTH_IN, _ROW_IN = 9.0, 1.7
_GRID = "#e3e6ea"
_CLASSES_SHOWN = 5


def sides_svg(series: Mapping[str, Float[Tensor, " frames"]], fps: float, unit: str) -> str:
    """A row of axes for each movement: left in blue, right in red, and grey for what has no side.

    Args:
        series: Values over time by name, such as `left_knee_flexion`. Names that differ only in the side share axes.
    """
    rows: dict[str, list[str]] = {}
    for name in series:
        rows.setdefault(name.removeprefix("left_").removeprefix("right_"), []).append(name)
    figure, axes = _figure(len(rows))
    for plot, (movement, names) in zip(axes, rows.items(), strict=True):
        for name in names:
            values = series[name].numpy()
            side = name.partition("_")[0] if name != movement else movement.replace("_", " ")
            plot.plot(np.arange(len(values)) / fps, values, color=joint_color(name), linewidth=1.4, label=side)
        _dress(plot, movement.replace("_", " "), unit)
        if len(names) > 1:
            plot.legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.98), frameon=False, fontsize=8, ncols=2, borderaxespad=0
            )
    return _svg(figure)


def bands_svg(
    seconds: Float[np.ndarray, " frames"], probability: Float[Tensor, "frames classes"], labels: Sequence[str]
) -> str:
    """Probabilities over time of the five classes that reach the highest values."""
    figure, (plot,) = _figure(1, 2.4)
    order = probability.amax(0).argsort(descending=True)[:_CLASSES_SHOWN].tolist()
    for index in order:
        plot.plot(seconds, probability[:, index].numpy(), linewidth=1.6, label=labels[index])
    plot.set_ylim(-0.02, 1.02)
    _dress(plot, "action", "probability")
    plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return _svg(figure)


def confidence_svg(mean: Float[Tensor, " frames"], lowest: Float[Tensor, " frames"], fps: float, limit: float) -> str:
    """Mean and lowest confidence of the joints of each frame; frames in which nobody was seen are shaded."""
    figure, (plot,) = _figure(1, 2.0)
    seconds = np.arange(len(mean)) / fps
    plot.fill_between(seconds, 0, 1, where=(mean == 0).numpy(), color="#d9534f", alpha=0.25, step="mid", linewidth=0)
    plot.plot(seconds, mean.numpy(), color="#2b78bf", linewidth=1.6, label="mean of all joints")
    plot.plot(seconds, lowest.numpy(), color="#9aa3ad", linewidth=1.0, label="least confident joint")
    plot.axhline(limit, color="#d9534f", linewidth=0.8, linestyle="--")
    plot.set_ylim(-0.02, 1.05)
    _dress(plot, "confidence", "0 to 1")
    plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return _svg(figure)


def similarity_svg(similarity: Float[Tensor, "frames frames"], seconds: float) -> str:
    """Cosine similarity of every moment to every other, -1 to 1, as an image."""
    figure, (plot,) = _figure(1, 3.6, 4.4)
    drawn = plot.imshow(
        similarity.numpy(), extent=(0, seconds, seconds, 0), vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest"
    )
    figure.colorbar(drawn, ax=plot, shrink=0.8)
    plot.set_xlabel("seconds", fontsize=8)
    plot.tick_params(labelsize=8)
    return _svg(figure)


def _figure(rows: int, row_in: float = _ROW_IN, width_in: float = _WIDTH_IN) -> tuple[Any, list[Any]]:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ImportError(f'a report needs {error.name}: pip install "motionrep[report]"') from error
    figure = Figure(figsize=(width_in, row_in * rows), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(rows, 1, sharex=True)))


def _dress(plot: Any, title: str, unit: str) -> None:
    plot.set_title(title, loc="left", fontsize=9)
    plot.set_ylabel(unit, fontsize=8)
    plot.tick_params(labelsize=8)
    plot.grid(color=_GRID, linewidth=0.8)
    plot.set_axisbelow(True)
    for edge in ("top", "right"):
        plot.spines[edge].set_visible(False)
    if plot.get_subplotspec().is_last_row():
        plot.set_xlabel("seconds", fontsize=8)


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
