"""A small valid file of every kind that is read, from which the fuzz suite makes broken ones.

A sample is a name, and a function that writes the file into a folder. `KIND_OF` says which kind each is of.
"""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import keypoint_writers
import numpy as np
import torch

from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17, SMPL_24
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion, Keypoints

Write = Callable[[Path], Path]
FRAMES, SIZE = 5, (640, 480)


def clip(joints: int) -> np.ndarray:
    """x, y and confidence of a person who stands and moves a little."""
    rng = np.random.default_rng(joints)
    xy = np.array([300.0, 200.0]) + rng.uniform(-90, 90, (joints, 2)) + np.arange(FRAMES)[:, None, None]
    return np.concatenate([xy, np.full((FRAMES, joints, 1), 0.9)], -1).round(3)


POSES = np.zeros((FRAMES, 72))
POSES[:, 3:] = np.random.default_rng(0).normal(0, 0.2, (FRAMES, 69))
IN_CAMERA = np.concatenate([np.tile([np.pi, 0, 0], (FRAMES, 1)), POSES[:, 3:]], 1)
PLACE = np.tile([0.1, 0.9, 3.0], (FRAMES, 1))
BETAS = np.zeros((FRAMES, 10))
MATRICES = np.tile(np.eye(3), (FRAMES, 24, 1, 1))
MATRICES_55 = np.tile(np.eye(3), (FRAMES, 55, 1, 1))
NUMBERS = np.arange(2, 2 + FRAMES)
CAMERAS = np.tile(np.diag([1.0, -1, -1, 1]), (FRAMES, 1, 1))


def joints_m(count: int) -> np.ndarray:
    """Places of joints, of which SMPL's first 22 stand upright."""
    rng = np.random.default_rng(count)
    place = rng.uniform(-0.3, 0.3, (count, 3))
    heights = {
        "pelvis": 1.0,
        "hip": 0.95,
        "knee": 0.5,
        "ankle": 0.1,
        "foot": 0.0,
        "spine": 1.2,
        "neck": 1.5,
        "head": 1.7,
    }
    for joint, row in zip(SMPL_24.joints, place, strict=False):
        row[1] = next((height for name, height in heights.items() if name in joint), 1.3)
    return np.tile(place, (FRAMES, 1, 1))


def _pickled(content: Any, name: str = "file.pkl") -> Write:
    return lambda folder: _written(folder / name, pickle.dumps(content))


def _dumped(content: Any) -> Write:
    def write(folder: Path) -> Path:
        joblib.dump(content, folder / "file.pkl")
        return folder / "file.pkl"

    return write


def _both(content: Any) -> list[Write]:
    return [_pickled(content), _dumped(content)]


def _npz(**arrays: Any) -> Write:
    def write(folder: Path) -> Path:
        np.savez(folder / "file.npz", **arrays)
        return folder / "file.npz"

    return write


def _npy(content: Any) -> Write:
    def write(folder: Path) -> Path:
        np.save(folder / "file.npy", content, allow_pickle=True)
        return folder / "file.npy"

    return write


def _torch(content: Any) -> Write:
    def write(folder: Path) -> Path:
        torch.save(content, folder / "file.pt")
        return folder / "file.pt"

    return write


def _json(content: Any, name: str = "file.json") -> Write:
    return lambda folder: _written(folder / name, json.dumps(content).encode())


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _own_keypoints(folder: Path) -> Path:
    xyc = torch.from_numpy(clip(17)).float()
    save_keypoints([Keypoints(xyc[..., :2], xyc[..., 2], COCO_17, 30.0, *SIZE)], folder / "file.npz")
    return folder / "file.npz"


def _own_motion(folder: Path) -> Path:
    rotmat = torch.from_numpy(MATRICES).float()
    save_motion(
        BodyMotion(rotmat, torch.from_numpy(PLACE), torch.zeros(10), "open", 30.0, "world"), folder / "file.npz"
    )
    return folder / "file.npz"


def _own_joints(folder: Path) -> Path:
    save_motion(JointMotion(torch.from_numpy(joints_m(24)), SMPL_24, 30.0, "world"), folder / "file.npz")
    return folder / "file.npz"


def _bvh(folder: Path) -> Path:
    from paths import WALK_BVH

    lines = WALK_BVH.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Frames"))
    lines[start] = f"Frames: {FRAMES}"
    return _written(folder / "file.bvh", "\n".join(lines[: start + 2 + FRAMES]).encode())


def _trc(folder: Path) -> Path:
    names = ("RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle", "Neck", "Head", "RShoulder", "LShoulder")
    places = [(0.1, 0.9, 0), (-0.1, 0.9, 0), (0.1, 0.5, 0), (-0.1, 0.5, 0), (0.1, 0.1, 0), (-0.1, 0.1, 0), (0, 1.5, 0),
              (0, 1.7, 0), (0.2, 1.4, 0), (-0.2, 1.4, 0)]  # fmt: skip
    row = "\t".join(str(value) for place in places for value in place)
    head = ["PathFileType\t4\t(X/Y/Z)\tfile.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
            f"100\t100\t{FRAMES}\t{len(names)}\tm", "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
            "\t\tX1\tY1\tZ1", ""]  # fmt: skip
    rows = [f"{i + 1}\t{i / 100}\t{row}" for i in range(FRAMES)]
    return _written(folder / "file.trc", "\n".join([*head, *rows]).encode())


def _c3d(folder: Path) -> Path:
    import ezc3d

    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["m"]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(SMPL_24.joints[:22])
    points = np.ones((4, 22, FRAMES))
    points[:3] = joints_m(22).transpose(2, 1, 0)
    file["data"]["points"] = points
    file.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    file.write(str(folder / "file.c3d"))
    return folder / "file.c3d"


def _ntu(folder: Path) -> Path:
    joint = "0.1 0.2 3.0 200.5 210.5 400.5 300.5 0.1 0.2 0.3 0.9 2"
    body = ["1", "72057594037931101 0 1 1 1 1 0 0.1 0.2 2", "25", *[joint] * 25]
    return _written(folder / "file.skeleton", "\n".join([str(FRAMES), *body * FRAMES]).encode())


def _phalp() -> dict[str, Any]:
    person = {"global_orient": MATRICES[0, :1], "body_pose": MATRICES[0, 1:], "betas": BETAS[0]}
    return {
        f"{i:06d}.jpg": {"time": i, "tid": [1], "tracked_time": [0], "smpl": [person], "camera": [PLACE[0]]}
        for i in range(FRAMES)
    }


def _features() -> np.ndarray:
    """HumanML3D's: the height of the root behind its speeds, then the places of the other 21 joints."""
    features = np.zeros((FRAMES, 263), np.float32)
    features[:, 3] = 1.0
    features[:, 4:67] = (joints_m(22)[:, 1:] * [0.1, 1.0, 0.1]).reshape(FRAMES, -1)
    return features


def _sam() -> list[list[dict[str, Any]]]:
    place = np.tile(joints_m(70)[0], (FRAMES, 1, 1))
    return [[{"pred_keypoints_3d": place[i], "pred_cam_t": PLACE[i], "focal_length": 900.0}] for i in range(FRAMES)]


def _easymocap(folder: Path) -> Path:
    for i in range(FRAMES):
        person = {"id": 0, "Rh": [POSES[i, :3].tolist()], "Th": [PLACE[i].tolist()], "poses": [POSES[i].tolist()],
                  "shapes": [[0.0] * 10]}  # fmt: skip
        _written(folder / f"{i:06d}.json", json.dumps([person]).encode())
    return folder


_DEEPMIMIC = [0.0333, 0, 0.9, 0, *[1, 0, 0, 0] * 3, *[1, 0, 0, 0], 0.1, *[1, 0, 0, 0] * 2, 0.1, *[1, 0, 0, 0], 0.1,
              *[1, 0, 0, 0] * 2, 0.1]  # fmt: skip
_SMPL = {"global_orient": IN_CAMERA[:, :3], "body_pose": IN_CAMERA[:, 3:66], "transl": PLACE, "betas": BETAS}
_TENSORS = {name: torch.from_numpy(value).float() for name, value in _SMPL.items()}
_DETECTIONS = np.column_stack([np.arange(FRAMES), np.zeros((FRAMES, 4)), np.ones((FRAMES, 2)), np.zeros(FRAMES)])
_MESH = {"smpl_pose": IN_CAMERA, "smpl_shape": BETAS, "source": ["a"] * FRAMES}

# By the kind of file (`files.kinds.KINDS`).
SAMPLES: dict[str, list[Write]] = {
    "motionrep keypoints": [_own_keypoints],
    "NTU skeleton": [_ntu],
    "motionrep body motion": [_own_motion],
    "BVH": [_bvh],
    "AMASS": [_npz(poses=np.zeros((FRAMES, 156)), trans=PLACE, betas=BETAS[0], mocap_framerate=60.0, gender="male")],
    "3DPW": [_pickled({"poses": [POSES], "trans": [PLACE], "betas": [BETAS[0]], "cam_poses": CAMERAS,
                       "genders": ["m"]})],
    "WHAM": _both({0: {"pose": IN_CAMERA, "trans": PLACE, "pose_world": POSES, "trans_world": PLACE, "betas": BETAS,
                          "frame_ids": NUMBERS}}),
    "MotionBERT mesh": [_pickled({"train": _MESH, "test": _MESH})],
    "GVHMR": [_torch({"smpl_params_global": _TENSORS, "smpl_params_incam": _TENSORS}),
              _pickled({"smpl_params_global": _SMPL, "smpl_params_incam": _SMPL})],
    "SMPL-X in parts": [_npz(root_orient=POSES[:, :3], pose_body=POSES[:, 3:66], trans=PLACE, betas=BETAS[0], fps=30)],
    "arguments of the package smplx": [_npz(global_orient=POSES[:, :3], body_pose=POSES[:, 3:72], transl=PLACE,
                                            betas=BETAS, fps=30.0)],
    "AIST++": [_pickled({"smpl_poses": POSES, "smpl_trans": 90 * PLACE, "smpl_scaling": np.array([90.0])})],
    "PHALP and 4D-Humans": _both(_phalp()),
    "ROMP": [_npz(results={f"{i:06d}.png": {"smpl_thetas": IN_CAMERA[i:i + 1], "cam_trans": PLACE[i:i + 1],
                                           "smpl_betas": BETAS[i:i + 1]} for i in range(FRAMES)})],
    "VIBE": _both({1: {"pose": IN_CAMERA, "betas": BETAS, "orig_cam": np.tile([0.9, 0.9, 0.1, 0.1], (FRAMES, 1)),
                          "bboxes": np.tile([300.0, 200, 200, 200], (FRAMES, 1)), "frame_ids": NUMBERS}}),
    "TRAM": [_npy({"pred_rotmat": torch.from_numpy(MATRICES), "pred_shape": torch.zeros(FRAMES, 10),
                   "pred_trans": torch.from_numpy(PLACE)[:, None], "frame": torch.arange(FRAMES)})],
    "PromptHMR": _both({"people": {1: {"frames": NUMBERS, "smplx_cam": {"rotmat": MATRICES_55, "shape": BETAS,
                        "trans": PLACE}, "smplx_world": {"pose": np.zeros((FRAMES, 165)), "shape": BETAS,
                  "trans": PLACE}}}, "camera_world": {}}),
    "CLIFF": [_npz(imgname=["0.png"] * FRAMES, pose=IN_CAMERA, shape=BETAS, global_t=PLACE, detection_all=_DETECTIONS)],
    "HybrIK": [_pickled({"pred_thetas": MATRICES.reshape(FRAMES, 216), "pred_cam_root": PLACE, "pred_betas": BETAS,
                         "bbox": np.tile([300.0, 200, 200, 200], (FRAMES, 1)), "height": np.full(FRAMES, 480),
                         "width": np.full(FRAMES, 640)}, "file.pk")],
    "EasyMocap": [_easymocap],
    "GLAMR": [_pickled({"person_data": {0: {
              "smpl_pose": IN_CAMERA[:, 3:], "smpl_beta": BETAS, "exist_frames": np.ones(FRAMES),
              **{f"smpl_orient_{it}": IN_CAMERA[:, :3] for it in ("world", "cam_in_world")},
              **{f"root_trans_{it}": PLACE for it in ("world", "cam_in_world")}}}, "cam_pose": CAMERAS})],
    "dict of SMPL's parameters": [_pickled(_SMPL), _torch(_TENSORS), _json({k: v.tolist() for k, v in _SMPL.items()})],
    "DeepMimic": [_json({"Loop": "wrap", "Frames": [_DEEPMIMIC] * FRAMES}, "file.txt")],
    "motionrep joint motion": [_own_joints],
    "results of MDM": [_npy({"motion": np.moveaxis(joints_m(22)[None], 1, -1), "lengths": np.array([FRAMES]),
                             "text": ["walks"]})],
    "HumanML3D features": [_npy(_features())],
    "SAM 3D Body": [_pickled(_sam())],
    "C3D markers": [_c3d],
    "OpenSim markers": [_trc],
    "array of shape (frames, joints, 3 or 4)": [_npy(joints_m(22)), _npz(joints=joints_m(24), fps=30.0)],
}  # fmt: skip

_WRITERS: dict[str, tuple[Any, ...]] = {
    "OpenPose": (keypoint_writers.openpose, keypoint_writers.pose_list),
    "MMPose": (keypoint_writers.mmpose_demo, keypoint_writers.mmpose_inferencer),
    "Ultralytics YOLO": (keypoint_writers.ultralytics_json,),
    "AlphaPose": (keypoint_writers.alphapose, keypoint_writers.poseflow),
    "COCO": (keypoint_writers.coco_results, keypoint_writers.coco_annotations),
    "Kinetics-skeleton": (keypoint_writers.kinetics,),
    "lists of points in JSON": (keypoint_writers.nested_lists,),
    "YOLO labels": (keypoint_writers.ultralytics_labels,),
    "DeepLabCut": (keypoint_writers.deeplabcut_csv, keypoint_writers.deeplabcut_h5),
    "SLEAP": (keypoint_writers.sleap,),
    "table of keypoints": (keypoint_writers.coco_table,),
    "VideoPose3D": (keypoint_writers.videopose3d,),
    "array of 2D points": (keypoint_writers.array,),
}


def _by_writer(writer: Any, joints: int) -> Write:
    return lambda folder: writer(folder, clip(joints), SIZE)


SAMPLES |= {kind: [_by_writer(writer, 17) for writer in writers] for kind, writers in _WRITERS.items()}
SAMPLES["MediaPipe"] = [
    _by_writer(it, 33) for it in (keypoint_writers.mediapipe_json, keypoint_writers.mediapipe_json_lines)
]
