"""Says which labelled data set a path is, and which of its clips train and which validate, as its protocol has it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from motionrep.datasets.benchmarks.clip_index import list_clip_index
from motionrep.datasets.benchmarks.h36m import TEST_SUBJECTS, TRAINING_SUBJECTS, list_h36m
from motionrep.datasets.benchmarks.labelled import ListedClip
from motionrep.datasets.benchmarks.motionbert_files import list_motionbert_h36m, list_motionbert_mesh
from motionrep.datasets.benchmarks.mpi_inf_3dhp import list_mpi_inf_3dhp
from motionrep.datasets.benchmarks.ntu import NtuName, parse_ntu_name
from motionrep.datasets.benchmarks.pyskl import PysklFile, pyskl_file
from motionrep.datasets.benchmarks.threedpw import list_threedpw
from motionrep.files.pickles import as_items, as_text, read_pickle
from motionrep.keypoints.ntu_actions import NTU_ACTIONS

Gives = Literal["joints", "body", "action"]
_H36M_SOURCE = re.compile(r"s_\d+_act_")
# Of each NTU protocol the number of classes, and which recordings train; the others test. One-shot recognition trains
# on the 100 classes that are not novel, of which every tenth subject validates.
_NTU: dict[str, tuple[int, Callable[[NtuName], bool]]] = {
    "ntu60-xsub": (60, lambda name: name.trains_xsub),
    "ntu60-xview": (60, lambda name: name.trains_xview),
    "ntu120-xsub": (120, lambda name: name.trains_xsub),
    "ntu120-xset": (120, lambda name: name.trains_xset),
    "ntu120-oneshot": (120, lambda name: name.subject % 10 != 0),
}


@dataclass(frozen=True)
class LabelledSet:
    """A labelled data set.

    Attributes:
        gives: What is known of its clips: 3D `joints`, a `body` (and with it joints), or only the `action`.
        protocol: The published protocol that scores it; None for data of one's own.
        scored: The file or folder that the protocol reads.
        options: Options of the protocol that follow from the path.
    """

    name: str
    gives: Gives
    train: list[ListedClip]
    val: list[ListedClip]
    protocol: str | None = None
    scored: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def labelled_set(
    path: Path, protocol: str | None = None, options: Mapping[str, str] | None = None, body: str = "open"
) -> LabelledSet | None:
    """The labelled data set at a path; None for a folder of motion files.

    * A folder with `data_3d_h36m.npz`, or one of its `data_2d_h36m_*.npz`: Human3.6M. S1, S5 to S8 train, S9 and S11
      validate.
    * A folder with `data_train_3dhp.npz`, or that file: MPI-INF-3DHP, S1 to S8 and TS1 to TS6.
    * A folder with `sequenceFiles`: 3DPW, `train` and `validation`.
    * A .pkl of MotionBERT (Human3.6M with detections, or meshes): `train` and `test`.
    * A .pkl of pyskl: NTU RGB+D by `protocol`; another set by its splits ending in `train` and `val`.
    * A .csv: clips of one's own (`clip_index`), by its column `split`, train and val.

    Args:
        protocol: Which of NTU RGB+D's protocols.
        options: Those of the protocol that say how data are read: `detector`, `fps`, `male`, `female`.
        body: What `load_body_model` takes, for MotionBERT's mesh files.

    Raises:
        FileNotFoundError: A file of the set is missing.
        ValueError: A file that is none of these, a broken one, or no protocol for NTU RGB+D.
    """
    options = dict(options or {})
    if path.is_dir():
        if (path / "data_3d_h36m.npz").is_file():
            return _h36m(path, options.get("detector"))
        if (path / "data_train_3dhp.npz").is_file():
            return _mpi_inf_3dhp(path, float(options.get("fps", 25)))
        return _threedpw(path, options) if (path / "sequenceFiles").is_dir() else None
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such folder or file")
    if path.suffix == ".csv":
        train, val = (list_clip_index(path, split) for split in ("train", "val"))
        return LabelledSet("clips of a CSV file", "action", train, val)
    if path.name.startswith("data_2d_h36m_"):
        return _h36m(path.parent, path.stem.removeprefix("data_2d_h36m_"))
    if path.name == "data_train_3dhp.npz":
        return _mpi_inf_3dhp(path.parent, float(options.get("fps", 25)))
    if path.suffix == ".pkl":
        return _of_pickle(path, protocol, body)
    raise ValueError(
        f"{path}: to train on, give a folder of motion files, or a labelled data set: Human3.6M or MPI-INF-3DHP in "
        "VideoPose3D's and P-STMO's .npz, 3DPW's folder, a .pkl of MotionBERT or pyskl, or a .csv of clips"
    )


def _h36m(folder: Path, detector: str | None) -> LabelledSet:
    train, val = (list_h36m(folder, detector, subjects) for subjects in (TRAINING_SUBJECTS, TEST_SUBJECTS))
    options = {} if detector is None else {"detector": detector}
    return LabelledSet("Human3.6M", "joints", train, val, "h36m", folder, options)


def _mpi_inf_3dhp(folder: Path, fps: float) -> LabelledSet:
    train, val = list_mpi_inf_3dhp(folder, "train"), list_mpi_inf_3dhp(folder, "test", fps)
    return LabelledSet("MPI-INF-3DHP", "joints", train, val, "3dhp", folder)


def _threedpw(folder: Path, options: Mapping[str, str]) -> LabelledSet:
    bodies = options.get("male", "smpl-male"), options.get("female", "smpl-female")
    train, val = (list_threedpw(folder, split, *bodies) for split in ("train", "validation"))
    return LabelledSet("3DPW", "body", train, val, "3dpw", folder)


def _of_pickle(path: Path, protocol: str | None, body: str) -> LabelledSet:
    content = read_pickle(path, "labelled data set of MotionBERT or pyskl")
    held = content if isinstance(content, dict) else {}
    if {"split", "annotations"} <= held.keys():
        return _skeletons(pyskl_file(path, content), protocol)
    fields = held.get("train")
    if isinstance(fields, dict) and "smpl_pose" in fields:
        return _meshes(path, content, fields, body)
    if isinstance(fields, dict) and "joints_2.5d_image" in fields:
        train, val = (list_motionbert_h36m(path, split, content) for split in ("train", "test"))
        return LabelledSet("Human3.6M of MotionBERT", "joints", train, val, "h36m", path)
    raise ValueError(
        f"{path}: a labelled data set has 'split' and 'annotations' (pyskl), or 'train' and 'test' with "
        f"'joints_2.5d_image' or 'smpl_pose' (MotionBERT); this file holds {', '.join(map(str, held)) or 'none'}"
    )


def _meshes(path: Path, content: Any, fields: dict[str, Any], body: str) -> LabelledSet:
    """Rates and sizes are as MotionBERT takes them: its videos count as square, and so do COCO's single pictures."""
    sources = [as_text(source) for source in as_items(fields["source"])[:2]]
    fps = 50.0 if _H36M_SOURCE.match(sources[0]) else 30.0
    pictures = len(set(sources)) == len(sources) > 1
    size_px = (640, 640) if pictures else (1920, 1920)
    known = {"camera_name", "img_hw"} & fields.keys()
    train, val = (
        list_motionbert_mesh(
            path, split, body_model="smpl-neutral" if body == "open" else body, fps=fps,
            size_px=None if known else size_px, content=content,
        )
        for split in ("train", "test")
    )  # fmt: skip
    return LabelledSet("meshes of MotionBERT", "body", train, val, "motionbert-mesh", path)


def _skeletons(file: PysklFile, protocol: str | None) -> LabelledSet:
    try:
        names = {name: parse_ntu_name(name) for name in file.annotations}
    except ValueError:
        return _own_splits(file)
    if protocol not in _NTU:
        told = "" if protocol is None else f", got {protocol!r}"
        raise ValueError(f"{file.path}: NTU RGB+D has several splits; set protocol to one of {', '.join(_NTU)}{told}")
    classes, trains = _NTU[protocol]
    kept = {
        name: said
        for name, said in names.items()
        if said.action <= classes and not (protocol == "ntu120-oneshot" and said.is_novel)
    }
    parts = ([name for name, said in kept.items() if trains(said) is part] for part in (True, False))
    train, val = (file.listed(part, NTU_ACTIONS) for part in parts)
    return LabelledSet(f"NTU RGB+D, {protocol}", "action", train, val, protocol, file.path)


def _own_splits(file: PysklFile) -> LabelledSet:
    found = [[name for name in file.splits if name.endswith(end)] for end in ("train", "val")]
    if [len(names) for names in found] != [1, 1]:
        raise ValueError(
            f"{file.path}: needs one split ending in 'train' and one ending in 'val', it has {', '.join(file.splits)}; "
            "keep two of them in a copy of the file"
        )
    train, val = (file.listed(file.splits[names[0]]) for names in found)
    return LabelledSet("skeletons of pyskl", "action", train, val)
