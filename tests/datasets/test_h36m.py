"""VideoPose3D's and MotionBERT's files of Human3.6M, written here in their formats."""

import pickle

import numpy as np
import pytest
import torch
from benchmark_files import FILE_JOINTS, H36M_SYMMETRY, motionbert, write_videopose3d
from scipy.spatial.transform import Rotation

from motionrep.datasets.benchmarks.h36m import ACTIONS, H36M_FPS, h36m_cameras, load_h36m
from motionrep.datasets.benchmarks.h36m_cameras import CAMERA_IDS, EXTRINSICS
from motionrep.datasets.benchmarks.labelled import LabelledClip
from motionrep.datasets.benchmarks.motionbert_files import load_motionbert_h36m, load_motionbert_mesh
from motionrep.geometry.cameras import project
from motionrep.layouts import COCO_17, H36M_17
from motionrep.types import BodyMotion, JointMotion, Keypoints

COCO_SYMMETRY = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]


def test_every_camera_sees_every_action_in_its_own_axes(tmp_path):
    positions, _ = write_videopose3d(tmp_path)
    clips = load_h36m(tmp_path)
    assert len(clips) == 2 * 2 * 4
    assert [clip.name for clip in clips[:5]] == [
        *(f"S9 Walking 1 {camera}" for camera in CAMERA_IDS), "S9 SittingDown 54138969",
    ]  # fmt: skip
    clip = clips[1]
    assert (clip.action, clip.subject, clip.split) == ("Walking", "S9", "test")
    assert (clip.keypoints.fps, clip.keypoints.layout, clip.keypoints.frame_count) == (H36M_FPS, H36M_17, 5)
    assert {(c.keypoints.width_px, c.keypoints.height_px) for c in clips} == {(1000, 1000), (1000, 1002)}
    numbers = EXTRINSICS["S9"][1]
    rotation = Rotation.from_rotvec(numbers[:3]).as_matrix()
    for name in ("left_wrist", "right_shoulder", "nose", "left_ankle"):
        world_m = positions["S9"]["Walking 1"][3, FILE_JOINTS.index(name)]
        expected = rotation @ world_m + np.array(numbers[3:]) / 1000
        np.testing.assert_allclose(clip.joint_target.position_m[3, H36M_17.index(name)], expected, atol=1e-5)


def test_people_stand_upright_before_every_camera():
    """Every subject's four cameras look at the middle of the room from 4 to 7 m away, the right way up."""
    person = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, 1.7]])
    for subject in EXTRINSICS:
        for camera in h36m_cameras(subject):
            rotation, shift_m = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
            torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)
            assert float(torch.linalg.det(rotation)) > 0.99
            feet, head = person @ rotation.T + shift_m
            assert 3.5 < float(feet[2]) < 7
            assert float(head[1]) < float(feet[1]) - 1.5
            assert bool((project(torch.stack([feet, head]), camera) > 0).all())


def test_the_cameras_are_those_of_videopose3d():
    """S9's first camera by the numbers in its source: a quaternion (w, x, y, z) to the world, and its place."""
    w, x, y, z = 0.15540587902069092, -0.15548215806484222, -0.7532095313072205, 0.6199594736099243
    rotation = Rotation.from_rotvec(EXTRINSICS["S9"][0][:3])
    assert (rotation * Rotation.from_quat([x, y, z, w])).magnitude() < 1e-5
    place_mm = -rotation.inv().apply(EXTRINSICS["S9"][0][3:])
    np.testing.assert_allclose(place_mm, [2044.45849609375, 4935.1171875, 1481.2275390625], atol=0.02)


def test_detections_of_another_layout_are_told_by_their_symmetry(tmp_path):
    _, detections = write_videopose3d(tmp_path)
    metadata = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": COCO_SYMMETRY}
    np.savez(tmp_path / "data_2d_h36m_detectron_pt_coco.npz", positions_2d=detections, metadata=metadata)
    with pytest.raises(ValueError, match="detections of detectron_pt_coco, gt; choose one"):
        load_h36m(tmp_path)
    assert load_h36m(tmp_path, "detectron_pt_coco")[0].keypoints.layout == COCO_17
    np.savez(tmp_path / "data_2d_h36m_odd.npz", positions_2d=detections, metadata={"keypoints_symmetry": [[1], [2]]})
    with pytest.raises(ValueError, match=r"odd\.npz: 'metadata' should have 'keypoints_symmetry'"):
        load_h36m(tmp_path, "odd")


def test_what_is_wrong_with_a_file_is_named(tmp_path):
    positions, detections = write_videopose3d(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"data_2d_h36m_cpn\.npz: no such file"):
        load_h36m(tmp_path, "cpn")
    with pytest.raises(ValueError, match="no subject S10"):
        load_h36m(tmp_path, "gt", ("S10",))
    with pytest.raises(ValueError, match="'positions_3d' lacks subject S1; it has S9, S11"):
        load_h36m(tmp_path, "gt", ("S1",))
    metadata = {"keypoints_symmetry": H36M_SYMMETRY}

    def refused(changed, match):
        np.savez(tmp_path / "data_2d_h36m_x.npz", positions_2d={**detections, "S9": changed}, metadata=metadata)
        with pytest.raises(ValueError, match=match):
            load_h36m(tmp_path, "x")

    good = detections["S9"]
    refused({"Walking 1": good["Walking 1"]}, r"no positions_2d\['S9'\]\['SittingDown'\], which data_3d_h36m.npz has")
    refused({**good, "Walking 1": good["Walking 1"][:3]}, r"\['Walking 1'\] should have 4 cameras, it has 3")
    refused({**good, "Walking 1": [v[:3] for v in good["Walking 1"]]}, r"\[0\] has 3 frames, the 3D has 5")
    refused({**good, "Walking 1": [v[:, :16] for v in good["Walking 1"]]}, r"should be \(frames, 17, 2 or 3\)")
    refused({**good, "Walking 1": [v / 1000 for v in good["Walking 1"]]}, "should be in pixels")
    refused({**good, "Walking 1": [v * np.nan for v in good["Walking 1"]]}, r"\['Walking 1'\]\[0\]: .*NaN")
    millimetres = {s: {a: 1000 * x for a, x in of.items()} for s, of in positions.items()}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=millimetres)
    with pytest.raises(ValueError, match=r"data_3d_h36m\.npz: positions_3d\['S9'\]\['Walking 1'\] should be in metres"):
        load_h36m(tmp_path, "gt")


def test_there_are_fifteen_actions_under_videopose3ds_names(tmp_path):
    assert len(set(ACTIONS)) == 15
    write_videopose3d(tmp_path, ("TakingPhoto 1", "WalkingDog"), subjects=("S9", "S11", "S5"))
    assert {clip.action for clip in load_h36m(tmp_path)} == {"Photo", "WalkDog"} <= set(ACTIONS)
    training = load_h36m(tmp_path, subjects=("S5",))
    assert {clip.split for clip in training} == {"train"}


def test_a_clip_is_as_long_as_its_truth(tmp_path):
    keypoints = Keypoints(torch.zeros(4, 17, 2), torch.ones(4, 17), H36M_17, 50.0, 10, 10)
    short = JointMotion(torch.zeros(3, 17, 3), H36M_17, 50.0, "root")
    with pytest.raises(ValueError, match="clip 'a': target has 3 frames, keypoints have 4"):
        LabelledClip("a", keypoints, short)
    with pytest.raises(ValueError, match="clip 'a': counted has 2 frames, keypoints have 4"):
        LabelledClip("a", keypoints, counted=torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="no true joint positions are known"):
        _ = LabelledClip("a", keypoints).joint_target


# MotionBERT


@pytest.mark.parametrize(("axes", "as_arrays"), [(2, True), (3, False)])
def test_motionberts_rows_become_clips(tmp_path, axes, as_arrays):
    stored = motionbert(confidence_axes=axes, as_arrays=as_arrays)
    (tmp_path / "h36m.pkl").write_bytes(pickle.dumps(stored))
    first, second = load_motionbert_h36m(tmp_path / "h36m.pkl")
    assert (first.name, second.name) == ("s_09_act_02_subact_01_ca_01", "s_11_act_02_subact_01_ca_02")
    assert (first.action, second.subject) == ("Walking" if as_arrays else "2", "s_11")
    assert (first.keypoints.height_px, second.keypoints.height_px) == (1002, 1000)
    assert (first.keypoints.frame_count, second.keypoints.frame_count) == (6, 4)
    test = stored["test"]
    np.testing.assert_allclose(second.keypoints.xy_px, test["joint_2d"][6:], rtol=1e-6)
    np.testing.assert_allclose(second.keypoints.confidence, test["confidence"][6:].reshape(4, 17))
    true_mm = test["joints_2.5d_image"][6:]
    np.testing.assert_allclose(1000 * second.joint_target.position_m, true_mm - true_mm[:, :1], atol=1e-2)


def test_what_is_wrong_with_motionberts_file_is_named(tmp_path):
    path = tmp_path / "h36m.pkl"

    def refused(change, match):
        stored = motionbert()
        stored["test"].update(change)
        path.write_bytes(pickle.dumps({"test": {k: v for k, v in stored["test"].items() if v is not None}}))
        with pytest.raises(ValueError, match=match):
            load_motionbert_h36m(path)

    refused({"joints_2.5d_image": None}, r"'test' lacks joints_2\.5d_image; it has joint_2d, confidence")
    refused({"joint_2d": np.zeros((10, 16, 2))}, r"\['joint_2d'\] should be \(10, 17, 2\), got \(10, 16, 2\)")
    refused({"camera_name": ["1"] * 10}, "'camera_name' is '1' in row 0; known: 54138969")
    refused({"action": ["a"] * 9}, "9 rows of 'action', 10 of 'source'")
    refused({"joint_2d": np.full((10, 17, 2), np.nan)}, "source 's_09_act_02_subact_01_ca_01': .*NaN")
    with pytest.raises(ValueError, match="has 'train', a dict of arrays; the file holds test"):
        load_motionbert_h36m(path, "train")


def test_motionberts_mesh_file(tmp_path):
    rng = np.random.default_rng(0)
    rotvec = rng.normal(0, 0.3, (5, 72)).astype(np.float32)
    test = {
        "joint_2d": rng.uniform(0, 1000, (5, 17, 3)),
        "confidence": np.ones((5, 17, 1)),
        "smpl_pose": rotvec,
        "smpl_shape": np.repeat([[0.5] * 10, [1.0] * 10], [3, 2], 0),
        "source": ["a_0"] * 3 + ["a_1"] * 2,
    }
    path = tmp_path / "mesh_det_pw3d.pkl"
    path.write_bytes(pickle.dumps({"train": test, "test": test}))
    first, second = load_motionbert_mesh(path, body_model="smpl", fps=30.0, size_px=(1920, 1080))
    assert isinstance(second.target, BodyMotion)
    assert (second.name, second.target.body_model, second.target.frame, second.target.fps) == (
        "a_1",
        "smpl",
        "camera",
        30.0,
    )
    expected = Rotation.from_rotvec(rotvec[3:].reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)
    np.testing.assert_allclose(second.target.local_rotmat, expected, atol=1e-5)
    np.testing.assert_allclose(first.target.betas, [0.5] * 10)
    with pytest.raises(ValueError, match="has no 'img_hw'; pass size_px"):
        load_motionbert_mesh(path, body_model="smpl", fps=30.0)
    test["img_hw"] = np.tile([480, 640], (5, 1))
    path.write_bytes(pickle.dumps({"test": test}))
    clip = load_motionbert_mesh(path, body_model="smpl", fps=30.0)[0]
    assert (clip.keypoints.width_px, clip.keypoints.height_px) == (640, 480)
