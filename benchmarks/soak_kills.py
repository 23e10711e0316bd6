"""The part of soak.py that kills: every writing command and a training run, at random moments."""

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import yaml

from motionrep.datasets.authored.motions import authored_motion
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.rendering.video.writing import write_video
from motionrep.types import Keypoints

# {out} is the folder of the output; whatever lies in it in the end is compared.
COMMANDS = {
    "convert": ["convert", "{clip}", "--output", "{out}/clip.npz"],
    "embed": ["embed", "{clip}", "--output", "{out}/clip.parquet"],
    "predict": ["predict", "{clip}", "--output", "{out}"],
    "render": ["render", "{motion}", "--output", "{out}/walk.mp4"],
    "render pictures": ["render", "{motion}", "--output", "{out}/walk"],
    "view --save": ["view", "{motion}", "--save", "{out}/walk.html"],
    "report": ["report", "{clip}", "--output", "{out}/clip.html"],
    "fit": ["fit", "{joints}", "--output", "{out}/fit.npz"],
    "export": ["export", "{motion}", "--output", "{out}/walk.glb"],
    "export meshes": ["export", "{motion}", "--output", "{out}/walk.obj"],
    "export network": ["export", "ktpformer-s", "--output", "{out}/network.onnx"],
    "detect": ["detect", "{video}", "--detector", "blazepose-full", "--output", "{out}/clip.npz"],
    "plot": ["plot", "{table}", "--label", "frame", "--output", "{out}/map.png"],
    "evaluate": ["evaluate", "--data", "{data}", "--views", "1", "--output", "{out}/metrics.json"],
}
ALL = (*COMMANDS, "training")
SETTINGS = {
    "head": "pose3d", "epochs": 3, "clips_per_epoch": 64, "batch_size": 8, "precision": "float32", "optimizer": "adamw",
    "new_encoder": {
        "architecture": "ktpformer", "frames": 8, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3,
    },
}  # fmt: skip
_CLOSE = 1e-6
_ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}  # weights differ between numbers of threads
Row = tuple[str, str, str, bool]


def rows(folder: Path, times: int, seed: int, names: Sequence[str] | None = None) -> Iterator[Row]:
    """A row for each command, and one for training: what lay there after a kill, and after the next run.

    Args:
        names: Some of `ALL`, or None for all.
    """
    given, names = _given(folder), names or ALL
    for name in [name for name in COMMANDS if name in names]:
        command, chance = COMMANDS[name], random.Random(f"{seed} {name}")
        reference, seconds = _timed(command, given, folder / "reference" / name)
        wrong = [
            problem for index in range(times)
            if (problem := _killed(command, given, folder / "killed" / f"{name}_{index}", reference,
                                   chance.uniform(0, 1.1 * seconds)))
        ]  # fmt: skip
        yield f"`{name}` killed {times} times", "", _verdict(wrong), not wrong
    if "training" in names:
        wrong = list(_training(folder, given, times, random.Random(f"{seed} training")))
        yield f"training killed {times} times, with --resume", "", _verdict(wrong), not wrong


def _verdict(wrong: Sequence[str]) -> str:
    return f"**{len(wrong)} wrong**, the first: {wrong[0]}" if wrong else "whole or not there; then the same"


def _killed(
    command: Sequence[str], given: dict[str, Path], out: Path, reference: dict[str, str], after_s: float
) -> str:
    """What is wrong after a kill at a moment and one more run; empty if nothing is."""
    process = _start(command, given, out)
    time.sleep(after_s)
    process.kill()
    process.wait()
    left = {name: digest for name, digest in _contents(out).items() if ".motionrep-" not in name}
    if half := [name for name, digest in left.items() if reference.get(name) not in (None, "differs", digest)]:
        return f"{half[0]} is half after {after_s:.2f} s"
    _timed(command, given, out)
    now = _contents(out)
    if now.keys() != reference.keys():
        return f"{sorted(now.keys() ^ reference.keys())} after {after_s:.2f} s and one more run"
    return ", ".join(f"{n} differs" for n, digest in now.items() if reference[n] not in ("differs", digest))


def _training(folder: Path, given: dict[str, Path], times: int, chance: random.Random) -> Iterator[str]:
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(SETTINGS))
    command = ["finetune", "--config", str(settings), "--data", str(given["data"]), "--output", "{out}"]
    _, seconds = _timed(command, given, folder / "run")
    expected = _weights(folder / "run")
    for index in range(times):
        out, after_s = folder / f"run_{index}", chance.uniform(0, 1.1 * seconds)
        process = _start(command, given, out)
        time.sleep(after_s)
        process.kill()
        process.wait()
        began = (out / "config.yaml").is_file() or (out / ".lock").is_file()
        line = _line([*command, *(["--resume"] if began else [])], given, out)
        done = subprocess.run(line, env=_ENVIRONMENT, capture_output=True, text=True)
        if done.returncode:
            yield f"after {after_s:.2f} s: {done.stderr.splitlines()[-1]}"
        elif (apart := float((_weights(out) - expected).abs().max())) > _CLOSE:
            yield f"weights {apart:.2g} apart after {after_s:.2f} s"
        elif left := [path.name for path in out.rglob(".*")]:
            yield f"{left[0]} is left after {after_s:.2f} s"


def _weights(run: Path) -> torch.Tensor:
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return torch.cat([tensor.flatten().float() for tensor in state.values()])


def _timed(command: Sequence[str], given: dict[str, Path], out: Path) -> tuple[dict[str, str], float]:
    """Runs a command to its end, what it leaves, and how long it takes. A second run tells what no two runs share."""
    started = time.monotonic()
    if _start(command, given, out).wait():
        raise RuntimeError(f"{' '.join(_line(command, given, out))} failed")
    seconds, contents = time.monotonic() - started, _contents(out)
    if out.parent.name == "reference":
        _start(command, given, out).wait()
        again = _contents(out)
        contents = {name: digest if again.get(name) == digest else "differs" for name, digest in contents.items()}
    return contents, seconds


def _start(command: Sequence[str], given: dict[str, Path], out: Path) -> subprocess.Popen[bytes]:
    out.mkdir(parents=True, exist_ok=True)
    line, no = _line(command, given, out), subprocess.DEVNULL
    return subprocess.Popen(line, env=_ENVIRONMENT, stdout=no, stderr=no)


def _line(command: Sequence[str], given: dict[str, Path], out: Path) -> list[str]:
    return [sys.executable, "-m", "motionrep", *(part.format(**given, out=out) for part in command)]


def _contents(out: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its name there."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _given(folder: Path) -> dict[str, Path]:
    """The inputs of the commands."""
    walk = authored_motion("walk", seconds=2.0)
    given = {name: folder / f"{name}.npz" for name in ("clip", "motion", "joints")} | {"data": folder / "data"}
    xy_px = walk.joints(H36M_17).position_m[..., :2] * torch.tensor([1.0, -1.0]) * 200 + torch.tensor([640.0, 500.0])
    save_keypoints([Keypoints(xy_px, torch.ones(xy_px.shape[:2]), H36M_17, 30.0, 1280, 720)], given["clip"])
    save_motion(walk, given["motion"])
    save_motion(walk.joints(), given["joints"])
    for name in ("walk", "wave", "unseen"):
        save_motion(authored_motion("walk" if name == "unseen" else name, seconds=1.0), given["data"] / f"{name}.npz")
    given |= {"video": folder / "walk.mp4", "table": folder / "table" / "clip.parquet"}
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from filmed_people import film

    write_video(film(("walk",), seconds=1.0, fps=15.0).pictures, given["video"], 15.0)
    if _start(COMMANDS["embed"], given, given["table"].parent).wait():
        raise RuntimeError("motionrep embed failed")
    return given
