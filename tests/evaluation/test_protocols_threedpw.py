"""3DPW's sequence files, written here in their format with the open body in SMPL's place, and its protocol."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from torch import nn

from motionrep.body import load_body_model
from motionrep.datasets.benchmarks.threedpw import load_threedpw
from motionrep.encoders import load_encoder
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.threedpw import J14, evaluate_3dpw
from motionrep.evaluation.published import evaluate_protocol, require_comparable
from motionrep.layouts import H36M_17, OPENPOSE_18
from motionrep.types import BodyMotion, MotionEmbedding

FRAMES = 8
OPEN = {"male": "open", "female": "open"}


def content(persons: int = 2) -> dict[str, object]:
    """Two persons before a camera that turns; in frame 3 the first is hardly seen, in frame 6 the camera is lost."""
    rng = np.random.default_rng(0)
    poses = [rng.normal(0, 0.2, (FRAMES, 72)) for _ in range(persons)]
    for pose in poses:
        pose[:, :3] = (np.pi, 0, 0)  # y down, as cameras have it
    camera = np.tile(np.eye(4), (FRAMES, 1, 1))
    angle = torch.zeros(FRAMES, 3, dtype=torch.float64)
    angle[:, 1] = torch.linspace(0, 0.3, FRAMES)
    camera[:, :3, :3] = roma.rotvec_to_rotmat(angle).numpy()
    poses2d = [rng.uniform(100, 900, (FRAMES, 3, 18)) for _ in range(persons)]
    for found in poses2d:
        found[:, 2] = 0.9
    poses2d[0][3, 2, 6:] = 0.1
    valid = np.ones(FRAMES)
    valid[6] = 0
    return {
        "sequence": "downtown_walking_00",
        "betas": [np.zeros(10)] * persons,
        "poses": poses,
        "trans": [np.tile([0.3 * i, 0.1, 4.0], (FRAMES, 1)) for i in range(persons)],
        "genders": ["m", "f"][:persons],
        "poses2d": poses2d,
        "campose_valid": [valid] * persons,
        "cam_poses": camera,
        "cam_intrinsics": np.array([[1961.9, 0, 540], [0, 1969.2, 960], [0, 0, 1]]),
        "img_frame_ids": np.arange(FRAMES),
    }


def write(folder, stored=None):
    path = folder / "sequenceFiles" / "test" / "downtown_walking_00.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content() if stored is None else stored, protocol=2))
    return path


class Knows(nn.Module):
    """A head that knows the truth, told by the person's name, and moves every joint and vertex but the hips."""

    def __init__(self, folder, turn_rad: float = 0.0) -> None:
        super().__init__()
        self.truth = {clip.keypoints.person: clip.target for clip in load_threedpw(folder, **OPEN)}
        self.turn = roma.rotvec_to_rotmat(torch.tensor([0.0, turn_rad, 0.0]))

    def predict(self, embedding: MotionEmbedding) -> BodyMotion:
        truth = self.truth[embedding.keypoints.person]
        assert isinstance(truth, BodyMotion)
        rotmat = truth.local_rotmat.clone()
        rotmat[:, 0] = self.turn @ rotmat[:, 0]
        return replace(truth, local_rotmat=rotmat)


@pytest.fixture(scope="module")
def encoder(tiny):
    return load_encoder(str(tiny / "encoder"))


def test_every_person_is_a_clip_in_camera_axes(tmp_path):
    write(tmp_path)
    first, second = load_threedpw(tmp_path, **OPEN)
    assert (first.name, second.name) == ("downtown_walking_00_0", "downtown_walking_00_1")
    seen = first.keypoints
    assert (seen.layout, seen.fps, seen.width_px, seen.height_px) == (OPENPOSE_18, 30.0, 1080, 1920)
    np.testing.assert_allclose(second.keypoints.xy_px, content()["poses2d"][1][:, :2].transpose(0, 2, 1), rtol=1e-6)
    assert first.counted is not None
    assert second.counted is not None
    assert first.counted.tolist() == [True, True, True, False, True, True, False, True]
    assert second.counted.tolist() == [True] * 6 + [False, True]
    assert isinstance(first.target, BodyMotion)
    assert first.target.frame == "camera"
    stored = content()
    turned = stored["cam_poses"][:, :3, :3] @ roma.rotvec_to_rotmat(torch.from_numpy(stored["poses"][0][:, :3])).numpy()
    np.testing.assert_allclose(first.target.local_rotmat[:, 0], turned, atol=1e-5)


def test_what_is_wrong_with_a_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .pkl file; expected 3DPW's sequenceFiles/test"):
        load_threedpw(tmp_path)

    def refused(change, match):
        write(tmp_path, {k: v for k, v in {**content(), **change}.items() if v is not None})
        with pytest.raises(ValueError, match=match):
            load_threedpw(tmp_path, **OPEN)

    refused({"poses2d": None}, r"downtown_walking_00\.pkl: 'poses2d' should list an item for each person")
    refused({"poses2d": [np.zeros((FRAMES, 3, 18))]}, "1 persons in 'poses2d', 2 in 'poses'")
    refused({"poses2d": [np.zeros((FRAMES, 18, 3))] * 2}, r"person 0: expected 'poses2d' \(8, 3, 18\)")
    refused({"genders": ["m", "x"]}, r"genders\[1\] should be m or f, got 'x'")
    refused({"cam_intrinsics": np.eye(4)}, r"'cam_intrinsics' should be \(3, 3\), got \(4, 4\)")


def test_the_truth_itself_has_no_error(tmp_path, encoder):
    write(tmp_path)
    result = evaluate_3dpw(tmp_path, Predictor(encoder, Knows(tmp_path)), **OPEN)
    assert max(result["metrics"].values()) < 0.5
    assert "pve" not in result["metrics"]
    protocol = result["protocol"]
    assert (protocol["id"], protocol["persons"], protocol["frames"]) == ("3dpw/j14-points/2", 2, 6 + 7)
    assert len(J14) == 14


def test_errors_agree_with_loops_over_the_fields_joints(tmp_path, encoder):
    """The 14 in numbers of Human3.6M-17, relative to hips 1 and 4: `H36M_TO_J14` and J14's 2, 3 in SPIN, VIBE, WHAM."""
    j14 = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
    assert sorted(H36M_17.index(joint) for joint in J14) == sorted(j14)
    write(tmp_path)
    head = Knows(tmp_path, 0.4)
    body = load_body_model("open")
    mpjpe, accel = [], []
    for clip in load_threedpw(tmp_path, **OPEN):
        points = []
        for motion in (head.predict(Predictor(encoder).embed(clip.keypoints)), clip.target):
            x = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m).double().numpy()
            points.append(1000 * (x - (x[:, 1:2] + x[:, 4:5]) / 2)[:, j14])
        error = np.linalg.norm(points[0] - points[1], axis=-1).mean(-1)
        difference = (points[0] - points[1])[clip.counted.numpy()]
        mpjpe += error[clip.counted.numpy()].tolist()
        for before, frame, after in zip(difference, difference[1:], difference[2:], strict=False):
            accel.append(np.linalg.norm(after - 2 * frame + before, axis=-1).mean())
    metrics = evaluate_3dpw(tmp_path, Predictor(encoder, head), **OPEN)["metrics"]
    assert metrics["mpjpe"] == pytest.approx(np.mean(mpjpe), rel=1e-4)
    assert metrics["accel_error_per_frame2"] == pytest.approx(np.mean(accel), rel=1e-3)
    assert metrics["accel_error"] == pytest.approx(0.9 * np.mean(accel), rel=1e-3)
    assert metrics["mpjpe"] > 50
    assert metrics["pa_mpjpe"] < 1, "a turn of the whole body is no error of its pose"


def test_with_the_regressor_joints_and_surface_come_from_vertices(tmp_path, encoder):
    body = load_body_model("open")
    point_m = body.points(H36M_17, torch.eye(3).expand(24, 3, 3), torch.zeros(10), torch.zeros(3))
    nearest = torch.cdist(point_m, body.template_vertex_m).argsort(1)[:, :40]
    matrix = torch.zeros(17, len(body.template_vertex_m)).scatter(1, nearest, 1 / 40)
    np.save(tmp_path / "regressor.npy", matrix.numpy())
    write(tmp_path, content(1))
    head = Knows(tmp_path, 0.2)
    result = evaluate_3dpw(tmp_path, Predictor(encoder, head), str(tmp_path / "regressor.npy"), **OPEN)
    (clip,) = load_threedpw(tmp_path, **OPEN)
    surfaces = []
    for motion in (head.predict(Predictor(encoder).embed(clip.keypoints)), clip.target):
        vertex_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)
        hips_m = (matrix @ vertex_m)[:, [1, 4]].mean(1, keepdim=True)
        surfaces.append((vertex_m - hips_m).double().numpy())
    expected = 1000 * np.linalg.norm(surfaces[0] - surfaces[1], axis=-1).mean(-1)[clip.counted.numpy()].mean()
    assert result["metrics"]["pve"] == pytest.approx(expected, rel=1e-4)
    assert result["protocol"]["id"] == "3dpw/j14-regressor/2"
    with pytest.raises(ValueError, match="cannot be compared: id: '3dpw/j14-regressor/2' and '3dpw/j14-points/2'"):
        require_comparable(result, evaluate_3dpw(tmp_path, Predictor(encoder, head), **OPEN))


@pytest.mark.parametrize("head", ["mesh", "pose3d"])
def test_heads_of_bodies_and_of_joints_by_name(tmp_path, tiny, head):
    write(tmp_path, content(1))
    result = evaluate_protocol("3dpw", tmp_path, str(tiny / "encoder"), str(tiny / head), options=OPEN)
    assert result["metrics"]["mpjpe"] > result["metrics"]["pa_mpjpe"] > 0
    assert set(result["units"]) == set(result["metrics"])
    stored = content(1) | {"campose_valid": [np.zeros(FRAMES)]}
    write(tmp_path, stored)
    with pytest.raises(ValueError, match="no frame counts"):
        evaluate_protocol("3dpw", tmp_path, str(tiny / "encoder"), str(tiny / head), options=OPEN)
