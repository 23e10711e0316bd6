"""`motionrep embed`."""

from pathlib import Path
from typing import Any, Literal

from motionrep.cli.extras import require
from motionrep.cli.inputs import one_of, require_suffix
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
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "keypoints", type=Path, nargs="+", metavar="source", help=f"{SOURCES} Of a folder of videos, all are taken."
    )
    add_clip(parser)
    parser.add_argument("--output", type=Path, required=True, help="The .parquet file to write.")
    add_person(parser, "every file")
    parser.add_argument("--encoder", help=f"{WEIGHTS}, or a published checkpoint (default: {DEFAULT_ENCODER}).")
    add_run(parser, "Its encoder is")
    parser.add_argument(
        "--level", choices=("clip", "frame", "joint"), default="frame",
        help="What gets a row of the table (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--flip", action="store_true", help="Averages with the embedding of the mirrored clip.")
    add_computing(parser)


def run(
    keypoints: list[Path], output: Path, person: int | None, encoder: str | None, run_folder: Path | None,
    level: Literal["clip", "frame", "joint"], flip: bool, device: str, precision: Precision, **reading: Any,
) -> None:  # fmt: skip
    """Writes the motion embeddings of every person in videos or keypoint files as a Parquet table."""
    require_suffix(output, "embeddings", ".parquet")
    require("tables", f"{output}: Parquet", "pyarrow")
    options, keypoints = Reading(device=device, **reading), with_folders_of_videos(keypoints)
    files = options.look(*keypoints)
    import torch

    import motionrep
    from motionrep.embedding.tables import write_embeddings
    from motionrep.pipeline.run_folders import run_networks

    people, clips = [], []
    for contents, name, kept in zip(files, _names(keypoints), kept_in(output.parent, keypoints), strict=True):
        found = options.read(contents, kept)
        taken = found if person is None else [one_of(found, person, contents.path)]
        people += taken
        clips += [name] * len(taken)
    if run_folder is not None:
        encoder = str(run_networks(run_folder, encoder)[0])
    network = motionrep.load_encoder(encoder or DEFAULT_ENCODER)
    dtype = getattr(torch, precision)
    embeddings = [motionrep.embed(one, network, flip=flip, device=device, dtype=dtype, progress=True) for one in people]
    write_embeddings(embeddings, output, level, clips)
    frames = sum(one.frame_count for one in people)
    print(f"{output}: {len(people)} person(s), {frames} frames, {network.channels} channels")


def _names(paths: list[Path]) -> list[str]:
    """The files' names without suffix, or, where two would be the same, their paths."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [path.with_suffix("").as_posix() for path in paths]
