"""The back end "pyrender": OpenGL without a screen (EGL). Install it with `pip install "motionrep[gl]"`.

There is one renderer for the whole process, in a thread of its own, because an EGL context belongs to the thread that
made it. The renderer is resized and never deleted: deleting one would end all others of the process.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backends.probe import tried_once
from motionrep.rendering.projection import NEAR_M
from motionrep.rendering.surfaces import Layer, Surface

_FAR_M = 1000.0
_OPENGL_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])  # y up, looking along -z
_SAMPLES_PER_SIDE = 2  # pyrender asks for 4 samples per pixel
_STEP_PX = 64


def open_pyrender(device: torch.device) -> tuple[str, Layer]:
    """What OpenGL calls its renderer, and the layer. It draws on its own, wherever the surfaces are.

    Raises:
        ImportError: pyrender2 is missing, or two distributions of pyrender are installed.
        RuntimeError: OpenGL does not work here.
    """
    require_pyrender()
    return tried_once("pyrender", "egl"), pyrender_layer


def require_pyrender() -> None:
    """Raises ImportError unless exactly one distribution of pyrender is installed."""
    if find_spec("pyrender") is None:
        raise ImportError("the back end 'pyrender' needs pyrender2: pip install \"motionrep[gl]\"")
    if _is_installed("pyrender") and _is_installed("pyrender2"):
        raise ImportError(
            "pyrender and pyrender2 are both installed and have overwritten each other's files; keep one: "
            "pip uninstall pyrender pyrender2, then pip install pyrender2"
        )


def pyrender_layer(surface: Surface, camera: PinholeCamera, supersample: int) -> Float[Tensor, "height width 4"]:
    """A `Layer` with at least as many samples as asked for. pyrender takes samples in fours, at least 4 per pixel.

    Raises:
        ImportError: OpenGL was imported for something else than EGL.
        RuntimeError: In a forked process, where OpenGL would hang.
    """
    thread, process = _thread()
    if process != os.getpid():
        raise RuntimeError('OpenGL does not survive a fork; start processes with multiprocessing\'s "spawn"')
    scale = -(-supersample // _SAMPLES_PER_SIDE)
    drawn = thread.submit(_drawn, surface, camera, scale).result()
    layer = torch.from_numpy(drawn).to(surface.vertex_m).div_(255)
    return layer.reshape(camera.height_px, scale, camera.width_px, scale, 4).mean((1, 3)) if scale > 1 else layer


def _drawn(surface: Surface, camera: PinholeCamera, scale: int) -> np.ndarray:
    """Colour times opacity, and opacity, 0 to 255. Runs in the thread of OpenGL."""
    pyrender, offscreen = _opengl()
    width, height = camera.width_px * scale, camera.height_px * scale
    # OpenGL would make new buffers for sizes that change a little from frame to frame.
    offscreen.viewport_width, offscreen.viewport_height = (-(-size // _STEP_PX) * _STEP_PX for size in (width, height))
    focal_px, (x, y) = camera.focal_px * scale, camera.center_px
    scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
    lens = pyrender.IntrinsicsCamera(focal_px, focal_px, x * scale, y * scale, NEAR_M, _FAR_M)
    world_from_camera = torch.linalg.inv(camera.camera_from_world.double().cpu()).numpy()
    scene.add(lens, pose=world_from_camera @ _OPENGL_FROM_CAMERA)
    vertex_m, color, faces = (t.detach().cpu().numpy() for t in (surface.vertex_m, surface.color, surface.faces))
    scene.add(pyrender.Mesh([pyrender.Primitive(positions=vertex_m, color_0=color, indices=faces)]))
    flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA  # flat: the colours given are lit already
    picture, _ = offscreen.render(scene, flags)
    return np.ascontiguousarray(picture[:height, :width])


@cache
def _thread() -> tuple[ThreadPoolExecutor, int]:
    """The thread that OpenGL belongs to, and the id of their process."""
    return ThreadPoolExecutor(1, "opengl"), os.getpid()


@cache
def _opengl() -> tuple[Any, Any]:
    """The module pyrender, and the renderer."""
    platform = os.environ.get("PYOPENGL_PLATFORM")
    if platform not in (None, "egl") or ("OpenGL" in sys.modules and platform is None):
        raise ImportError(
            f"OpenGL was set up for {platform or 'a screen'} before motionrep could ask for EGL; "
            "set the environment variable PYOPENGL_PLATFORM=egl before anything imports OpenGL or pyrender"
        )
    os.environ |= {"PYOPENGL_PLATFORM": "egl", "PYGLET_HEADLESS": "true"}  # both are read on import
    import pyrender  # pyright: ignore[reportMissingImports]

    return pyrender, pyrender.OffscreenRenderer(_STEP_PX, _STEP_PX)


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
