"""How long commands take that compute little: help, wrong arguments, doctor, and predict on three seconds.

    python benchmarks/start_up.py                      # this checkout
    git worktree add /tmp/before COMMIT
    python benchmarks/start_up.py --before /tmp/before --output benchmarks/start_up.md

Each command runs several times in a process of its own, the two versions in turn; the table has medians.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import motionrep
from motionrep.cli.main import COMMANDS
from motionrep.datasets.authored.motions import authored_motion
from motionrep.layouts import H36M_17

HERE = Path(__file__).parents[1]
HELP = [("motionrep --help", ["--help"])]
HELP += [(f"motionrep {name} --help", [name, "--help"]) for name in COMMANDS]
WRONG = [
    ("an unknown command", ["embde"]),
    ("an unknown option", ["embed", "clip.npz", "--fsp", "25", "--output", "e.parquet"]),
    ("a file that is not there", ["predict", "nowhere.json", "--output", "out"]),
    ("an option that cannot be", ["render", "walk.npz", "--views", "top", "--output", "out.mp4"]),
    ("an unknown setting", ["finetune", "--data", ".", "--output", "run", "--head", "mesh", "--epoch", "3"]),
]
WORK = [
    ("predict, 3 s of keypoints", ["predict", "clip.npz", "--output", "out"]),
    ("embed, 3 s of keypoints", ["embed", "clip.npz", "--output", "e.parquet"]),
    ("render, one frame", ["render", "walk.npz", "--views", "side", "--output", "pictures"]),
    ("convert .npz to .npz", ["convert", "walk.npz", "--output", "again.npz"]),
    ("list", ["list"]),
]


def seconds(arguments: list[str], checkout: Path, folder: Path) -> tuple[float, float]:
    """Wall clock and processor seconds of a command."""
    heads = folder / f"heads_{abs(hash(checkout))}"
    if not heads.exists():
        heads.mkdir()
        (heads / "motionrep_heads").symlink_to(checkout / "heads")
    environment = os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{heads}"}
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "motionrep", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode not in (0, 2):
        raise RuntimeError(f"motionrep {' '.join(arguments)} of {checkout}: {done.stderr}")
    wall_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def files(folder: Path) -> None:
    """A clip of keypoints and a motion of one frame."""
    motion = authored_motion("walk", seconds=3.0)
    xy_px = torch.rand(90, 17, 2, generator=torch.Generator().manual_seed(0)) * 400
    clip = motionrep.Keypoints(xy_px, torch.ones(90, 17), H36M_17, 30.0, 400, 400)
    motionrep.save_keypoints([clip], folder / "clip.npz")
    motionrep.save_motion(motion.cut(0, 1), folder / "walk.npz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="Another checkout to compare with.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, help="A file for the table.")
    options = parser.parse_args()
    versions = [*([options.before.resolve()] if options.before else []), HERE]
    names = ["before", "now"][-len(versions) :]
    titles = [f"{name}, s" for name in names] + [f"{name}, CPU s" for name in names]
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder))
        for text, arguments in (*HELP, *WRONG, *WORK, ("doctor", ["doctor"])):
            runs = options.runs if arguments != ["doctor"] else min(2, options.runs)
            taken = [[seconds(arguments, version, Path(folder)) for version in versions] for _ in range(runs)]
            medians = [
                statistics.median(run[version][kind] for run in taken)
                for kind in (0, 1)
                for version in range(len(versions))
            ]
            lines.append(f"| {text} | {' | '.join(f'{value:.2f}' for value in medians)} |")
            print(lines[-1], flush=True)
    if options.output is not None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        what = "One run of each" if options.runs == 1 else f"Medians of {options.runs} runs"
        head = (
            f"# Start-up\n\n{what} on {cores} cores, torch {torch.__version__}. "
            f"Other work: load average {load:.1f};\nwhere that is not near 0, compare the seconds of CPU alone.\n"
        )
        made = "Made by `benchmarks/start_up.py`, which says how.\n"
        options.output.write_text("\n".join([head, *lines, "", made]), encoding="utf-8")


if __name__ == "__main__":
    main()
