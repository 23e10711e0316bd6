"""Whether another renderer works here, found out by drawing a triangle with it.

It runs in a process of its own, since graphics drivers can end the process that calls them:
`python -P probe.py RENDERER SYSTEM`. This file therefore imports nothing of motionrep.
"""

import ctypes
import os
import signal
import subprocess
import sys
from functools import cache
from typing import Any

_LIMIT_S = 120
_EGL_PLATFORM_DEVICE, _EGL_RENDERABLE_TYPE, _EGL_OPENGL_BIT, _EGL_NONE = 0x313F, 0x3040, 0x0008, 0x3038
_EGL_CONTEXT_MAJOR, _EGL_CONTEXT_MINOR, _EGL_OPENGL_API, _GL_RENDERER = 0x3098, 0x30FB, 0x30A2, 0x1F01
_TRIANGLE_M = [[-1.0, -1.0, -2.0], [1.0, -1.0, -2.0], [0.0, 1.0, -2.0]]


@cache
def tried_once(renderer: str, system: str) -> str:
    """As `tried_apart`, tried once in the life of this process.

    Raises:
        RuntimeError: It does not work; the message names a remedy.
    """
    try:
        return tried_apart(renderer, system)
    except RuntimeError as error:
        hint = "; on Debian: apt-get install libegl1 libgl1" if renderer != "pytorch3d" else ""
        raise RuntimeError(f"{renderer} does not work here ({error}{hint}); use the back end 'raster'") from error


def tried_apart(renderer: str, *systems: str) -> str:
    """What `renderer`, one of `TRIALS`, draws with on the first of the systems on which it works.

    Raises:
        RuntimeError: It works on none; the message has the last line of each error, or how the process ended.
    """
    errors = []
    for system in systems:
        command = [sys.executable, "-P", __file__, renderer, system]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            errors.append(f"{system}: no picture within {_LIMIT_S} s")
            continue
        if done.returncode == 0:
            return f"{system}, {done.stdout.strip().splitlines()[-1]}"
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        ended = f"ended by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else last
        errors.append(f"{system}: {ended}")
    raise RuntimeError("; ".join(errors))


def opengl(system: str) -> str:
    """What OpenGL calls its renderer on the EGL device that pyrender would take. The only system is "egl".

    It calls the C libraries alone, which takes a tenth of the time of importing pyrender.
    """
    pointer, number = ctypes.c_void_p, ctypes.c_int
    egl, gl = ctypes.CDLL(f"lib{system.upper()}.so.1"), ctypes.CDLL("libGL.so.1")
    egl.eglGetProcAddress.restype = egl.eglCreateContext.restype = pointer
    gl.glGetString.restype = ctypes.c_char_p

    def extension(name: bytes, result: type, *arguments: type):
        return ctypes.CFUNCTYPE(result, *arguments)(egl.eglGetProcAddress(name))

    query_devices = extension(b"eglQueryDevicesEXT", number, number, pointer, pointer)
    display_of = extension(b"eglGetPlatformDisplayEXT", pointer, number, pointer, pointer)
    devices, count = (pointer * 64)(), number()
    query_devices(64, devices, ctypes.byref(count))
    index = int(os.environ.get("EGL_DEVICE_ID", "0"))
    if not 0 <= index < count.value:
        raise RuntimeError(f"EGL has {count.value} devices, EGL_DEVICE_ID is {index}")
    display = pointer(display_of(_EGL_PLATFORM_DEVICE, devices[index], None))
    config = pointer()
    wanted = (number * 3)(_EGL_RENDERABLE_TYPE, _EGL_OPENGL_BIT, _EGL_NONE)
    version = (number * 5)(_EGL_CONTEXT_MAJOR, 4, _EGL_CONTEXT_MINOR, 1, _EGL_NONE)
    if not egl.eglInitialize(display, None, None):
        raise RuntimeError("EGL has no driver for its device")
    egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count))
    egl.eglBindAPI(_EGL_OPENGL_API)
    context = pointer(egl.eglCreateContext(display, config, None, version))
    if not egl.eglMakeCurrent(display, None, None, context):
        raise RuntimeError("the driver has no OpenGL 4.1")
    return gl.glGetString(_GL_RENDERER).decode()


def pyrender(platform: str) -> str:
    """Draws with pyrender on egl or osmesa. Returns what OpenGL calls its renderer."""
    os.environ |= {"PYOPENGL_PLATFORM": platform, "PYGLET_HEADLESS": "true"}  # both are read on import
    import numpy as np
    import pyrender  # pyright: ignore[reportMissingImports]
    from OpenGL.GL import GL_RENDERER, glGetString  # pyright: ignore[reportMissingImports]

    primitive = pyrender.Primitive(positions=np.array(_TRIANGLE_M), normals=np.tile([0.0, 0.0, 1.0], (3, 1)))
    scene = pyrender.Scene()
    scene.add(pyrender.Mesh([primitive]))
    scene.add(pyrender.PerspectiveCamera(yfov=1.0), pose=np.eye(4))
    renderer = pyrender.OffscreenRenderer(16, 16)
    drawn: Any = renderer.render(scene)
    if not drawn[1].any():
        raise RuntimeError("the picture is empty")
    name: Any = glGetString(GL_RENDERER)
    return name.decode()


def pytorch3d(device: str) -> str:
    """Finds the face at each pixel with PyTorch3D on cuda or cpu. Returns its version."""
    import pytorch3d  # pyright: ignore[reportMissingImports]
    import torch
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore[reportMissingImports]
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    triangle_m = torch.tensor(_TRIANGLE_M, device=device) * torch.tensor([1.0, 1.0, -1.0], device=device)
    meshes = Meshes([triangle_m], [torch.tensor([[0, 1, 2]], device=device)])
    if not bool((rasterize_meshes(meshes, 16)[0] == 0).any()):
        raise RuntimeError("the picture is empty")
    return pytorch3d.__version__


TRIALS = {"opengl": opengl, "pyrender": pyrender, "pytorch3d": pytorch3d}

if __name__ == "__main__":
    sys.stdout.write(TRIALS[sys.argv[1]](sys.argv[2]) + "\n")
