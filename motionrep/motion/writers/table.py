"""Which module writes which kind of motion file: one line for each suffix."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["m", "cm"]


@dataclass(frozen=True)
class Writer:
    """How motion is written to files of a suffix.

    The function `write` of `module` takes a `writers.scene.Scene` and the path. `name` is for lists, `one_person` says
    that a file holds one person only, and `units` are the units of length that it may have.
    """

    name: str
    module: str
    one_person: bool = True
    units: tuple[Unit, ...] = ("m", "cm")


WRITERS: dict[str, Writer] = {
    ".glb": Writer("GLB", "motionrep.motion.writers.gltf", one_person=False),
    ".bvh": Writer("BVH", "motionrep.motion.writers.bvh"),
    ".obj": Writer("OBJ", "motionrep.motion.writers.obj"),
    ".ply": Writer("PLY", "motionrep.motion.writers.ply"),
    ".npz": Writer("AMASS's .npz", "motionrep.motion.writers.amass", units=("m",)),
}
