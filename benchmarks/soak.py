"""Long runs and killed runs: does memory stay flat, and are results those of short and unbroken runs?

    python benchmarks/soak.py --output soak.md                          # everything; a day on a quiet machine
    python benchmarks/soak.py keypoints stream --share 0.01             # a try, at a hundredth of the size
    python benchmarks/soak.py kills --times 50
    python benchmarks/soak.py kills --times 50 --commands predict training

The parts, at their whole size: an hour of keypoints recovered (`keypoints`), 10,000 frames drawn by each back end that
is installed (`frames`), 50 people of one file (`people`), 1,000 files (`files`), an hour of frames pushed into a stream
(`stream`), and every writing command and a training run killed at random moments (`kills`). Each runs in a process of
its own, whose memory is read from outside twice a second (Linux). Memory is flat if its mean over the last quarter of
the processor time is at most 5 % above that over the second quarter; below a minute of that, nothing is said. The exit
status is 1 where something is not as it should be.
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
_RISE, _LONG_S = 1.05, 60.0
Reading = tuple[float, float]  # processor time in s, memory in MB
Row = tuple[str, str, str, bool]  # what, memory, results, whether both are right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join([*PARTS, 'kills'])} (default: all)")
    parser.add_argument("--share", type=float, default=1.0, help="of the whole size (default: %(default)s)")
    parser.add_argument("--times", type=int, default=50, help="kills of each command (default: %(default)s)")
    parser.add_argument("--commands", nargs="*", choices=soak_kills.ALL, help="what is killed (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    parts = options.parts or [*PARTS, "kills"]
    if unknown := set(parts) - {*PARTS, "kills"}:
        parser.error(f"no part {', '.join(unknown)}")
    size = "" if options.share == 1 else f" At {options.share:g} of the whole size."
    report, all_fine = f"{machine()}{size}\n\n| run | memory | results |\n|---|---|---|\n", True
    print(report, end="", flush=True)
    for what, memory, results, fine in _rows(parts, options):
        line = f"| {what} | {memory} | {results} |\n"
        print(line, end="", flush=True)
        report, all_fine = report + line, all_fine and fine
        write(report, options.output)  # after each run, so that what was measured stays when one is stopped
    return 0 if all_fine else 1


def _rows(parts: Sequence[str], options: argparse.Namespace) -> Iterator[Row]:
    for part in parts:
        with tempfile.TemporaryDirectory() as name:
            if part == "kills":
                yield from soak_kills.rows(Path(name), options.times, options.seed, options.commands)
            else:
                yield from PARTS[part](Path(name), options.share)


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
        done = subprocess.run(once, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            yield f"frames by {backend}", "does not run here", done.stderr.splitlines()[-1], True
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


def watched(command: Sequence[str]) -> list[Reading]:
    """Runs a command and reads its memory twice a second. Raises CalledProcessError if it fails."""
    readings, page_mb, tick_s = [], os.sysconf("SC_PAGE_SIZE") / 1e6, 1 / os.sysconf("SC_CLK_TCK")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None:
        try:
            memory_mb = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page_mb
            user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            readings.append(((int(user) + int(system)) * tick_s, memory_mb))
        except (OSError, IndexError):
            break
        time.sleep(0.5)
    if status := process.wait():
        raise subprocess.CalledProcessError(status, list(command))
    return readings


def _row(what: str, readings: Sequence[Reading], apart: float, most: float, unit: str) -> Row:
    time_s, memory_mb = np.array(readings).T
    second, last = (
        float(np.mean(memory_mb[(time_s >= begin * time_s[-1]) & (time_s <= (begin + 0.25) * time_s[-1])]))
        for begin in (0.25, 0.75)
    )
    is_long = time_s[-1] >= _LONG_S
    flat = last <= _RISE * second or not is_long
    judged = f"second quarter {second:.0f}, last {last:.0f}" if is_long else "too short to say more"
    memory = f"{memory_mb.max():.0f} MB at most; {judged}"
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
    apart = one.local_rotmat[:frames].double() - other.local_rotmat[:frames].double()
    half_sine = apart.flatten(-2).norm(dim=-1) / 8**0.5  # of half the angle; the cosine would round 0.05 degrees away
    return float(torch.rad2deg(2 * torch.asin(half_sine.clamp(max=1))).max())


if __name__ == "__main__":
    sys.exit(main())
