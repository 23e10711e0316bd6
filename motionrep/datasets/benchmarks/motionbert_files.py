"""Reads MotionBERT's pickles, Human3.6M with detections and meshes: one row for each frame, clip after clip."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import roma
import torch

from motionrep.datasets.benchmarks.h36m_cameras import INTRINSICS_PX
from motionrep.datasets.benchmarks.labelled import LabelledClip
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
    path = Path(path)
    part = _Part(
        path, split, "Human3.6M file of MotionBERT", ("joint_2d", "joints_2.5d_image", "camera_name", "action")
    )
    xy_px, confidence = part.keypoints()
    target_mm = part.array("joints_2.5d_image", (17, 3))
    cameras, actions = part.names("camera_name"), part.names("action")
    clips = []
    for source, rows in part.clips():
        camera = cameras[rows.start]
        if camera not in INTRINSICS_PX:
            raise ValueError(
                f"{path}: 'camera_name' is {camera!r} in row {rows.start}; known: {', '.join(INTRINSICS_PX)}"
            )
        width_px, height_px = INTRINSICS_PX[camera][:2]
        position_m = target_mm[rows] / 1000
        with part.blaming(source):
            keypoints = Keypoints(xy_px[rows], confidence[rows], H36M_17, _FPS, width_px, height_px)
            target = JointMotion(position_m - position_m[:, :1], H36M_17, _FPS, "root")
        subject = source.split("_act_")[0]
        clips.append(LabelledClip(source, keypoints, target, None, None, actions[rows.start], subject, split))
    return clips


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
        size_px: Width and height of the pictures, for files without `img_hw`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is broken or of another kind, or no picture size is known; names the key.
    """
    path = Path(path)
    part = _Part(path, split, "mesh file of MotionBERT", ("joint_2d", "smpl_pose", "smpl_shape"))
    xy_px, confidence = part.keypoints()
    pose, shape = part.array("smpl_pose", (72,)), part.array("smpl_shape", (10,))
    sizes = part.array("img_hw", (2,)) if "img_hw" in part.fields else None
    if sizes is None and size_px is None:
        raise ValueError(f"{path}: has no 'img_hw'; pass size_px=(width, height) in pixels")
    clips = []
    for source, rows in part.clips():
        if size_px is not None:
            width_px, height_px = size_px
        else:
            height_px, width_px = (int(number) for number in sizes[rows.start])  # pyright: ignore[reportOptionalSubscript]
        rotmat = roma.rotvec_to_rotmat(pose[rows].unflatten(1, (24, 3)))
        with part.blaming(source):
            keypoints = Keypoints(xy_px[rows], confidence[rows], H36M_17, fps, width_px, height_px)
            still = torch.zeros(len(rotmat), 3)
            target = BodyMotion(rotmat, still, shape[rows].mean(0), body_model, fps, "camera")
        clips.append(LabelledClip(source, keypoints, target, split=split))
    return clips


class _Part:
    """The train or the test part of a file; its errors name file and key."""

    def __init__(self, path: Path, split: str, what: str, needed: tuple[str, ...]) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; expected a {what}")
        content = read_pickle(path, what)
        if not isinstance(content, dict) or not isinstance(content.get(split), dict):
            held = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
            raise ValueError(f"{path}: a {what} has {split!r}, a dict of arrays; the file holds {held}")
        self.path, self.split, self.fields = path, split, content[split]
        if lacking := [name for name in (*needed, "source") if name not in self.fields]:
            raise ValueError(f"{path}: {split!r} lacks {', '.join(lacking)}; it has {', '.join(map(str, self.fields))}")
        self.sources = self.names("source")

    def names(self, name: str) -> list[str]:
        """The name in each row; Human3.6M's actions are numbers in some files."""
        try:
            names = _names(self.fields[name])
        except MALFORMED as error:
            raise ValueError(f"{self.path}: {self.split}[{name!r}] should list names: {error}") from error
        if name != "source" and len(names) != len(self.sources):
            raise ValueError(f"{self.path}: {len(names)} rows of {name!r}, {len(self.sources)} of 'source'")
        return names

    def array(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """float32 with one row per frame."""
        array = array_of(self.path, f"{self.split}[{name!r}]", self.fields[name])
        if array.shape != (len(self.sources), *shape):
            expected = (len(self.sources), *shape)
            raise ValueError(f"{self.path}: {self.split}[{name!r}] should be {expected}, got {array.shape}")
        return torch.from_numpy(array.astype(np.float32))

    def keypoints(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels, and confidence, which is 1 in files without."""
        try:
            columns = as_array(self.fields["joint_2d"]).shape[-1:]
            dimensions = as_array(self.fields["confidence"]).ndim if "confidence" in self.fields else 0
        except MALFORMED as error:
            raise ValueError(f"{self.path}: {self.split}['joint_2d'] or ['confidence'] is no array: {error}") from error
        xy_px = self.array("joint_2d", (17, *columns))[..., :2]
        if not dimensions:
            return without_zeros(xy_px, torch.ones_like(xy_px[..., 0]))
        shape = (17,) if dimensions == 2 else (17, 1)
        return without_zeros(xy_px, self.array("confidence", shape).reshape(-1, 17))

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
