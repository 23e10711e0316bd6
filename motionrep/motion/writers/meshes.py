"""Sequences of .obj and .ply meshes."""

import glob
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


def _write_sequence(
    meshes: Iterator[np.ndarray], faces: np.ndarray, as_bytes: Callable[[np.ndarray, np.ndarray], bytes], path: Path
) -> None:
    """All meshes are written to a folder beside before the first one takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        for frame, vertex in enumerate(meshes):
            (Path(folder) / f"{path.stem}_{frame:06d}{path.suffix}").write_bytes(as_bytes(vertex, faces))
        for older in path.parent.glob(f"{glob.escape(path.stem)}_[0-9][0-9][0-9][0-9][0-9][0-9]{path.suffix}"):
            older.unlink()
        for written in sorted(Path(folder).iterdir()):
            written.replace(path.parent / written.name)


def _obj_bytes(vertex: np.ndarray, faces: np.ndarray) -> bytes:
    lines = "v %.6f %.6f %.6f\n" * len(vertex) % tuple(vertex.ravel().tolist())
    return (lines + "f %d %d %d\n" * len(faces) % tuple((faces + 1).ravel().tolist())).encode()


def _ply_bytes(vertex: np.ndarray, faces: np.ndarray) -> bytes:
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertex)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    polygons = np.empty(len(faces), [("corners", "u1"), ("vertex", "<i4", 3)])
    polygons["corners"], polygons["vertex"] = 3, faces
    return header.encode() + vertex.astype("<f4").tobytes() + polygons.tobytes()
