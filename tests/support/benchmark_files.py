"""Files of published data sets as the tests write them."""

import pickle

import numpy as np
import torch

from motionrep.datasets.benchmarks.h36m import h36m_cameras
from motionrep.datasets.benchmarks.h36m_cameras import CAMERA_IDS
from motionrep.datasets.benchmarks.mpi_inf_3dhp import TEST_SEQUENCES
from motionrep.geometry.cameras import project
from motionrep.layouts import H36M_17

# The 32 joints of the file in words, from the skeleton in VideoPose3D's documentation: repeated joints are numbered.
FILE_JOINTS = [
    *("pelvis", "right_hip", "right_knee", "right_ankle", "right_toe", "right_toe_end"),
    *("left_hip", "left_knee", "left_ankle", "left_toe", "left_toe_end", "pelvis_2", "spine", "thorax", "nose", "head"),
    *("thorax_2", "left_shoulder", "left_elbow", "left_wrist", "left_wrist_2", "left_thumb", "left_hand", "left_end"),
    *("thorax_3", "right_shoulder", "right_elbow", "right_wrist", "right_wrist_2", "right_thumb", "right_hand"),
    "right_end",
]


H36M_SYMMETRY = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]


def world(frames: int, seed: int = 0) -> np.ndarray:
    """32 joints about the middle of the room, metres, z up."""
    return np.random.default_rng(seed).uniform((-0.5, -0.5, 0), (0.5, 0.5, 1.8), (frames, 32, 3)).astype(np.float32)


def write_videopose3d(folder, actions=("Walking 1", "SittingDown"), frames=5, subjects=("S9", "S11"), extra=2):
    """Both files; the 2D is what each camera sees without distortion, and longer by some frames, as in some videos."""
    positions = {s: {a: world(frames, i) for i, a in enumerate(actions)} for s in subjects}
    detections = {}
    for subject, of_subject in positions.items():
        detections[subject] = {}
        for action, world_m in of_subject.items():
            kept = torch.from_numpy(world_m[:, [FILE_JOINTS.index(j) for j in H36M_17.joints]])
            views = []
            for camera in h36m_cameras(subject):
                rotation, shift_m = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
                seen = project(kept @ rotation.T + shift_m, camera).numpy()
                views.append(np.concatenate([seen, seen[-1:].repeat(extra, 0)]).astype(np.float32))
            detections[subject][action] = views
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=positions)
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": H36M_SYMMETRY}
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=detections, metadata=metadata)
    return positions, detections


def motionbert(frames=(6, 4), confidence_axes=2, as_arrays=True):
    rng = np.random.default_rng(0)
    total = sum(frames)
    sources = [
        f"s_{9 + 2 * i:02d}_act_02_subact_01_ca_0{i + 1}" for i, count in enumerate(frames) for _ in range(count)
    ]
    cameras = [CAMERA_IDS[i] for i, count in enumerate(frames) for _ in range(count)]
    joint_2d = rng.uniform(100, 900, (total, 17, 2))
    depth_px = rng.normal(0, 50, (total, 17, 1))
    factor = rng.uniform(3, 5, total)
    image = np.concatenate([joint_2d, depth_px], 2)
    test = {
        "joint_2d": joint_2d,
        "confidence": rng.uniform(0, 1, (total, 17) if confidence_axes == 2 else (total, 17, 1)).astype(np.float32),
        "joint3d_image": image,
        "joints_2.5d_image": image * factor[:, None, None],
        "2.5d_factor": factor,
        "camera_name": np.array(cameras) if as_arrays else cameras,
        "action": np.array(["Walking"] * total) if as_arrays else [2] * total,
        "source": np.array(sources) if as_arrays else sources,
    }
    return {"train": test, "test": test}


def sequence(frames: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
    """As `annot_data.mat` gives it; three of four frames are valid."""
    rng = np.random.default_rng(seed)
    return {
        "data_2d": rng.uniform(300, 900, (frames, 17, 2)),
        "data_3d": rng.uniform((-500, -900, 3000), (500, 900, 4000), (frames, 17, 3)),
        "valid": (np.arange(frames) % 4 != 1).astype(np.float64),
    }


def write_test_file(folder, sequences=TEST_SEQUENCES, frames=6):
    stored = {name: sequence(frames, seed) for seed, name in enumerate(sequences)}
    np.savez_compressed(folder / "data_test_3dhp.npz", data=np.array(stored, dtype=object))
    return stored


def annotation(name: str, label: int, persons: int = 1, frames: int = 6, joints: int = 17, seed: int = 0) -> dict:
    """float16, as in the published files."""
    rng = np.random.default_rng(seed)
    return {
        "frame_dir": name,
        "label": label,
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "total_frames": frames,
        "keypoint": rng.uniform(400, 900, (persons, frames, joints, 2)).astype(np.float16),
        "keypoint_score": rng.uniform(0.3, 1, (persons, frames, joints)).astype(np.float16),
    }


def write_pyskl(path, annotations, **splits):
    path.write_bytes(pickle.dumps({"split": splits, "annotations": annotations}))
