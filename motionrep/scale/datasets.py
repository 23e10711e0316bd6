"""From any number of keypoint files or videos to a data set of Parquet files."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from motionrep.embedding.tables import Level
from motionrep.files.listing import find_inputs
from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.files.progress import progress_bar
from motionrep.scale.folder import DataSetFolder
from motionrep.scale.reading import Reading
from motionrep.scale.running import PartMaker, in_processes, in_this_process
from motionrep.scale.tasks import EmbeddingTask, Precision, RecoveryTask, Task
from motionrep.weights import DEFAULT_ENCODER, DEFAULT_HEAD
from motionrep.windows import OVERLAP

logger = logging.getLogger(__name__)

PART_FILES = 256


@dataclass(frozen=True)
class DataSet:
    """A data set that was made, or the share of it that was asked for.

    Attributes:
        path: The folder or URL with `part-*.parquet`.
        parts: How many parts there are when all are done.
        parts_done: How many are there now.
        errors: How many inputs or clips could not be used; `_errors/part-*.parquet` says which and why.
    """

    path: str
    parts: int
    parts_done: int
    errors: int


@dataclass(frozen=True)
class Engine:
    """What the parts of a data set are made on. The result does not depend on it.

    Attributes:
        workers: Processes on this machine, which share its cores.
        ray: The address of a Ray cluster, "auto" for the one that this machine belongs to, or "local" to start Ray
            here; None does without Ray, and so without the extra `scale`.
        share: (i, n) makes the i-th of n shares, from 0, where n jobs of a cluster make one data set together.
        strict: Stops at the first input that cannot be used.
        progress: Shows a progress bar on a terminal.
    """

    workers: int = 1
    ray: str | None = None
    share: tuple[int, int] = (0, 1)
    strict: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if not 0 <= self.share[0] < self.share[1]:
            raise ValueError(f"share must be (i, n) with i from 0 to n - 1, got {self.share}")
        if self.ray is not None and self.workers > 1:
            raise ValueError("workers is for one machine without Ray; leave out either workers or ray")


def embed_dataset(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    encoder: str | Path = DEFAULT_ENCODER,
    *,
    level: Level = "clip",
    flip: bool = False,
    reading: Reading | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    engine: Engine | None = None,
    part_files: int | None = None,
) -> DataSet:
    """Embeds every person in any number of keypoint files and videos, to Parquet files with the columns of `embed`.

        motionrep.embed_dataset("s3://clips/kinetics", "s3://clips/embeddings", level="frame")

    The columns are those of `embedding.tables.write_embeddings`; `clip` is the file's path.

    When it is stopped or killed, the same call goes on, and ends with the same data set. What cannot be read or used
    goes to a table of errors and does not stop the rest. The memory needed does not grow with the number of clips, nor
    with their length beyond their keypoints.

    Args:
        inputs: Files, folders, globs, or lists of files (.parquet or .csv with a column `path` or `file`), here or
            under a URL that `fsspec` reaches. They are listed once, at the first call.
        output: A folder or URL.
        encoder: What `load_encoder` takes.
        level: What gets a row.
        flip: Averages with the embedding of the mirrored clip.
        reading: How files become keypoints.
        precision: Arithmetic of the encoder.
        engine: Workers, Ray, and what to do with bad inputs.
        part_files: Most inputs of one Parquet file; 256 when None. A part that is not finished is made anew.

    Raises:
        FileNotFoundError: An input that was named is not there.
        ValueError: Options out of range, or `output` was made with other inputs or options. With `engine.strict`, an
            input that cannot be used.
        ImportError: pyarrow, Ray, or what fsspec needs for a URL is not installed.
        RuntimeError: A worker died.
    """
    task = EmbeddingTask(str(encoder), level, flip, device, precision)
    return _made(inputs, output, task, reading or Reading(), engine or Engine(), part_files)


def recover_dataset(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    heads: Sequence[str | Path] = (DEFAULT_HEAD,),
    *,
    encoder: str | Path | None = None,
    body: str | Path | None = None,
    camera: str | Path | None = None,
    flip: bool = False,
    refine: bool = False,
    reading: Reading | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    engine: Engine | None = None,
    part_files: int | None = None,
) -> DataSet:
    """What heads make of every person in any number of keypoint files and videos, to Parquet files.

        motionrep.recover_dataset("clips/*.json", "motions", reading=Reading(size_px=(1920, 1080)))

    A row is one person's clip. Of clips longer than 3,000 frames it is a piece, and bodies have a shape in each piece.
    `motionrep.body_motion_from_rows` and `joint_motion_from_rows` give motions back. docs/scale.md lists the columns.
    Everything else is as in `embed_dataset`.

    Args:
        heads: What `load_head` takes, all of one encoder; they give bodies, 3D poses or actions.
        encoder, camera, flip, refine: As in `recover`; no camera is fitted.
        body: The body to give results on, as in `load_networks`.

    Raises:
        TypeError: A head gives something that has no columns.
        FileNotFoundError, ValueError, ImportError, RuntimeError: As `embed_dataset`, `load_head` and `load_encoder`.
    """
    task = RecoveryTask(
        tuple(map(str, heads)), _text(encoder), _text(body), _text(camera), flip, refine, device, precision
    )
    return _made(inputs, output, task, reading or Reading(), engine or Engine(), part_files)


def _made(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    task: Task,
    reading: Reading,
    engine: Engine,
    part_files: int | None,
) -> DataSet:
    pyarrow_and_parquet()
    part_files = PART_FILES if part_files is None else part_files
    if part_files < 1:
        raise ValueError(f"part_files must be at least 1, got {part_files}")
    given = [str(inputs)] if isinstance(inputs, str | Path) else list(map(str, inputs))
    folder = DataSetFolder(str(output).rstrip("/"))
    read = asdict(reading)
    read.pop("device")
    settings = {"inputs": given} | task.settings | {"reading": read, "overlap": OVERLAP}
    count = folder.begin(find_inputs(given, folder.path), settings, part_files)
    done, (index, shares) = folder.done(), engine.share
    parts = [part for part in range(index, count, shares) if part not in done]
    if done:
        logger.info("%s: %d of %d parts are done; going on with %d", folder.path, len(done), count, len(parts))
    maker = PartMaker(task, reading, folder, engine.strict)
    for _ in progress_bar(_parts(maker, parts, engine), "parts", "part", engine.progress, total=len(parts)):
        pass
    return DataSet(folder.path, count, len(folder.done()), folder.error_count())


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _parts(maker: PartMaker, parts: Sequence[int], engine: Engine) -> Iterator[int]:
    if not parts:
        return iter(())
    if engine.ray is not None:
        from motionrep.scale.on_ray import on_ray

        return on_ray(maker, parts, None if engine.ray == "local" else engine.ray)
    if engine.workers > 1:
        return in_processes(maker, parts, engine.workers)
    return in_this_process(maker, parts)
