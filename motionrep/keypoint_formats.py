"""Readers of the JSON that 2D detectors write; `keypoint_io.load_keypoints` is the way in."""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from motionrep.layouts import COCO_17, H36M_17, HALPE_26, LAYOUTS, MEDIAPIPE_33, OPENPOSE_18, OPENPOSE_25, JointLayout

logger = logging.getLogger(__name__)

# Layout by number of joints. COCO-WholeBody's 133 points start with COCO's 17, Halpe's 136 with its body's 26.
_BODY = {17: COCO_17, 26: HALPE_26, 133: COCO_17, 136: HALPE_26}
_OPENPOSE = {18: OPENPOSE_18, 25: OPENPOSE_25}
_MEDIAPIPE = {33: MEDIAPIPE_33}
# MMPose files may name the data set of their detector; others with 17 points (PoseTrack, animals) have other orders.
_MMPOSE = {"coco": _BODY, "coco_wholebody": _BODY, "halpe": _BODY, "halpe26": _BODY, "h36m": {17: H36M_17}}

_LARGEST = 1e9
_FORMATS = (
    "AlphaPose, COCO results and annotations, MMPose, MediaPipe, Ultralytics YOLO, a folder of OpenPose files, "
    "motionrep's own .npz; "
    "arrays go into motionrep.Keypoints"
)


@dataclass(frozen=True)
class Detections:
    """Every detection of a file, by frame; those of one frame in the file's order.

    `xyc` is x and y in pixels and confidence in [0, 1], all 0 for a joint that was not seen. `frame` is the number in
    the file. `person` is None when the file does not tell who is who. A detection without a seen joint is there only
    of a person with an id, who was then followed but not seen; its score is -inf.
    """

    xyc: Float[np.ndarray, "detections joints 3"]
    frame: Int[np.ndarray, " detections"]
    score: Float[np.ndarray, " detections"]
    person: list[str] | None
    layout: JointLayout


class _Row(NamedTuple):
    """One detection; `values` is x, y, confidence of each joint, flat."""

    frame: int | str
    values: Sequence[float]
    score: float | None
    person: str | None


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


def _collect(
    rows: Iterable[_Row],
    frames: Iterable[Any] | None,
    known: dict[int, JointLayout],
    layout: JointLayout | None,
    path: Path,
) -> Detections:
    """Checks the detections; `frames` names all frames of the file if some may have no detection."""
    rows = list(rows)
    if not rows:
        raise ValueError(f"{path}: no person was detected in any frame")
    numbers = _frame_numbers([row.frame for row in rows] if frames is None else list(frames), path)
    rows = _with_id(rows, path)
    rows.sort(key=lambda row: numbers[row.frame])
    values = _number_array(rows, path)
    layout = _choose_layout(values.shape[1], known, layout, path)
    xyc = _checked(values[:, : layout.joint_count], rows, layout, path)

    seen = xyc[..., 2].any(1)
    if not seen.any():
        raise ValueError(f"{path}: no joint of any person was seen (every confidence is 0)")
    person = _person_ids(rows)
    ever_seen = {rows[i].person for i in np.flatnonzero(seen)}
    kept = np.flatnonzero(seen if person is None else [name in ever_seen for name in person])
    means = xyc[..., 2].mean(1)
    has_score = [isinstance(row.score, float | int) and abs(row.score) < _LARGEST for row in rows]
    scores = [row.score if has else mean for row, has, mean in zip(rows, has_score, means, strict=True)]
    return Detections(
        xyc=xyc[kept],
        frame=np.array([numbers[row.frame] for row in rows])[kept],
        score=np.where(seen, np.array(scores, dtype=float), -np.inf)[kept],
        person=None if person is None else [person[i] for i in kept],
        layout=layout,
    )


def _checked(
    xyc: Float[np.ndarray, "detections joints 3"], rows: list[_Row], layout: JointLayout, path: Path
) -> Float[np.ndarray, "detections joints 3"]:
    """The keypoints with 0, 0, 0 for every joint that was not seen, and confidence of at most 1.

    Heatmaps give scores a little below 0 to joints that are not there, and some tools write NaN or null for them.
    """
    bad = np.abs(xyc) >= _LARGEST
    if bad.any():
        i, joint, axis = (int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"{path}: frame {rows[i].frame!r}, joint {layout.joints[joint]!r}: {('x', 'y', 'confidence')[axis]} is "
            f"{xyc[i, joint, axis]:g}; a joint that was not seen has 0, 0, 0"
        )
    odd = np.isnan(xyc).any(-1) | (xyc[..., 2] < -0.01)
    if odd.any():
        logger.warning(
            "%s: %d of %d joints have a confidence below 0, or NaN, and are taken as not seen", path,
            odd.sum(), odd.size,
        )  # fmt: skip
    xyc = np.where((odd | (xyc[..., 2] <= 0))[..., None], 0, xyc)
    xyc[..., 2] = np.minimum(xyc[..., 2], 1)  # older AlphaPose goes up to 6, COCO's visibility up to 2
    return xyc


def _frame_numbers(keys: list[Any], path: Path) -> dict[int | str, int]:
    """A number is itself; a file name has the last of its integers in which all names differ, or else its place."""
    for key in keys:
        if not isinstance(key, int | str):
            raise ValueError(f"{path}: a frame must be an integer or a file name, got {key!r}")
    keys = list(dict.fromkeys(keys))
    found = [[int(digits) for digits in re.findall(r"\d+", re.sub(r"\.[A-Za-z]\w*$", "", str(key)))] for key in keys]
    columns = zip(*(reversed(integers) for integers in found), strict=False)
    numbers = next((column for column in columns if len(set(column)) == len(keys)), None)
    if numbers is None:
        numbers = range(len(keys))
        if any(found):
            logger.warning(
                "%s: no number in the frames' names (%r, ...) differs in all of them; they are counted in their order, "
                "and frames that are missing cannot be told", path, keys[0],
            )  # fmt: skip
    if max(numbers) - min(numbers) > 100 * len(keys) + 10_000 or max(numbers) >= 2**62:
        raise ValueError(
            f"{path}: frames run from {min(numbers)} to {max(numbers)}, yet only {len(keys)} are there; "
            "these image ids do not count the frames of a video: number them in order"
        )
    return dict(zip(keys, numbers, strict=True))


def _number_array(rows: list[_Row], path: Path) -> Float[np.ndarray, "detections joints 3"]:
    expected = next((len(row.values) for row in rows if isinstance(row.values, list)), 0)
    for row in rows:
        if isinstance(row.values, list) and expected % 3:
            raise ValueError(
                f"{path}: frame {row.frame!r}: {len(row.values)} numbers are not x, y, confidence of each joint; where "
                "the detector has no confidence, write 1 for a joint that was seen and 0 for one that was not"
            )
        if not isinstance(row.values, list) or len(row.values) != expected:
            got = f"{len(row.values)} numbers" if isinstance(row.values, list) else repr(row.values)
            raise ValueError(
                f"{path}: frame {row.frame!r}: keypoints must be a list of x, y, confidence for each joint, as many in "
                f"every frame (expected {expected} numbers, got {got})"
            )
    try:
        return np.array([row.values for row in rows], dtype=np.float64).reshape(len(rows), -1, 3)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: keypoints hold something that is not a number: {error}") from error


def _choose_layout(
    joint_count: int, known: dict[int, JointLayout], layout: JointLayout | None, path: Path
) -> JointLayout:
    chosen = known.get(joint_count) if layout is None else layout
    if chosen is None:
        fitting = [name for name, choice in LAYOUTS.items() if choice.joint_count == joint_count]
        choices = " or ".join(f"layout={name!r}" for name in fitting) or f"a JointLayout (known: {', '.join(LAYOUTS)})"
        raise ValueError(f"{path}: the order of its {joint_count} joints is not known; pass {choices}")
    if joint_count != chosen.joint_count and chosen != known.get(joint_count):
        raise ValueError(
            f"{path}: {joint_count} joints per person, layout {chosen.name!r} has {chosen.joint_count}; "
            f"pass layout= as the detector wrote it (known: {', '.join(LAYOUTS)})"
        )
    return chosen


def _with_id(rows: list[_Row], path: Path) -> list[_Row]:
    """All detections, or those with a person id if some have one: trackers leave unconfirmed detections without."""
    tracked = [row for row in rows if row.person is not None]
    if not tracked or len(tracked) == len(rows):
        return rows
    logger.warning(
        "%s: %d of %d detections have no person id, others have; they are left out", path,
        len(rows) - len(tracked), len(rows),
    )  # fmt: skip
    return tracked


def _person_ids(rows: list[_Row]) -> list[str] | None:
    """AlphaPose without tracking calls everybody 0: one id for several detections of one frame is none."""
    ids = [row.person for row in rows if row.person is not None]
    if not ids or (len(set(ids)) == 1 and len({row.frame for row in rows}) < len(rows)):
        return None
    return ids
