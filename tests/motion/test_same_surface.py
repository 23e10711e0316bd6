"""Motions of SMPL's gendered bodies on the neutral one, by the surface, with files written in SMPL's containers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from smpl_containers import write_smpl

from motionrep.body import load_body_model
from motionrep.body.finding import body_folder
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.exporting import export_motion
from motionrep.motion.loading import load_motion
from motionrep.motion.other_bodies import with_rotations
from motionrep.motion.same_surface import gender_of_body, on_same_surface

BETAS = torch.linspace(1.5, -1.5, 10)


@pytest.fixture
def bodies(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    body_folder().mkdir(parents=True)
    for seed, name in enumerate(("SMPL_NEUTRAL", "SMPL_FEMALE")):
        write_smpl(body_folder() / f"{name}.npz", "smpl", seed)
    return body_folder()


@pytest.fixture
def recording(bodies, tmp_path):
    """An AMASS file of a woman."""
    walk = with_rotations(authored_motion("walk", seconds=0.5), load_body_model("smpl-female"))
    walk = replace(walk, betas=BETAS)
    export_motion(walk, tmp_path / "walk.npz")
    return tmp_path / "walk.npz", walk


def test_betas_of_another_gender_are_fitted_to_the_surface(recording, caplog):
    path, truth = recording
    caplog.set_level("INFO")
    surface_m = truth.mesh().vertex_m
    on_neutral = load_motion(path, "smpl-neutral")
    error_mm = 1000 * (on_neutral.mesh().vertex_m - surface_m).norm(dim=-1).mean()
    copied_mm = 1000 * (replace(truth, body_model="smpl-neutral").mesh().vertex_m - surface_m).norm(dim=-1).mean()
    assert error_mm < 12 < 40 < copied_mm
    assert f"on smpl-neutral the surface is {error_mm:.1f} mm from that of smpl-female" in caplog.text
    torch.testing.assert_close(load_motion(path, "smpl-female").betas, BETAS)


def test_without_that_bodys_file_people_have_the_mean_shape_and_the_remedy_is_told(recording, bodies, caplog):
    path, _ = recording
    (bodies / "SMPL_FEMALE.npz").unlink()
    assert not load_motion(path, "smpl-neutral").betas.any()
    assert "get that body's file to have the shape fitted" in caplog.text


def test_a_shape_that_both_bodies_have_is_found_again(tmp_path):
    body = load_body_model(write_smpl(tmp_path / "a.npz", "smpl"))
    other = load_body_model(write_smpl(tmp_path / "b.npz", "smpl"))
    motion = replace(with_rotations(authored_motion("wave", seconds=0.2), body), betas=BETAS)
    moved, error_mm = on_same_surface(motion, body, other)
    assert error_mm < 0.05
    torch.testing.assert_close(moved.betas, BETAS, atol=1e-3, rtol=0)
    torch.testing.assert_close(moved.translation_m, motion.translation_m, atol=1e-4, rtol=0)


def test_bodies_of_other_meshes_are_refused(tmp_path):
    body = load_body_model(write_smpl(tmp_path / "a.npz", "smpl", loose_vertices=20))
    with pytest.raises(ValueError, match="different meshes"):
        on_same_surface(authored_motion("walk", seconds=0.2), load_body_model("open"), body)


@pytest.mark.parametrize(
    ("name", "gender"),
    [
        ("smpl-neutral", "neutral"), ("/a/male/SMPLH_FEMALE.pkl", "female"), ("open", None),
        ("basicModel_m_lbs_10_207_0_v1.0.0.pkl", "male"), ("/male/body.npz", None), ("smplx-neutral-2020", "neutral"),
    ],
)  # fmt: skip
def test_the_gender_is_that_of_the_name(name, gender):
    assert gender_of_body(name) == gender


def test_each_person_of_3dpw_has_a_gender(bodies, tmp_path):
    import pickle

    frames = 3
    content = {
        "poses": [np.zeros((frames, 72))] * 2, "trans": [np.zeros((frames, 3))] * 2, "genders": ["m", "f"],
        "betas": [BETAS.numpy()] * 2, "cam_poses": np.tile(np.diag([1.0, -1, -1, 1]), (frames, 1, 1)),
    }  # fmt: skip
    path = tmp_path / "outdoors.pkl"
    path.write_bytes(pickle.dumps(content))
    man, woman = (load_motion(path, "smpl-neutral", person=person) for person in (0, 1))
    assert not man.betas.any()  # that body is not here
    assert woman.betas.abs().max() > 0.1
    assert not torch.allclose(woman.betas, BETAS, atol=0.1)
