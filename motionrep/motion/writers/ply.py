"""PLY: one binary file with a mesh for each frame."""

from pathlib import Path

import numpy as np

from motionrep.motion.writers.meshes import write_sequence
from motionrep.motion.writers.scene import Scene


def write(scene: Scene, path: Path) -> None:
    write_sequence(scene, _bytes, path)


def _bytes(vertex: np.ndarray, faces: np.ndarray) -> bytes:
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertex)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    polygons = np.empty(len(faces), [("corners", "u1"), ("vertex", "<i4", 3)])
    polygons["corners"], polygons["vertex"] = 3, faces
    return header.encode() + vertex.astype("<f4").tobytes() + polygons.tobytes()
