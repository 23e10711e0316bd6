"""Keypoint files as detectors write them, for the tests of keypoint input."""

import json

import numpy as np
import torch

from motionrep.keypoints.loading import load_keypoints
from motionrep.types import Keypoints

SIZE = (640, 480)


def person(joints: int, x: float = 300.0, y: float = 200.0) -> np.ndarray:
    """x, y, confidence of a person about 100 px large whose joints all differ."""
    rng = np.random.default_rng(joints)
    xy = np.array([x, y]) + rng.uniform(-50, 50, (joints, 2))
    return np.column_stack([xy, rng.uniform(0.3, 1, joints)])


def moved(xyc: np.ndarray, x_px: float) -> np.ndarray:
    return xyc + np.array([x_px, 0, 0])


def coco(image_id, xyc, score=1.0):
    return {"image_id": image_id, "category_id": 1, "keypoints": flat(xyc), "score": score}


def flat(xyc: np.ndarray) -> list[float]:
    return xyc.ravel().tolist()


def alphapose(image_id, xyc, idx=None, score=2.5):
    entry = {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": flat(xyc),
        "score": score,
        "box": [1.0, 2.0, 3.0, 4.0],
    }
    return entry if idx is None else entry | {"idx": idx}


def openpose_people(*people):
    return {"version": 1.3, "people": [
        {"person_id": [-1], "pose_keypoints_2d": flat(xyc), "face_keypoints_2d": [], "hand_left_keypoints_2d": [],
         "hand_right_keypoints_2d": [], "pose_keypoints_3d": []} for xyc in people
    ]}  # fmt: skip


def mmpose_frame(frame_id, *people):
    return {"frame_id": frame_id, "instances": [
        {"keypoints": xyc[:, :2].tolist(), "keypoint_scores": xyc[:, 2].tolist(), "bbox": [[1.0, 2.0, 3.0, 4.0]],
         "bbox_score": 0.9} for xyc in people
    ]}  # fmt: skip


def yolo(xyc, track_id=None, confidence=0.9):
    x, y, visible = xyc.T.tolist()
    detection = {
        "name": "person",
        "class": 0,
        "confidence": confidence,
        "box": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0},
        "keypoints": {"x": x, "y": y, "visible": visible},
    }
    return detection if track_id is None else detection | {"track_id": track_id}


def landmarks(xyc):
    return [
        {"x": x / SIZE[0], "y": y / SIZE[1], "z": -0.1, "visibility": c, "presence": 0.99} for x, y, c in xyc.tolist()
    ]


def written(tmp_path, content, name="keypoints.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def load(path, **options):
    return load_keypoints(path, **({"fps": 25.0, "size_px": SIZE} | options))


def assert_frame(clip: Keypoints, frame: int, xyc: np.ndarray) -> None:
    expected = torch.from_numpy(xyc).float()
    torch.testing.assert_close(clip.xy_px[frame], expected[:, :2])
    torch.testing.assert_close(clip.confidence[frame], expected[:, 2])


def seen(clip: Keypoints) -> list[bool]:
    return (clip.confidence > 0).any(1).tolist()
