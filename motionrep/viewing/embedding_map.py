"""Pictures of a table of embeddings: a map of similar rows, and the confusion matrix of a linear classifier.

They need the extras `report` (matplotlib), `tables` and `train` (scikit-learn).
"""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside

_SUFFIXES = (".png", ".pdf", ".svg")
_FOLDS = 5
_ITERATIONS = 1000  # scikit-learn's own default
_MARKS = "o^sDvP"


def draw_map(
    values: Float[np.ndarray, "rows channels"],
    labels: Sequence[Any],
    path: Path,
    method: Literal["tsne", "umap"] = "tsne",
    title: str = "",
    progress: bool = False,
) -> None:
    """Places every row in the plane so that neighbours stay neighbours, coloured by its label.

    The method is t-SNE (van der Maaten and Hinton, JMLR 2008) of scikit-learn, or UMAP (McInnes et al., 2018) of
    umap-learn. Both see standardised channels and have a fixed seed. Distances between remote groups mean little.

    Raises:
        ValueError: Fewer than four rows, rows that are all the same, not one label for each row, or an unknown suffix.
        ImportError: A library is missing; the message says how to install it.
    """
    _require_labelled(values, labels, path)
    if len(values) < 4:
        raise ValueError(f"{path}: a map needs at least 4 rows, got {len(values)}; write more clips or --level frame")
    if not np.isfinite(values).all() or float(np.ptp(values, axis=0).max()) == 0:
        raise ValueError(f"{path}: a map needs finite rows that differ; these are all the same or not finite")
    scaled = _standardised(values)
    place = _tsne(scaled, progress) if method == "tsne" else _umap(scaled, progress)
    figure, axes = _figure(7.0, 6.0)
    classes = sorted(set(map(str, labels)))
    of_row = np.array(list(map(str, labels)))
    for name, (color, mark) in zip(classes, _looks(len(classes)), strict=True):
        x, y = place[of_row == name].T
        axes.scatter(x, y, s=26, color=color, marker=mark, label=name, alpha=0.85, linewidths=0)
    axes.set(xticks=[], yticks=[], title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, ncols=-(-len(classes) // 25))
    _save(figure, path)


def draw_confusion(
    truth: Sequence[Any], predicted: Sequence[Any], path: Path, title: str = ""
) -> Int[np.ndarray, "classes classes"]:
    """Draws how often rows of each class (down) were predicted as each class (across).

    Shades are shares of the true class, numbers are counts. Returns the counts, with the classes in sorted order.

    Raises:
        ValueError: No rows, not as many predictions as labels, or an unknown suffix.
        ImportError: A library is missing; the message says how to install it.
    """
    if not len(truth) or len(truth) != len(predicted):
        raise ValueError(f"{path}: {len(truth)} labels and {len(predicted)} predictions; give one for each row")
    _require_suffix(path)
    from_name = {name: i for i, name in enumerate(sorted(set(map(str, truth)) | set(map(str, predicted))))}
    counts = np.zeros((len(from_name), len(from_name)), dtype=np.int64)
    np.add.at(counts, ([from_name[str(name)] for name in truth], [from_name[str(name)] for name in predicted]), 1)
    share = counts / counts.sum(1, keepdims=True).clip(min=1)
    side = 2.2 + 0.45 * len(from_name)
    figure, axes = _figure(side + 0.8, side)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*counts.nonzero(), strict=True):
        color = "white" if share[row, column] > 0.6 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color, fontsize=9)
    ticks = range(len(from_name))
    axes.set(xticks=ticks, yticks=ticks, xlabel="predicted", ylabel="true", title=title)
    axes.set_xticklabels(from_name, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticklabels(from_name)
    _save(figure, path)
    return counts


def cross_validated(
    values: Float[np.ndarray, "rows channels"], labels: Sequence[Any], groups: Sequence[Any], progress: bool = False
) -> list[str]:
    """The class that a linear probe predicts for each row after training on the other folds.

    There are five folds, or as many as the smallest class has groups. Rows of one group (frames of a clip, clips of a
    person) are never in both training and test.

    Raises:
        ValueError: Fewer than two classes, or a class with a single group, which would be missing in training.
        ImportError: scikit-learn is missing; the message says how to install it.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError('a linear probe needs scikit-learn: pip install "motionrep[train]"') from error
    names = list(map(str, labels))
    groups_of = {name: {g for g, own in zip(groups, names, strict=True) if own == name} for name in set(names)}
    alone = sorted(name for name, own in groups_of.items() if len(own) < 2)
    if len(groups_of) < 2 or alone:
        raise ValueError(
            f"a confusion matrix needs two classes of two clips each; got {len(groups_of)} class(es)"
            + (f", with a single clip: {', '.join(alone)}" if alone else "")
        )
    folds = StratifiedGroupKFold(min(_FOLDS, *map(len, groups_of.values())), shuffle=True, random_state=0)
    guesses, known = np.empty(len(names), dtype=object), np.array(names)
    for train, test in progress_bar(list(folds.split(values, names, groups)), "cross-validate", "fold", progress):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
        guesses[test] = probe.fit(values[train], known[train]).predict(values[test])
    return list(map(str, guesses))


class _Iterations(io.StringIO):
    """What scikit-learn prints of its iterations moves a bar."""

    def __init__(self, progress: bool) -> None:
        super().__init__()
        self.bar = progress_bar(None, "t-SNE", "iteration", progress, _ITERATIONS)

    def write(self, text: str, /) -> int:
        if said := re.search(r"Iteration (\d+)", text):
            self.bar.update(int(said[1]) - self.bar.n)
        return len(text)


def _tsne(values: np.ndarray, progress: bool) -> np.ndarray:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ImportError('t-SNE needs scikit-learn: pip install "motionrep[train]"') from error
    perplexity = min(30.0, (len(values) - 1) / 3)
    method = TSNE(perplexity=perplexity, init="pca", random_state=0, max_iter=_ITERATIONS, verbose=2)
    with _Iterations(progress) as iterations, iterations.bar, redirect_stdout(iterations):
        return method.fit_transform(values)


def _umap(values: np.ndarray, progress: bool) -> np.ndarray:
    try:
        from umap import UMAP  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("UMAP needs umap-learn: pip install umap-learn; t-SNE works without it") from error
    bar = {"desc": "UMAP", "unit": "epoch", "leave": False, "bar_format": None, "disable": None if progress else True}
    method = UMAP(n_neighbors=min(15, len(values) - 1), n_jobs=1, random_state=0, tqdm_kwds=bar)
    return np.asarray(method.fit_transform(values))


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / (values.std(0) + 1e-6)


def _require_labelled(values: np.ndarray, labels: Sequence[Any], path: Path) -> None:
    if len(values) != len(labels):
        raise ValueError(f"{path}: {len(values)} embeddings and {len(labels)} labels; give one for each row")
    _require_suffix(path)


def _require_suffix(path: Path) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{path}: pictures are written as {', '.join(_SUFFIXES)}, give the file such a suffix")


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure without a window and without matplotlib's global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "motionrep[report]"') from error
    figure = Figure(figsize=(width, height), dpi=120)
    return figure, figure.add_subplot()


def _looks(count: int) -> list[tuple[Any, str]]:
    """A colour and a mark for each class: ten distinct colours, and other marks for more than ten classes."""
    import matplotlib

    colors = matplotlib.colormaps["tab10"]
    return [(colors(i % 10), _MARKS[i // 10 % len(_MARKS)]) for i in range(count)]


def _save(figure: Any, path: Path) -> None:
    with written_beside(path) as beside:
        figure.savefig(beside, bbox_inches="tight")
