"""`motionrep plot`."""

from pathlib import Path
from typing import Any, Literal

from motionrep.cli.extras import require
from motionrep.cli.inputs import require_suffix
from motionrep.cli.options import Parser
from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.files.texts import read_index

EXAMPLES = """\
  motionrep plot dance.parquet --label person --output map.png
  motionrep plot clips.parquet --label action --labels actions.csv --output map.svg
  motionrep plot clips.parquet --label action --labels actions.csv --picture confusion --output confusion.png
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("embeddings", type=Path, help="A .parquet file of motionrep embed.")
    parser.add_argument("--output", type=Path, required=True, help="The .png, .pdf or .svg file to write.")
    parser.add_argument("--label", default="clip", help="The column that says what a row is (default: %(default)s).")
    parser.add_argument(
        "--labels", type=Path, metavar="CSV",
        help="A table with the columns `clip` and that of --label, where the embeddings lack it (default: none).",
    )  # fmt: skip
    parser.add_argument(
        "--picture", choices=("map", "confusion"), default="map",
        help="A map with similar rows near each other, or which labels are confused (default: %(default)s).",
    )  # fmt: skip
    parser.rare.add_argument(
        "--method", choices=("tsne", "umap"), default="tsne", help="How the map is made (default: %(default)s)."
    )
    parser.rare.add_argument(
        "--predicted",
        help="For a confusion matrix, the column of predictions (default: a linear probe is cross-validated).",
    )


def run(
    embeddings: Path, output: Path, label: str, labels: Path | None, picture: Literal["map", "confusion"],
    method: Literal["tsne", "umap"], predicted: str | None,
) -> None:  # fmt: skip
    """Draws embeddings: a map (t-SNE or UMAP) coloured by a label, or a confusion matrix."""
    require_suffix(output, "pictures", ".png", ".pdf", ".svg")
    if picture == "map" and predicted is not None:
        raise ValueError(f"{output}: --predicted belongs to --picture confusion; leave it out")
    require_kind(look(embeddings), "embeddings")
    require("report", "motionrep plot", "matplotlib")
    require("tables", f"{embeddings}: Parquet", "pyarrow")
    if (picture == "map" and method == "tsne") or (picture == "confusion" and predicted is None):
        require("train", f"--picture {picture}", "sklearn")
    from motionrep.embedding.tables import read_embeddings
    from motionrep.viewing.embedding_map import cross_validated, draw_confusion, draw_map

    values, columns = read_embeddings(embeddings)
    if labels is not None:
        columns[label] = _of_clips(labels, label, columns.get("clip", []))
    truth = _column(columns, label, embeddings)
    if picture == "map":
        draw_map(values, truth, output, method, f"{len(values)} embeddings by {label}", progress=True)
        print(f"{output}: {len(values)} rows, {len(set(truth))} labels")
        return
    if predicted is None:
        guesses = cross_validated(values, truth, columns.get("clip", list(range(len(values)))), progress=True)
        title = "linear probe, cross-validated"
    else:
        guesses, title = _column(columns, predicted, embeddings), predicted
    counts = draw_confusion(truth, guesses, output, title)
    print(f"{output}: {counts.trace() / counts.sum():.1%} of {counts.sum()} rows on the diagonal")


def _column(columns: dict[str, list[Any]], name: str, path: Path) -> list[Any]:
    if name not in columns:
        raise ValueError(
            f"{path}: no column {name!r} (there are {', '.join(columns)}); give a .csv with it and `clip` as --labels"
        )
    return columns[name]


def _of_clips(path: Path, column: str, clips: list[str]) -> list[str]:
    """The label of each row's clip, out of a .csv file."""
    columns, rows = read_index(path)
    if lacking := {"clip", column} - set(columns):
        raise ValueError(f"{path}: lacks the column(s) {', '.join(sorted(lacking))}")
    if short := next((number for number, row in enumerate(rows, 2) if None in (row["clip"], row[column])), None):
        raise ValueError(f"{path}, row {short}: incomplete, it has fewer fields than the first line has columns")
    of_clip = {row["clip"]: row[column] for row in rows}
    if unknown := sorted({clip for clip in clips if clip not in of_clip}):
        raise ValueError(
            f"{path}: no row for clip {unknown[0]!r}" + (f" and {len(unknown) - 1} more" if unknown[1:] else "")
        )
    return [of_clip[clip] for clip in clips]
