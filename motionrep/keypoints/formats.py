"""Readers of the JSON that 2D detectors write; `keypoint_io.load_keypoints` is the way in."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.keypoints.records import Detections, _collect, _Row
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33, OPENPOSE_18, OPENPOSE_25, JointLayout

logger = logging.getLogger(__name__)

# Layout by number of joints. COCO-WholeBody's 133 points start with COCO's 17, Halpe's 136 with its body's 26.
_BODY = {17: COCO_17, 26: HALPE_26, 133: COCO_17, 136: HALPE_26}
_OPENPOSE = {18: OPENPOSE_18, 25: OPENPOSE_25}
_MEDIAPIPE = {33: MEDIAPIPE_33}
# MMPose files may name the data set of their detector; others with 17 points (PoseTrack, animals) have other orders.
_MMPOSE = {"coco": _BODY, "coco_wholebody": _BODY, "halpe": _BODY, "halpe26": _BODY, "h36m": {17: H36M_17}}

_FORMATS = (
    "AlphaPose, COCO results and annotations, MMPose, MediaPipe, Ultralytics YOLO, a folder of OpenPose files, "
    "motionrep's own .npz; "
    "arrays go into motionrep.Keypoints"
)


def read_detections(path: Path, layout: JointLayout | None, size_px: tuple[int, int]) -> Detections:
    """The detections in a JSON file, or in a folder with one OpenPose file per frame.

    Args:
        layout: None takes the one that the format has for the number of joints found.
        size_px: Image width and height; used where the file's unit is the image size (MediaPipe).

    Raises:
        ValueError: The file is not of a known format, or a value in it cannot be right.
    """
    data = _read_folder(path) if path.is_dir() else _parse(path.read_bytes(), path)
    if isinstance(data, list) and all(isinstance(frame, str) for frame in data):
        data = [_parse(frame, path) for frame in data]  # each frame was JSON before they were put into one file
    if _is_openpose(data):
        data = {path.name: data}
    if isinstance(data, dict) and "instance_info" in data:
        meta = data.get("meta_info")
        dataset = str(meta.get("dataset_name", "coco")) if isinstance(meta, dict) else "coco"
        frames = _list(data["instance_info"], path)
        keys = _list_keys(frames)
        found = _collect(_mmpose_rows(frames, path), keys, _MMPOSE.get(dataset, {}), layout, path)
        # MMPose's demo lists every frame of a video and calls the first one 1.
        counts_from_1 = all(str(key).isdecimal() for key in keys) and min(map(int, keys)) == 1
        return replace(found, frame=found.frame - 1) if counts_from_1 else found
    if isinstance(data, dict) and any(map(_is_openpose, data.values())):
        return _collect(_openpose_rows(data, path), data, _OPENPOSE, layout, path)
    if isinstance(data, dict) and data.keys() >= {"images", "annotations"}:
        entries, frames = _coco_entries(data, path)
        return _collect(_entry_rows(entries, path), frames, _BODY, layout, path)

    first = next((item for item in data if item), None) if isinstance(data, list) else data
    if not first:
        raise ValueError(f"{path}: holds no detections")
    fields = first.keys() if isinstance(first, dict) else set()
    if isinstance(data, list):
        if _is_ultralytics(first):
            frames = [data] if isinstance(first, dict) else data
            return _collect(_ultralytics_rows(frames, path), range(len(frames)), _BODY, layout, path)
        if "image_id" in fields:
            return _collect(_entry_rows(data, path), None, _BODY, layout, path)
        if "keypoint_scores" in fields:  # what MMPose writes for a single image
            return _collect(_mmpose_rows([{"instances": data}], path), [0], _BODY, layout, path)
        if "instances" in fields:
            return _collect(_mmpose_rows(data, path), _list_keys(data), _BODY, layout, path)
        if isinstance(first, list) or {"landmarks", "pose_landmarks"} & fields:
            return _collect(_mediapipe_rows(data, size_px, path), _list_keys(data), _MEDIAPIPE, layout, path)
    found = f"{type(data).__name__}" + (f" with the fields {', '.join(map(repr, list(fields)[:6]))}" if fields else "")
    raise ValueError(f"{path}: not a keypoint format motionrep knows: {found} (known: {_FORMATS})")


def _read_folder(path: Path) -> dict[str, Any]:
    files = sorted(file for file in path.glob("*.json") if not file.name.startswith("."))
    if not files:
        raise ValueError(f"{path}: no .json file in this folder; OpenPose writes one per frame")
    frames = {file.name: _parse(file.read_bytes(), file) for file in files}
    for name, frame in frames.items():
        if not _is_openpose(frame):
            raise ValueError(f"{path / name}: no list 'people', which every file of an OpenPose folder has")
    return frames


def _is_openpose(frame: Any) -> bool:
    """One frame of OpenPose, or of AlphaPose's `open` or `cmu` format."""
    return isinstance(frame, dict) and ("people" in frame or "bodies" in frame)


def _is_ultralytics(item: Any) -> bool:
    """A detection as `Results.to_json` writes it, or a frame that begins with one."""
    item = item[0] if isinstance(item, list) and item else item
    return isinstance(item, dict) and isinstance(item.get("keypoints"), dict)


def _parse(content: bytes | str, path: Path) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: not valid JSON, {error.msg} at line {error.lineno}, column {error.colno}; "
            "the file is empty, cut off or of another kind"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: neither JSON nor .npz (known: {_FORMATS})") from error


def _entry_rows(entries: list[Any], path: Path) -> list[_Row]:
    """AlphaPose and COCO results: one entry per detection; AlphaPose with tracking adds `idx`."""
    rows = []
    for i, entry in enumerate(entries):
        where = f"{path}: entry {i}"
        person = _person_id(entry.get("idx", entry.get("track_id"))) if isinstance(entry, dict) else None
        rows.append(
            _Row(_field(entry, "image_id", where), _field(entry, "keypoints", where), entry.get("score"), person)
        )
    return rows


def _coco_entries(data: dict[str, Any], path: Path) -> tuple[list[Any], list[Any]]:
    """The annotations with the file name in place of the image id, and the names of all images."""
    name_of = {}
    for i, image in enumerate(_list(data["images"], path)):
        number = _field(image, "id", f"{path}: image {i}")
        name_of[str(number)] = image.get("file_name", number)
    entries = []
    for i, entry in enumerate(_list(data["annotations"], path)):
        number = _field(entry, "image_id", f"{path}: annotation {i}")
        if str(number) not in name_of:
            raise ValueError(f"{path}: annotation {i} is of image {number!r}, which 'images' does not list")
        if entry.get("keypoints"):  # others are boxes of things
            entries.append(entry | {"image_id": name_of[str(number)]})
    return entries, list(name_of.values())


def _ultralytics_rows(frames: list[Any], path: Path) -> Iterator[_Row]:
    """Ultralytics YOLO: a list of detections per frame; older versions set x and y to 0 for confidence below 0.5."""
    for key, frame in enumerate(frames):
        where = f"{path}: frame {key}"
        for detection in _list(frame, where):
            keypoints = _field(detection, "keypoints", where)
            columns = [_field(keypoints, name, f"{where}: 'keypoints'") for name in ("x", "y", "visible")]
            try:
                x, y, visible = (np.array(column, dtype=float) for column in columns)
                xyc = np.stack([x, y, np.where((x == 0) & (y == 0), 0, visible)], axis=1)
            except (ValueError, TypeError, OverflowError) as error:
                raise ValueError(f"{where}: 'x', 'y' and 'visible' must be equally long lists of numbers") from error
            yield _Row(key, xyc.ravel().tolist(), detection.get("confidence"), _person_id(detection.get("track_id")))


def _openpose_rows(frames: dict[str, Any], path: Path) -> Iterator[_Row]:
    """OpenPose, and AlphaPose's `open` and `cmu` formats: frame name -> people."""
    for name, frame in frames.items():
        where = f"{path}: frame {name!r}"
        people = frame.get("people", frame.get("bodies")) if _is_openpose(frame) else None
        for person in _list(people, where):
            values = _field(person, "joints" if "bodies" in frame else "pose_keypoints_2d", where)
            if values:  # empty when only hands or a face were found
                yield _Row(name, values, None, _person_id(person.get("person_id")))


def _mmpose_rows(frames: list[Any], path: Path) -> Iterator[_Row]:
    for key, frame in zip(_list_keys(frames), frames, strict=True):
        where = f"{path}: frame {key}"
        for instance in _list(_field(frame, "instances", where), where):
            keypoints, scores = _field(instance, "keypoints", where), _field(instance, "keypoint_scores", where)
            try:
                xyc = np.column_stack([np.array(keypoints, dtype=float), np.array(scores, dtype=float)])
            except (ValueError, TypeError, OverflowError):
                xyc = np.empty((0, 0))
            if xyc.shape[1] != 3:
                raise ValueError(f"{where}: 'keypoints' must be pairs [x, y], one for each of the 'keypoint_scores'")
            score = instance.get("bbox_score")
            yield _Row(key, xyc.ravel().tolist(), score, _person_id(instance.get("track_id")))


def _list_keys(frames: list[Any]) -> list[Any]:
    """The number that each item of a list of frames gives, or its place in the list where it gives none."""
    return [
        frame.get("frame_id", frame.get("frame", i)) if isinstance(frame, dict) else i for i, frame in enumerate(frames)
    ]


def _mediapipe_rows(frames: list[Any], size_px: tuple[int, int], path: Path) -> Iterator[_Row]:
    """x is in image widths and y in image heights; a frame holds nothing, landmarks, or one such list per person."""
    width_px, height_px = size_px
    for key, frame in zip(_list_keys(frames), frames, strict=True):
        if isinstance(frame, dict):
            frame = frame.get("landmarks", frame.get("pose_landmarks"))
        if isinstance(frame, dict):  # protocol buffer as JSON
            frame = frame.get("landmark")
        poses = _list(frame or [], f"{path}: frame {key}")
        for pose in [poses] if poses and isinstance(poses[0], dict) else poses:
            try:
                values = [v for p in pose for v in (p["x"] * width_px, p["y"] * height_px, p["visibility"])]
            except (KeyError, TypeError, OverflowError) as error:
                raise ValueError(f"{path}: frame {key}: a landmark needs numbers x, y and visibility") from error
            if values:
                yield _Row(key, values, None, None)


def _field(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        found = ", ".join(map(repr, entry)) if isinstance(entry, dict) else type(entry).__name__
        raise ValueError(f"{where} has no {name!r} (found: {found})")
    return entry[name]


def _list(value: Any, where: Path | str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: expected a list of frames or people, got {type(value).__name__}")
    return value


def _person_id(value: Any) -> str | None:
    """Ids come as 3, 3.0, [3] or [[3.0], [3.0]]; OpenPose writes -1 for "not tracked"."""
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return str(value) if value >= 0 else None
    return value if isinstance(value, str) else None
