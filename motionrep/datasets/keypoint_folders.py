"""Reads folders of keypoint files, to train on."""

from pathlib import Path

from motionrep.files.writing import visible_files
from motionrep.keypoints.loading import load_keypoints
from motionrep.types import Keypoints


def load_keypoint_folder(folder: Path) -> list[Keypoints]:
    """Every person of every .npz of keypoints below a folder, sorted by path.

    Raises:
        FileNotFoundError: No such folder, or no .npz file below it.
        ValueError: A file that `load_keypoints` refuses, or a detector's .json, which lacks the size of the picture.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    paths = [path for path in visible_files(folder) if path.suffix.lower() in (".json", ".npz")]
    if unsized := [path for path in paths if path.suffix.lower() == ".json"]:
        raise ValueError(
            f"{unsized[0]}: does not say how large the picture is; make an .npz of it with motionrep convert "
            "clip.json --size 1920x1080 --output clip.npz, and keep only that in the folder"
        )
    if not paths:
        raise FileNotFoundError(f"{folder}: no .npz of keypoints, as motionrep convert writes them, below it")
    return [person for path in paths for person in load_keypoints(path)]
