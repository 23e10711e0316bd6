"""Commands on many inputs: their options, and what they say when they are done."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from motionrep.cli.extras import require
from motionrep.cli.options import Parser, positive

if TYPE_CHECKING:
    from motionrep.scale import DataSet, Engine
    from motionrep.scale.reading import Reading

SOURCES_OF_MANY = (
    "Many sources make a data set of Parquet files: folders, globs, lists (.csv or .parquet with a column path), URLs."
)
_OPTIONS = ("workers", "ray", "share", "strict")


def add_engine(parser: Parser) -> None:
    """The options that count for data sets only."""
    group = parser.add_argument_group("data sets, which the same command goes on with when it was stopped")
    group.add_argument("--workers", type=positive, help="Processes, which share the cores (default: 1).")
    group.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="Runs on Ray: of this machine, or of the cluster at ADDRESS (`auto`: the one that this machine is in).",
    )  # fmt: skip
    group.add_argument(
        "--share",
        type=_share,
        metavar="I/N",
        help="Makes the I-th of N shares, from 0, as one of N jobs (default: 0/1).",
    )
    group.add_argument("--strict", action="store_true", default=None, help="Stops at the first bad source.")


def refuse_engine(options: dict[str, Any], why: str) -> None:
    """Takes the options of data sets away; raises ValueError if one was given."""
    for name in _OPTIONS:
        if options.pop(name) is not None:
            raise ValueError(f"--{name}: is for data sets, and {why}; remove it")


def engine_of(options: dict[str, Any]) -> "Engine":
    """Takes the options of data sets away; what they say."""
    require("tables", "a data set: Parquet", "pyarrow")
    if options["ray"] is not None:
        require("scale", "--ray", "ray")
    from motionrep.scale import Engine

    given = {name: value for name in _OPTIONS if (value := options.pop(name)) is not None}
    return Engine(**given, progress=True)


def reading_of(reading: Any) -> "Reading":
    """How files become keypoints, as the shared options say."""
    from motionrep.scale.reading import Reading

    return Reading(
        reading.layout, reading.fps, reading.size, reading.frame_order, reading.all_persons, reading.detector,
        reading.device,
    )  # fmt: skip


def refuse_for_many(sources: Sequence[str], **options: object) -> None:
    """Raises ValueError for an option that is for one source."""
    for name, value in options.items():
        if value not in (None, False):
            raise ValueError(
                f"--{name}: is for one video or keypoint file, and {sources[0]} makes a data set; remove it"
            )


def told(made: "DataSet") -> None:
    """Says what was made."""
    left = made.parts - made.parts_done
    print(f"{made.path}: {made.parts_done} part(s)" + (f", {left} still to come" if left else ""))
    if made.errors:
        print(f"{made.path}/_errors: {made.errors} source(s) or clip(s) that could not be used, and why")


def _share(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, such as 0/8, got {text!r}")
    return int(match[1]), int(match[2])
