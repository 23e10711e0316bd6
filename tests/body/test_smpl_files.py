"""SMPL, SMPL-H and SMPL-X files in the containers they are downloaded in, made here from the open body's numbers."""

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import roma
import scipy.sparse
import torch
from paths import OPEN_BODY
from python2_pickles import python2_pickle

from motionrep.body import load_body_model, smpl_files
from motionrep.layouts import SMPL_24
from motionrep.motion.loading import load_motion
from motionrep.types import BodyMotion

COUNT = 40  # vertices kept of each joint's


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """Classes that pickle as chumpy's do, under its module names."""
    classes: dict[str, type] = {}
    for module, name in (("ch", "Ch"), ("reordering", "Select"), ("reordering", "Reshape"), ("ch_ops", "add")):
        classes[name] = type(name, (), {"__module__": f"chumpy.{module}"})
        monkeypatch.setitem(sys.modules, f"chumpy.{module}", sys.modules.get(f"chumpy.{module}", ModuleType(module)))
        monkeypatch.setattr(sys.modules[f"chumpy.{module}"], name, classes[name], raising=False)
    monkeypatch.setitem(sys.modules, "chumpy", ModuleType("chumpy"))
    return classes


def chumpy_object(kind: type, **state: Any) -> object:
    made = kind()
    vars(made).update(_dirty_vars={"x"}, _itr=None, _depends_on_deps={}, _make_dense=False, **state)
    return made


@pytest.fixture(scope="module")
def smpl() -> dict[str, np.ndarray]:
    """SMPL's fields: 960 points of the open body, 12 betas, pose correctives."""
    rng = np.random.default_rng(0)
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    part = fields["weights"].argmax(1)
    kept = np.sort(np.concatenate([rng.choice(np.flatnonzero(part == j), COUNT) for j in range(24)]))
    regressor = rng.random((24, len(kept))) * (part[kept] == np.arange(24)[:, None])
    shape_m = fields["shapedirs"][kept]
    kintree = fields["kintree_table"].astype(np.int64)
    kintree[0, 0] = 2**32 - 1
    return {
        "v_template": fields["v_template"][kept].astype(np.float64),
        "f": rng.integers(0, len(kept), (50, 3), dtype=np.uint32),
        "weights": fields["weights"][kept].astype(np.float64),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": kintree,
        "shapedirs": np.concatenate([shape_m, shape_m[..., :2]], -1).astype(np.float64),
        "posedirs": rng.normal(0, 0.01, (len(kept), 3, 207)),
    }


def with_hands(smpl: dict[str, np.ndarray], face: int) -> dict[str, np.ndarray]:
    """SMPL's fields with 15 finger joints for each hand: SMPL-H (no face joints) or SMPL-X (three)."""
    rng = np.random.default_rng(1)
    joints = 22 + face + 30
    weights, regressor = np.zeros((len(smpl["weights"]), joints)), np.zeros((joints, len(smpl["weights"])))
    parents = [2**32 - 1, *SMPL_24.parent_indices[1:22], *[15] * face]
    for side in (0, 1):
        first, wrist, hand = len(parents), 20 + side, 22 + side
        for joint in range(15):
            parents.append(wrist if joint % 3 == 0 else len(parents) - 1)
            weights[:, first + joint] = smpl["weights"][:, hand] / 15
            mixed = rng.random(len(weights)) * smpl["J_regressor"][hand]
            regressor[first + joint] = mixed / mixed.sum()
    weights[:, :22], regressor[:22] = smpl["weights"][:, :22], smpl["J_regressor"][:22]
    for joint in range(22, 22 + face):
        weights[:, joint], regressor[joint] = weights[:, 15] / 4, regressor[15]
    weights[:, 15] -= weights[:, 22 : 22 + face].sum(1)
    posedirs = rng.normal(0, 0.01, (len(weights), 3, 9 * (joints - 1)))
    return smpl | {
        "weights": weights, "J_regressor": regressor, "posedirs": posedirs,
        "kintree_table": np.array([parents, range(joints)]).astype(np.uint32),
        "hands_meanl": np.full(45, 0.3), "hands_meanr": np.full(45, 0.3),
        "hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45),
    }  # fmt: skip


def random_motion(body_model: str, frames: int = 5, joints: int = 24) -> tuple[BodyMotion, torch.Tensor]:
    """A motion whose joints from `joints` on are at rest, and its rotations as axis-angle."""
    generator = torch.Generator().manual_seed(0)
    axis_angle = torch.randn(frames, 24, 3, generator=generator)
    axis_angle[:, joints:] = 0
    translation_m, betas = torch.randn(frames, 3, generator=generator), torch.randn(10, generator=generator)
    rotmat = roma.rotvec_to_rotmat(axis_angle)
    return BodyMotion(rotmat, translation_m, betas, body_model, 30.0, "world"), axis_angle


def assert_same_body(path: Path, reference: Path) -> None:
    motion, _ = random_motion(str(path))
    pose = (motion.local_rotmat, motion.betas, motion.translation_m)
    got, expected = load_body_model(path), load_body_model(reference)
    assert torch.equal(got.faces, expected.faces)
    torch.testing.assert_close(got.vertices(*pose), expected.vertices(*pose), atol=1e-6, rtol=0)
    torch.testing.assert_close(got.joints(*pose), expected.joints(*pose), atol=1e-6, rtol=0)


@pytest.fixture
def plain(tmp_path: Path, smpl: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "plain.npz"
    np.savez(path, **smpl)
    return path


def as_downloaded(smpl: dict[str, np.ndarray], chumpy: dict[str, type]) -> dict[str, Any]:
    """What `basicModel_*.pkl` and `SMPL_*.pkl` hold besides plain arrays."""
    selected = chumpy_object(
        chumpy["Select"],
        a=chumpy_object(chumpy["Ch"], x=np.concatenate([np.zeros(7), smpl["posedirs"].ravel()])),
        idxs=np.arange(7, 7 + smpl["posedirs"].size), preferred_shape=smpl["posedirs"].shape,
    )  # fmt: skip
    reshaped = chumpy_object(
        chumpy["Reshape"], a=chumpy_object(chumpy["Ch"], x=smpl["v_template"].ravel()), newshape=(-1, 3)
    )
    return smpl | {
        "v_template": reshaped,
        "shapedirs": chumpy_object(chumpy["Ch"], x=np.asfortranarray(smpl["shapedirs"])),
        "posedirs": selected,
        "J_regressor": scipy.sparse.csc_matrix(smpl["J_regressor"]),
        "J_regressor_prior": scipy.sparse.csr_matrix(smpl["J_regressor"]),
        "J": chumpy_object(chumpy["add"], a=1, b=2),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
        "vert_sym_idxs": np.arange(4),
        "pose_training_info": OrderedDict(gender="female", age=np.float64(30)),
        "joint2num": np.array([{"Pelvis": 0}], dtype=object),
    }


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_smpl_as_python_2_pickled_it_with_chumpy(tmp_path, plain, smpl, chumpy, protocol: int):
    path = tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl"
    path.write_bytes(python2_pickle(as_downloaded(smpl, chumpy), protocol))
    assert b"chumpy.ch\nCh\n" in path.read_bytes()
    assert b"numpy.core.multiarray\n_reconstruct\n" in path.read_bytes()
    for name in [name for name in sys.modules if name.startswith("chumpy")]:
        del sys.modules[name]
    assert_same_body(path, plain)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_smpl_as_python_3_pickled_it(tmp_path, plain, smpl, protocol: int):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(
        pickle.dumps(smpl | {"J_regressor": scipy.sparse.csr_matrix(smpl["J_regressor"])}, protocol=protocol)
    )
    assert_same_body(path, plain)


def test_a_pickle_is_converted_once_and_again_when_it_changes(tmp_path, smpl, monkeypatch):
    path, converted = tmp_path / "SMPL_MALE.pkl", tmp_path / "SMPL_MALE.motionrep.npz"
    path.write_bytes(pickle.dumps(smpl))
    first = load_body_model(path).template_vertex_m
    with np.load(converted, allow_pickle=False) as file:
        assert file["shapedirs"].shape == (24 * COUNT, 3, 12)
    with monkeypatch.context() as patch:
        patch.setattr(smpl_files, "read_smpl_pickle", None)
        assert torch.equal(load_body_model(path).template_vertex_m, first)
    path.write_bytes(pickle.dumps(smpl | {"v_template": smpl["v_template"] * 2}))
    assert torch.equal(load_body_model(path).template_vertex_m, first * 2)
    converted.write_bytes(b"damaged")
    assert torch.equal(load_body_model(path).template_vertex_m, first * 2)


def test_a_folder_that_cannot_be_written_to_is_left_alone(tmp_path, plain, smpl, monkeypatch):
    path = tmp_path / "SMPL_MALE.pkl"
    path.write_bytes(pickle.dumps(smpl))
    (tmp_path / "SMPL_MALE.motionrep.npz").mkdir()
    assert_same_body(path, plain)


class Hostile:
    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(tmp_path, smpl, protocol: int):
    canary = tmp_path / "canary"
    for function, arguments, name in (
        (os.system, (f"touch {canary}",), f"{os.name}.system"),
        (eval, (f"open({str(canary)!r}, 'w')",), "eval"),
        (os.mkdir, (str(canary),), "mkdir"),
        (np.save, (str(canary), 1), "numpy.save"),
    ):
        path = tmp_path / "SMPL_NEUTRAL.pkl"
        path.write_bytes(pickle.dumps(smpl | {"bs_type": Hostile(function, *arguments)}, protocol=protocol))
        with pytest.raises(ValueError, match=rf"SMPL_NEUTRAL\.pkl: asks to import \S*{name}.*nothing was run"):
            load_body_model(path)
        assert [file.name for file in tmp_path.iterdir()] == ["SMPL_NEUTRAL.pkl"]


@pytest.mark.parametrize("rebuild", [b"cnumpy\nndarray\n", b"ccollections\nOrderedDict\n", b"c__builtin__\nset\n"])
def test_a_file_cannot_change_what_it_is_read_with(tmp_path, plain, smpl, rebuild: bytes):
    path = tmp_path / "changes.pkl"
    path.write_bytes(rebuild + b"(N(S'__new__'\nI1\ndtb.")  # sets the attribute __new__ of what was named
    with pytest.raises(ValueError, match=r"changes\.pkl: not a whole pickle"):
        load_body_model(path)
    path.write_bytes(pickle.dumps(smpl))
    assert_same_body(path, plain)


def test_broken_and_foreign_pickles_say_what_is_wrong(tmp_path, smpl, chumpy):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    whole = pickle.dumps(smpl)
    for content, message in (
        (whole[: len(whole) // 2], "not a whole pickle"),
        (pickle.dumps([1]), "the file holds a list"),
        (pickle.dumps({"a": 1}), "no field 'v_template'"),
        (pickle.dumps(smpl | {"weights": "heavy"}), "field 'weights' is no array that can be read: it holds a str"),
        (pickle.dumps(smpl | {"f": np.array(["a"])}), "field 'f'.*its elements are not numbers"),
        (
            pickle.dumps(smpl | {"shapedirs": chumpy_object(chumpy["add"], a=1)}),
            "field 'shapedirs'.*chumpy's 'add'.*save its value as a plain array",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"SMPL_NEUTRAL\.pkl: .*{message}"):
            load_body_model(path)
        assert [file.name for file in tmp_path.iterdir()] == ["SMPL_NEUTRAL.pkl"]


@pytest.mark.parametrize(("kind", "face"), [("SMPLH", 0), ("SMPLX", 3)])
@pytest.mark.parametrize("suffix", ["npz", "pkl"])
def test_smplh_and_smplx_are_posed_with_flat_hands_as_smplx_poses_them(tmp_path, smpl, kind, face, suffix, monkeypatch):
    smplx = pytest.importorskip("smplx", reason="smplx, an optional extra, is not installed")
    fields = with_hands(smpl, face)
    rng = np.random.default_rng(2)
    fields["shapedirs"] = np.concatenate([fields["shapedirs"][..., :10], rng.normal(0, 1, (24 * COUNT, 3, 10))], -1)
    fields |= {"lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.zeros((51, 3))}
    path = tmp_path / f"{kind}_NEUTRAL.{suffix}"
    if suffix == "npz":
        np.savez(path, **fields, joint2num=np.array({"Pelvis": 0}, dtype=object))
    else:
        path.write_bytes(python2_pickle(fields))
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        any_vertex = dict.fromkeys(file["vertex_id_names"].tolist(), 0)
    monkeypatch.setitem(smplx.body_models.VERTEX_IDS, kind.lower(), any_vertex)  # theirs are above ours
    np.savez(tmp_path / "reference.npz", **fields)
    reference = getattr(smplx, kind)(
        str(tmp_path / "reference.npz"), ext="npz", use_pca=False, flat_hand_mean=True,
        batch_size=5,
    )  # fmt: skip
    motion, axis_angle = random_motion(str(path), joints=22)
    with torch.no_grad():
        expected = reference(
            betas=motion.betas.expand(5, 10), global_orient=axis_angle[:, 0],
            body_pose=axis_angle[:, 1:22].flatten(1), transl=motion.translation_m,
        )  # fmt: skip
    body = load_body_model(path)
    torch.testing.assert_close(body.mesh(motion).vertex_m, expected.vertices, atol=1e-5, rtol=0)
    joint_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)
    torch.testing.assert_close(joint_m[:, :22], expected.joints[:, :22], atol=1e-5, rtol=0)
    first = 22 + face
    knuckle_m = expected.joints[:, [first, first + 3, first + 6, first + 9]].mean(1)
    torch.testing.assert_close(joint_m[:, 22], knuckle_m, atol=1e-5, rtol=0)


def test_a_recording_keeps_betas_and_place_on_the_smplh_file_it_belongs_to(tmp_path, smpl):
    path, recording = tmp_path / "model.npz", tmp_path / "walk_poses.npz"
    np.savez(path, **with_hands(smpl, 0))
    poses, trans = np.zeros((2, 156)), np.ones((2, 3))
    poses[:, :3] = [np.pi / 2, 0.0, 0.0]
    np.savez(recording, poses=poses, trans=trans, betas=np.full(16, 0.5), mocap_framerate=120.0, gender="female")
    motion = load_motion(recording, str(path))
    assert motion.betas.tolist() == [0.5] * 10
    pelvis_m = load_body_model(path).joints(motion.local_rotmat, motion.betas, motion.translation_m)[:, 0]
    rest_m = load_body_model(path).rest_joints(motion.betas)[0]
    turned = (torch.ones(3) + rest_m)[[0, 2, 1]] * torch.tensor([1.0, 1.0, -1.0])
    torch.testing.assert_close(pelvis_m, turned.expand(2, 3), atol=1e-5, rtol=0)


def test_a_file_of_22_joints_is_refused_by_its_number(tmp_path, smpl):
    """With the two hands it would have as many joints as SMPL, and was taken for a file with fingers."""
    kept = {"weights": smpl["weights"][:, :22], "J_regressor": smpl["J_regressor"][:22]}
    np.savez(tmp_path / "few.npz", **smpl | kept | {"kintree_table": smpl["kintree_table"][:, :22]})
    with pytest.raises(ValueError, match=r"few\.npz: .*22"):
        load_body_model(tmp_path / "few.npz")


def test_another_tree_of_52_joints_is_refused(tmp_path, smpl):
    fields = with_hands(smpl, 0)
    fields["kintree_table"][0, 30] = 3
    path = tmp_path / "other.npz"
    np.savez(path, **fields)
    with pytest.raises(ValueError, match=r"other\.npz: field 'kintree_table' has 52 joints but not the tree"):
        load_body_model(path)
