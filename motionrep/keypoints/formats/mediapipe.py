"""MediaPipe's pose landmarks, frame by frame, as its users put them into JSON."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, frame_keys
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.keypoints.sizes import asked_size
from motionrep.layouts import MEDIAPIPE_33

_LAYOUTS = {33: MEDIAPIPE_33}


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections in a list of frames. Raises ValueError for what cannot be right."""
    poses = list(_poses(contents.value, contents.path))
    names = _names(landmark for _, pose in poses for landmark in pose)
    rows = _rows(poses, names, asked_size(options, contents.path), contents.path)
    return checked_detections(rows, frame_keys(contents.value), _LAYOUTS, options, contents.path, names=names)


def _poses(frames: list[Any], path: Path) -> Iterator[tuple[Any, list[Any]]]:
    """The landmarks of each person: a frame holds nothing, landmarks in order or by name, or these for each person."""
    for key, frame in zip(frame_keys(frames), frames, strict=True):
        if isinstance(frame, dict):
            frame = frame.get("landmarks", frame.get("pose_landmarks"))
        if isinstance(frame, dict):  # protocol buffer as JSON, or names
            frame = frame.get("landmark", _listed(frame))
        poses = as_list(frame or [], f"{path}: frame {key}")
        one = poses and isinstance(poses[0], dict) and not _is_by_name(poses[0])
        for pose in [poses] if one else poses:
            if pose:
                yield key, as_list(_listed(pose) if isinstance(pose, dict) else pose, f"{path}: frame {key}")


def _is_by_name(pose: dict[str, Any]) -> bool:
    return bool(pose) and all(isinstance(landmark, dict) for landmark in pose.values())


def _listed(pose: dict[str, Any]) -> list[dict[str, Any]]:
    return [landmark | {"name": name} for name, landmark in pose.items() if isinstance(landmark, dict)]


def _names(landmarks: Iterable[Any]) -> list[str] | None:
    """The names of the landmarks, where all have one."""
    names = dict.fromkeys(landmark.get("name") if isinstance(landmark, dict) else None for landmark in landmarks)
    return None if not names or None in names else [str(name) for name in names]


def _rows(
    poses: list[tuple[Any, list[Any]]], names: list[str] | None, size_px: tuple[int, int], path: Path
) -> Iterator[Row]:
    """x is in image widths and y in image heights; landmarks of a name that a pose lacks are unseen."""
    width_px, height_px = size_px
    for key, pose in poses:
        try:
            points = [(p["x"] * width_px, p["y"] * height_px, p["visibility"]) for p in pose]
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: frame {key}: a landmark needs numbers x, y and visibility") from error
        if names:
            by_name = {str(landmark["name"]): point for landmark, point in zip(pose, points, strict=True)}
            points = [by_name.get(name, (0, 0, 0)) for name in names]
        yield Row(key, [value for point in points for value in point], None, None)
