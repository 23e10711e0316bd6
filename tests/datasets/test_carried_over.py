"""Motions of other bodies in folders of training motions, on files written in SMPL's containers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from smpl_containers import write_smpl

import motionrep.datasets.carried_over as carried_over
from motionrep.body import load_body_model
from motionrep.body.finding import body_folder
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.motion.exporting import export_motion
from motionrep.motion.other_bodies import with_rotations
from motionrep.motion.saving import save_motion

BETAS = torch.linspace(1, -1, 10)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    body_folder().mkdir(parents=True)
    write_smpl(body_folder() / "SMPL_NEUTRAL.npz", "smpl")
    return tmp_path


def kept(home):
    return sorted((home / "cache" / "motionrep" / "carried_over").glob("*.npz"))


def test_a_motion_of_the_open_body_is_carried_over_once(home, monkeypatch):
    (home / "motions").mkdir()
    walk = replace(authored_motion("walk", seconds=0.6), betas=BETAS)
    save_motion(walk, home / "motions" / "walk.npz")
    (clip,) = load_motion_folder(home / "motions", body_model="smpl-neutral")
    assert clip.motion.body_model == "smpl-neutral"
    assert clip.moved_mm is not None
    assert 0 < clip.moved_mm < 25
    body, open_body = load_body_model("smpl-neutral"), load_body_model("open")
    hand_m = [
        it.joints(motion.local_rotmat, motion.betas, motion.translation_m)[:, 22]
        for it, motion in ((body, clip.motion), (open_body, walk))
    ]
    assert float((hand_m[0] - hand_m[1]).norm(dim=-1).mean()) < 0.05
    monkeypatch.setattr(carried_over, "transfer", None)
    (again,) = load_motion_folder(home / "motions", body_model="smpl-neutral")
    assert torch.equal(again.motion.local_rotmat, clip.motion.local_rotmat)
    assert again.moved_mm == pytest.approx(clip.moved_mm)
    (file,) = kept(home)
    with np.load(file) as arrays:
        whole = dict(arrays)
    np.savez(file, **whole | {"translation_m": np.full_like(whole["translation_m"], np.nan)})
    with pytest.raises(TypeError):  # it is made again
        load_motion_folder(home / "motions", body_model="smpl-neutral")
    file.write_bytes(b"damaged")
    with pytest.raises(TypeError):
        load_motion_folder(home / "motions", body_model="smpl-neutral")


def test_recordings_of_another_generation_keep_their_shape_where_their_body_is_known(home):
    """AMASS's SMPL-H file of a woman for the body of SMPL-X; without that body, people would be of mean shape."""
    (home / "motions").mkdir()
    smplh = load_body_model(write_smpl(home / "SMPLH_FEMALE.npz", "smplh"))
    walk = replace(with_rotations(authored_motion("walk", seconds=0.6), smplh), betas=BETAS)
    export_motion(walk, home / "motions" / "walk_poses.npz")
    write_smpl(body_folder() / "SMPLX_NEUTRAL.npz", "smplx")
    (plain,) = load_motion_folder(home / "motions", body_model="smplx-neutral")
    assert plain.moved_mm is None
    assert not plain.motion.betas.any()
    (home / "SMPLH_FEMALE.npz").rename(body_folder() / "SMPLH_FEMALE.npz")
    (moved,) = load_motion_folder(home / "motions", body_model="smplx-neutral")
    assert moved.moved_mm is not None
    assert moved.moved_mm < 15
    assert moved.motion.betas.abs().max() > 0.1
    assert len(kept(home)) == 1


@pytest.mark.parametrize("name", ["walk_stageii.npz", "bedlam.npz"])
def test_smplx_recordings_train_smplx_bodies_with_their_own_betas(home, name):
    """AMASS's stageii files have 16 betas, BEDLAM's 11; both have 165 numbers a pose, z up."""
    (home / "motions").mkdir()
    write_smpl(body_folder() / "SMPLX_NEUTRAL.npz", "smplx")
    smplx = load_body_model("smplx-neutral")
    walk = replace(with_rotations(authored_motion("walk", seconds=0.6), smplx), betas=BETAS)
    export_motion(walk, home / "walk.npz")
    with np.load(home / "walk.npz") as file:
        fields = dict(file) | {"betas": np.append(BETAS.numpy(), np.zeros(6 if "stageii" in name else 1))}
    fields["mocap_frame_rate"] = fields.pop("mocap_framerate")
    np.savez(home / "motions" / name, surface_model_type="smplx", **fields)
    (clip,) = load_motion_folder(home / "motions", body_model="smplx-neutral")
    torch.testing.assert_close(clip.motion.betas, BETAS)
    assert clip.moved_mm is None
    joint_m = [it.joints().position_m[:, :22] for it in (clip.motion, walk)]  # its hands are turned by their fingers
    torch.testing.assert_close(*joint_m, atol=1e-5, rtol=0)
