"""`motionrep score`."""

from pathlib import Path

from motionrep.cli.options import Parser
from motionrep.cli.tables import print_table

EXAMPLES = """\
  motionrep score wham_output.pkl hmr4d_results.pt ours.npz --truth downtown_arguing_00.pkl
  motionrep score results/wham results/gvhmr --truth 3DPW/sequenceFiles/test --regressor J_regressor_h36m.npy
  motionrep score sam3d.npz landmarks.json --truth truth.npz --body open
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="+",
        help="Result files of WHAM, GVHMR, 4D-Humans and PHALP, ROMP, SAM 3D Body, MediaPipe, motionrep and others, or "
        "folders with a file for each true one.",
    )  # fmt: skip
    parser.add_argument("--truth", type=Path, required=True, help="A motion file, such as 3DPW's, or a folder of them.")
    parser.add_argument(
        "--body", default="smpl-neutral", metavar="NAME",
        help="Body of files that mean no other; open where there is no SMPL file (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument(
        "--regressor", type=Path, help="J_regressor_h36m.npy, for the joints of published numbers (default: points)."
    )
    parser.add_argument("--output", type=Path, help="JSON file to write the table to (default: none).")


def run(results: list[Path], truth: Path, body: str, regressor: Path | None, output: Path | None) -> None:
    """Compares results of several systems with the truth, on the same clips, in one table."""
    from motionrep.evaluation.comparison import METRICS, UNITS, score
    from motionrep.files.writing import write_json

    table = score(results, truth, body, regressor)
    shown = [name for name in METRICS if any(errors[name] is not None for errors in table.values())]
    header = ["", *(f"{name} [{UNITS[name]}]" for name in shown)]
    print_table(header, [[file, *(errors[name] for name in shown)] for file, errors in table.items()])
    if output is not None:
        write_json({"units": UNITS, "scores": table, "truth": str(truth), "body": body}, output)
        print(f"{output}: the table")
