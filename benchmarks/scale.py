"""Measures data sets: memory, workers, and what is left after kills.

    python benchmarks/scale.py --clips 10000 --workers 2 --output benchmarks/scale.md

It writes clips of 3 s, embeds them by one process and by several, kills a run five times, and compares what it ends
with to the run that was not killed. Then it embeds and recovers one clip of an hour, as a data set and to one file.
Memory is the largest resident set of a process; with Ray, of the one that waits for the others.
"""

import argparse
import hashlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from reports import machine, write

import motionrep
from motionrep.layouts import COCO_17

KILLS, PARTS = 5, 40
HOUR_FRAMES = 108_000
_MEASURED = """
import resource, sys
from motionrep.cli.main import main
import motionrep.scale.datasets as datasets
datasets.PART_FILES = int(sys.argv[1])
status = main(sys.argv[2:])
own, children = (resource.getrusage(who).ru_maxrss / 1000 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print("peak", max(own, children))
sys.exit(status)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hour-frames", type=int, default=HOUR_FRAMES)
    parser.add_argument("--ray", action="store_true", help="also on Ray, on this machine")
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = many(Path(folder), options.clips, options.workers, options.ray)
        lines += hour(Path(folder), options.hour_frames)
    report = f"{machine()} {options.note}".strip() + "\n\n" + "\n".join(lines) + "\n"
    print(report)
    write(report, options.output)


def many(folder: Path, clips: int, workers: int, ray: bool) -> list[str]:
    """Rows about clips of 3 s."""
    for i in range(clips):
        save(folder / "clips" / f"{i // 1000:03d}" / f"{i:06d}.npz", 90, i)
    lines = [f"{clips} clips of 3 s, `embed --level clip`:", "", "| run | s | clips/s | peak MB |", "|---|---|---|---|"]
    engines = {"one process": [], f"--workers {workers}": ["--workers", str(workers)]} | (
        {"--ray": ["--ray"]} if ray else {}
    )
    part_files = max(1, min(256, clips // PARTS))
    for name, arguments in engines.items():
        output = folder / name.strip("-").replace(" ", "_")
        seconds, peak_mb = measured("embed", folder / "clips", output, *arguments, part_files=part_files)
        lines.append(f"| {name} | {seconds:.0f} | {clips / seconds:.1f} | {peak_mb:.0f} |")
    whole = folder / "one_process"
    parts = len(list(whole.glob("part-*")))
    for kill in range(1, KILLS + 1):
        killed_after(folder / "clips", folder / "killed", max(1, parts * kill // (KILLS + 1)), part_files)
    kept = len(list((folder / "killed").glob("part-*")))
    measured("embed", folder / "clips", folder / "killed", part_files=part_files)
    same = content(folder / "killed") == content(whole)
    ending = f"with {kept} of {parts} parts made before the last kill: {'the same files' if same else 'OTHER FILES'}."
    return [*lines, "", f"Killed {KILLS} times and gone on, {ending}", ""]


def hour(folder: Path, frames: int) -> list[str]:
    """Rows about one long clip."""
    save(folder / "hour.npz", frames, 0)
    lines = [f"One clip of {frames} frames at 30 per second:", "", "| command | s | peak MB |", "|---|---|---|"]
    for name, source, *arguments in (
        ("embed", "*.npz", "--level", "joint"),
        ("embed", "hour.npz", "--level", "frame"),
        ("predict", "*.npz"),
        ("predict", "hour.npz"),
    ):
        output = folder / ("one.parquet" if (name, source) == ("embed", "hour.npz") else f"{name}_{source.strip('*.')}")
        seconds, peak_mb = measured(name, str(folder / source), output, *arguments)
        lines.append(f"| {' '.join([name, source, *arguments])} | {seconds:.0f} | {peak_mb:.0f} |")
    return lines


def save(path: Path, frames: int, seed: int) -> None:
    """A person whose joints wander about, with some confidences of 0."""
    rng = np.random.default_rng(seed)
    xy_px = rng.uniform((900, 300), (1000, 700), (17, 2)) + rng.normal(size=(frames, 17, 2)).cumsum(0).clip(-200, 200)
    confidence = (rng.random((frames, 17)) > 0.05).astype(np.float32)
    keypoints = motionrep.Keypoints(torch.from_numpy(xy_px), torch.from_numpy(confidence), COCO_17, 30.0, 1920, 1080)
    path.parent.mkdir(parents=True, exist_ok=True)
    motionrep.save_keypoints([keypoints], path)


def command(name: str, source: Path | str, output: Path, *arguments: str, part_files: int) -> list[str]:
    level = ["--level", "clip"] if name == "embed" and "--level" not in arguments else []
    measure = [sys.executable, "-c", _MEASURED, str(part_files)]
    return [*measure, name, str(source), "--output", str(output), *level, *arguments]


def measured(
    name: str, source: Path | str, output: Path, *arguments: str, part_files: int = 256
) -> tuple[float, float]:
    """Seconds, and the peak memory in MB."""
    begin, given = time.perf_counter(), command(name, source, output, *arguments, part_files=part_files)
    done = subprocess.run(given, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - begin, float(done.stdout.rpartition("peak")[2])


def killed_after(source: Path, output: Path, parts: int, part_files: int) -> None:
    """Starts a run and kills it when so many parts are there."""
    given = command("embed", source, output, part_files=part_files)
    process = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(output.glob("part-*"))) < parts and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*.parquet") if "_run" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    main()
