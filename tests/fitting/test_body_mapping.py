"""The shipped heads on another body, with files written in SMPL's containers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from smpl_containers import write_smpl

import motionrep.fitting.body_mapping as body_mapping
from motionrep.body import load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.deployment.network_export import export_encoder
from motionrep.deployment.stream import Stream
from motionrep.encoders import load_encoder
from motionrep.fitting.body_mapping import find_mapping, load_mapping, save_mapping
from motionrep.head_api.loading import load_head
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.pipeline.on_body import OnBody
from motionrep.types import Keypoints


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    return load_body_model(write_smpl(tmp_path_factory.mktemp("bodies") / "SMPL_NEUTRAL.npz", "smpl", seed=3))


@pytest.fixture(scope="module")
def mapping(smpl):
    patch = pytest.MonkeyPatch()
    patch.setattr(body_mapping, "_STEPS", 20)
    patch.setattr(body_mapping, "_DRAWN", 32)
    yield find_mapping(smpl)
    patch.undo()


def test_bodies_and_poses_it_has_not_seen_are_near(mapping, smpl):
    assert 0 < mapping.joint_error_mm < 6
    assert 0 < mapping.landmark_error_mm < 12
    walk = replace(authored_motion("walk", seconds=0.5), betas=torch.linspace(-1, 1, 10))
    moved = mapping.moved(walk, smpl)
    body = load_body_model("open")
    points_m = [
        it.points(JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m)
        for it, motion in ((body, walk), (smpl, moved))
    ]
    assert 1000 * float((points_m[0] - points_m[1]).norm(dim=-1).mean()) < 15
    # the same betas and rotations, unmapped, are another person somewhere else
    plain_m = smpl.points(JOINTS_AND_LANDMARKS, walk.local_rotmat, walk.betas, walk.translation_m)
    assert 1000 * float((points_m[0] - plain_m).norm(dim=-1).mean()) > 40
    with pytest.raises(ValueError, match="is for motions of the open body"):
        mapping.moved(moved, smpl)
    with pytest.raises(ValueError, match="the mapping is for another body"):
        mapping.moved(walk, body)


def test_a_mapping_is_saved_and_read(mapping, tmp_path):
    save_mapping(mapping, tmp_path / "deep" / "mapping.npz")
    back = load_mapping(tmp_path / "deep" / "mapping.npz")
    assert (back.body, back.digest) == (mapping.body, mapping.digest)
    assert torch.equal(back.shape, mapping.shape)
    assert torch.equal(back.turn, mapping.turn)
    np.savez(tmp_path / "other.npz", format="motionrep body mapping 2")
    with pytest.raises(ValueError, match=r"other\.npz"):
        load_mapping(tmp_path / "other.npz")


def test_shipped_heads_predict_on_the_body(smpl, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(body_mapping, "_STEPS", 2)
    xy_px = 300 + 20 * torch.randn(12, 17, 2, generator=torch.Generator().manual_seed(0))
    save_keypoints([Keypoints(xy_px, torch.ones(12, 17), H36M_17, 30.0, 640, 480)], tmp_path / "clip.npz")
    command = ["predict", str(tmp_path / "clip.npz"), "--head", "mesh-ktpformer-s", "--body", smpl.name]
    command += ["--output", str(tmp_path / "results"), "--flip", "--refine"]
    assert cli.main(command) == 2
    assert f"motionrep adapt --body {smpl.name} makes it" in capsys.readouterr().err
    assert not cli.main(["adapt", "--body", smpl.name])
    assert "landmarks" in capsys.readouterr().out
    assert not cli.main(command)
    (result,) = (tmp_path / "results").glob("*.npz")
    with np.load(result) as file:
        assert str(file["body_model"]) == smpl.name
    assert cli.main(["adapt", "--body", "open"]) == 2


@pytest.mark.slow
def test_a_head_on_another_body_streams_and_is_exported(mapping, smpl, tiny, tmp_path):
    """The export took it for a published checkpoint's head, which is not told which frames were seen."""
    encoder, head = load_encoder(tiny / "encoder"), OnBody(load_head(tiny / "mesh"), mapping, smpl).eval()
    stream = Stream(encoder, head, fps=30, size_px=(640, 480), layout="h36m_17", latency_frames=0)
    for seed in range(2):
        xy_px = 300 + 20 * torch.randn(17, 2, generator=torch.Generator().manual_seed(seed))
        result = stream.push(xy_px)
        assert result is not None
        assert result.prediction.body_model == smpl.name
    export_encoder(encoder, tmp_path / "network.pt2", head)
    network = torch.export.load(tmp_path / "network.pt2").module()
    keypoints = torch.rand(2, encoder.frames, 17, 3)
    with torch.no_grad():
        expected = head(encoder(keypoints), torch.ones(2, encoder.frames, dtype=torch.bool))
        for got, wanted in zip(network(keypoints), expected.values(), strict=True):
            torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
