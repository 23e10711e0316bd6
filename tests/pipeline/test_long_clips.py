"""A long clip gives the same whether its embedding is kept or not."""

from dataclasses import replace

import pytest
import torch
from clip_folders import person

import motionrep
from motionrep.geometry.cameras import PinholeCamera
from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.recovery import Recoverer


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch):
    monkeypatch.setattr("motionrep.pipeline.pieces.PIECE_FRAMES", 30)
    monkeypatch.setattr("motionrep.pipeline.recovery.PIECE_FRAMES", 30)


@pytest.fixture(scope="module")
def clip():
    """Four pieces; in the second one and a part of the third nobody was seen."""
    made = person(100).as_h36m_17()  # hands and feet are fitted to the whole path
    made.confidence[20:60] = 0
    return made


@pytest.fixture(scope="module")
def recoverer(tiny):
    return Recoverer(*load_networks([tiny / name for name in ("mesh", "pose3d", "action")], tiny / "encoder"))


@pytest.mark.parametrize("how", [{}, {"flip": True, "camera": PinholeCamera.from_hfov(1920, 1080, 40.0)}])
def test_poses_and_shape_do_not_depend_on_what_is_kept(recoverer, clip, how):
    whole, pieces = (replace(recoverer, keeps_embedding=keeps, **how)(clip) for keeps in (True, False))
    for (mesh, pose, _), (other, other_pose, _) in [(whole.results.values(), pieces.results.values())]:
        seen = clip.confidence[:, 0] > 0
        torch.testing.assert_close(other.betas, mesh.betas, atol=1e-5, rtol=0)
        torch.testing.assert_close(other.local_rotmat[seen], mesh.local_rotmat[seen], atol=1e-4, rtol=0)
        off_m = (other.translation_m - mesh.translation_m)[seen].norm(dim=-1)
        assert off_m.max() < 0.01 * mesh.translation_m[:, 2].mean()
        around, other_around = (it.position_m - it.position_m[:, :1] for it in (pose, other_pose))
        torch.testing.assert_close(other_around[seen], around[seen], atol=1e-4, rtol=0)
        torch.testing.assert_close(other.local_rotmat[25:50], other.local_rotmat[24].expand(25, -1, -1, -1))
        assert (other.frame, other.fps, other.first_frame) == (mesh.frame, mesh.fps, mesh.first_frame)
    assert whole.embedding.values.shape[2] == 16
    assert pieces.embedding.values.shape == (100, 17, 0)


def test_actions_are_those_of_the_pieces(recoverer, clip):
    found = replace(recoverer, keeps_embedding=False)(clip)
    head = recoverer.heads["action"] if "action" in recoverer.heads else list(recoverer.heads.values())[2]
    values = motionrep.embed(clip, recoverer.encoder)
    expected, weight = torch.zeros(2), 0
    for start in range(0, 100, 25):
        there = slice(start, start + 25)
        keypoints = replace(values.keypoints, xy_px=values.keypoints.xy_px[there],
                            confidence=values.keypoints.confidence[there])  # fmt: skip
        if seen := int((keypoints.confidence > 0).any(-1).sum()):
            piece = replace(values, values=values.values[there], keypoints=keypoints)
            expected, weight = expected + seen * head.predict(piece).probability(), weight + seen
    torch.testing.assert_close(found.actions.probability(), expected / weight, atol=1e-5, rtol=0)
    assert len(found.timeline.probability) == 100
    assert not found.timeline.probability[27:48].any()


def test_a_head_that_gives_something_else_reads_the_whole_embedding(recoverer, clip):
    class Length(torch.nn.Module):
        def predict(self, embedding):
            return embedding.values.shape[0]

    (length,) = replace(recoverer, heads={"length": Length()}, keeps_embedding=False)(clip).results.values()
    assert length == 100


def test_short_clips_keep_their_embedding(recoverer):
    assert replace(recoverer, keeps_embedding=False)(person(20)).embedding.values.shape == (20, 17, 16)
