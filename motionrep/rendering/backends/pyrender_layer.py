"""Surfaces drawn by pyrender with OpenGL, without a screen (EGL).

One renderer for the whole process, in a thread of its own: an EGL context belongs to the thread that made it, and
deleting one renderer ends all others of the process, so it is resized and never deleted.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.raster import NEAR_M
from motionrep.rendering.scene import Surface

_FAR_M = 1000.0
_OPENGL_FROM_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])  # y up, looking along -z
_SAMPLES_PER_SIDE = 2  # pyrender asks for 4 samples per pixel
_STEP_PX = 64


def pyrender_layer(surface: Surface, camera: PinholeCamera, supersample: int) -> Float[Tensor, "height width 4"]:
    """A `scene.Layer` with at least as many samples as asked for; there are always at least 4 per pixel.

    Raises:
        ImportError: pyrender2 is missing, or OpenGL was imported for something else than EGL.
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
    """Colour times opacity, and opacity, 0 to 255; runs in the thread of OpenGL."""
    pyrender, offscreen = _opengl()
    width, height = camera.width_px * scale, camera.height_px * scale
    # Sizes that change a little from frame to frame would have OpenGL make new buffers for each.
    offscreen.viewport_width, offscreen.viewport_height = (-(-size // _STEP_PX) * _STEP_PX for size in (width, height))
    focal_px, (x, y) = camera.focal_px * scale, camera.center_px
    scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
    lens = pyrender.IntrinsicsCamera(focal_px, focal_px, x * scale, y * scale, NEAR_M, _FAR_M)
    world_from_camera = torch.linalg.inv(camera.camera_from_world.double().cpu()).numpy()
    scene.add(lens, pose=world_from_camera @ _OPENGL_FROM_CAMERA)
    vertex_m, color, faces = (t.detach().cpu().numpy() for t in (surface.vertex_m, surface.color, surface.faces))
    scene.add(pyrender.Mesh([pyrender.Primitive(positions=vertex_m, color_0=color, indices=faces)]))
    flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA  # flat: in the colours given, which are lit already
    picture, _ = offscreen.render(scene, flags)
    return np.ascontiguousarray(picture[:height, :width])


@cache
def _thread() -> tuple[ThreadPoolExecutor, int]:
    """The thread that OpenGL belongs to, and the process they are in."""
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
