"""Reads Human3.6M in the files of VideoPose3D: world positions of 32 joints, and 2D detections from four cameras."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from motionrep.datasets.benchmarks.h36m_cameras import CAMERA_IDS, EXTRINSICS, INTRINSICS_PX
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.pickles import MALFORMED, array_of, as_items, read_npz_object
from motionrep.geometry.cameras import PinholeCamera, to_camera
from motionrep.keypoints.unseen import without_zeros
from motionrep.layouts import COCO_17, H36M_17, JointLayout
from motionrep.types import JointMotion, Keypoints

H36M_FPS = 50.0
TRAINING_SUBJECTS, TEST_SUBJECTS = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "WalkTogether", "Walking",
)  # fmt: skip
# Indices of the 17 joints among the 32 of the motion capture's skeleton; the other 15 are copies or never used.
_H36M_17_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
_RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
_FILE_3D, _FILE_2D = "data_3d_h36m.npz", "data_2d_h36m_"
# Layouts by the left joints that a file's metadata lists.
_LAYOUT_OF_LEFT: dict[tuple[int, ...], JointLayout] = {
    (4, 5, 6, 11, 12, 13): H36M_17,
    (1, 3, 5, 7, 9, 11, 13, 15): COCO_17,
}


def load_h36m(
    folder: Path | str, detector: str | None = None, subjects: Sequence[str] = TEST_SUBJECTS
) -> list[LabelledClip]:
    """Every action of the subjects as seen by each camera, with the true joints in that camera's axes, in metres.

    The files are `data_3d_h36m.npz` and `data_2d_h36m_DETECTOR.npz`, as VideoPose3D's scripts write them, at 50 frames
    per second. 2D keypoints are cut to the length of the 3D. Without confidences, all count as seen. Names of clips are
    "SUBJECT ACTION CAMERA".

    The files lack the cameras, so these are Human3.6M's own (`h36m_cameras`), without distortion. Their focal length is
    the mean of two that differ by 0.2 %, which matters only where a body is placed in the camera.

    Args:
        detector: Which 2D file, such as "gt", "cpn_ft_h36m_dbb" or "detectron_pt_coco"; None if there is only one.
        subjects: S1, S5, S6, S7 and S8 are for training, S9 and S11 for tests.

    Raises:
        FileNotFoundError: A file is missing; the message names it.
        ValueError: A file is broken or of another kind, or 2D and 3D do not belong together; names the key.
    """
    return [clip.read() for clip in list_h36m(folder, detector, subjects)]


def list_h36m(
    folder: Path | str, detector: str | None = None, subjects: Sequence[str] = TEST_SUBJECTS
) -> list[ListedClip]:
    """The clips of `load_h36m`, made one by one when they are needed; arguments and errors are the same."""
    folder = Path(folder)
    path_3d, path_2d = folder / _FILE_3D, detections_file(folder, detector)
    if unknown := [subject for subject in subjects if subject not in EXTRINSICS]:
        raise ValueError(f"Human3.6M has no subject {', '.join(unknown)} (known: {', '.join(EXTRINSICS)})")
    positions = _nested(path_3d, "positions_3d", subjects)
    detections = _nested(path_2d, "positions_2d", subjects)
    layout = _layout(path_2d)
    clips = []
    for subject in subjects:
        for action, stored in positions[subject].items():
            where = f"positions_3d[{subject!r}][{action!r}]"
            frames = len(array_of(path_3d, where, stored))
            key = f"positions_2d[{subject!r}][{action!r}]"
            if action not in detections[subject]:
                raise ValueError(f"{path_2d}: no {key}, which {path_3d.name} has; the files do not belong together")
            views = _views(path_2d, key, detections[subject][action])
            short = action.split(" ")[0]
            labels = _RENAMED.get(short, short), subject, "test" if subject in TEST_SUBJECTS else "train"
            for index, (camera, xyc) in enumerate(zip(h36m_cameras(subject), views, strict=True)):
                name, view = f"{subject} {action} {CAMERA_IDS[index]}", (path_2d, f"{key}[{index}]", xyc)
                read = partial(_clip, name, (path_3d, where, stored), view, layout, camera, labels)
                clips.append(ListedClip(name, read, frames, H36M_FPS, *labels))
    return clips


def _clip(
    name: str,
    world: tuple[Path, str, Any],
    view: tuple[Path, str, Any],
    layout: JointLayout,
    camera: PinholeCamera,
    labels: tuple[str, str, str],
) -> LabelledClip:
    """A clip of the file, key and value of its 3D and 2D; `labels` are action, subject and split."""
    world_m = _positions(*world)
    keypoints = _keypoints(*view, len(world_m), layout, camera)
    target = JointMotion(to_camera(world_m, camera), H36M_17, H36M_FPS, "camera")
    return LabelledClip(name, keypoints, target, None, camera, *labels)


def h36m_cameras(subject: str) -> tuple[PinholeCamera, ...]:
    """The four cameras while a subject was recorded, in the order of `h36m_cameras.CAMERA_IDS`; the world has z up."""
    cameras = []
    for name, numbers in zip(CAMERA_IDS, EXTRINSICS[subject], strict=True):
        width_px, height_px, focal_x, focal_y, center_x, center_y = INTRINSICS_PX[name]
        transform = torch.eye(4, dtype=torch.float64)
        transform[:3, :3] = roma.rotvec_to_rotmat(torch.tensor(numbers[:3], dtype=torch.float64))
        transform[:3, 3] = torch.tensor(numbers[3:], dtype=torch.float64) / 1000
        focal_px = (focal_x + focal_y) / 2
        cameras.append(PinholeCamera(focal_px, (center_x, center_y), width_px, height_px, transform.float()))
    return tuple(cameras)


def detections_file(folder: Path, detector: str | None) -> Path:
    """The 2D file of a detector; None: the only one. Raises FileNotFoundError for none, ValueError for several."""
    if detector is not None:
        return folder / f"{_FILE_2D}{detector}.npz"
    names = sorted(path.stem.removeprefix(_FILE_2D) for path in folder.glob(f"{_FILE_2D}*.npz"))
    if not names:
        raise FileNotFoundError(f"{folder}: no {_FILE_2D}*.npz; expected VideoPose3D's 2D detections of Human3.6M")
    if len(names) > 1:
        raise ValueError(f"{folder}: 2D detections of {', '.join(names)}; choose one (detector, --detector)")
    return folder / f"{_FILE_2D}{names[0]}.npz"


def _nested(path: Path, key: str, subjects: Sequence[str]) -> dict[str, dict[str, Any]]:
    content = read_npz_object(path, key, "Human3.6M file of VideoPose3D")
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        raise ValueError(f"{path}: {key!r} should be a dict of subjects, each a dict of actions")
    if lacking := [subject for subject in subjects if subject not in content]:
        raise ValueError(f"{path}: {key!r} lacks subject {', '.join(lacking)}; it has {', '.join(map(str, content))}")
    return content


def _layout(path: Path) -> JointLayout:
    metadata = read_npz_object(path, "metadata", "Human3.6M file of VideoPose3D")
    try:
        left = tuple(int(index) for index in as_items(metadata["keypoints_symmetry"])[0])
        return _LAYOUT_OF_LEFT[left]
    except MALFORMED as error:
        name = metadata.get("layout_name") if isinstance(metadata, dict) else None
        raise ValueError(
            f"{path}: 'metadata' should have 'keypoints_symmetry' of Human3.6M's or COCO's 17 joints, got layout "
            f"{name!r} ({type(error).__name__}: {error})"
        ) from error


def _positions(path: Path, key: str, stored: Any) -> torch.Tensor:
    array = array_of(path, key, stored)
    if array.ndim != 3 or array.shape[1:] not in ((32, 3), (17, 3)) or not len(array):
        raise ValueError(f"{path}: {key} should be (frames, 32, 3) in metres, got {array.shape}")
    joints = array[:, _H36M_17_OF_32] if array.shape[1] == 32 else array
    if not np.isfinite(joints).all() or np.abs(joints).max() > 20:
        raise ValueError(f"{path}: {key} should be in metres, at most 20 from the origin, and finite")
    return torch.from_numpy(joints.astype(np.float32))


def _views(path: Path, key: str, stored: Any) -> list[Any]:
    try:
        views = as_items(stored)
    except MALFORMED:
        views = list(array_of(path, key, stored))
    if len(views) != len(CAMERA_IDS):
        raise ValueError(f"{path}: {key} should have {len(CAMERA_IDS)} cameras, it has {len(views)}")
    return views


def _keypoints(path: Path, key: str, stored: Any, frames: int, layout: JointLayout, camera: PinholeCamera) -> Keypoints:
    xyc = stored if isinstance(stored, np.ndarray) else array_of(path, key, stored)
    if xyc.ndim != 3 or xyc.shape[1] != layout.joint_count or xyc.shape[2] not in (2, 3):
        raise ValueError(f"{path}: {key} should be (frames, {layout.joint_count}, 2 or 3), got {xyc.shape}")
    if len(xyc) < frames:
        raise ValueError(f"{path}: {key} has {len(xyc)} frames, the 3D has {frames}; the files do not belong together")
    values = torch.from_numpy(xyc[:frames].astype(np.float32))
    if float(values[..., :2].abs().max()) <= 2:
        raise ValueError(f"{path}: {key} should be in pixels; its values are within 2 of the origin, as if normalised")
    confidence = values[..., 2] if values.shape[2] == 3 else torch.ones_like(values[..., 0])
    try:
        return Keypoints(
            *without_zeros(values[..., :2], confidence), layout, H36M_FPS, camera.width_px, camera.height_px
        )
    except ValueError as error:
        raise ValueError(f"{path}: {key}: {error}") from error
