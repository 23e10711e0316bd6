"""Which back end draws: the choice among those of `BACKENDS`.

All back ends get the same lit vertices, and what they draw is laid over the same floor and shadow. Their pictures
therefore differ only where edges are smoothed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import torch
from jaxtyping import UInt8
from torch import Tensor

from motionrep.rendering.backdrop import Backdrop
from motionrep.rendering.backends import BACKENDS
from motionrep.rendering.backends.probe import tried_once
from motionrep.rendering.backends.pyrender_layer import require_pyrender
from motionrep.rendering.backends.raster_layer import raster_layer
from motionrep.rendering.scene import draw
from motionrep.rendering.surfaces import Layer, Surface

logger = logging.getLogger(__name__)

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")


@dataclass(frozen=True)
class Renderer:
    """A back end that works here. `why` says what it draws with, or why it was picked."""

    name: str
    why: str
    layer: Layer

    def draw(
        self, surfaces: Sequence[Surface], backdrop: Backdrop, supersample: int = 2
    ) -> UInt8[Tensor, "height width channels"]:
        """As `scene.draw`. Several threads may call it; pyrender draws for them one after the other."""
        return draw(surfaces, backdrop, supersample, self.layer)


def renderer(name: str = "auto", device: torch.device | str = "cpu") -> Renderer:
    """The back end of a name, once it is known to work.

    "auto" is pyrender if OpenGL works on this machine and runs on a GPU, and raster otherwise. It is raster as well
    for tensors on a GPU, because pyrender would have to copy them to the CPU. With pyrender, `supersample` 1 and 2
    give the same picture.

    Args:
        name: "auto" or a name in `BACKENDS`.
        device: Where the surfaces are.

    Raises:
        ValueError: An unknown name.
        ImportError: The back end is not installed, or was imported in a way that cannot work.
        RuntimeError: It is installed and does not work here; the message says how that showed.
    """
    require_backend(name)
    if name == "auto":
        reason = _against_opengl(torch.device(device))
        chosen = Renderer("raster", reason, raster_layer) if reason else renderer("pyrender")
        logger.debug("drawing with %s: %s", chosen.name, chosen.why)
        return chosen
    module, _, function = BACKENDS[name].partition(":")
    opened: Callable[[torch.device], tuple[str, Layer]] = getattr(import_module(module), function)
    works_with, layer = opened(torch.device(device))
    return Renderer(name, works_with, layer)


def require_backend(name: str) -> None:
    """Raises ValueError unless the name is "auto" or in `BACKENDS`."""
    if name not in ("auto", *BACKENDS):
        raise ValueError(f"unknown back end {name!r} (known: {', '.join(('auto', *BACKENDS))})")


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
        require_pyrender()
        if is_software(tried_once("opengl", "egl")):  # quickly answered
            return f"OpenGL is software here ({tried_once('opengl', 'egl')})"
        tried_once("pyrender", "egl")
    except (ImportError, RuntimeError) as error:
        return str(error)
    return None
