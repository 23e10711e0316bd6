"""Reads MPI-INF-3DHP in the files of P-STMO, which later work also uses."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.pickles import MALFORMED, array_of, as_array, read_npz_object
from motionrep.keypoints.unseen import without_zeros
from motionrep.layouts import MPI_INF_3DHP_17
from motionrep.types import JointMotion, Keypoints

TEST_SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
# Frames of each that count, by the data set's documentation.
TEST_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}
_OUTDOOR = ("TS5", "TS6")
_WHAT = "MPI-INF-3DHP file of P-STMO"


def load_mpi_inf_3dhp(
    path: Path | str, split: Literal["train", "test"] = "test", fps: float = 25.0
) -> list[LabelledClip]:
    """The sequences of `data_test_3dhp.npz`, or each camera of each sequence of `data_train_3dhp.npz`.

    Joints are the 17 that the field scores (`MPI_INF_3DHP_17`), in metres and camera axes. 2D is the file's, without
    confidence, so all count as seen. Pictures of TS5 and TS6 are 1920 x 1080 px, all others 2048 x 2048. `counted` is
    the file's `valid`. The joints are `univ_annot3` (everybody scaled to one height) or `annot3` (true size), depending
    on what the file was made from; the file does not say.

    Args:
        path: The file, or the folder that it is in.
        fps: Frame rate of the test sequences, which the file does not tell; training sequences have their own.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is broken or of another kind; names the key.
    """
    return [clip.read() for clip in list_mpi_inf_3dhp(path, split, fps)]


def list_mpi_inf_3dhp(
    path: Path | str, split: Literal["train", "test"] = "test", fps: float = 25.0
) -> list[ListedClip]:
    """The clips of `load_mpi_inf_3dhp`, made one by one when they are needed; arguments and errors are the same."""
    path = Path(path)
    if path.is_dir():
        path = path / f"data_{split}_3dhp.npz"
    content = read_npz_object(path, "data", _WHAT)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: 'data' should be a dict of sequences")
    if split == "train":
        return [clip for name, stored in content.items() for clip in _training_clips(path, name, stored)]
    if unknown := [str(name) for name in content if name not in TEST_SEQUENCES]:
        raise ValueError(
            f"{path}: 'data' should have the test sequences {', '.join(TEST_SEQUENCES)}, got {', '.join(unknown)}; "
            "for training sequences pass split='train'"
        )
    return [_listed(path, f"data[{name!r}]", name, stored, fps, "test") for name, stored in content.items()]


def _listed(path: Path, key: str, name: str, stored: Any, fps: float, split: str) -> ListedClip:
    read, subject = partial(_clip, path, key, name, stored, fps, split), name.split(" ")[0]
    frames = len(_array(path, key, stored, "data_3d", 3))
    return ListedClip(name, read, frames, fps, subject=subject, split=split)


def _training_clips(path: Path, name: str, stored: Any) -> list[ListedClip]:
    key = f"data[{name!r}]"
    if not isinstance(stored, Sequence) or len(stored) != 2 or not isinstance(stored[0], dict):
        raise ValueError(f"{path}: {key} should be a list of cameras and frame rate, as P-STMO's training file has it")
    try:
        fps = float(as_array(stored[1]))
    except MALFORMED as error:
        raise ValueError(f"{path}: {key}[1] should be a frame rate: {error}") from error
    return [_listed(path, f"{key}[0][{c!r}]", f"{name} {c}", of, fps, "train") for c, of in stored[0].items()]


def _clip(path: Path, key: str, name: str, stored: Any, fps: float, split: str) -> LabelledClip:
    xy_px = _array(path, key, stored, "data_2d", 2)
    position_mm = _array(path, key, stored, "data_3d", 3)
    frames = len(position_mm)
    if len(xy_px) != frames or not frames:
        raise ValueError(f"{path}: {key} has {len(xy_px)} frames of 'data_2d' and {frames} of 'data_3d'")
    if float(np.abs(position_mm).max()) < 20:
        raise ValueError(f"{path}: {key}['data_3d'] should be in millimetres; its values are below 20, as if in metres")
    counted = None
    if split == "test":
        valid = _array(path, key, stored, "valid", None).reshape(-1)
        if len(valid) != frames:
            raise ValueError(f"{path}: {key} has {len(valid)} frames of 'valid' and {frames} of 'data_3d'")
        counted = torch.from_numpy(valid != 0)
    width_px, height_px = (1920, 1080) if name in _OUTDOOR else (2048, 2048)
    try:
        seen = torch.from_numpy(xy_px.astype(np.float32))
        keypoints = Keypoints(
            *without_zeros(seen, torch.ones_like(seen[..., 0])), MPI_INF_3DHP_17, fps, width_px, height_px
        )
        position_m = torch.from_numpy((position_mm / 1000).astype(np.float32))
        target = JointMotion(position_m, MPI_INF_3DHP_17, fps, "camera")
    except ValueError as error:
        raise ValueError(f"{path}: {key}: {error}") from error
    subject = name.split(" ")[0]
    return LabelledClip(name, keypoints, target, counted, subject=subject, split=split)


def _array(path: Path, key: str, stored: Any, name: str, columns: int | None) -> np.ndarray:
    if not isinstance(stored, dict) or name not in stored:
        held = ", ".join(map(str, stored)) if isinstance(stored, dict) else f"a {type(stored).__name__}"
        raise ValueError(f"{path}: {key} should have {name!r}, it has {held}")
    array = array_of(path, f"{key}[{name!r}]", stored[name])
    if columns is not None and (array.ndim != 3 or array.shape[1:] != (17, columns)):
        raise ValueError(f"{path}: {key}[{name!r}] should be (frames, 17, {columns}), got {array.shape}")
    return array
