"""Writes a numbered mesh file for each frame."""

import glob
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motionrep.files.progress import progress_bar
from motionrep.motion.writers.scene import Scene, surfaces


def write_sequence(scene: Scene, as_bytes: Callable[[np.ndarray, np.ndarray], bytes], path: Path) -> None:
    """`walk.obj` becomes `walk_000000.obj`, `walk_000001.obj` ...; frames of a longer export before are removed.

    All meshes are written to a folder beside before the first one takes its name.

    Args:
        as_bytes: The content of a file with these vertices and faces.
    """
    (person,) = scene.people
    faces = person.body.faces.numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        meshes = progress_bar(surfaces(person, scene), "meshes", "frame", scene.progress, person.motion.frame_count)
        for frame, vertex in enumerate(meshes):
            (Path(folder) / f"{path.stem}_{frame:06d}{path.suffix}").write_bytes(as_bytes(vertex, faces))
        for older in path.parent.glob(f"{glob.escape(path.stem)}_[0-9][0-9][0-9][0-9][0-9][0-9]{path.suffix}"):
            older.unlink()
        for written in sorted(Path(folder).iterdir()):
            written.replace(path.parent / written.name)
