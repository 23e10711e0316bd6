"""Installs a wheel into new environments, without and with extras, tries each out, and tells how large it is.

    python benchmarks/installs.py outputs/dist/motionrep-*.whl --extras none all
    python benchmarks/installs.py outputs/dist/motionrep-*.whl --output benchmarks/installs.md    # every extra

The core and `all` get an environment of their own. The other extras lie over the core's, so that torch is installed
twice only; their sizes are what comes on top of the core.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
# Somebody who walks, as a detector saw them, and motions to train on.
FILES = """
import numpy as np, motionrep
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.layouts import COCO_17
from motionrep.motion.axes import in_camera

body, rng = motionrep.load_body_model("open"), np.random.default_rng(0)
motion = authored_motion("walk", 0, 0.5)
camera = random_camera(motion, body, rng, 1280, 720)
clip = simulated_keypoints(in_camera(motion, body, camera), body, camera, COCO_17, rng)
motionrep.save_keypoints([clip], "clip.npz")
for seed in range(3):
    motionrep.save_motion(authored_motion("walk", seed, 2.5), f"motions/{seed}.npz")
"""
_PREDICT = "predict clip.npz --output results"
# What is tried: commands of motionrep, or modules that can be imported where a command would need more than the extra.
TRIED: dict[str, tuple[str, ...]] = {
    "none": ("doctor", _PREDICT, "render results/clip_0.npz --output clip.gif", "list"),
    "video": (f"{_PREDICT} --render", "detect results/clip_overlay.mp4 --output found.npz"),
    "tables": ("embed clip.npz --output clip.parquet",),
    "hdf5": ("import h5py",),
    "train": (
        "finetune --head pose3d --encoder ktpformer-s --data motions --fast-dev-run --batch-size 4 --output run",
    ),
    "lora": ("import peft",),
    "export": ("export ktpformer-s --output ktpformer.onnx",),
    "view": ("view clip.npz --save clip.html",),
    "report": ("report clip.npz --output report.html",),
    "trimesh": ("import trimesh",),
    "scale": ("import ray.data",),
    "vitpose": ("import transformers",),
    "rtmpose": ("import onnxruntime",),
    "gl": ("import pyrender",),
    "smplx": ("import smplx",),
    "anny": ("import anny",),
}
_IN_ALL = ("none", "video", "tables", "hdf5", "train", "lora", "export", "view", "report", "trimesh")
TRIED["all"] = tuple(command for extra in _IN_ALL for command in TRIED[extra])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--extras", nargs="+", choices=TRIED, default=list(TRIED))
    parser.add_argument("--output", type=Path, help="writes the table to this file as well")
    options = parser.parse_args()
    wheel = options.wheel.resolve()
    rows = []
    with TemporaryDirectory(prefix="motionrep-installs-") as folder:
        core = Path(folder) / "core"
        for extra in dict.fromkeys(["none", *options.extras]):
            alone = extra in ("none", "all")
            place = core if extra == "none" else Path(folder) / extra
            _install(place, str(wheel) if extra == "none" else f"{wheel}[{extra}]", None if alone else core)
            _try(place, extra)
            rows.append((extra, _megabytes(_packages(place))))
            print(f"{extra}: works, {rows[-1][1]:.0f} MB", flush=True)
            if place != core:
                shutil.rmtree(place)
    if options.output:
        options.output.write_text(_table(rows), encoding="utf-8")


def _install(place: Path, what: str, over: Path | None) -> None:
    """A new environment with the package; one that lies over another sees the packages of that."""
    venv.create(place, with_pip=True)
    if over:
        (_packages(place) / "over.pth").write_text(f"{_packages(over)}\n")
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", CONSTRAINTS, what], check=True, cwd=place)


def _try(place: Path, extra: str) -> None:
    with TemporaryDirectory(prefix="motionrep-tried-") as folder:
        python = place / "bin" / "python"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        script = [python, "-c", FILES]
        commands = [script, *([python, *_words(command)] for command in TRIED[extra])]
        for command in commands:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                told = " ".join(map(str, command[1:]))
                raise SystemExit(
                    f"{extra}: {told[:200]} ended with status {done.returncode}\n{done.stdout}{done.stderr}"
                )


def _words(command: str) -> list[str]:
    return ["-c", command] if command.startswith("import ") else ["-m", "motionrep", *command.split()]


def _packages(place: Path) -> Path:
    return place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _megabytes(folder: Path) -> float:
    """Size of the packages without pip, which every environment has, and without bytecode."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    kept = (path for path in files if "__pycache__" not in path.parts and path.relative_to(folder).parts[0] != "pip")
    return sum(path.stat().st_size for path in kept) / 1e6


def _table(rows: list[tuple[str, float]]) -> str:
    lines = [
        "# How large installations are",
        "",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, the CPU build of torch, the",
        "versions of `constraints.txt`. Files in `site-packages` without bytecode and pip. Each environment was new,",
        "and commands that need the extra ran in it.",
        "",
        "| extra | MB |",
        "|---|---|",
        *(f"| {_named(extra)} | {size:.0f} |" for extra, size in rows),
        "",
        "`python benchmarks/installs.py outputs/dist/motionrep-*.whl --output benchmarks/installs.md`",
    ]
    return "\n".join(lines) + "\n"


def _named(extra: str) -> str:
    if extra in ("none", "all"):
        return "none: the core with torch" if extra == "none" else "`all`, with the core"
    return f"`{extra}`, on top of the core"


if __name__ == "__main__":
    main()
