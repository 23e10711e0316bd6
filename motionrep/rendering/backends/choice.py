"""Who draws: our own rasteriser, pyrender (OpenGL) or PyTorch3D, behind one call.

All three get the same lit vertices and lay the result over the same floor and shadow, so pictures differ only where
edges are smoothed. Install with `pip install "motionrep[gl]"` for pyrender; PyTorch3D has to be built by its user.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from motionrep.rendering.backends.probe import tried_apart
from motionrep.rendering.scene import Backdrop, Layer, Surface, draw, raster_layer

Backend = Literal["auto", "raster", "pyrender", "pytorch3d"]
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Renderer:
    """A back end that works here; `why` says what it draws with, or why it was picked."""

    name: Literal["raster", "pyrender", "pytorch3d"]
    why: str
    layer: Layer

    def draw(
        self, surfaces: Sequence[Surface], backdrop: Backdrop, supersample: int = 2
    ) -> UInt8[Tensor, "height width channels"]:
        """As `scene.draw`. Can be called from several threads; pyrender draws for them one after the other."""
        return draw(surfaces, backdrop, supersample, self.layer)


def renderer(name: str = "auto", device: torch.device | str = "cpu") -> Renderer:
    """The back end of a name, once it is known to work.

    "auto" is pyrender if OpenGL works on this machine and is hardware, and raster otherwise, also for tensors on a
    GPU, which would first have to leave it. pyrender takes samples in fours: `supersample` 1 and 2 give one picture.

    Args:
        name: One of `Backend`.
        device: Where the surfaces are.

    Raises:
        ValueError: An unknown name.
        ImportError: pyrender or PyTorch3D is not installed, or was imported in a way that cannot work.
        RuntimeError: It is installed and does not work here; the message says how that showed.
    """
    if name == "auto":
        reason = _against_opengl(torch.device(device))
        chosen = Renderer("raster", reason, raster_layer) if reason else renderer("pyrender")
        logger.info("drawing with %s: %s", chosen.name, chosen.why)
        return chosen
    if name == "raster":
        return Renderer("raster", "our own rasteriser", raster_layer)
    if name == "pyrender":
        _require_pyrender()
        works_with = _tried("pyrender", "egl")
        from motionrep.rendering.backends.pyrender_layer import pyrender_layer

        return Renderer("pyrender", works_with, pyrender_layer)
    if name == "pytorch3d":
        if find_spec("pytorch3d") is None:
            raise ImportError(
                "the back end 'pytorch3d' needs PyTorch3D, which has no package for current versions of Python; build "
                "it as https://github.com/facebookresearch/pytorch3d/blob/main/INSTALL.md says, or use 'raster'"
            )
        works_with = _tried("pytorch3d", torch.device(device).type)
        from motionrep.rendering.backends.pytorch3d_fragments import pytorch3d_fragments

        return Renderer("pytorch3d", works_with, partial(raster_layer, rasterize=pytorch3d_fragments))
    raise ValueError(f"unknown back end {name!r} (known: auto, raster, pyrender, pytorch3d)")


def is_software(opengl: str) -> bool:
    """Whether OpenGL's name for its renderer is that of one that runs on the CPU."""
    return any(word in opengl.lower() for word in _SOFTWARE)


def _against_opengl(device: torch.device) -> str | None:
    """Why "auto" does not take pyrender, or None if it does."""
    if device.type != "cpu":
        return f"the surfaces are on {device}"
    if find_spec("pyrender") is None:
        return 'pyrender is not installed (pip install "motionrep[gl]")'
    try:
        _require_pyrender()
        if is_software(_tried("opengl", "egl")):  # quickly answered
            return f"OpenGL is software here ({_tried('opengl', 'egl')})"
        _tried("pyrender", "egl")
    except (ImportError, RuntimeError) as error:
        return str(error)
    return None


def _require_pyrender() -> None:
    if find_spec("pyrender") is None:
        raise ImportError("the back end 'pyrender' needs pyrender2: pip install \"motionrep[gl]\"")
    if _is_installed("pyrender") and _is_installed("pyrender2"):
        raise ImportError(
            "pyrender and pyrender2 are both installed and have overwritten each other's files; keep one: "
            "pip uninstall pyrender pyrender2, then pip install pyrender2"
        )


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


@cache
def _tried(name: str, system: str) -> str:
    """What the back end draws with, tried once in a process of its own."""
    try:
        return tried_apart(name, system)
    except RuntimeError as error:
        hint = "; on Debian: apt-get install libegl1 libgl1" if name != "pytorch3d" else ""
        raise RuntimeError(f"{name} does not work here ({error}{hint}); use the back end 'raster'") from error
