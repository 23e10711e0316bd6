"""What motionrep 0.1.0 wrote (tests/data/version_0_1_0) is read to the same numbers."""

import json

import pytest
import torch
from paths import DATA

import motionrep
from motionrep.embedding.tables import read_embeddings

FOLDER = DATA / "version_0_1_0"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
close = pytest.approx


@pytest.fixture(scope="module")
def clips():
    return motionrep.load_keypoints(FOLDER / "clips.npz")


@pytest.fixture(scope="module")
def embedding(clips):
    return motionrep.embed(clips[0], motionrep.load_encoder(FOLDER / "encoder"))


def test_keypoints(clips):
    assert [float(clip.xy_px.double().sum()) for clip in clips] == close(EXPECTED["keypoints_sum"])
    said = [(c.person, c.first_frame, c.fps, c.width_px, c.height_px, c.layout.name) for c in clips]
    assert said == [("p0", 0, 25.0, 1920, 1080, "halpe_26"), ("p1", 3, 25.0, 1920, 1080, "halpe_26")]


def test_keypoints_as_json(clips):
    written = motionrep.load_keypoints(FOLDER / "clips.json", fps=25.0, size_px=(1920, 1080))
    for got, clip in zip(written, clips, strict=True):
        assert got.confidence == close(clip.confidence, abs=1e-6)
        assert got.first_frame == clip.first_frame


def test_body_motion():
    motion = motionrep.load_motion(FOLDER / "body.npz")
    assert float(motion.local_rotmat.double().sum()) == close(EXPECTED["body_rotmat_sum"])
    assert motion.betas.tolist() == close(EXPECTED["body_betas"])
    assert (motion.body_model, motion.fps, motion.frame, motion.first_frame) == ("open", 30.0, "world", 7)


def test_body_motion_with_expression():
    motion = motionrep.load_motion(FOLDER / "body_with_expression.npz")
    assert motion.local_rotmat.shape == (2, 55, 3, 3)
    assert motion.expression is not None
    assert motion.expression.tolist() == torch.ones(2, 10).tolist()


def test_joint_motion():
    motion = motionrep.load_joint_motion(FOLDER / "joints.npz")
    assert motion.position_m[0, 0].tolist() == close(EXPECTED["joints_first"])
    assert (motion.layout.name, motion.frame, motion.first_frame) == ("h36m_17", "root", 2)


def test_camera():
    assert motionrep.read_camera(FOLDER / "camera.json").focal_px == close(EXPECTED["focal_px"])


def test_encoder(embedding):
    assert embedding.values[0, 0].tolist() == close(EXPECTED["embedding_first"], abs=1e-5)


def test_heads(embedding):
    mesh, pose3d, action = (
        motionrep.load_head(FOLDER / name).predict(embedding) for name in ("mesh", "pose3d", "action")
    )
    assert mesh.translation_m[0].tolist() == close(EXPECTED["mesh_translation"], abs=1e-5)
    assert pose3d.position_m[-1, -1].tolist() == close(EXPECTED["pose3d_last"], abs=1e-5)
    assert action.logit.tolist() == close(EXPECTED["action_logit"], abs=1e-5)


@pytest.mark.parametrize("level", ["clip", "frame", "joint"])
def test_tables(level, clips):
    pytest.importorskip("pyarrow", reason="needs the extra tables")
    values, columns = read_embeddings(FOLDER / f"{level}.parquet")
    frames = sum(clip.frame_count for clip in clips)
    assert len(values) == {"clip": 2, "frame": frames, "joint": 17 * frames}[level]
    assert set(columns["clip"]) == {"a", "b"}
