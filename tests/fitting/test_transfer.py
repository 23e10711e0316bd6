"""A motion on another body: there and back, the floor, what is reported."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from paths import OPEN_BODY, WALK_BVH

from motionrep.body import BodyModel, load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.cli import main as cli
from motionrep.fitting.transfer import transfer
from motionrep.layouts import SMPL_24
from motionrep.motion.editing import resample, with_betas
from motionrep.motion.floor import floor_height_m
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body_model("open")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> BodyModel:
    """A taller, wider body whose pelvis is not at the origin and whose betas are others and of the other sign."""
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    shaped = fields["v_template"] + fields["shapedirs"] @ np.array([0.8, -0.5, 0.3] + [0.0] * 7)
    fields["v_template"] = (shaped * [1.04, 1.03, 1.05] + [0.0, -0.22, 0.03]).astype(np.float32)
    fields["shapedirs"] = -1.5 * fields["shapedirs"][..., ::-1]
    path = tmp_path_factory.mktemp("bodies") / "other.npz"
    np.savez(path, **fields)
    return load_body_model(path)


@pytest.fixture(scope="module")
def walk(body: BodyModel) -> BodyMotion:
    return with_betas(resample(load_motion(WALK_BVH).cut(10), 60.0), body, torch.tensor([1.0, 0.5, -0.5] + [0.0] * 7))


@pytest.fixture(scope="module")
def moved(walk: BodyMotion, other: BodyModel):
    return transfer(walk, other)


def test_joints_and_landmarks_agree_and_the_error_is_what_is_reported(walk, moved, body, other) -> None:
    def points(motion: BodyMotion, shown: BodyModel) -> torch.Tensor:
        return shown.points(JOINTS_AND_LANDMARKS, motion.local_rotmat, motion.betas, motion.translation_m)

    apart_mm = 1000 * (points(moved.motion, other) - points(walk, body)).norm(dim=-1).mean(0)
    torch.testing.assert_close(moved.point_error_mm, apart_mm, atol=1e-3, rtol=0)
    assert moved.motion.body_model == other.name
    assert moved.joint_error_mm < 6
    assert moved.landmark_error_mm < 6


def test_there_and_back_is_the_same_surface(walk, moved, body) -> None:
    back = transfer(moved.motion, body).motion
    assert back.body_model == "open"
    apart_mm = 1000 * (body.mesh(back).vertex_m - body.mesh(walk).vertex_m).norm(dim=-1)
    assert apart_mm.mean() < 10


def test_soles_stay_where_they_were_above_the_floor(walk, moved, body, other) -> None:
    torch.testing.assert_close(floor_height_m(moved.motion, other), floor_height_m(walk, body), atol=1e-4, rtol=0)


def test_rotations_stay_close_to_the_original_ones(walk, moved) -> None:
    turned = walk.local_rotmat.mT @ moved.motion.local_rotmat
    cosine = (turned.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    assert cosine.clamp(-1, 1).acos().rad2deg()[:, : SMPL_24.joint_count].mean() < 5


@pytest.mark.parametrize(("joints", "to_joints"), [(57, 54), (54, 57), (57, 57), (54, 24)])
def test_fingers_are_kept_between_bodies_with_and_without_a_face(walk, other, joints, to_joints, monkeypatch) -> None:
    """They were dropped unless both bodies had as many joints."""
    turned = roma.random_rotmat((4, joints - 24), generator=torch.Generator().manual_seed(0))
    motion = replace(walk.cut(0, 4), local_rotmat=torch.cat([walk.local_rotmat[:4], turned], 1), frame="camera")
    target = copy(other)
    target.joint_count = to_joints
    monkeypatch.setattr(target, "points", lambda layout, rotmat, *rest: other.points(layout, rotmat[:, :24], *rest))
    got = transfer(motion, target).motion.local_rotmat
    shared = min(joints, to_joints)
    assert got.shape[1] == to_joints
    assert torch.equal(got[:, 24:shared], turned[:, : shared - 24])
    assert bool((got[:, shared:] == torch.eye(3)).all())


def test_on_its_own_body_a_motion_stays_as_it_is(walk, body) -> None:
    same = transfer(walk, body)
    assert same.motion is walk
    assert same.joint_error_mm == same.landmark_error_mm == 0


def test_command_converts_and_prints_the_error(walk, other, tmp_path, capsys) -> None:
    save_motion(walk.cut(0, 8), tmp_path / "walk.npz")
    given = ["convert", str(tmp_path / "walk.npz"), "--body", other.name, "--output", str(tmp_path / "other.npz")]
    assert cli.main(given) == 0
    assert "error: joints " in capsys.readouterr().out
    assert load_motion(tmp_path / "other.npz").body_model == other.name
