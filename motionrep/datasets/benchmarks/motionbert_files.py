"""Reads MotionBERT's pickles, Human3.6M with detections and meshes: one row for each frame, clip after clip."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import roma
import torch

from motionrep.datasets.benchmarks.h36m_cameras import INTRINSICS_PX
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.pickles import MALFORMED, array_of, as_array, as_items, as_text, read_pickle
from motionrep.keypoints.unseen import without_zeros
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion, JointMotion, Keypoints

_FPS = 50.0
Split = Literal["train", "test"]


def load_motionbert_h36m(path: Path | str, split: Split = "test") -> list[LabelledClip]:
    """The clips of `h36m_sh_conf_cam_source_final.pkl` and its like, one for each camera of each recording.

    The target is `joints_2.5d_image` relative to the pelvis, in metres: what an orthographic camera at each frame's
    scale would see, not the joints' places in the camera. Names are those of `source`, such as
    s_09_act_02_subact_01_ca_01. There are 50 frames per second.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is broken or of another kind; names the key.
    """
    return [clip.read() for clip in list_motionbert_h36m(path, split)]


def list_motionbert_h36m(path: Path | str, split: Split = "test", content: Any = None) -> list[ListedClip]:
    """The clips of `load_motionbert_h36m`, made one by one when they are needed; errors are the same.

    Args:
        content: What `read_pickle` gave of the file, if it was read already.
    """
    needed = ("joint_2d", "joints_2.5d_image", "camera_name", "action")
    part = _Part(Path(path), split, "Human3.6M file of MotionBERT", needed, content)
    part.check({"joints_2.5d_image": (17, 3)})
    cameras, actions, clips = part.names("camera_name"), part.names("action"), []
    for source, rows in part.clips():
        camera = cameras[rows.start]
        if camera not in INTRINSICS_PX:
            raise ValueError(
                f"{path}: 'camera_name' is {camera!r} in row {rows.start}; known: {', '.join(INTRINSICS_PX)}"
            )
        labels = actions[rows.start], source.split("_act_")[0], split
        read = partial(_h36m_clip, part, source, rows, INTRINSICS_PX[camera][:2], labels)
        clips.append(ListedClip(source, read, rows.stop - rows.start, _FPS, *labels))
    return clips


def _h36m_clip(
    part: "_Part", source: str, rows: slice, size_px: tuple[int, int], labels: tuple[str, str, str]
) -> LabelledClip:
    position_m = part.rows("joints_2.5d_image", rows) / 1000
    with part.blaming(source):
        keypoints = Keypoints(*part.keypoints(rows), H36M_17, _FPS, *size_px)
        target = JointMotion(position_m - position_m[:, :1], H36M_17, _FPS, "root")
    return LabelledClip(source, keypoints, target, None, None, *labels)


def load_motionbert_mesh(
    path: Path | str,
    split: Split = "test",
    *,
    body_model: str,
    fps: float,
    size_px: tuple[int, int] | None = None,
) -> list[LabelledClip]:
    """The clips of `mesh_det_h36m.pkl`, `mesh_det_pw3d.pkl` or `mesh_det_coco.pkl`, with the SMPL body of each frame.

    The target is a body in camera axes. Its place is not known (translation 0), and its betas are the mean over the
    clip. Frames of one `source` are a clip; COCO's are single pictures.

    Args:
        body_model: SMPL, as `load_body_model` takes it; not read here.
        fps: Frames per second, which the file does not tell: 30 for 3DPW, 50 for Human3.6M.
        size_px: Width and height of the pictures, for files without `img_hw` and `camera_name`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is broken or of another kind, or no picture size is known; names the key.
    """
    listed = list_motionbert_mesh(path, split, body_model=body_model, fps=fps, size_px=size_px)
    return [clip.read() for clip in listed]


def list_motionbert_mesh(
    path: Path | str,
    split: Split = "test",
    *,
    body_model: str,
    fps: float,
    size_px: tuple[int, int] | None = None,
    content: Any = None,
) -> list[ListedClip]:
    """The clips of `load_motionbert_mesh`, made one by one when they are needed; errors are the same.

    Args:
        content: What `read_pickle` gave of the file, if it was read already.
    """
    part = _Part(Path(path), split, "mesh file of MotionBERT", ("joint_2d", "smpl_pose", "smpl_shape"), content)
    part.check({"smpl_pose": (72,), "smpl_shape": (10,)} | ({"img_hw": (2,)} if "img_hw" in part.fields else {}))
    if not {"img_hw", "camera_name"} & part.fields.keys() and size_px is None:
        raise ValueError(f"{path}: has no 'img_hw'; pass size_px=(width, height) in pixels")
    cameras = part.names("camera_name") if "camera_name" in part.fields else []
    clips = []
    for source, rows in part.clips():
        known = INTRINSICS_PX[cameras[rows.start]][:2] if cameras and cameras[rows.start] in INTRINSICS_PX else None
        read = partial(_mesh_clip, part, source, rows, body_model, fps, size_px or known)
        clips.append(ListedClip(source, read, rows.stop - rows.start, fps, split=split))
    return clips


def _mesh_clip(
    part: "_Part", source: str, rows: slice, body_model: str, fps: float, size_px: tuple[int, int] | None
) -> LabelledClip:
    if size_px is None:
        height_px, width_px = (int(number) for number in part.rows("img_hw", slice(rows.start, rows.start + 1))[0])
        size_px = width_px, height_px
    rotmat = roma.rotvec_to_rotmat(part.rows("smpl_pose", rows).unflatten(1, (24, 3)))
    with part.blaming(source):
        keypoints = Keypoints(*part.keypoints(rows), H36M_17, fps, *size_px)
        still, betas = torch.zeros(len(rotmat), 3), part.rows("smpl_shape", rows).mean(0)
        target = BodyMotion(rotmat, still, betas, body_model, fps, "camera")
    return LabelledClip(source, keypoints, target, split=part.split)


class _Part:
    """The train or the test part of a file, whose rows are made into tensors as they are needed.

    Its errors name file and key.
    """

    def __init__(self, path: Path, split: str, what: str, needed: tuple[str, ...], content: Any) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; expected a {what}")
        content = read_pickle(path, what) if content is None else content
        if not isinstance(content, dict) or not isinstance(content.get(split), dict):
            held = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
            raise ValueError(f"{path}: a {what} has {split!r}, a dict of arrays; the file holds {held}")
        self.path, self.split, self.fields = path, split, content[split]
        if lacking := [name for name in (*needed, "source") if name not in self.fields]:
            raise ValueError(f"{path}: {split!r} lacks {', '.join(lacking)}; it has {', '.join(map(str, self.fields))}")
        self.sources = self.names("source")
        self.arrays: dict[str, np.ndarray] = {}
        self._check_keypoints()

    def names(self, name: str) -> list[str]:
        """The name in each row; Human3.6M's actions are numbers in some files."""
        try:
            names = _names(self.fields[name])
        except MALFORMED as error:
            raise ValueError(f"{self.path}: {self.split}[{name!r}] should list names: {error}") from error
        if name != "source" and len(names) != len(self.sources):
            raise ValueError(f"{self.path}: {len(names)} rows of {name!r}, {len(self.sources)} of 'source'")
        return names

    def check(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Takes arrays with one row per frame, of the shapes given for a row."""
        for name, shape in shapes.items():
            array = array_of(self.path, f"{self.split}[{name!r}]", self.fields[name])
            expected = (len(self.sources), *shape)
            if array.shape != expected:
                raise ValueError(f"{self.path}: {self.split}[{name!r}] should be {expected}, got {array.shape}")
            self.arrays[name] = array

    def rows(self, name: str, rows: slice) -> torch.Tensor:
        """Rows of an array that was checked; float32."""
        return torch.from_numpy(self.arrays[name][rows].astype(np.float32))

    def keypoints(self, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels, and confidence, which is 1 in files without."""
        xy_px = self.rows("joint_2d", rows)[..., :2]
        if "confidence" not in self.arrays:
            return without_zeros(xy_px, torch.ones_like(xy_px[..., 0]))
        return without_zeros(xy_px, self.rows("confidence", rows).reshape(-1, 17))

    def _check_keypoints(self) -> None:
        try:
            columns = as_array(self.fields["joint_2d"]).shape[-1:]
            dimensions = as_array(self.fields["confidence"]).ndim if "confidence" in self.fields else 0
        except MALFORMED as error:
            raise ValueError(f"{self.path}: {self.split}['joint_2d'] or ['confidence'] is no array: {error}") from error
        self.check({"joint_2d": (17, *columns)})
        if dimensions:
            self.check({"confidence": (17,) if dimensions == 2 else (17, 1)})

    def clips(self) -> Iterator[tuple[str, slice]]:
        """The rows of each run of equal `source`."""
        starts = [i for i, source in enumerate(self.sources) if not i or source != self.sources[i - 1]]
        for start, stop in pairwise([*starts, len(self.sources)]):
            yield self.sources[start], slice(start, stop)

    @contextmanager
    def blaming(self, source: str) -> Iterator[None]:
        """Puts the file and the clip in front of the messages of ValueErrors."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.path}: {self.split}, source {source!r}: {error}") from error


def _names(value: Any) -> list[str]:
    try:
        return [str(item) if isinstance(item, int) else as_text(item) for item in as_items(value)]
    except TypeError:  # an array of numbers
        return [str(number) for number in as_array(value).tolist()]
