"""What is installed and what works here: `examine` tries things, `report` makes a table of what came out."""

import json
import math
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from motionrep.body import load_body_model
from motionrep.body.finding import body_folder
from motionrep.body.registry import body_files, find_bodies
from motionrep.embedding.encoding import embed
from motionrep.encoders import load_encoder
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.loading import load_head
from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.rendering import render, write_video
from motionrep.rendering.backends.probe import tried_apart
from motionrep.rendering.projection import screen_points
from motionrep.rendering.raster import rasterize
from motionrep.types import Keypoints
from motionrep.weights import shipped

State = Literal["works", "missing", "broken"]

_MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # whose name is not the distribution's
_EXTRAS_FOR = {
    "video": "writing .mp4",
    "tables": "Parquet tables of embeddings",
    "train": "finetune",
    "export": "encoders as ONNX files",
    "smplx": "comparing our skinning with that package's; its licence is non-commercial",
}
_COLLECTIONS = ("all", "dev")  # extras that name other extras, and tools for working on motionrep itself
_OPENGL = "apt-get install -y libegl1 libgl1 libxrender1"
_MATRIX, _MEASURING_S = 768, 0.3
_WORTH_IT = 1.3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `missing` is not there, `broken` is there and fails. `fix` is the one line that helps, to be typed where it is a
    command; None when nothing has to be done. `needed` things are those without which the five lines of the README,
    from keypoints to an .mp4, do not run.
    """

    topic: str
    name: str
    state: State
    detail: str
    fix: str | None = None
    needed: bool = False


def examine() -> list[Finding]:
    """Tries what motionrep consists of, in some seconds. Never raises for what is missing or broken: that is a finding.

    Pictures and videos are made in a temporary folder; OpenGL and PyTorch3D are tried in processes of their own. Body
    models are loaded, which converts pickles once (see `motionrep.body.smpl_files`).
    """
    findings = [*_versions(), *_packages(), *_renderers(), *_bodies(), *_computing(), *_weights()]
    findings.append(
        _tried("five lines", "keypoints to .mp4", _five_lines, "mend what is broken or missing above", needed=True)
    )
    return findings


def healthy(findings: list[Finding]) -> bool:
    """Whether everything that the five lines need works."""
    return all(finding.state == "works" for finding in findings if finding.needed)


def report(findings: list[Finding]) -> str:
    """The findings as a table by topic, each fix on a line below what it mends."""
    lines, topic = [], None
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines.append(topic)
        mark = finding.state.upper() if finding.needed and finding.state != "works" else finding.state
        lines.append(f"  {mark:8s} {finding.name:{width}s}  {finding.detail}".rstrip())
        if finding.fix is not None:
            lines.append(f"  {'':8s} {'':{width}s}  -> {finding.fix}")
    broken = [f"{finding.topic}: {finding.name}" for finding in findings if finding.needed and finding.state != "works"]
    lines.append(f"not working: {', '.join(broken)}" if broken else "everything that the five lines need works")
    return "\n".join(lines)


def _tried(topic: str, name: str, attempt: Callable[[], str], fix: str, needed: bool = False) -> Finding:
    """`works` with what the attempt returns, or `broken` with what it raises."""
    try:
        return Finding(topic, name, "works", attempt(), needed=needed)
    except Exception as error:  # whatever is wrong here, the rest is still worth looking at
        message = " ".join(str(error).split())
        return Finding(topic, name, "broken", f"{type(error).__name__}: {message}", fix, needed)


def _reinstall() -> str:
    """The command that puts back the files that come with motionrep."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        return f"git -C {checkout} restore motionrep/weights motionrep/body/open_body.npz"
    source = json.loads(distribution("motionrep").read_text("direct_url.json") or "{}")  # PEP 610
    return f'pip install --force-reinstall --no-deps "{source.get("url", "motionrep")}"'


def _versions() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("versions", "Python", "works", f"{platform.python_version()} on {system}, {sys.executable}")
    yield Finding("versions", "motionrep", "works", f"{version('motionrep')} in {Path(__file__).parents[1]}")
    yield Finding("versions", "torch", "works", torch.__version__)


def _packages() -> Iterator[Finding]:
    """The distributions motionrep requires, and those of its extras."""
    present, others = [], []
    for requirement in requires("motionrep") or ():
        name, extra = re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0], re.search(r"extra == .(\w+)", requirement)
        if extra and (extra[1] in _COLLECTIONS or name == "motionrep"):
            continue
        use = f"{_EXTRAS_FOR.get(extra[1], extra[1])} (extra {extra[1]!r})" if extra else "required"
        least = re.search(r">=\s*([\d.]+)", requirement)
        fix = f'pip install "motionrep[{extra[1]}]"' if extra else f'pip install "{requirement}"'
        have = _installed(name)
        if have is None:
            others.append(Finding("packages", name, "missing", use, fix, needed=extra is None))
        elif least and _numbers(have) < _numbers(least[1]):
            fix = f'pip install "{name}>={least[1]}"'
            others.append(Finding("packages", name, "broken", f"{have} is too old for {use}", fix, extra is None))
        elif extra:
            others.append(Finding("packages", name, "works", f"{have}, {use}"))
        else:
            present.append(f"{name} {have}")
    yield Finding("packages", "required", "works", ", ".join(present))
    yield from others


def _installed(name: str) -> str | None:
    """The version of a distribution that can be imported."""
    try:
        found = find_spec(_MODULES.get(name, name.replace("-", "_"))) is not None
        return version(name) if found else None
    except (PackageNotFoundError, ValueError):  # find_spec refuses modules without a spec
        return None


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release.partition("+")[0])[:3])


def _renderers() -> Iterator[Finding]:
    yield _tried("renderers", "motionrep", _draw, _reinstall(), needed=True)
    yield _tried("renderers", ".mp4", lambda: _write(".mp4"), 'pip install "motionrep[video]"', needed=True)
    yield _tried("renderers", ".gif", lambda: _write(".gif"), 'pip install --force-reinstall "pillow>=11"')
    if all(any(distributions(name=name)) for name in ("pyrender", "pyrender2")):
        both = "pyrender and pyrender2 are both installed and overwrite each other's files"
        fix = "pip uninstall -y pyrender pyrender2 && pip install pyrender2"
        yield Finding("renderers", "pyrender", "broken", both, fix)
    elif find_spec("pyrender") is None:
        yield Finding("renderers", "pyrender", "missing", "motionrep does without", 'pip install "motionrep[gl]"')
    else:
        yield _tried("renderers", "pyrender", lambda: tried_apart("pyrender", "egl", "osmesa"), _OPENGL)
    source = 'pip install --no-build-isolation "git+https://github.com/facebookresearch/pytorch3d.git"'
    if find_spec("pytorch3d") is None:
        yield Finding(
            "renderers", "pytorch3d", "missing", "motionrep does without; no wheels, built in minutes", source
        )
    else:
        yield _tried(
            "renderers",
            "pytorch3d",
            lambda: tried_apart("pytorch3d", "cuda" if torch.cuda.is_available() else "cpu"),
            source,
        )


def _draw() -> str:
    body = load_body_model("open")
    vertex_m = body.template_vertex_m * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor([0.0, 0.0, 3.0])
    screen = screen_points(vertex_m, PinholeCamera.from_hfov(64, 64))
    covered = len(rasterize(screen[None], body.faces, 64, 64).pixel)
    if not 64 < covered < 64 * 64:
        raise RuntimeError(f"the body covers {covered} pixels of 64 x 64")
    return "its own rasteriser in torch, which needs no OpenGL and no screen"


def _write(suffix: str) -> str:
    """Encodes two frames."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        size = write_video(pictures, Path(folder) / f"two{suffix}", 30.0).stat().st_size
    encoder = f"H.264 by PyAV {version('av')}" if suffix == ".mp4" else f"Pillow {version('pillow')}"
    return f"{encoder}, two frames in {size} bytes"


def _bodies() -> Iterator[Finding]:
    yield _tried("bodies", "open", lambda: _load("open"), _reinstall(), needed=True)
    found, files, folder = find_bodies(), body_files(), body_folder()
    yield Finding("bodies", "folder", "works", f"{folder}{'' if folder.is_dir() else ', which does not exist yet'}")
    for name, paths in found.items():
        from_path = f"{paths[0]}{''.join(f'; not used: {path}' for path in paths[1:])}"
        fix = f"download it again: {files[name].how_to_get}"
        yield _tried("bodies", name, lambda name=name, from_path=from_path: f"{_load(name)}, {from_path}", fix)
    for family in dict.fromkeys(_family(name) for name in files):
        if not any(_family(name) == family for name in found):
            names = [name for name in files if _family(name) == family]
            detail = f"none of {', '.join(names)} in the folder"
            yield Finding("bodies", family, "missing", detail, files[names[0]].how_to_get)


def _family(body: str) -> str:
    """`smpl` for `smpl-neutral`."""
    return body.partition("-")[0]


def _load(name: str) -> str:
    start_s = time.perf_counter()
    body = load_body_model(name)
    loading_s = time.perf_counter() - start_s
    joints, vertices = body.template_joint_m.shape[0], body.template_vertex_m.shape[0]
    return f"{joints} joints, {vertices} vertices, {body.beta_count} betas, loaded in {loading_s:.1f} s"


def _computing() -> Iterator[Finding]:
    """Devices, threads, and how fast a matrix product is in each precision."""
    device = "cpu"
    if torch.cuda.is_available():
        device = "cuda"
        memory_gb = torch.cuda.get_device_properties(0).total_memory / 1e9
        detail = f"{torch.cuda.get_device_name(0)}, {memory_gb:.0f} GB; used with --device cuda"
        yield Finding("computing", "GPU", "works", detail)
    elif shutil.which("nvidia-smi"):
        detail = f"there is an NVIDIA driver, and torch {torch.__version__} cannot use it"
        yield Finding("computing", "GPU", "broken", detail, "install torch as https://pytorch.org/get-started says")
    else:
        yield Finding("computing", "GPU", "works", "no NVIDIA GPU; everything runs on the CPU")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = f"{torch.get_num_threads()} threads on {allowed} cores, {torch.backends.cpu.get_cpu_capability()}"
    yield Finding("computing", "CPU", "works", f"{cpu}; used unless --device says otherwise")
    yield _tried("computing", f"precision on {device}", lambda: _precision(device), "use --precision float32")


def _precision(device: str) -> str:
    duration_s = {dtype: _product_s(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    gain = duration_s[torch.float32] / duration_s[torch.bfloat16]
    if gain < _WORTH_IT:
        return f"float32, the default; bfloat16 runs at {gain:.1f} times its speed"
    return f"--precision bfloat16 is worth it: {gain:.1f} times the speed of float32, the default"


def _product_s(device: str, dtype: torch.dtype) -> float:
    """Seconds for one matrix product, the least of some."""
    matrix = torch.ones(_MATRIX, _MATRIX, device=device, dtype=dtype)
    shortest_s, stop_s = math.inf, time.perf_counter() + _MEASURING_S
    for index in range(200):
        start_s = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # .item() waits for a GPU
        shortest_s = min(shortest_s, time.perf_counter() - start_s)
        if index >= 10 and time.perf_counter() > stop_s:
            break
    return shortest_s


def _weights() -> Iterator[Finding]:
    for name in shipped("encoder"):
        yield _tried("weights", name, lambda name=name: _count(load_encoder(name)), _reinstall(), needed=True)
    for name in shipped("head"):
        yield _tried("weights", name, lambda name=name: _count(load_head(name)), _reinstall(), needed=True)
    if not shipped("encoder"):
        yield Finding("weights", "encoders", "missing", "none came with motionrep", _reinstall(), needed=True)


def _count(network: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f} M parameters"


def _five_lines() -> str:
    """As in the README, with half a second of made-up keypoints."""
    start_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        keypoints, movie = Path(folder) / "dance.npz", Path(folder) / "dance.mp4"
        xy_px = torch.rand(15, H36M_17.joint_count, 2, generator=torch.Generator().manual_seed(0)) * 400
        save_keypoints([Keypoints(xy_px, torch.ones(15, H36M_17.joint_count), H36M_17, 30.0, 400, 400)], keypoints)
        clips = load_keypoints(keypoints)
        embedding = embed(clips[0], load_encoder("ktpformer-s"))
        motion = load_head("mesh-ktpformer-s").predict(embedding)
        render(motion, movie, keypoints=clips[0], height_px=64, supersample=1, backend="raster")
    return f"15 frames, from keypoints to a video, in {time.perf_counter() - start_s:.1f} s"
