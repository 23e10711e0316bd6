"""`motionrep demo`."""

from pathlib import Path

from motionrep.cli.extras import require
from motionrep.cli.options import Parser, add_device, place, positive

EXAMPLES = """\
  motionrep demo
  motionrep demo --clips 2 --output outputs/short
  motionrep demo --seed 1
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/demo"), help="Folder for the files made (default: %(default)s)."
    )
    parser.add_argument(
        "--clips", type=positive, default=8, help="How many of the example motions (default: %(default)s)."
    )
    parser.add_argument("--seed", type=place, default=0, help="Decides people and cameras (default: %(default)s).")
    add_device(parser)


def run(output: Path, clips: int, seed: int, device: str) -> None:
    """Films example motions, recovers them from these videos, and measures and shows how well."""
    require("video", "motionrep demo", "av")
    require("tables", "motionrep demo", "pyarrow")
    from motionrep.cli.demo import run_demo

    print(run_demo(output, clips, seed, device=device))
