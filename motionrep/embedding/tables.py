"""Embeddings as Parquet tables, for pandas, DuckDB and the like. Needs the extra `tables`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.files.writing import written_beside
from motionrep.types import MotionEmbedding

Level = Literal["clip", "frame", "joint"]
_COLUMNS = ("clip", "person", "encoder", "fps", "frame", "time_s", "seen", "joint", "embedding")


def write_embeddings(
    embeddings: Sequence[MotionEmbedding],
    path: Path | str,
    level: Level = "frame",
    clips: Sequence[str] | None = None,
    more: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Writes a table with one row for each clip, frame, or joint of a frame.

    All tables have the columns `clip`, `person`, `encoder`, `fps`, those of `more`, and `embedding`, a list of float32
    of fixed length. Tables of frames or joints also have `frame` (its number in the file, from `Keypoints.first_frame`
    on), `time_s` (that over `fps`) and `seen`. The latter is False for frames in which no joint was seen, whose
    embedding comes from their neighbours. Tables of joints also have `joint`, its name.

    Args:
        clips: A name for each embedding. Without names, each has that of its person.
        more: Further columns by name, such as the action of each clip: a value for each embedding.

    Raises:
        ImportError: pyarrow is not installed; the message says how to install it.
        ValueError: The name does not end in .parquet, an unknown level, no embeddings, not as many names or values, or
            a further column of the name of another.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = check_table_path(path)
    pa, parquet = pyarrow_and_parquet()
    if level not in get_args(Level):
        raise ValueError(f"unknown level {level!r} (known: {', '.join(get_args(Level))})")
    if not embeddings:
        raise ValueError(f"{path}: no embeddings to write")
    names = clips if clips is not None else [embedding.keypoints.person for embedding in embeddings]
    if len(names) != len(embeddings):
        raise ValueError(f"{path}: {len(embeddings)} embeddings, {len(names)} clip names; each needs one")
    more = more or {}
    for column, given in more.items():
        if column in _COLUMNS or len(given) != len(embeddings):
            raise ValueError(
                f"{path}: column {column!r} of `more` needs a name other than {', '.join(_COLUMNS)}, and a value for "
                f"each of {len(embeddings)} embeddings, got {len(given)}"
            )
    if len(widths := {embedding.values.shape[-1] for embedding in embeddings}) > 1:
        raise ValueError(f"{path}: embeddings of {sorted(widths)} channels; a table holds those of one encoder")
    tables = [
        embedding_rows(name, embedding, level, {column: given[row] for column, given in more.items()})
        for row, (name, embedding) in enumerate(zip(names, embeddings, strict=True))
    ]
    with written_beside(path) as beside:
        parquet.write_table(pa.concat_tables(tables, promote_options="permissive"), beside)


def embedding_rows(name: str, embedding: MotionEmbedding, level: Level, more: Mapping[str, Any] | None = None) -> Any:
    """The rows that `write_embeddings` writes of one embedding, a `pyarrow.Table`."""
    own, values = _rows(embedding, level)
    return _table_of(name, embedding, own, values, more or {})


def clip_row(name: str, embedding: MotionEmbedding, mean: Float[np.ndarray, " channels"]) -> Any:
    """The row of a whole clip whose mean is known already, of any of its frames; as `embedding_rows` gives it."""
    return _table_of(name, embedding, {}, mean[None], {})


def check_table_path(path: Path | str) -> Path:
    """The path if `write_embeddings` can write to it. Otherwise raises its error, before anything is embedded."""
    pyarrow_and_parquet()
    path = Path(path)
    if path.suffix.lower() != ".parquet":
        raise ValueError(f"{path}: embeddings are written as .parquet, give the file that suffix")
    return path


def read_embeddings(path: Path | str) -> tuple[Float[np.ndarray, "rows channels"], dict[str, list[Any]]]:
    """The embeddings of a table, row by row, and its other columns by name.

    Raises:
        ImportError: pyarrow is not installed; the message says how to install it.
        ValueError: Not a Parquet file, no rows, or no column `embedding` of lists of one length.
    """
    pa, parquet = pyarrow_and_parquet()
    try:
        table = parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: not a Parquet file: {error}") from error
    if "embedding" not in table.column_names or not table.num_rows:
        raise ValueError(
            f"{path}: expected rows with a column 'embedding', got {table.num_rows} rows of "
            f"{', '.join(table.column_names)}; motionrep embed writes such a file"
        )
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "embedding"}
    lengths = set(pa.compute.list_value_length(table["embedding"]).unique().to_pylist())
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"{path}: lists of lengths {sorted(map(str, lengths))} in 'embedding'; they must have one")
    flat = pa.compute.list_flatten(table["embedding"]).to_numpy().astype(np.float32)
    return flat.reshape(table.num_rows, -1), columns


def _table_of(
    name: str, embedding: MotionEmbedding, own: Mapping[str, Any], values: np.ndarray, more: Mapping[str, Any]
) -> Any:
    pa, _ = pyarrow_and_parquet()
    keypoints = embedding.keypoints
    same = {"clip": name, "person": keypoints.person, "encoder": embedding.encoder, "fps": float(embedding.fps)}
    columns = {key: [value] * len(values) for key, value in (same | dict(more)).items()} | dict(own)
    flat = pa.array(values.reshape(-1), pa.float32())
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.table(columns)


def _rows(embedding: MotionEmbedding, level: Level) -> tuple[dict[str, Any], np.ndarray]:
    """Columns that distinguish the rows, and the embedding of each row."""
    if level == "clip":
        return {}, embedding.per_clip()[None].numpy()
    frame = embedding.keypoints.first_frame + np.arange(embedding.keypoints.frame_count)
    of_frames = {"frame": frame, "time_s": frame / embedding.fps, "seen": embedding.seen_frames().numpy()}
    if level == "frame":
        return of_frames, embedding.per_frame().numpy()
    joints = embedding.layout.joints
    of_joints = {name: values.repeat(len(joints)) for name, values in of_frames.items()}
    return of_joints | {"joint": list(joints) * len(frame)}, embedding.values.flatten(0, 1).numpy()
