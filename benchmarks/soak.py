"""Long runs and killed runs: does memory stay flat, and are results those of short and unbroken runs?

    python benchmarks/soak.py --output soak.md                          # everything; a day on a quiet machine
    python benchmarks/soak.py keypoints stream --share 0.01             # a try, at a hundredth of the size
    python benchmarks/soak.py kills --times 50

The parts, at their whole size: an hour of keypoints recovered (`keypoints`), 10,000 frames drawn by each back end that
is installed (`frames`), 50 people of one file (`people`), 1,000 files (`files`), an hour of frames pushed into a stream
(`stream`), and every writing command and a training run killed at random moments (`kills`). Each runs in a process of
its own, whose memory is read from outside twice a second (Linux). Memory is flat if its mean over the last quarter of
the time is at most 5 % above that over the second quarter. The exit status is 1 where something is not as it should be.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soak_kills
import torch
from reports import machine, write

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import simulated_keypoints
from motionrep.geometry.cameras import PinholeCamera
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17
from motionrep.motion.axes import in_camera
from motionrep.motion.saving import save_motion
from motionrep.rendering.backends import BACKENDS
from motionrep.types import BodyMotion, Keypoints

FPS = 30.0
HOUR = int(3600 * FPS)
_RISE = 1.05
Row = tuple[str, str, str, bool]  # what, memory, results, whether both are right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join([*PARTS, 'kills'])} (default: all)")
    parser.add_argument("--share", type=float, default=1.0, help="of the whole size (default: %(default)s)")
    parser.add_argument("--times", type=int, default=50, help="kills of each command (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    parts = options.parts or [*PARTS, "kills"]
    if unknown := set(parts) - {*PARTS, "kills"}:
        parser.error(f"no part {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row for part in parts if part != "kills" for row in PARTS[part](folder, options.share)]
        if "kills" in parts:
            rows += list(soak_kills.rows(folder, options.times, options.seed))
    size = "" if options.share == 1 else f" At {options.share:g} of the whole size."
    lines = [f"{machine()}{size}", "", "| run | memory | results |", "|---|---|---|"]
    lines += [f"| {what} | {memory} | {results} |" for what, memory, results, _ in rows]
    report = "\n".join(lines) + "\n"
    print(report)
    write(report, options.output)
    return 0 if all(fine for *_, fine in rows) else 1


def keypoints(folder: Path, share: float) -> Iterator[Row]:
    """An hour of one person; its first half minute against that of a clip of a minute."""
    frames = max(2 * 1800, int(HOUR * share))
    long, short = folder / "hour.npz", folder / "minute.npz"
    save_keypoints([_walk(frames)], long)
    save_keypoints([_walk(1800)], short)
    memory = watched(_predict(long, folder / "long"))
    subprocess.run(_predict(short, folder / "short"), check=True, stdout=subprocess.DEVNULL)
    whole, part = (motionrep.load_motion(folder / kind / f"{clip.stem}_0.npz") for kind, clip in
                   (("long", long), ("short", short)))  # fmt: skip
    yield _row(f"{frames:,} frames of keypoints, `predict`", memory, _turn_deg(whole, part, 900), 0.01, "degrees")


def frames(folder: Path, share: float) -> Iterator[Row]:
    """10,000 pictures by each back end of a clip that is repeated; the last ones against those of the clip alone."""
    times = max(2, int(100 * share))
    clip = authored_motion("walk", seconds=100 / FPS)
    again = {name: getattr(clip, name).repeat(times, *(1,) * (getattr(clip, name).ndim - 1))
             for name in ("local_rotmat", "translation_m")}  # fmt: skip
    save_motion(clip, folder / "once.npz")
    save_motion(replace(clip, **again), folder / "repeated.npz")
    for backend in BACKENDS:
        pictures = {name: folder / f"{name}_{backend}" for name in ("once", "repeated")}
        once, repeated = (
            _motionrep(["render", str(folder / f"{name}.npz"), "--output", str(output), "--backend", backend,
                        "--height", "240"])
            for name, output in pictures.items()
        )  # fmt: skip
        if subprocess.run(once, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            yield f"{backend}", "not installed here", "", True
            continue
        memory = watched(repeated)
        drawn = [sorted(pictures[name].glob("*.png")) for name in ("once", "repeated")]
        apart = sum(x.read_bytes() != y.read_bytes() for x, y in zip(drawn[0], drawn[1][-len(drawn[0]) :], strict=True))
        missing = times * len(drawn[0]) - len(drawn[1])
        yield _row(f"{len(drawn[1]):,} frames by {backend}", memory, float(apart + missing), 0, "pictures")


def people(folder: Path, share: float) -> Iterator[Row]:
    """50 people of one file; the last one against the same person alone."""
    count = max(3, int(50 * share))
    everybody = [_walk(300, seed) for seed in range(count)]
    save_keypoints(everybody, folder / "people.npz")
    save_keypoints(everybody[-1:], folder / "alone.npz")
    memory = watched(_predict(folder / "people.npz", folder / "people"))
    subprocess.run(_predict(folder / "alone.npz", folder / "alone"), check=True, stdout=subprocess.DEVNULL)
    last = motionrep.load_motion(folder / "people" / f"people_{count - 1}.npz")
    alone = motionrep.load_motion(folder / "alone" / "alone_0.npz")
    yield _row(f"{count} people of one file, `predict`", memory, _turn_deg(last, alone, 300), 0.01, "degrees")


def files(folder: Path, share: float) -> Iterator[Row]:
    """1,000 files one after another in one process; the last one against the first, of which all are copies."""
    count = max(20, int(1000 * share))
    save_keypoints([_walk(120)], folder / "one.npz")
    memory = watched([sys.executable, "-c", _MANY_FILES, str(folder), str(count)])
    apart = float(np.load(folder / "apart.npy"))
    yield _row(f"{count:,} files in one process", memory, apart, 0, "between the first and the last table")


def stream(folder: Path, share: float) -> Iterator[Row]:
    """An hour of frames at full speed; the last predictions against a stream that was given only the last frames."""
    count = max(600, int(HOUR * share))
    np.save(folder / "xy_px.npy", _walk(3000).xy_px.numpy())
    memory = watched([sys.executable, "-c", _STREAM, str(folder), str(count)])
    apart_mm = 1000 * float(np.load(folder / "stream.npy"))
    yield _row(f"{count:,} frames pushed into a stream", memory, apart_mm, 0.01, "mm")


PARTS: dict[str, Callable[[Path, float], Iterator[Row]]] = {
    "keypoints": keypoints, "frames": frames, "people": people, "files": files, "stream": stream,
}  # fmt: skip

_MANY_FILES = """
import sys
from pathlib import Path
import numpy as np
import motionrep

folder, count = Path(sys.argv[1]), int(sys.argv[2])
encoder, apart, first = motionrep.load_encoder("ktpformer-s"), 0.0, None
for index in range(count):
    path = folder / f"{index}.npz"
    path.write_bytes((folder / "one.npz").read_bytes())
    clip = motionrep.load_keypoints(path)[0]
    motionrep.save_keypoints([clip], path)
    values = motionrep.embed(clip, encoder).values
    first = values if first is None else first
    apart = max(apart, float((values - first).abs().max()))
np.save(folder / "apart.npy", apart)
"""
_STREAM = """
import sys
from pathlib import Path
import numpy as np
import torch
import motionrep

folder, count = Path(sys.argv[1]), int(sys.argv[2])
xy_px = torch.from_numpy(np.load(folder / "xy_px.npy"))

def played(first):
    encoder, head = motionrep.load_encoder("ktpformer-s"), motionrep.load_head("pose3d-ktpformer-s")
    stream = motionrep.Stream(encoder, head, fps=30, size_px=(1280, 720), layout="coco_17")
    last = None
    for frame in range(first, count):
        last = stream.push(xy_px[frame % len(xy_px)])
    return last.prediction.position_m[-1]

np.save(folder / "stream.npy", float((played(0) - played(count - 300)).norm(dim=-1).max()))
"""


def watched(command: Sequence[str]) -> list[float]:
    """Runs a command; its memory in MB, read twice a second. Raises CalledProcessError if it fails."""
    readings, page_mb = [], os.sysconf("SC_PAGE_SIZE") / 1e6
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None:
        try:
            readings.append(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page_mb)
        except (OSError, IndexError):
            break
        time.sleep(0.5)
    if status := process.wait():
        raise subprocess.CalledProcessError(status, list(command))
    return readings


def _row(what: str, readings: Sequence[float], apart: float, most: float, unit: str) -> Row:
    quarters = [float(np.mean(part)) if len(part) else 0.0 for part in np.array_split(np.array(readings), 4)]
    flat = quarters[3] <= _RISE * quarters[1]
    memory = f"{max(readings):.0f} MB at most; second quarter {quarters[1]:.0f}, last {quarters[3]:.0f}"
    told, same = f"{apart:.2g} {unit} apart" if apart else "the same", apart <= most
    memory, told = memory if flat else f"**grows**: {memory}", told if same else f"**{told}**"
    return what, memory, told, flat and same


def _predict(clip: Path, output: Path) -> list[str]:
    return _motionrep(["predict", str(clip), "--head", "mesh-ktpformer-s", "--output", str(output)])


def _motionrep(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "motionrep", *arguments]


def _walk(frames: int, seed: int = 0) -> Keypoints:
    """Keypoints of somebody who walks, as a simulated detector sees them; a minute again and again."""
    body, camera = load_body_model("open"), PinholeCamera.from_hfov(1280, 720)
    minute = in_camera(authored_motion("walk", seed=seed, seconds=min(frames, 1800) / FPS), body, camera)
    seen = simulated_keypoints(minute, body, camera, COCO_17, np.random.default_rng(seed))
    index = torch.arange(frames) % seen.frame_count
    return Keypoints(seen.xy_px[index], seen.confidence[index], COCO_17, FPS, 1280, 720, person=str(seed))


def _turn_deg(one: BodyMotion, other: BodyMotion, frames: int) -> float:
    """The largest difference of a joint's rotation in the first frames."""
    between = one.local_rotmat[:frames] @ other.local_rotmat[:frames].mT
    cosine = (between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return float(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).max())


if __name__ == "__main__":
    sys.exit(main())
