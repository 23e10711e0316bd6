"""Writes a clip of COCO's 17 joints, or MediaPipe's 33, as tools do: each as the code that it names emits it.

Every writer takes a folder, points (frames, joints, x y confidence) in pixels, and the picture's size; it gives a path.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from motionrep.layouts import COCO_17, MEDIAPIPE_33


def _json(path: Path, content) -> Path:
    path.write_text(json.dumps(content))
    return path


def _box(xyc):
    low, high = xyc[:, :2].min(0), xyc[:, :2].max(0)
    return [*low.tolist(), *(high - low).tolist()]


def alphapose(folder, clip, size):
    """write_json of AlphaPose (alphapose/utils/pPose_nms.py), untracked: everybody is 0."""
    return _json(folder / "alphapose-results.json", [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": xyc.ravel().tolist(), "score": 2.6, "box": _box(xyc),
         "idx": [0.0]} for t, xyc in enumerate(clip)
    ])  # fmt: skip


def alphapose_open(folder, clip, size):
    """The same with --format open: OpenPose's 18 joints of COCO's."""
    order = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    with_neck = np.concatenate([clip, (clip[:, 5:6] + clip[:, 6:7]) / 2], axis=1)[:, order]
    return _json(folder / "alphapose-results.json", {
        f"{t}.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": xyc.ravel().tolist()}]}
        for t, xyc in enumerate(with_neck)
    })  # fmt: skip


def poseflow(folder, clip, size):
    """trackers/PoseFlow/tracker-general.py of AlphaPose."""
    return _json(folder / "alphapose-results-forvis-tracked.json", {
        f"{t}.jpg": [{"keypoints": xyc.ravel().tolist(), "scores": 2.6, "idx": 1}] for t, xyc in enumerate(clip)
    })  # fmt: skip


def coco_results(folder, clip, size):
    """results2json of MMPose (mmpose/evaluation/metrics/coco_metric.py)."""
    return _json(folder / "results.keypoints.json", [
        {"bbox": _box(xyc), "category_id": 1, "image_id": t, "keypoints": xyc.ravel().tolist(), "score": 0.9}
        for t, xyc in enumerate(clip)
    ])  # fmt: skip


def yolo_predictions(folder, clip, size):
    """pred_to_json of Ultralytics (models/yolo/pose/val.py): predictions.json of `val`."""
    return _json(folder / "predictions.json", [
        {"image_id": f"frame_{t:04d}", "file_name": f"frame_{t:04d}.jpg", "category_id": 1, "bbox": _box(xyc),
         "score": 0.9, "keypoints": xyc.ravel().tolist()} for t, xyc in enumerate(clip)
    ])  # fmt: skip


def coco_annotations(folder, clip, size):
    """Annotations as CVAT exports them: joints are named, the track is an attribute."""
    return _json(folder / "person_keypoints_default.json", {
        "categories": [{"id": 1, "name": "person", "keypoints": [*COCO_17.joints], "skeleton": []}],
        "images": [{"id": t + 1, "width": size[0], "height": size[1], "file_name": f"frame_{t:06d}.PNG"}
                   for t in range(len(clip))],
        "annotations": [{"id": t + 1, "image_id": t + 1, "category_id": 1, "iscrowd": 0, "keypoints":
                         np.column_stack([xyc[:, :2], 2 * (xyc[:, 2] > 0)]).ravel().tolist(), "num_keypoints": 17,
                         "attributes": {"occluded": False, "track_id": 0}} for t, xyc in enumerate(clip)],
    })  # fmt: skip


def _instance(xyc):
    return {"keypoints": xyc[:, :2].tolist(), "keypoint_scores": xyc[:, 2].tolist(), "bbox": [_box(xyc)],
            "bbox_score": 0.9}  # fmt: skip


def mmpose_demo(folder, clip, size):
    """demo/topdown_demo_with_mmdet.py of MMPose; json_tricks writes arrays as objects."""
    meta = {
        "dataset_name": "coco", "num_keypoints": 17,
        "keypoint_id2name": {str(i): joint for i, joint in enumerate(COCO_17.joints)},
        "sigmas": {"__ndarray__": [0.026] * 17, "dtype": "float32", "shape": [17], "Corder": True},
    }  # fmt: skip
    frames = [{"frame_id": t + 1, "instances": [_instance(xyc)]} for t, xyc in enumerate(clip)]
    return _json(folder / "results_dance.json", {"meta_info": meta, "instance_info": frames})


def mmpose_inferencer(folder, clip, size):
    """mmpose/apis/inferencers/base_mmpose_inferencer.py on a video."""
    frames = [{"frame_id": t, "instances": [_instance(xyc)]} for t, xyc in enumerate(clip)]
    return _json(folder / "dance.json", frames)


def mmpose_pictures(folder, clip, size):
    """The same on a folder of pictures: a file for each."""
    for t, xyc in enumerate(clip):
        _json(folder / f"{t:06d}.json", [_instance(xyc)])
    return folder


def sapiens_lite(folder, clip, size):
    """lite/demo/vis_pose.py of Sapiens: a file for each picture, without the names of joints."""
    for t, xyc in enumerate(clip):
        instance = {"keypoints": xyc[:, :2].tolist(), "keypoint_scores": xyc[:, 2].tolist()}
        _json(folder / f"{t:06d}.json", {"instance_info": [instance]})
    return folder


def ultralytics_json(folder, clip, size):
    """Results.to_json of Ultralytics (engine/results.py, summary), collected over the frames by a user."""
    frames = []
    for xyc in clip:
        x, y, w, h = _box(xyc)
        points = dict(zip(("x", "y", "visible"), np.round(xyc.T, 5).tolist(), strict=True))
        found = {"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": x, "y1": y, "x2": x + w, "y2": y + h}}
        frames.append(json.dumps([found | {"keypoints": points}], indent=2))
    return _json(folder / "yolo.json", frames)


def ultralytics_labels(folder, clip, size):
    """Results.save_txt of Ultralytics with save_conf, in the folder that a prediction of a video fills."""
    for t, xyc in enumerate(clip):
        fractions = xyc / [*size, 1]
        line = (0, 0.5, 0.5, 0.2, 0.4, *fractions.ravel(), 0.9)
        (folder / f"dance_{t + 1}.txt").write_text(("%g " * len(line)).rstrip() % line + "\n")
    return folder


def openpose(folder, clip, size):
    """A folder of OpenPose with --model_pose COCO; what it did not find is 0, 0, 0."""
    order = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    with_neck = np.concatenate([clip, (clip[:, 5:6] + clip[:, 6:7]) / 2], axis=1)[:, order]
    for t, xyc in enumerate(with_neck):
        empty = {f"{part}_keypoints_{n}d": [] for part in ("face", "hand_left", "hand_right") for n in (2, 3)}
        person = {"person_id": [-1], "pose_keypoints_2d": xyc.ravel().tolist(), **empty, "pose_keypoints_3d": []}
        _json(folder / f"dance_{t:012d}_keypoints.json", {"version": 1.3, "people": [person]})
    return folder


def pose_list(folder, clip, size):
    """The saved keypoints of ComfyUI's ControlNet nodes (encode_poses_as_dict, dwpose/__init__.py)."""
    order = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    with_neck = np.concatenate([clip, (clip[:, 5:6] + clip[:, 6:7]) / 2], axis=1)[:, order]
    return _json(folder / "PoseKeypoint_00001.json", [
        {"people": [{"pose_keypoints_2d": np.column_stack([xyc[:, :2], np.ones(18)]).ravel().tolist(),
                     "face_keypoints_2d": None, "hand_left_keypoints_2d": None, "hand_right_keypoints_2d": None}],
         "canvas_height": size[1], "canvas_width": size[0]} for xyc in with_neck
    ])  # fmt: skip


def kinetics(folder, clip, size):
    """Kinetics-skeleton as ST-GCN's feeder reads it (feeder/feeder_kinetics.py)."""
    order = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    with_neck = np.concatenate([clip, (clip[:, 5:6] + clip[:, 6:7]) / 2], axis=1)[:, order]
    frames = []
    for t, xyc in enumerate(with_neck):
        skeleton = {"pose": (xyc[:, :2] / size).ravel().tolist(), "score": xyc[:, 2].tolist()}
        frames.append({"frame_index": t + 1, "skeleton": [skeleton]})
    return _json(folder / "clip.json", {"data": frames, "label": "walking", "label_index": 1})


def videopose3d(folder, clip, size):
    """data/prepare_data_2d_custom.py of VideoPose3D."""
    symmetry = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    metadata = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": symmetry,
                "video_metadata": {"dance.mp4": {"w": size[0], "h": size[1]}}}  # fmt: skip
    points = {"dance.mp4": {"custom": [clip[..., :2].astype("float32")]}}
    path = folder / "data_2d_custom_mine.npz"
    np.savez_compressed(path, positions_2d=points, metadata=metadata)  # pyright: ignore[reportArgumentType]
    return path


def deeplabcut_csv(folder, clip, size):
    frame = _deeplabcut(clip)
    frame.to_csv(folder / "danceDLC.csv")
    return folder / "danceDLC.csv"


def deeplabcut_h5(folder, clip, size):
    """create_df_from_prediction of DeepLabCut (pose_estimation_pytorch/apis/videos.py); with save_as_csv also .csv."""
    _deeplabcut(clip).to_hdf(folder / "danceDLC.h5", key="df_with_missing", format="table", mode="w")
    return folder / "danceDLC.h5"


def _deeplabcut(clip):
    names = [("DLC_snapshot", joint, axis) for joint in COCO_17.joints for axis in ("x", "y", "likelihood")]
    columns = pd.MultiIndex.from_tuples(names, names=["scorer", "bodyparts", "coords"])
    return pd.DataFrame(clip.reshape(len(clip), -1), columns=columns)


def sleap(folder, clip, size):
    """write_labels of sleap-io (io/analysis_h5.py), in SLEAP's own order of axes."""
    path = folder / "labels.analysis.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = clip[None, ..., :2].transpose(0, 3, 2, 1)
        file["point_scores"] = clip[None, ..., 2].transpose(0, 2, 1)
        file["node_names"] = [joint.encode() for joint in COCO_17.joints]
        file["track_names"] = [b"track_0"]
    return path


def nested_lists(folder, clip, size):
    """json.dump of `keypoints.tolist()`."""
    return _json(folder / "points.json", clip.tolist())


def array(folder, clip, size):
    np.save(folder / "points.npy", clip)
    return folder / "points.npy"


def coco_table(folder, clip, size):
    """The columns of TensorFlow's MoveNet examples (data.py of pose_classification)."""
    header = [f"{joint.upper()}_{axis}" for joint in COCO_17.joints for axis in ("x", "y", "score")]
    frame = pd.DataFrame(clip.reshape(len(clip), -1), columns=pd.Index(header))
    frame.insert(0, "file_name", [f"img_{t:04d}.jpg" for t in range(len(clip))])
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def _landmarks(xyc, size):
    return [{"x": x / size[0], "y": y / size[1], "z": -0.1, "visibility": c} for x, y, c in xyc.tolist()]


def mediapipe_json(folder, clip, size):
    """A user's list of `results.pose_landmarks.landmark` by frame."""
    return _json(folder / "pose.json", [{"frame": t, "landmarks": _landmarks(xyc, size)} for t, xyc in enumerate(clip)])


def mediapipe_json_lines(folder, clip, size):
    path = folder / "pose.jsonl"
    lines = [json.dumps({"frame": t, "landmarks": _landmarks(xyc, size)}) for t, xyc in enumerate(clip)]
    path.write_text("\n".join(lines) + "\n")
    return path


def mediapipe_csv(folder, clip, size):
    """A column for each number of a landmark."""
    header = [f"{joint}_{axis}" for joint in MEDIAPIPE_33.joints for axis in ("x", "y", "z", "visibility")]
    rows = [[v for mark in _landmarks(xyc, size) for v in mark.values()] for xyc in clip]
    pd.DataFrame(rows, columns=pd.Index(header)).to_csv(folder / "pose.csv", index_label="frame")
    return folder / "pose.csv"


def mediapipe_long_csv(folder, clip, size):
    """A row for each landmark."""
    rows = [(t, MEDIAPIPE_33.joints[j].upper(), *mark.values())
            for t, xyc in enumerate(clip) for j, mark in enumerate(_landmarks(xyc, size))]  # fmt: skip
    table = pd.DataFrame(rows, columns=pd.Index(["frame", "landmark", "x", "y", "z", "visibility"]))
    table.to_csv(folder / "pose.csv", index=False)
    return folder / "pose.csv"


OF_COCO = (
    alphapose, alphapose_open, poseflow, coco_results, yolo_predictions, coco_annotations, mmpose_demo,
    mmpose_inferencer, mmpose_pictures, sapiens_lite, ultralytics_json, ultralytics_labels, openpose, pose_list,
    kinetics, videopose3d, deeplabcut_csv, deeplabcut_h5, sleap, nested_lists, array, coco_table,
)  # fmt: skip
OF_MEDIAPIPE = (mediapipe_json, mediapipe_json_lines, mediapipe_csv, mediapipe_long_csv)
