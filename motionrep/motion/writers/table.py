"""Which module writes which kind of motion file: one line for each suffix."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["m", "cm"]


@dataclass(frozen=True)
class Writer:
    """How motion is written to files of a suffix.

    The function `write` of `module` takes a `writers.scene.Scene` and the path. `name` is for lists, `one_person` says
    that a file holds one person only, and `units` are the units of length that it may have. `file_per_frame`: there is
    a file for each frame, in a folder.
    """

    name: str
    module: str
    one_person: bool = True
    units: tuple[Unit, ...] = ("m", "cm")
    file_per_frame: bool = False


WRITERS: dict[str, Writer] = {
    ".glb": Writer("GLB", "motionrep.motion.writers.gltf", one_person=False),
    ".bvh": Writer("BVH", "motionrep.motion.writers.bvh"),
    ".obj": Writer("OBJ", "motionrep.motion.writers.obj", file_per_frame=True),
    ".ply": Writer("PLY", "motionrep.motion.writers.ply", file_per_frame=True),
    ".npz": Writer("AMASS's .npz", "motionrep.motion.writers.amass", units=("m",)),
}
