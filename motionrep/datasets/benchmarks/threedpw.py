"""Reads 3DPW's sequence files: keypoints, true bodies in camera axes, and which frames count."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.files.pickles import MALFORMED, array_of, as_items, as_text
from motionrep.geometry.cameras import PinholeCamera
from motionrep.keypoints.unseen import without_unseen
from motionrep.layouts import OPENPOSE_18
from motionrep.motion.readers import threedpw
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import motion_from_track
from motionrep.types import Keypoints

_FPS = 30.0
# A person is visible, by VIBE's rule, in frames with more than 6 keypoints of a confidence above 0.3.
_KEYPOINTS_SEEN, _CONFIDENCE_SEEN = 6, 0.3


def load_threedpw(
    path: Path | str,
    split: Literal["train", "validation", "test"] = "test",
    male: str = "smpl-male",
    female: str = "smpl-female",
) -> list[LabelledClip]:
    """Every person of every sequence, at 30 frames/s, with the SMPL body of the person's gender in the camera's axes.

    Keypoints are the file's `poses2d` (OpenPose, 18 joints; unseen where a person was not found). `counted` is True
    where `campose_valid` is, and more than 6 keypoints have a confidence above 0.3.

    Args:
        path: The data set's folder, which has `sequenceFiles`, a folder of .pkl files, or one such file.
        split: Which folder of `sequenceFiles`.
        male: Body of the men, as `load_body_model` takes it.
        female: Body of the women.

    Raises:
        FileNotFoundError: No such file, no .pkl file, or a body is missing.
        ValueError: The file is broken or of another kind; names the key.
    """
    files, bodies = _files(Path(path), split), _bodies(male, female)
    return [clip for file in files for clip in _sequence(file, split, bodies)]


def list_threedpw(
    path: Path | str,
    split: Literal["train", "validation", "test"] = "test",
    male: str = "smpl-male",
    female: str = "smpl-female",
) -> list[ListedClip]:
    """The clips of `load_threedpw`, made one by one when they are needed; arguments and errors are the same.

    Files are opened one after the other to count persons and frames, and closed again.
    """
    bodies, clips = _bodies(male, female), []
    for file in _files(Path(path), split):
        for index, pose in enumerate(as_items(look(file).value["poses"])):
            read, name = partial(_person, file, split, bodies, index), f"{file.stem}_{index}"
            clips.append(ListedClip(name, read, len(array_of(file, f"poses[{index}]", pose)), _FPS, split=split))
    return clips


def _person(path: Path, split: str, bodies: dict[str, BodyModel], index: int) -> LabelledClip:
    return _sequence(path, split, bodies)[index]


def _files(path: Path, split: str) -> list[Path]:
    folder = path / "sequenceFiles" / split if (path / "sequenceFiles").is_dir() else path
    files = [folder] if folder.is_file() else sorted(folder.glob("*.pkl"))
    if not files:
        raise FileNotFoundError(f"{folder}: no .pkl file; expected 3DPW's sequenceFiles/{split}")
    return files


def _bodies(male: str, female: str) -> dict[str, BodyModel]:
    """The bodies of `genders`."""
    bodies = {"m": load_body_model(male)}
    return bodies | {"f": bodies["m"] if female == male else load_body_model(female)}


def _sequence(path: Path, split: str, bodies: dict[str, BodyModel]) -> list[LabelledClip]:
    contents = look(path)
    content = contents.value
    if (kind := kind_of(contents)).reader != threedpw.__name__:
        raise ValueError(f"{path}: expected a 3DPW sequence (poses, trans, cam_poses), the file is {kind.name}")
    tracks = threedpw.read(contents, MotionOptions(frame="camera"))
    persons = len(tracks)
    found = _persons(path, content, "poses2d", persons)
    valid = _persons(path, content, "campose_valid", persons)
    genders = _persons(path, content, "genders", persons)
    intrinsics = array_of(path, "cam_intrinsics", content.get("cam_intrinsics"))
    if intrinsics.shape != (3, 3):
        raise ValueError(f"{path}: 'cam_intrinsics' should be (3, 3), got {intrinsics.shape}")
    # The principal point of 3DPW's cameras is the middle of the picture, upright or across.
    center = float(intrinsics[0, 2]), float(intrinsics[1, 2])
    width_px, height_px = round(2 * center[0]), round(2 * center[1])
    camera = PinholeCamera(float(intrinsics[[0, 1], [0, 1]].mean()), center, width_px, height_px)
    clips = []
    for index, track in enumerate(tracks):
        xyc = array_of(path, f"poses2d[{index}]", found[index])
        counts = array_of(path, f"campose_valid[{index}]", valid[index]).ravel()
        frames = len(track.rotvec)
        if xyc.shape != (frames, 3, OPENPOSE_18.joint_count) or len(counts) != frames:
            raise ValueError(
                f"{path}: person {index}: expected 'poses2d' ({frames}, 3, 18) and 'campose_valid' ({frames}), "
                f"got {xyc.shape} and {counts.shape}"
            )
        gender = _text(path, f"genders[{index}]", genders[index])
        if gender not in bodies:
            raise ValueError(f"{path}: genders[{index}] should be m or f, got {gender!r}")
        values = torch.from_numpy(xyc.astype(np.float32)).mT
        try:
            xy_px, confidence = without_unseen(values[..., :2], values[..., 2], (width_px, height_px))
            keypoints = Keypoints(xy_px, confidence, OPENPOSE_18, _FPS, width_px, height_px, str(index))
            target = motion_from_track(track, bodies[gender])
            seen = (keypoints.confidence > _CONFIDENCE_SEEN).sum(1) > _KEYPOINTS_SEEN
            counted = torch.from_numpy(counts != 0) & seen
            name = f"{path.stem}_{index}"
            clips.append(LabelledClip(name, keypoints, target, counted, camera, split=split))
        except ValueError as error:
            raise ValueError(f"{path}: person {index}: {error}") from error
    return clips


def _persons(path: Path, content: Any, name: str, persons: int) -> list[Any]:
    try:
        items = as_items(content[name])
    except MALFORMED as error:
        raise ValueError(f"{path}: {name!r} should list an item for each person ({type(error).__name__})") from error
    if len(items) != persons:
        raise ValueError(f"{path}: {len(items)} persons in {name!r}, {persons} in 'poses'")
    return items


def _text(path: Path, name: str, value: Any) -> str:
    try:
        return as_text(value)
    except MALFORMED as error:
        raise ValueError(f"{path}: {name!r} should be text: {error}") from error
