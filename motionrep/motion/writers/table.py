"""Which module writes which kind of motion file: one line for each suffix."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["m", "cm"]


@dataclass(frozen=True)
class Writer:
    """How motion is written to files of a suffix.

    The function `write` of `module` takes a `writers.scene.Scene` and the path. `name` is for lists, `one_person` says
    that a file holds one person only, and `units` are the units of length that it may have. `file_per_frame`: there is
    a file for each frame, in a folder. `keeps_axes`: motion in the camera's axes stays in them.
    """

    name: str
    module: str
    one_person: bool = True
    units: tuple[Unit, ...] = ("m", "cm")
    file_per_frame: bool = False
    keeps_axes: bool = False


WRITERS: dict[str, Writer] = {
    ".glb": Writer("GLB", "motionrep.motion.writers.gltf", one_person=False),
    ".bvh": Writer("BVH", "motionrep.motion.writers.bvh"),
    ".obj": Writer("OBJ", "motionrep.motion.writers.obj", file_per_frame=True),
    ".ply": Writer("PLY", "motionrep.motion.writers.ply", file_per_frame=True),
    ".npz": Writer("AMASS's .npz", "motionrep.motion.writers.amass", units=("m",)),
}
# Other formats of files with the suffix .npz, by the name that users say.
FORMATS: dict[str, Writer] = {
    "smplx": Writer(
        "arguments of the package smplx", "motionrep.motion.writers.smplx_arguments", units=("m",), keeps_axes=True
    ),
}


def writer_of(suffix: str, kind: str | None) -> Writer:
    """The writer of a format, or of a suffix where none is named.

    Raises:
        ValueError: No such format or suffix, or a format in a file of another suffix.
    """
    if kind is None:
        if suffix not in WRITERS:
            raise ValueError(f"unknown kind of file {suffix!r}; motion is exported to {', '.join(WRITERS)}")
        return WRITERS[suffix]
    if kind not in FORMATS:
        raise ValueError(f"unknown format {kind!r} (known: {', '.join(FORMATS)}); other files are told by their suffix")
    if suffix != ".npz":
        raise ValueError(f"format {kind!r} is written to .npz files, got {suffix!r}")
    return FORMATS[kind]
