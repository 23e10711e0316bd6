"""Questions about keypoint files, as those of `files.recognising`."""

import re
from typing import Any

import numpy as np

from motionrep.files.arrays import read_array
from motionrep.files.columns import columns_of
from motionrep.files.contents import VIDEO_SUFFIXES, Contents
from motionrep.files.hdf5 import pandas_columns
from motionrep.files.recognising import files_have, has, is_json_list


def is_openpose(file: Contents) -> bool:
    """A frame of OpenPose, or of AlphaPose's `open` or `cmu` format; or a list, dict or folder of such frames."""
    if file.container not in ("json", "folder") or file.fault is not None:
        return False
    value = file.value
    frames = value if isinstance(value, list) else (value, *value.values()) if isinstance(value, dict) else ()
    return any(is_openpose_frame(frame) for frame in frames)


def is_openpose_frame(frame: object) -> bool:
    return isinstance(frame, dict) and any(isinstance(frame.get(name), list) for name in ("people", "bodies"))


def has_picture_sizes(file: Contents) -> bool:
    """Whether the pictures of COCO's annotations, or the frames of a drawing tool, say how large they are."""
    value = file.value
    frames = value.get("images") if isinstance(value, dict) and "images" in value else value
    found = [frames, *(frames.values() if isinstance(frames, dict) else frames if isinstance(frames, list) else ())]
    sized = [it for it in found[:3] if isinstance(it, dict) and ("width" in it or "canvas_width" in it)]
    return bool(sized)


def is_ultralytics(file: Contents) -> bool:
    """A list of detections, or of such lists, or a folder of them, whose keypoints are a dict."""
    first = file.item[0] if isinstance(file.item, list) and file.item else file.item
    is_list = is_json_list(file) or (file.container == "folder" and file.fault is None)
    return is_list and isinstance(first, dict) and isinstance(first.get("keypoints"), dict)


def is_alphapose_pictures(file: Contents) -> bool:
    """A folder with AlphaPose's entries in a file for each picture, and not one for each video."""
    if not files_have("image_id", "keypoints")(file):
        return False
    lists = (found for found in file.value.values() if isinstance(found, list))
    pictures = ({str(entry.get("image_id")) for entry in found if isinstance(entry, dict)} for found in lists)
    return all(len(names) <= 1 for names in pictures)


def is_mmpose_pictures(file: Contents) -> bool:
    """A folder with MMPose's instances in a file for each picture, and not one for each video."""
    if not (files_have("instance_info")(file) or files_have("keypoint_scores")(file)):
        return False
    found = (content.get("instance_info") if isinstance(content, dict) else None for content in file.value.values())
    listed = (items for items in found if isinstance(items, list))
    return not any(isinstance(item, dict) and "instances" in item for items in listed for item in items)


def is_mmpose_results(file: Contents) -> bool:
    """Lists of instances by frame, bare or as MMPose's inferencer returns them, in `predictions`."""
    if file.container != "json" or file.fault is not None:
        return False
    first = file.value.get("predictions") if isinstance(file.value, dict) else file.item
    first = first.get("predictions") if isinstance(first, dict) else first
    while isinstance(first, list) and first:
        first = next((item for item in first if item), None)
    is_nested = isinstance(file.value, dict) or isinstance(file.item, list) or "predictions" in file.item_fields
    return is_nested and isinstance(first, dict) and "keypoint_scores" in first


def is_mediapipe(file: Contents) -> bool:
    """Frames with landmarks, or lists of them, one or one for each person; or a list of frames without any."""
    if file.container != "json" or file.fault is not None:
        return False
    frames = landmark_frames(file.value)
    named = any(isinstance(frame, dict) and set(_LANDMARKS[:3]) & frame.keys() for frame in frames)
    return (named and isinstance(file.value, list)) or any(poses_of_landmarks(frame) for frame in frames[:1000])


_LANDMARKS = (
    "landmarks",
    "pose_landmarks",
    "poseLandmarks",
    "landmark",
    "keypoints",
    "poses",
    "people",
    "persons",
    "pose",
)


def landmark_frames(value: Any) -> list[Any]:
    """The frames of JSON with landmarks: a list, one in the field `frames`, or a dict of frames by their numbers."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    if value and all(str(name).isdecimal() for name in value):
        return [{"frame": int(name), "landmarks": frame} for name, frame in value.items()]
    frames = value.get("frames")
    return frames if isinstance(frames, list) else []


def poses_of_landmarks(frame: Any) -> list[list[dict[str, Any]]]:
    """The landmarks of each person of a frame: in a list, by name, or in fields around them."""
    if isinstance(frame, list):
        if frame and all(map(_is_landmark, frame)):
            return [frame]
        return [pose for item in frame for pose in poses_of_landmarks(item)]
    if not isinstance(frame, dict) or _is_landmark(frame):
        return []
    if len(frame) >= 5 and all(map(_is_landmark, frame.values())):
        return [[landmark | {"name": name} for name, landmark in frame.items()]]
    return next((poses for name in _LANDMARKS if name in frame and (poses := poses_of_landmarks(frame[name]))), [])


def _is_landmark(value: Any) -> bool:
    place = value.get("position", value) if isinstance(value, dict) else value
    return isinstance(place, dict) and isinstance(place.get("x"), int | float) and "y" in place


def is_poseflow(file: Contents) -> bool:
    """A dict with a list of detections for each picture."""
    if file.container != "json" or file.fault is not None or not isinstance(file.value, dict):
        return False
    first = file.item[0] if isinstance(file.item, list) else None
    return isinstance(first, dict) and "keypoints" in first and ("scores" in first or "idx" in first)


def is_kinetics(file: Contents) -> bool:
    """A dict whose `data` are frames with a `skeleton`."""
    data = file.value.get("data") if has("json", "data")(file) and isinstance(file.value, dict) else None
    return isinstance(data, list) and any(isinstance(frame, dict) and "skeleton" in frame for frame in data)


def is_videopose3d(file: Contents) -> bool:
    header = file.arrays.get("positions_2d") if file.container == "npz" else None
    return header is not None and header.dtype.kind == "O"


def is_ntu(file: Contents) -> bool:
    """Text that counts frames, then bodies, then has the ten numbers of a body."""
    if file.container != "text" or file.fault is not None:
        return False
    lines = [line.split() for line in file.value[:2000].splitlines()[:60]]
    counted = len(lines) > 2 and all(len(line) == 1 and line[0].isdecimal() for line in lines[:2])
    return counted and next((len(line) == 10 for line in lines[2:] if len(line) > 1), file.path.suffix == ".skeleton")


def is_yolo_labels(file: Contents) -> bool:
    """Text, or a folder of it, whose lines are a class, a box in fractions, and the numbers of five joints or more."""
    if file.container not in ("text", "folder") or file.fault is not None:
        return False
    texts = [file.value] if file.container == "text" else list(file.value.values())
    lines = [line.split() for text in texts[:1000] if isinstance(text, str) for line in text.splitlines()]
    longest = max(lines, key=len, default=[])
    try:
        numbers = [float(word) for word in longest]
    except ValueError:
        return False
    box = numbers[1:5]
    return len(numbers) >= 15 and numbers[0].is_integer() and all(0 <= side <= 1 for side in box) and min(box[2:]) > 0


def is_deeplabcut(file: Contents) -> bool:
    if file.container == "hdf5" and file.fault is None:
        try:
            columns = pandas_columns(file.path)
        except ValueError:
            return False
        return bool(columns) and {"x", "y"} <= {name[-1] for name in columns} and min(map(len, columns)) >= 3
    if file.container != "csv" or file.fault is not None:
        return False
    return {"bodyparts", "coords"} <= {row[0].lower() for row in file.value[:4]}


def is_keypoint_table(file: Contents) -> bool:
    """A table whose columns are called like nose_x and nose_y, or one of numbers only."""
    if file.container != "csv" or file.fault is not None or not file.value:
        return False
    header = file.value[0]
    numbers = len(header) >= 10 and all(re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?|nan|", cell.lower()) for cell in header)
    return columns_of(header) is not None or numbers


def is_nested_points(file: Contents) -> bool:
    """JSON of bare lists of points; a dict may hold their confidences, but no other lists of lists beside them."""
    if file.container != "json" or file.fault is not None:
        return False
    values = list(file.value.values()) if isinstance(file.value, dict) else [file.value]
    nested = [value for value in values if isinstance(value, list) and value and isinstance(value[0], list)]
    points = [value for value in nested if depth_of(value) > 0]
    if len(points) != 1 or len(nested) > 2:
        return False
    return all(len(value[0]) == len(points[0][0]) for value in nested)


def depth_of(value: Any) -> int:
    """How deep lists of points are: 2 for the joints of one frame, 3 for frames, 4 with people; 0 for other values."""
    sizes = []
    while isinstance(value, list) and value:
        sizes.append(len(value))
        value = next((item for item in value if isinstance(item, int | float) or item), None)
    points = 2 <= len(sizes) <= 4 and sizes[-1] in (2, 3) and sizes[-2] >= 5
    return len(sizes) if points and isinstance(value, int | float) else 0


def is_point_array(file: Contents) -> bool:
    return points_of(file) is not None


def points_of(file: Contents) -> np.ndarray | None:
    """The one array (frames, joints, 2) of a .npy or .npz, or (frames, joints, 3) of pixels and confidence.

    An array (frames, joints) beside the first holds its confidences.
    """
    found = {
        name: it for name, it in file.arrays.items()
        if len(it.shape) == 3 and it.shape[2] in (2, 3) and it.shape[1] >= 5 and it.shape[0] and it.dtype.kind in "fiu"
    }  # fmt: skip
    if file.declared is not None or len(found) != 1 or sum(len(it.shape) == 3 for it in file.arrays.values()) > 1:
        return None
    ((name, header),) = found.items()
    try:
        points = read_array(file.path, name)
    except ValueError:
        return None
    if header.shape[2] == 2:
        beside = [name for name, it in file.arrays.items() if it.shape == header.shape[:2] and it.dtype.kind in "fiu"]
        if len(beside) != 1:
            return points
        return np.concatenate([points, read_array(file.path, beside[0])[..., None]], axis=-1)
    confidence, xy = points[..., 2], np.abs(points[..., :2])
    in_pixels = np.nanmax(xy, initial=0) > 20  # metres stay below
    return points if in_pixels and (confidence >= 0).all() and (confidence <= 1.01).all() else None


def is_folder_of_pictures(file: Contents) -> bool:
    pictures = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
    return file.container == "folder" and any(name.lower().endswith(pictures) for name in file.fields[:50])


def is_folder_of_videos(file: Contents) -> bool:
    return file.container == "folder" and any(name.lower().endswith(VIDEO_SUFFIXES) for name in file.fields)
