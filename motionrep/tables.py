"""Embeddings as Parquet tables, for pandas, DuckDB and the like. Needs the extra `tables`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from motionrep.files import written_beside
from motionrep.types import MotionEmbedding

Level = Literal["clip", "frame", "joint"]


def write_embeddings(
    embeddings: Sequence[MotionEmbedding], path: Path | str, level: Level = "frame", clips: Sequence[str] | None = None
) -> None:
    """One row for each clip, frame, or joint of a frame.

    Columns: `clip`, `person`, `encoder`, `fps`; with frames `frame` (0-based) and `time_s`; with joints `joint` (its
    name); and `embedding`, a list of float32 of fixed length.

    Args:
        clips: A name for each embedding; its person where there is none.

    Raises:
        ImportError: pyarrow is not installed; the message says how to install it.
        ValueError: The name does not end in .parquet, no embeddings, or not as many names.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = Path(path)
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError('Parquet files need pyarrow: pip install "motionrep[tables]"') from error
    if path.suffix.lower() != ".parquet":
        raise ValueError(f"{path}: embeddings are written as .parquet, give the file that suffix")
    if not embeddings:
        raise ValueError(f"{path}: no embeddings to write")
    names = clips if clips is not None else [embedding.keypoints.person for embedding in embeddings]
    if len(names) != len(embeddings):
        raise ValueError(f"{path}: {len(embeddings)} embeddings, {len(names)} clip names; each needs one")
    tables = []
    for name, embedding in zip(names, embeddings, strict=True):
        own, values = _rows(embedding, level)
        same = {"clip": name, "person": embedding.keypoints.person, "encoder": embedding.encoder, "fps": embedding.fps}
        columns = {key: [value] * len(values) for key, value in same.items()} | own
        flat = pa.array(values.reshape(-1), pa.float32())
        columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        tables.append(pa.table(columns))
    with written_beside(path) as beside:
        parquet.write_table(pa.concat_tables(tables), beside)


def _rows(embedding: MotionEmbedding, level: Level) -> tuple[dict[str, Any], np.ndarray]:
    """Columns that tell the rows apart, and the embedding of each row."""
    if level == "clip":
        return {}, embedding.per_clip()[None].numpy()
    frames = embedding.keypoints.frame_count
    frame = np.arange(frames)
    if level == "frame":
        return {"frame": frame, "time_s": frame / embedding.fps}, embedding.per_frame().numpy()
    joints = embedding.layout.joints
    frame = frame.repeat(len(joints))
    columns = {"frame": frame, "time_s": frame / embedding.fps, "joint": list(joints) * frames}
    return columns, embedding.values.flatten(0, 1).numpy()
