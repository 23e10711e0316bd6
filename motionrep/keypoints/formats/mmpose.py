"""MMPose: results of its demo on a video (`instance_info`), a list of frames, or the instances of one image."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.fields import as_list, field, frame_keys, track_of
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import H36M_17, LAYOUTS

# Files may name the data set of their detector; others with 17 points (PoseTrack, animals) have other orders.
_LAYOUTS = dict.fromkeys(("coco", "coco_wholebody", "halpe", "halpe26"), BODY_LAYOUTS) | {
    "h36m": {17: H36M_17}, "crowdpose": {14: LAYOUTS["crowdpose_14"]}, "mpii": {16: LAYOUTS["mpii_16"]},
    "jhmdb": {15: LAYOUTS["jhmdb_15"]}, "posetrack18": {17: LAYOUTS["posetrack_17"]}, "aic": {14: LAYOUTS["aic_14"]},
}  # fmt: skip


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of MMPose's files. Raises ValueError for what cannot be right."""
    path, value = contents.path, contents.value
    if contents.container == "folder":
        return _of_pictures(value, options, path)
    if isinstance(value, dict) and "instance_info" in value:
        return _of_the_demo(value, options, path)
    if "predictions" in contents.item_fields or isinstance(value, dict):  # what the inferencer returns
        results = as_list([value] if isinstance(value, dict) else value, path)
        value = [frame for result in results for frame in as_list(field(result, "predictions", str(path)), path)]
    if value and all(isinstance(frame, list) for frame in value):
        frames, keys = [{"instances": frame} for frame in value], list(range(len(value)))
    elif "keypoint_scores" in contents.item_fields:
        frames, keys = [{"instances": value}], [0]
    else:
        frames, keys = value, frame_keys(value)
    return checked_detections(_rows(frames, path), keys, BODY_LAYOUTS, options, path)


def _of_the_demo(content: dict[str, Any], options: KeypointOptions, path: Path) -> Detections:
    meta = content.get("meta_info")
    dataset = str(meta.get("dataset_name", "coco")) if isinstance(meta, dict) else "coco"
    names = _names(meta.get("keypoint_id2name")) if isinstance(meta, dict) else None
    frames = as_list(content["instance_info"], path)
    if frames and all(isinstance(item, dict) and "keypoint_scores" in item for item in frames):
        frames = [{"instances": frames}]  # those of a picture
    keys = frame_keys(frames)
    found = checked_detections(_rows(frames, path), keys, _LAYOUTS.get(dataset, {}), options, path, names=names)
    # The demo lists every frame of a video and calls the first one 1.
    counts_from_1 = all(str(key).isdecimal() for key in keys) and min(map(int, keys)) == 1
    return replace(found, frame=found.frame - 1) if counts_from_1 else found


def _of_pictures(files: dict[str, Any], options: KeypointOptions, path: Path) -> Detections:
    """A folder with a file for each picture, as MMPose's inferencer and Sapiens write them."""
    frames, names = [], None
    for name, value in files.items():
        content = value if isinstance(value, dict) else {"instance_info": value}
        instances = as_list(field(content, "instance_info", f"{path / name}"), f"{path / name}")
        frames.append({"frame": name, "instances": instances})
        meta = content.get("meta_info")
        names = names or (_names(meta.get("keypoint_id2name")) if isinstance(meta, dict) else None)
    return checked_detections(_rows(frames, path), frame_keys(frames), BODY_LAYOUTS, options, path, names=names)


def _names(id2name: Any) -> list[str] | None:
    """The names of the joints in their order; JSON has made text of the numbers."""
    if not isinstance(id2name, dict) or {str(key) for key in id2name} != {str(i) for i in range(len(id2name))}:
        return None
    return [str(name) for _, name in sorted(id2name.items(), key=lambda item: int(item[0]))]


def _rows(frames: list[Any], path: Path) -> Iterator[Row]:
    for key, frame in zip(frame_keys(frames), frames, strict=True):
        where = f"{path}: frame {key}"
        for instance in as_list(field(frame, "instances", where), where):
            keypoints, scores = field(instance, "keypoints", where), field(instance, "keypoint_scores", where)
            try:
                xyc = np.column_stack([np.array(keypoints, dtype=float), np.array(scores, dtype=float)])
            except (ValueError, TypeError, OverflowError):
                xyc = np.empty((0, 0))
            if xyc.shape[1] == 4:
                raise ValueError(
                    f"{where}: 'keypoints' are [x, y, z], a pose in 3D; keypoints of a picture are wanted, as those of "
                    "a 2D model"
                )
            if xyc.shape[1] != 3:
                raise ValueError(f"{where}: 'keypoints' must be pairs [x, y], one for each of the 'keypoint_scores'")
            score = instance.get("bbox_score")
            yield Row(key, xyc.ravel().tolist(), score, track_of(instance))
