"""Landmarks as dicts with x and y, frame by frame, as users of MediaPipe and TensorFlow.js put them into JSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.recognising_keypoints import landmark_frames, poses_of_landmarks
from motionrep.keypoints.formats.fields import frame_keys, frame_rate, picture_size
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections
from motionrep.keypoints.sizes import asked_size
from motionrep.layouts import MEDIAPIPE_33

_LAYOUTS = BODY_LAYOUTS | {33: MEDIAPIPE_33}
_CONFIDENCES = ("visibility", "score", "confidence", "likelihood", "visible")
_FRACTIONS = 2.0  # landmarks outside of the picture are beyond 0 to 1


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections in a list of frames. Raises ValueError for what cannot be right."""
    path, frames = contents.path, landmark_frames(contents.value)
    said_px = picture_size(contents.value)
    keys = frame_keys(frames)
    poses = [(key, pose) for key, frame in zip(keys, frames, strict=True) for pose in poses_of_landmarks(frame)]
    names = _names(landmark for _, pose in poses for landmark in pose)
    points = [_points(pose, f"{path}: frame {key}") for key, pose in poses]
    in_fractions = bool(points) and float(np.median(np.abs(np.concatenate(points)[:, :2]))) < _FRACTIONS
    scale = (*(options.size_px or said_px or asked_size(options, path)), 1) if in_fractions else (1, 1, 1)
    rows = list(_rows(poses, [point * scale for point in points], names))
    sizes = dict.fromkeys(keys, said_px) if said_px is not None else None
    found = checked_detections(rows, keys, _LAYOUTS, options, path, sizes, names)
    return replace(found, fps=frame_rate(contents.value))


def _names(landmarks: Iterable[Any]) -> list[str] | None:
    """The names of the landmarks, where all have one."""
    names = dict.fromkeys(_name(landmark) for landmark in landmarks)
    return None if not names or None in names else [str(name) for name in names]


def _name(landmark: Mapping[str, Any]) -> Any:
    return landmark.get("name", landmark.get("part"))


def _points(pose: list[Any], where: str) -> np.ndarray:
    """x, y, confidence of the landmarks of a person; 1 where a tool gives no confidence."""
    try:
        places = [landmark.get("position", landmark) for landmark in pose]
        confidences = [next((it[name] for name in _CONFIDENCES if name in it), 1.0) for it in pose]
        points = np.array([(p["x"], p["y"], c) for p, c in zip(places, confidences, strict=True)], dtype=float)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"{where}: a landmark needs numbers x, y, and visibility or score") from error
    return points


def _rows(poses: list[tuple[Any, list[Any]]], points: list[np.ndarray], names: list[str] | None) -> Iterator[Row]:
    """Landmarks of a name that a pose lacks are unseen."""
    for (key, pose), xyc in zip(poses, points, strict=True):
        if names:
            by_name = {str(_name(landmark)): point for landmark, point in zip(pose, xyc, strict=True)}
            xyc = np.array([by_name.get(name, (0.0, 0.0, 0.0)) for name in names])
        yield Row(key, xyc.ravel().tolist(), None, None)
