"""Writes a numbered mesh file for each frame."""

import glob
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motionrep.files.progress import progress_bar
from motionrep.files.writing import temporary_beside
from motionrep.motion.writers.scene import Scene, surfaces

logger = logging.getLogger(__name__)


def write_sequence(scene: Scene, as_bytes: Callable[[np.ndarray, np.ndarray], bytes], path: Path) -> None:
    """`walk.obj` becomes `walk_000000.obj`, `walk_000001.obj` ...; frames of a longer export before are removed.

    All meshes are written to a folder beside before the first one takes its name.

    Args:
        as_bytes: The content of a file with these vertices and faces.
    """
    (person,) = scene.people
    faces = person.body.faces.numpy()
    with temporary_beside(path) as folder:
        folder.mkdir()
        meshes = progress_bar(surfaces(person, scene), "meshes", "frame", scene.progress, person.motion.frame_count)
        for frame, vertex in enumerate(meshes):
            (folder / f"{path.stem}_{frame:06d}{path.suffix}").write_bytes(as_bytes(vertex, faces))
        older = set(path.parent.glob(f"{glob.escape(path.stem)}_[0-9][0-9][0-9][0-9][0-9][0-9]{path.suffix}"))
        if older:
            logger.info("%s: replaced an older sequence", path)
        for written in sorted(folder.iterdir()):
            older.discard(written.replace(path.parent / written.name))
        for frame in older:
            frame.unlink()
