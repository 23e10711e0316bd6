"""OBJ: one text file with a mesh for each frame."""

from pathlib import Path

import numpy as np

from motionrep.motion.writers.meshes import write_sequence
from motionrep.motion.writers.scene import Scene


def write(scene: Scene, path: Path) -> None:
    write_sequence(scene, _bytes, path)


def _bytes(vertex: np.ndarray, faces: np.ndarray) -> bytes:
    lines = "v %.6f %.6f %.6f\n" * len(vertex) % tuple(vertex.ravel().tolist())
    return (lines + "f %d %d %d\n" * len(faces) % tuple((faces + 1).ravel().tolist())).encode()
