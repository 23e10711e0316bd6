"""Renderers and video encoders that work."""

import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from motionrep.body import load_body_model
from motionrep.cli.doctor.findings import Finding, tried
from motionrep.cli.doctor.installation import reinstall
from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering import write_video
from motionrep.rendering.backends.probe import tried_apart
from motionrep.rendering.projection import screen_points
from motionrep.rendering.raster import rasterize

_OPENGL = "apt-get install -y libegl1 libgl1 libxrender1"


def renderers() -> Iterator[Finding]:
    """Draws a body, writes videos, and tries the optional back ends in processes of their own."""
    yield tried("renderers", "motionrep", _draw, reinstall(), needed=True)
    yield _mp4()
    yield tried("renderers", ".gif", lambda: _write(".gif"), 'pip install --force-reinstall "pillow>=11"')
    yield _pyrender()
    yield _pytorch3d()


def _mp4() -> Finding:
    fix = 'pip install "motionrep[video]"'
    if find_spec("av") is None:
        return Finding("renderers", ".mp4", "missing", "optional; without it no video is read, and .gif written", fix)
    return tried("renderers", ".mp4", lambda: _write(".mp4"), fix, needed=True)


def _pyrender() -> Finding:
    if all(any(distributions(name=name)) for name in ("pyrender", "pyrender2")):
        both = "pyrender and pyrender2 are both installed and overwrite each other's files"
        fix = "pip uninstall -y pyrender pyrender2 && pip install pyrender2"
        return Finding("renderers", "pyrender", "broken", both, fix)
    if find_spec("pyrender") is None:
        return Finding("renderers", "pyrender", "missing", "optional", 'pip install "motionrep[gl]"')
    return tried("renderers", "pyrender", lambda: tried_apart("pyrender", "egl", "osmesa"), _OPENGL)


def _pytorch3d() -> Finding:
    source = 'pip install --no-build-isolation "git+https://github.com/facebookresearch/pytorch3d.git"'
    if find_spec("pytorch3d") is None:
        return Finding("renderers", "pytorch3d", "missing", "optional; no wheels, builds in minutes", source)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tried("renderers", "pytorch3d", lambda: tried_apart("pytorch3d", device), source)


def _draw() -> str:
    """Draws the open body with the rasteriser."""
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
