"""Whether another renderer works here, found out by drawing a triangle with it.

A process of its own, since graphics drivers can end the process that calls them: `python -P probe.py RENDERER SYSTEM`.
"""

import os
import signal
import subprocess
import sys

_LIMIT_S = 120
_TRIANGLE_M = [[-1.0, -1.0, -2.0], [1.0, -1.0, -2.0], [0.0, 1.0, -2.0]]


def tried_apart(renderer: str, *systems: str) -> str:
    """What `renderer`, pyrender or pytorch3d, draws with on the first of the systems on which it works.

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
    _, depth = renderer.render(scene)
    if not depth.any():
        raise RuntimeError("the picture is empty")
    return glGetString(GL_RENDERER).decode()


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


if __name__ == "__main__":
    sys.stdout.write({"pyrender": pyrender, "pytorch3d": pytorch3d}[sys.argv[1]](sys.argv[2]) + "\n")
