"""`motionrep embed`."""

from pathlib import Path, PurePath
from typing import Any, Literal

from motionrep.cli.extras import require
from motionrep.cli.inputs import one_of, require_suffix
from motionrep.cli.many import (
    SOURCES_OF_MANY,
    add_engine,
    engine_of,
    reading_of,
    refuse_engine,
    refuse_for_many,
    told,
)
from motionrep.cli.options import (
    SOURCES,
    WEIGHTS,
    Parser,
    Precision,
    add_clip,
    add_computing,
    add_person,
    add_run,
)
from motionrep.cli.sources import Reading, kept_in, with_folders_of_videos
from motionrep.weights import DEFAULT_ENCODER

EXAMPLES = """\
  motionrep embed dance.mp4 --output dance.parquet
  motionrep embed clips/*.json --size 1920x1080 --level clip --output clips.parquet
  motionrep embed dance.npz --encoder ssr-stf-s --flip --output dance.parquet
  motionrep embed clips/ --level clip --workers 8 --output embeddings
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "keypoints", nargs="+", metavar="source",
        help=f"{SOURCES} Of a folder of videos, all are taken. {SOURCES_OF_MANY}",
    )  # fmt: skip
    add_clip(parser)
    parser.add_argument(
        "--output", required=True, help="The .parquet file to write, or a folder, here or under a URL, for a data set."
    )
    add_person(parser, "every file")
    parser.add_argument("--encoder", help=f"{WEIGHTS}, or a published checkpoint (default: {DEFAULT_ENCODER}).")
    add_run(parser, "Its encoder is")
    parser.add_argument(
        "--level", choices=("clip", "frame", "joint"), default="frame",
        help="What gets a row of the table (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--flip", action="store_true", help="Averages with the embedding of the mirrored clip.")
    add_computing(parser)
    add_engine(parser)


def run(
    keypoints: list[str], output: str, person: int | None, encoder: str | None, run_folder: Path | None,
    level: Literal["clip", "frame", "joint"], flip: bool, device: str, precision: Precision, **options: Any,
) -> None:  # fmt: skip
    """Writes the motion embeddings of every person in videos or keypoint files as a Parquet table."""
    if PurePath(output).suffix:
        refuse_engine(options, f"--output {output} is one file")
        require_suffix(Path(output), "embeddings", ".parquet")
        require("tables", f"{output}: Parquet", "pyarrow")
        reading, sources = Reading(device=device, **options), with_folders_of_videos(list(map(Path, keypoints)))
        _one_table(
            sources,
            Path(output),
            person,
            reading,
            _encoder(run_folder, encoder),
            level=level,
            flip=flip,
            precision=precision,
        )
    else:
        refuse_for_many(keypoints, person=person)
        engine = engine_of(options)
        from motionrep.scale import embed_dataset

        reading = reading_of(Reading(device=device, **options))
        how: dict[str, Any] = {"level": level, "flip": flip, "device": device, "precision": precision}
        told(embed_dataset(keypoints, output, _encoder(run_folder, encoder), reading=reading, engine=engine, **how))


def _one_table(
    sources: list[Path], output: Path, person: int | None, reading: Reading, encoder: str, **how: Any
) -> None:
    looked_at = reading.look(*sources)
    from motionrep.files.progress import progress_bar
    from motionrep.scale.folder import write_table
    from motionrep.scale.reading import ReadFile
    from motionrep.scale.tasks import EmbeddingTask

    task = EmbeddingTask(encoder, device=reading.device, **how)
    files = []
    for contents, name, kept in zip(looked_at, _names(sources), kept_in(output.parent, sources), strict=True):
        found = reading.read(contents, kept)
        files.append(ReadFile(name, found if person is None else [one_of(found, person, contents.path)]))
    write_table(str(output), task.tables(progress_bar(files, "embed", "file"), _refuse), task.schema)
    people = [clip for file in files for clip in file.clips]
    frames = sum(one.frame_count for one in people)
    print(f"{output}: {len(people)} person(s), {frames} frames, {task.channels} channels")


def _encoder(run_folder: Path | None, encoder: str | None) -> str:
    if run_folder is None:
        return encoder or DEFAULT_ENCODER
    from motionrep.pipeline.run_folders import run_networks

    return str(run_networks(run_folder, encoder)[0])


def _refuse(file: str, sentence: str) -> None:
    raise ValueError(sentence if file in sentence else f"{file}: {sentence}")


def _names(paths: list[Path]) -> list[str]:
    """The files' names without suffix, or, where two would be the same, their paths."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [path.with_suffix("").as_posix() for path in paths]
