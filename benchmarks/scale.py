"""Measures data sets, part by part: memory, processes, what is left after kills, Ray, and a clip of an hour.

    python benchmarks/scale.py clips --work FOLDER --output benchmarks/scale.md    # one core, then two processes
    python benchmarks/scale.py kills --work FOLDER --output benchmarks/scale.md    # killed five times, then finished
    python benchmarks/scale.py ray   --work FOLDER --output benchmarks/scale.md    # two nodes of Ray, a worker killed
    python benchmarks/scale.py hour  --work FOLDER --output benchmarks/scale.md    # embed and predict of an hour

`kills` and `ray` compare with what `clips` made. Each line is kept in FOLDER/measured.json once it is measured: a part
that was stopped goes on with the lines that it lacks, and --again measures its lines anew. Of the report, only the
tables are replaced.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import Watch, descendants
from reports import machine

import motionrep
from motionrep.layouts import COCO_17

KILLS, PARTS = 5, 40
HOUR_FRAMES = 108_000
LEVEL = "--level", "clip"
BEGIN, END = "<!-- measured by scale.py -->", "<!-- end -->"
_COMMAND = """
import sys
from motionrep.cli.main import main
from motionrep.scale import datasets
datasets.PART_FILES = int(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


def main() -> None:
    parts = {"clips": clips, "kills": kills, "ray": ray, "hour": hour}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=parts)
    parser.add_argument("--work", type=Path, required=True, help="folder for clips and results, 2 GB at full size")
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hour-frames", type=int, default=HOUR_FRAMES)
    parser.add_argument("--again", action="store_true", help="measures the lines of these parts anew")
    parser.add_argument("--output", type=Path, help="Markdown file that the tables are put into")
    options = parser.parse_args()
    given = Given(options.work, options.clips, options.workers, options.hour_frames)
    kept = Measured(options.work / "measured.json", options.output, [options.clips, options.hour_frames])
    for part in options.parts:
        if options.again:
            kept.forget(part)
        parts[part](given, kept)
    print(kept.report())


@dataclass(frozen=True)
class Given:
    """What is measured, and the folder that it is measured in."""

    work: Path
    clip_count: int
    workers: int
    hour_frames: int

    @property
    def clips(self) -> Path:
        return self.work / "clips"

    @property
    def whole(self) -> Path:
        """The data set that one core made, without a break."""
        return self.work / "one_core"

    @property
    def whole_is_there(self) -> Path:
        """The file that says so."""
        return self.work / "one_core_is_whole"

    def started(
        self, name: str, source: Path, output: Path, *arguments: str, threads: int | None = None
    ) -> subprocess.Popen:
        """The command in a process of its own; torch computes in so many threads, or as many as it takes by itself."""
        part_files = max(1, min(256, self.clip_count // PARTS))
        command = [sys.executable, "-c", _COMMAND, str(part_files), name, str(source), "--output", str(output)]
        environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
        return subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, env=environment)

    def timed(
        self, name: str, source: Path, output: Path, *arguments: str, threads: int | None = None
    ) -> dict[str, Any]:
        """What the command took, from an empty folder on."""
        _remove(output)
        with Watch() as watch:
            status = self.started(name, source, output, *arguments, threads=threads).wait()
        if status:
            raise SystemExit(f"{output}: the command ended with status {status}")
        return watch.result()

    def parts_of_whole(self) -> int:
        if not self.whole_is_there.exists():
            raise SystemExit(f"{self.whole}: not made yet; run `scale.py clips` first, with the same --work")
        return len(_parts_in(self.whole))

    def compared(self, output: Path) -> str:
        """Whether a data set has the files that one core made."""
        return "the same" if content(output) == content(self.whole) else "OTHERS"


class Measured:
    """The lines that were measured, in a file that outlasts a stop; and the report that they stand in."""

    def __init__(self, path: Path, output: Path | None, size: list[int]) -> None:
        self.path, self.output = path, output
        path.parent.mkdir(parents=True, exist_ok=True)
        self.content = json.loads(path.read_text("utf-8")) if path.exists() else {"size": size, "lines": {}}
        if self.content["size"] != size:
            raise SystemExit(
                f"{path}: is of {self.content['size']} clips and frames, not {size}; choose another --work"
            )

    @property
    def lines(self) -> dict[str, dict[str, Any]]:
        return self.content["lines"]

    def forget(self, part: str) -> None:
        self.content["lines"] = {name: line for name, line in self.lines.items() if line["part"] != part}

    def line(self, part: str, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Measures a line, unless that was done."""
        if name in self.lines:
            return
        self.lines[name] = {"part": part, "machine": re.sub("threads used: [0-9]+, ", "", machine())} | measure()
        print(f"{name}: {self.lines[name]}", flush=True)
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(self.content, indent=1), "utf-8")
        beside.replace(self.path)
        if self.output is not None:
            text = self.output.read_text("utf-8") if self.output.exists() else f"{BEGIN}\n{END}\n"
            before, _, rest = text.partition(BEGIN)
            self.output.write_text(f"{before}{BEGIN}\n\n{self.report()}\n{END}{rest.partition(END)[2]}", "utf-8")

    def report(self) -> str:
        clip_count, frames = self.content["size"]
        titles = {
            "clips": f"{clip_count:,} clips of 3 s, `embed --level clip`",
            "kills": "The same clips, killed and gone on",
            "ray": "The same clips, on two machines of Ray that share one computer",
            "hour": f"One clip of {frames:,} frames at 30 per second",
        }
        return "\n".join(
            f"**{title}.** {' '.join(dict.fromkeys(row['machine'] for row in rows.values()))}\n\n{_table(rows)}\n"
            for part, title in titles.items()
            if (rows := {name: row for name, row in self.lines.items() if row["part"] == part})
        )


def _table(rows: dict[str, dict[str, Any]]) -> str:
    columns = [name for name in next(iter(rows.values())) if name not in ("part", "machine")]
    lines = [["run", *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *(_cell(row[column]) for column in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def clips(given: Given, kept: Measured) -> None:
    """One process on one core, and several processes."""
    for i in range(given.clip_count):
        path = given.clips / f"{i // 1000:03d}" / f"{i:06d}.npz"
        if not path.exists():
            save(path, 90, i)

    def measured(output: Path, *arguments: str, threads: int | None = None) -> dict[str, Any]:
        took = given.timed("embed", given.clips, output, *LEVEL, *arguments, threads=threads)
        one_core_s = kept.lines["one core"]["s"] if arguments else took["s"]
        rates = {"clips/s": given.clip_count / took["s"], "times one core": one_core_s / took["s"]}
        if not arguments:
            given.whole_is_there.touch()
        return took | rates | {"files": given.compared(output)}

    kept.line("clips", "one core", lambda: measured(given.whole, threads=1))
    workers = "--workers", str(given.workers)
    kept.line("clips", f"`{' '.join(workers)}`", lambda: measured(given.work / "workers", *workers))


def kills(given: Given, kept: Measured) -> None:
    """A run in several processes whose first process is killed again and again, and then not any more."""
    parts, output, count = given.parts_of_whole(), given.work / "killed", given.work / "kills"
    # Each process computes in one thread, as the run that is compared with: results do not differ in their last digit.
    workers = "--workers", str(given.workers)

    def measured() -> dict[str, Any]:
        done = int(count.read_text("utf-8")) if count.exists() else 0
        if not done:
            _remove(output)
        for kill in range(done + 1, KILLS + 1):
            _killed(
                given.started("embed", given.clips, output, *LEVEL, *workers), output, parts * kill // (KILLS + 1), kill
            )
            count.write_text(str(kill), "utf-8")
        there = len(_parts_in(output))
        if status := given.started("embed", given.clips, output, *LEVEL, *workers).wait():
            raise SystemExit(f"{output}: the command ended with status {status}")
        count.unlink()
        return {"killed": f"{KILLS} times", "parts at the last kill": f"{there} of {parts}",
                "files in the end": given.compared(output)}  # fmt: skip

    kept.line("kills", f"`{' '.join(workers)}`", measured)


def _killed(process: subprocess.Popen, output: Path, parts: int, seed: int) -> None:
    """Kills a run some moments after so many parts are there."""
    _wait_for(output, max(1, parts), process)
    time.sleep(random.Random(seed).uniform(0, 5))
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit(f"{output}: was done before it could be killed; take more --clips")


def _wait_for(output: Path, parts: int, process: subprocess.Popen) -> None:
    while len(_parts_in(output)) < parts and process.poll() is None:
        time.sleep(0.05)


def _remove(output: Path) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    output.unlink(missing_ok=True)


def _parts_in(folder: Path) -> list[Path]:
    return list(folder.glob("part-*"))


def ray(given: Given, kept: Measured) -> None:
    """Two machines of Ray with a core each, both on this one; a worker is killed when half of the parts are there."""
    from ray.cluster_utils import Cluster

    parts, output = given.parts_of_whole(), given.work / "ray"

    def measured() -> dict[str, Any]:
        _remove(output)
        cluster = Cluster(initialize_head=True)
        try:
            cluster.add_node()
            with Watch() as watch:
                process = given.started("embed", given.clips, output, *LEVEL, "--ray", str(cluster.address))
                _wait_for(output, parts // 2, process)
                killed = _actors()[:1]
                for actor in killed:
                    os.kill(actor, signal.SIGKILL)
                status = process.wait()
        finally:
            cluster.shutdown()
        if status or not killed:
            raise SystemExit(f"{output}: status {status}, {len(killed)} workers killed")
        rate = {"clips/s": given.clip_count / watch.result()["s"]}
        return watch.result() | rate | {"workers killed": str(len(killed)), "files": given.compared(output)}

    kept.line("ray", "`--ray ADDRESS`", measured)


def _actors() -> list[int]:
    """The processes in which parts are made."""
    found = []
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has just ended
            found += [pid] if "_Actor" in Path(f"/proc/{pid}/cmdline").read_text("utf-8") else []
    return found


def hour(given: Given, kept: Measured) -> None:
    """One long clip, as a data set and to one file."""
    folder = given.work / "hour"
    save(folder / "hour.npz", given.hour_frames, 0)
    for name, source, output, *arguments in (
        ("embed", "*.npz", "embedded", "--level", "joint"),
        ("embed", "hour.npz", "embedded.parquet", "--level", "frame"),
        ("predict", "*.npz", "motions"),
        ("predict", "hour.npz", "motion"),
    ):
        measured = partial(given.timed, name, folder / source, given.work / output, *arguments)
        kept.line("hour", f"`{' '.join([name, source, *arguments])}`", measured)


def save(path: Path, frames: int, seed: int) -> None:
    """A person whose joints wander about, with some confidences of 0."""
    rng = np.random.default_rng(seed)
    xy_px = rng.uniform((900, 300), (1000, 700), (17, 2)) + rng.normal(size=(frames, 17, 2)).cumsum(0).clip(-200, 200)
    confidence = (rng.random((frames, 17)) > 0.05).astype(np.float32)
    keypoints = motionrep.Keypoints(torch.from_numpy(xy_px), torch.from_numpy(confidence), COCO_17, 30.0, 1920, 1080)
    path.parent.mkdir(parents=True, exist_ok=True)
    motionrep.save_keypoints([keypoints], path)


def content(folder: Path) -> dict[str, str]:
    """What every file of a data set holds, but for the notes of the run."""
    files = [path for path in folder.rglob("*.parquet") if "_run" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    main()
