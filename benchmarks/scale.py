"""Measures data sets: memory, workers, and what is left after kills.

    python benchmarks/scale.py --clips 10000 --workers 2 --output benchmarks/scale.md

It writes clips of 3 s, embeds them on one core and by several processes, kills a run five times, and compares what it
ends with to the run that was not killed. Then it embeds and recovers one clip of an hour, as a data set and to one
file.
Memory is the largest resident set of a process; with Ray, of the one that waits for the others.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
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
from pathlib import Path
from motionrep.cli.main import main
import motionrep.scale.datasets as datasets
datasets.PART_FILES = int(sys.argv[1])
status = main(sys.argv[2:])
# getrusage would count the memory of the process that started this one.
own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print("peak", max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1000)
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
    report = f"{machine()} {options.note}".strip() + "\n\n"
    print(report, end="")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in chain(many(folder, options.clips, options.workers, options.ray), hour(folder, options.hour_frames)):
            print(line, flush=True)
            report += line + "\n"
            write(report, options.output)  # each row is kept when a run is stopped


def many(folder: Path, clips: int, workers: int, ray: bool) -> Iterator[str]:
    """Lines about clips of 3 s."""
    for i in range(clips):
        save(folder / "clips" / f"{i // 1000:03d}" / f"{i:06d}.npz", 90, i)
    yield from (f"{clips} clips of 3 s, `embed --level clip`:", "")
    yield from ("| run | s | clips/s | times one core | peak MB |", "|---|---|---|---|---|")
    part_files, alone_s, whole = max(1, min(256, clips // PARTS)), 0.0, folder / "one_core"
    engines = {"one core": [], f"--workers {workers}": ["--workers", str(workers)]} | (
        {"--ray": ["--ray"]} if ray else {}
    )
    for name, arguments in engines.items():
        output = folder / name.strip("-").replace(" ", "_")
        cores = None if arguments else 1
        seconds, peak_mb = measured("embed", folder / "clips", output, *arguments, part_files=part_files, cores=cores)
        alone_s = alone_s or seconds
        yield f"| {name} | {seconds:.0f} | {clips / seconds:.1f} | {alone_s / seconds:.2f} | {peak_mb:.0f} |"
    parts = len(list(whole.glob("part-*")))
    for kill in range(1, KILLS + 1):
        killed_after(folder / "clips", folder / "killed", max(1, parts * kill // (KILLS + 1)), part_files)
    kept = len(list((folder / "killed").glob("part-*")))
    measured("embed", folder / "clips", folder / "killed", part_files=part_files)
    same = content(folder / "killed") == content(whole)
    ending = f"with {kept} of {parts} parts made before the last kill: {'the same files' if same else 'OTHER FILES'}."
    yield from ("", f"Killed {KILLS} times and gone on, {ending}", "")


def hour(folder: Path, frames: int) -> Iterator[str]:
    """Lines about one long clip."""
    save(folder / "hour.npz", frames, 0)
    yield from (f"One clip of {frames} frames at 30 per second:", "", "| command | s | peak MB |", "|---|---|---|")
    for name, source, *arguments in (
        ("embed", "*.npz", "--level", "joint"),
        ("embed", "hour.npz", "--level", "frame"),
        ("predict", "*.npz"),
        ("predict", "hour.npz"),
    ):
        output = folder / ("one.parquet" if (name, source) == ("embed", "hour.npz") else f"{name}_{source.strip('*.')}")
        seconds, peak_mb = measured(name, str(folder / source), output, *arguments)
        yield f"| {' '.join([name, source, *arguments])} | {seconds:.0f} | {peak_mb:.0f} |"


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
    name: str, source: Path | str, output: Path, *arguments: str, part_files: int = 256, cores: int | None = None
) -> tuple[float, float]:
    """Seconds, and the peak memory in MB; torch computes on so many cores, or on all."""
    begin, given = time.perf_counter(), command(name, source, output, *arguments, part_files=part_files)
    environment = os.environ | ({} if cores is None else {"OMP_NUM_THREADS": str(cores)})
    done = subprocess.run(given, check=True, stdout=subprocess.PIPE, text=True, env=environment)
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
