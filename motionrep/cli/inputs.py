"""Which kind of file a command was given."""

import zipfile
from pathlib import Path

import motionrep
from motionrep.cli.options import Size
from motionrep.files.writing import BROKEN_NPZ
from motionrep.types import Keypoints


def load_people(path: Path, layout: str | None, fps: float | None, size: Size | None) -> list[Keypoints]:
    if is_motion(path):
        raise ValueError(f"{path}: holds a motion, not keypoints; motionrep render shows it, convert reads it")
    return motionrep.load_keypoints(path, layout, fps, size)


def one_of(people: list[Keypoints], person: int, path: Path) -> Keypoints:
    """The person that --person names, of those of a keypoint file."""
    if not 0 <= person < len(people):
        raise ValueError(f"{path}: holds {len(people)} person(s), so --person must be 0 to {len(people) - 1}")
    return people[person]


def is_motion(path: Path) -> bool:
    if path.suffix.lower() == ".pt" and path.is_file():  # GVHMR's results, or the weights of a network
        return b"smpl_params_global" in path.read_bytes()
    return path.suffix.lower() in (".bvh", ".pkl") or bool(npz_fields(path) & {"local_rotmat", "position_m", "poses"})


def npz_fields(path: Path) -> set[str]:
    """Names of the arrays of an .npz file; none for any other file."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return set()
    try:
        with zipfile.ZipFile(path) as file:
            return {name.removesuffix(".npy") for name in file.namelist()}
    except BROKEN_NPZ:  # the reader says so
        return set()
