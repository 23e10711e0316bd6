"""Body models by name: files of the official names in the user's folder of bodies."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import OPEN_BODY

from motionrep.body import load_body_model
from motionrep.body.finding import body_folder, find_body_file
from motionrep.body.registry import body_files, find_bodies

pytestmark = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the folder is set by XDG_DATA_HOME here")


@pytest.fixture
def bodies(tmp_path, monkeypatch) -> Path:
    """An empty folder of bodies."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "motionrep" / "bodies"
    folder.mkdir(parents=True)
    return folder


def fields(joints: int = 24) -> dict[str, np.ndarray]:
    """The open body in SMPL's fields; with other joint counts only good for being recognised."""
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        return {name: file[name] for name in ("v_template", "f", "weights", "J_regressor", "shapedirs")} | {
            "kintree_table": file["kintree_table"] if joints == 24 else np.zeros((2, joints), np.int64)
        }


def put(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def put_model(path: Path, joints: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, kintree_table=np.zeros((2, joints), np.int64))
    return path


def test_the_folder_is_the_platforms_for_a_users_data(bodies, tmp_path, monkeypatch):
    assert body_folder() == bodies
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", ignored)
        assert body_folder() == tmp_path / "home" / ".local" / "share" / "motionrep" / "bodies"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert body_folder() == tmp_path / "home" / "Library" / "Application Support" / "motionrep" / "bodies"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert body_folder() == tmp_path / "local" / "motionrep" / "bodies"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "smpl-neutral"),
        ("smplify_public/code/models/basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "smpl-neutral"),
        ("SMPL_python_v.1.1.0/smpl/models/basicmodel_m_lbs_10_207_0_v1.1.0.pkl", "smpl-male"),
        ("smpl/models/basicModel_f_lbs_10_207_0_v1.0.0.pkl", "smpl-female"),
        ("models/smpl/SMPL_NEUTRAL.pkl", "smpl-neutral"),
        ("mano_v1_2/models/SMPLH_female.pkl", "smplh-female"),
        ("models/smplh/SMPLH_MALE.npz", "smplh-male"),
        ("models/smplx/SMPLX_NEUTRAL.npz", "smplx-neutral"),
        ("SMPLX_NEUTRAL_2020.npz", "smplx-neutral-2020"),
    ],
)
def test_files_are_found_as_they_are_downloaded_and_unpacked(bodies, file, name):
    path = put(bodies / file)
    assert find_bodies() == {name: [path]}
    assert find_body_file(name, body_files()[name]) == path


def test_folders_by_gender_are_told_apart_by_the_number_of_joints(bodies):
    smplh = put_model(bodies / "smplh" / "male" / "model.npz", 52)
    smplx = put_model(bodies / "smplx_locked_head" / "male" / "model.npz", 55)
    put(bodies / "dmpls" / "male" / "model.npz", b"something else")
    np.savez(put(bodies / "dmpls" / "female" / "model.npz"), eigvec=np.zeros(3))
    put_model(bodies / "smplh" / "info" / "model.npz", 52)
    assert find_bodies() == {"smplh-male": [smplh], "smplx-male": [smplx]}


def test_other_files_are_left_alone(bodies):
    for name in ("SMPL_NEUTRAL.motionrep.npz", "SMPL_NEUTRAL.txt", "MANO_LEFT.pkl", "FLAME_NEUTRAL.pkl", "SMPL_.pkl"):
        put(bodies / name)
    assert find_bodies() == {}


def test_of_several_files_the_preferred_name_wins_then_the_one_in_fewer_folders(bodies):
    renamed = put(bodies / "SMPL_NEUTRAL.pkl")
    old = put(bodies / "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl")
    deep = put(bodies / "a" / "b" / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl")
    new = put(bodies / "z" / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl")
    assert find_bodies()["smpl-neutral"] == [new, deep, old, renamed]


def test_a_linked_folder_is_searched_and_a_link_to_itself_does_no_harm(bodies, tmp_path):
    put(tmp_path / "elsewhere" / "smpl" / "SMPL_MALE.npz")
    (bodies / "linked").symlink_to(tmp_path / "elsewhere")
    (bodies / "loop").symlink_to(bodies)
    assert find_bodies()["smpl-male"][0] == bodies / "linked" / "smpl" / "SMPL_MALE.npz"


def test_a_body_by_name_has_the_name_and_the_shape_of_its_file(bodies):
    moved = fields() | {"v_template": fields()["v_template"] + np.float32(1)}
    put(bodies / "SMPL_python_v.1.1.0" / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", pickle.dumps(moved))
    body = load_body_model("smpl-neutral")
    assert body.name == "smpl-neutral"
    torch.testing.assert_close(body.template_vertex_m, torch.from_numpy(moved["v_template"]))
    assert find_bodies().keys() == {"smpl-neutral"}  # the converted file beside it is no second body


def test_a_name_comes_before_a_file_of_that_name(bodies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(bodies / "SMPL_MALE.npz", **fields())
    put(tmp_path / "smpl-male")
    assert load_body_model("smpl-male").beta_count == 10


@pytest.mark.parametrize("name", body_files())
def test_a_body_that_is_missing_says_where_it_was_looked_for_and_where_it_is_to_be_had(bodies, name):
    bodies.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        load_body_model(name)
    message = str(caught.value)
    for part in (repr(name), str(bodies), "is.tue.mpg.de", "licence", *body_files()[name].names):
        assert part in message


def test_a_wrong_name_lists_the_names(bodies):
    with pytest.raises(FileNotFoundError, match=r"smpl_neutral: no such file.*smpl-neutral, smpl-male, smpl-female"):
        load_body_model("smpl_neutral")


def test_a_folder_that_may_not_be_read_is_as_good_as_empty(bodies):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    put(bodies / "SMPL_MALE.npz")
    bodies.chmod(0)
    try:
        assert find_bodies() == {}
    finally:
        bodies.chmod(0o755)
