"""Files as MotionBERT's `mesh_det_*.pkl`: a part for training and one for testing, a row for each frame."""

import pickle

import numpy as np
import pytest
import roma
import torch
from body_motions import DOWN_UP, rotvec
from smpl_containers import write_smpl

from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.motion.loading import load_motions

FRAMES = 30


@pytest.fixture
def mesh_file(tmp_path):
    walk = authored_motion("walk", seconds=1)
    poses = rotvec(walk)[:FRAMES]
    in_camera = DOWN_UP @ walk.local_rotmat[:FRAMES, 0]
    poses[:, :3] = roma.rotmat_to_rotvec(in_camera.double()).numpy()
    part = {
        "smpl_pose": np.concatenate([poses, poses]), "smpl_shape": np.full((2 * FRAMES, 10), 0.4),
        "source": ["S1"] * FRAMES + ["S5"] * FRAMES, "joint_2d": np.zeros((2 * FRAMES, 17, 3)),
    }  # fmt: skip
    path = tmp_path / "motions" / "mesh_det_h36m.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps({"train": part, "test": {name: it[:FRAMES] for name, it in part.items()}}))
    return path, walk


def test_poses_and_shape_of_each_source_stand_upright_on_the_floor(mesh_file, tmp_path):
    path, walk = mesh_file
    body = str(write_smpl(tmp_path / "SMPL_NEUTRAL.npz", "smpl"))
    motions = load_motions(path, body, fps=30)
    assert [motion.frame_count for motion in motions] == [FRAMES] * 3
    torch.testing.assert_close(motions[0].local_rotmat, walk.local_rotmat[:FRAMES], atol=1e-5, rtol=0)
    torch.testing.assert_close(motions[0].betas, torch.full((10,), 0.4))
    assert motions[0].joints().position_m[..., 1].min() > -0.05
    (in_camera, *_) = load_motions(path, body, fps=30, frame="camera")
    assert in_camera.joints().position_m[0, 15, 1] < in_camera.joints().position_m[0, 0, 1]  # the head is above, y down


def test_they_are_clips_to_train_with(mesh_file, tmp_path):
    path, _ = mesh_file
    body = str(write_smpl(tmp_path / "SMPL_NEUTRAL.npz", "smpl"))
    clips = load_motion_folder(path.parent, body_model=body)
    assert [clip.name for clip in clips] == ["mesh_det_h36m.pkl", "mesh_det_h36m.pkl#1", "mesh_det_h36m.pkl#2"]
    assert all(bool(clip.usable.all()) for clip in clips)


def test_a_broken_file_is_named(mesh_file):
    path, _ = mesh_file
    content = pickle.loads(path.read_bytes())
    del content["train"]["source"]
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"mesh_det_h36m\.pkl: .* no \{'source'\}"):
        load_motions(path, fps=30)
