"""Reads pyskl's pickles of skeletons for action recognition: NTU RGB+D, and any other set in that format."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.pickles import MALFORMED, as_array, as_items, as_text, read_pickle
from motionrep.keypoints.unseen import without_unseen
from motionrep.layouts import COCO_17, OPENPOSE_18, JointLayout
from motionrep.types import Keypoints

_WHAT = "skeleton file of pyskl"
_LAYOUTS = {layout.joint_count: layout for layout in (COCO_17, OPENPOSE_18)}


@dataclass(frozen=True)
class PysklFile:
    """An open file: the names in each of its splits, and the recordings by name."""

    path: Path
    splits: dict[str, tuple[str, ...]]
    annotations: dict[str, dict[str, Any]]

    def clips(
        self,
        names: Collection[str],
        labels: Collection[str] | None = None,
        layout: JointLayout | None = None,
        fps: float = 30.0,
    ) -> list[LabelledClip]:
        """The recordings of these names as clips, in the file's order.

        Persons who were never seen are left out, except the first. The class is its number as text, or its name where
        `labels` lists them.

        Args:
            layout: Joint order; None is COCO's for 17 joints and OpenPose's for 18.
            fps: Frame rate, which the file does not tell; NTU RGB+D has 30.

        Raises:
            ValueError: A recording is missing, or something in it is wrong; names recording and field.
        """
        return [clip.read() for clip in self.listed(names, labels, layout, fps)]

    def listed(
        self,
        names: Collection[str],
        labels: Collection[str] | None = None,
        layout: JointLayout | None = None,
        fps: float = 30.0,
    ) -> list[ListedClip]:
        """The clips of `clips`, made one by one when they are needed; arguments and errors are the same."""
        if lacking := [name for name in names if name not in self.annotations]:
            raise ValueError(f"{self.path}: no annotation of {', '.join(lacking[:3])} ({len(lacking)} are missing)")
        wanted, known = set(names), None if labels is None else tuple(labels)
        return [
            ListedClip(
                name,
                partial(_clip, self.path, name, of, known, layout, fps),
                action=_action(self.path, name, of, known),
            )
            for name, of in self.annotations.items()
            if name in wanted
        ]


def read_pyskl(path: Path | str) -> PysklFile:
    """Opens a file such as `ntu60_hrnet.pkl`; nothing in it is run.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, or one of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a {_WHAT}")
    return pyskl_file(path, read_pickle(path, _WHAT))


def pyskl_file(path: Path, content: Any) -> PysklFile:
    """`read_pyskl` for the content of a file that was read already, by `read_pickle`."""
    if not isinstance(content, dict) or not {"split", "annotations"} <= content.keys():
        held = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
        raise ValueError(f"{path}: a {_WHAT} has 'split' and 'annotations', this file holds {held}")
    try:
        splits = {str(name): tuple(map(as_text, as_items(of))) for name, of in content["split"].items()}
        items = [(as_text(item["frame_dir"]), item) for item in as_items(content["annotations"])]
    except MALFORMED as error:
        raise ValueError(
            f"{path}: 'split' should list names, and 'annotations' dicts with 'frame_dir' "
            f"({type(error).__name__}: {error})"
        ) from error
    annotations = dict(items)
    if len(annotations) < len(items):
        twice = next(name for name, count in Counter(name for name, _ in items).items() if count > 1)
        raise ValueError(f"{path}: {twice!r} is the 'frame_dir' of more than one annotation, so splits cannot name one")
    return PysklFile(path, splits, annotations)


def load_pyskl(
    path: Path | str, split: str | None = None, labels: Collection[str] | None = None, fps: float = 30.0
) -> list[LabelledClip]:
    """The clips of one split of a file, or all; see `PysklFile.clips`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, or no such split.
    """
    file = read_pyskl(path)
    if split is not None and split not in file.splits:
        raise ValueError(f"{file.path}: no split {split!r} (it has {', '.join(file.splits)})")
    return file.clips(file.annotations.keys() if split is None else file.splits[split], labels, fps=fps)


def _clip(
    path: Path,
    name: str,
    stored: dict[str, Any],
    labels: tuple[str, ...] | None,
    layout: JointLayout | None,
    fps: float,
) -> LabelledClip:
    where = f"{path}: annotation {name!r}"
    if "keypoint" not in stored:
        raise ValueError(f"{where}: no 'keypoint'; pyskl keeps those of Kinetics in further files, which are not read")
    keypoint = _array(where, stored, "keypoint")
    if keypoint.ndim != 4 or not keypoint.size:
        raise ValueError(f"{where}: 'keypoint' should be (persons, frames, joints, 2), got {keypoint.shape}")
    if keypoint.shape[3] == 3:
        raise ValueError(f"{where}: 'keypoint' is 3D; use the file of 2D keypoints, such as ntu60_hrnet.pkl")
    known = layout or _LAYOUTS.get(keypoint.shape[2])
    if known is None or known.joint_count != keypoint.shape[2]:
        raise ValueError(f"{where}: 'keypoint' has {keypoint.shape[2]} joints; pass layout= with as many")
    score = _array(where, stored, "keypoint_score") if "keypoint_score" in stored else np.ones(keypoint.shape[:3])
    if score.shape != keypoint.shape[:3]:
        raise ValueError(f"{where}: 'keypoint_score' should be {keypoint.shape[:3]}, got {score.shape}")
    size = _whole(where, stored, "img_shape", 2, "height and width")
    action = _action(path, name, stored, labels)
    if not np.isfinite(keypoint).any():
        raise ValueError(f"{where}: 'keypoint' is NaN throughout; it should be in pixels")
    xy_px, confidence = without_unseen(
        torch.from_numpy(keypoint.astype(np.float32)), torch.from_numpy(score.astype(np.float32)), (size[1], size[0])
    )
    try:
        persons = [
            Keypoints(xy, seen, known, fps, size[1], size[0], str(index))
            for index, (xy, seen) in enumerate(zip(xy_px, confidence, strict=True))
        ]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    others = tuple(person for person in persons[1:] if bool((person.confidence > 0).any()))
    return LabelledClip(name, persons[0], action=action, others=others)


def _action(path: Path, name: str, stored: dict[str, Any], labels: tuple[str, ...] | None) -> str:
    where = f"{path}: annotation {name!r}"
    label = stored.get("label")
    if type(label) is not int:  # most are, and there can be 100 000
        (label,) = _whole(where, stored, "label", 1, "a number")
    if labels is not None and not 0 <= label < len(labels):
        raise ValueError(f"{where}: 'label' is {label}, there are {len(labels)} classes")
    return str(label) if labels is None else labels[label]


def _whole(where: str, stored: dict[str, Any], name: str, count: int, what: str) -> list[int]:
    values = _array(where, stored, name).ravel()
    if values.shape != (count,) or not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
        raise ValueError(f"{where}: {name!r} should be {what}, got {values.tolist()}")
    return [int(value) for value in values]


def _array(where: str, stored: dict[str, Any], name: str) -> np.ndarray:
    try:
        return as_array(stored[name])
    except MALFORMED as error:
        raise ValueError(f"{where}: no {name!r} that can be read ({type(error).__name__}: {error})") from error
