"""Motions handed over to smplx, trimesh and PyTorch3D, and back, on files written in SMPL's containers."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from smpl_containers import write_smpl

from motionrep.body import BodyModel, load_body_model
from motionrep.body.smplx_parameters import motion_from_smplx
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.exporting import export_motion
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

smplx = pytest.importorskip("smplx", reason="smplx, an optional extra, is not installed")
WITHIN_M = 1e-5  # 0.01 mm
FRAMES = 6
LANDMARKS = (
    "nose", "reye", "leye", "rear", "lear", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
    *(f"{side}{finger}" for side in "lr" for finger in ("thumb", "index", "middle", "ring", "pinky")),
)  # fmt: skip


@pytest.fixture(scope="module", params=["smpl", "smplh", "smplx"])
def case(request, tmp_path_factory) -> tuple[str, BodyModel]:
    suffix = "pkl" if request.param == "smpl" else "npz"  # of SMPL, the package reads pickles only
    path = tmp_path_factory.mktemp("bodies") / f"{request.param.upper()}_NEUTRAL.{suffix}"
    return request.param, load_body_model(write_smpl(path, request.param, loose_vertices=40))


@pytest.fixture(autouse=True)
def vertices_that_are_there(monkeypatch):
    """The package picks vertices by number for joints that are not compared here."""
    for kind in ("smpl", "smplh", "smplx"):
        monkeypatch.setitem(smplx.body_models.VERTEX_IDS, kind, dict.fromkeys(LANDMARKS, 0))


def theirs(kind: str, path: str, betas: int = 10) -> torch.nn.Module:
    return smplx.create(
        path, model_type=kind, ext=path[-3:], use_pca=False, flat_hand_mean=True, num_betas=betas
    )  # fmt: skip


def any_motion(body: BodyModel, joints: int, frame: str = "world", turned_hands: bool = False) -> BodyMotion:
    generator = torch.Generator().manual_seed(1)
    rotvec = 0.7 * torch.randn(FRAMES, joints, 3, generator=generator)
    if body.joint_count > 24 and not turned_hands:
        rotvec[:, 22:24] = 0
    expression = torch.randn(FRAMES, 10, generator=generator) if joints == 57 else None
    return BodyMotion(
        roma.rotvec_to_rotmat(rotvec), torch.randn(FRAMES, 3, generator=generator),
        torch.randn(10, generator=generator), body.name, 25.0, frame, expression, first_frame=3,
    )  # fmt: skip


@pytest.mark.parametrize("all_joints", [False, True])
def test_smplx_gives_our_vertices(case, all_joints):
    kind, body = case
    motion = any_motion(body, body.joint_count if all_joints else 24)
    with torch.no_grad():
        vertex_m = theirs(kind, body.name)(**motion.to_smplx()).vertices
    assert float((vertex_m - motion.mesh().vertex_m).abs().max()) < WITHIN_M
    back = motion_from_smplx(motion.to_smplx("numpy"), body.name, 25.0, first_frame=3)
    torch.testing.assert_close(
        back.local_rotmat[:, : motion.local_rotmat.shape[1]], motion.local_rotmat, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(back.mesh().vertex_m, motion.mesh().vertex_m, atol=WITHIN_M, rtol=0)


@pytest.mark.parametrize("frame", ["world", "camera"])
def test_a_file_for_smplx_holds_the_motion_and_is_read_back(case, tmp_path, frame, capsys):
    kind, body = case
    motion = any_motion(body, body.joint_count, frame)
    save_motion(motion, tmp_path / "ours.npz")
    assert not cli.main(
        ["export", str(tmp_path / "ours.npz"), "--format", "smplx", "--output", str(tmp_path / "t.npz")]
    )
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        given = {name: torch.from_numpy(file[name]) for name in file if file[name].ndim == 2}
        assert (str(file["model_type"]), float(file["fps"])) == (kind, 25.0)
        assert str(file["axes"]) == ("camera" if frame == "camera" else "y-up")
    with torch.no_grad():
        vertex_m = theirs(kind, body.name)(**given).vertices
    assert float((vertex_m - motion.mesh().vertex_m).abs().max()) < WITHIN_M
    back = load_motion(tmp_path / "t.npz", body.name)
    assert (back.frame, back.fps, back.first_frame) == (frame, 25.0, 3)
    torch.testing.assert_close(back.mesh().vertex_m, motion.mesh().vertex_m, atol=WITHIN_M, rtol=0)
    on_open = load_motion(tmp_path / "t.npz")
    assert on_open.body_model == "open"
    assert not on_open.betas.any()


def test_with_z_up_a_file_for_smplx_is_read_back_with_y_up(case, tmp_path):
    _, body = case
    motion = any_motion(body, 24)
    export_motion(motion, tmp_path / "z.npz", up="z", format="smplx")
    back = load_motion(tmp_path / "z.npz", body.name)
    torch.testing.assert_close(back.mesh().vertex_m, motion.mesh().vertex_m, atol=WITHIN_M, rtol=0)
    with pytest.raises(ValueError, match="camera's axes"):
        export_motion(replace(motion, frame="camera"), tmp_path / "z.npz", up="z", format="smplx")


def test_turned_hands_of_bodies_with_fingers_are_told_in_mm(case, caplog):
    """SMPL-H and SMPL-X have no joint that our bodies turn the four fingers with."""
    kind, body = case
    motion = any_motion(body, 24, turned_hands=True)
    with torch.no_grad():
        vertex_m = theirs(kind, body.name)(**motion.to_smplx()).vertices
    worst_mm = 1000 * float((vertex_m - motion.mesh().vertex_m).norm(dim=-1).max())
    if kind == "smpl":
        assert worst_mm < 1000 * WITHIN_M
        assert not caplog.messages
    else:
        assert f"by up to {worst_mm:.1f} mm" in caplog.text
        assert worst_mm > 1


def test_amass_keeps_the_hands_of_smpl(tmp_path, case):
    kind, body = case
    motion = replace(any_motion(body, 24, turned_hands=kind == "smpl"), first_frame=0)
    export_motion(motion, tmp_path / "walk.npz")
    back = load_motion(tmp_path / "walk.npz", body.name)
    torch.testing.assert_close(back.mesh().vertex_m, motion.mesh().vertex_m, atol=WITHIN_M, rtol=0)


def test_fingers_that_move_are_no_turn_of_the_hand(tmp_path):
    body = load_body_model(write_smpl(tmp_path / "SMPLH_NEUTRAL.npz", "smplh", loose_vertices=20))
    export_motion(replace(any_motion(body, 54), first_frame=0), tmp_path / "fingers.npz")
    assert torch.equal(load_motion(tmp_path / "fingers.npz").local_rotmat[:, 22:], torch.eye(3).expand(FRAMES, 2, 3, 3))


def test_an_object_of_smplx_is_a_body(case):
    kind, body = case
    model = theirs(kind, body.name)
    ours = load_body_model(model)
    assert (ours.joint_count, ours.expression_count) == (body.joint_count, body.expression_count)
    motion = replace(any_motion(body, body.joint_count), body_model=ours.name)
    torch.testing.assert_close(motion.mesh().vertex_m, body.mesh(replace(motion, body_model=body.name)).vertex_m)
    with torch.no_grad():
        assert float((model(**motion.to_smplx()).vertices - motion.mesh().vertex_m).abs().max()) < WITHIN_M
    with pytest.raises(ValueError, match="num_betas=11"):
        load_body_model(model, 11)
    with pytest.raises(ValueError, match="Linear: no model of the package smplx"):
        load_body_model(torch.nn.Linear(1, 1))


def test_arrays_that_do_not_fit_are_named(case):
    _, body = case
    given = any_motion(body, 24).to_smplx("numpy")
    assert all(isinstance(it, np.ndarray) for it in given.values())
    with pytest.raises(ValueError, match="no 'body_pose'"):
        motion_from_smplx({"global_orient": given["global_orient"]}, body.name, 25.0)
    with pytest.raises(ValueError, match=r"'body_pose' should be \(6 frames, \d+\), got \(6, 30\)"):
        motion_from_smplx(given | {"body_pose": given["body_pose"][:, :30]}, body.name, 25.0)


@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_trimesh_holds_and_writes_a_frame(tmp_path, suffix):
    trimesh = pytest.importorskip("trimesh", reason="trimesh, an optional extra, is not installed")
    motion = authored_motion("walk", seconds=0.3)
    mesh = motion.to_trimesh(-1)
    np.testing.assert_allclose(mesh.vertices, motion.mesh().vertex_m[-1], atol=1e-6)
    assert mesh.is_watertight
    mesh.export(tmp_path / f"last.{suffix}")
    read = trimesh.load(tmp_path / f"last.{suffix}", process=False)
    np.testing.assert_allclose(read.vertices, mesh.vertices, atol=1e-5)
    assert np.array_equal(read.faces, mesh.faces)
    with pytest.raises(IndexError):
        motion.to_trimesh(motion.frame_count)


def test_what_is_not_installed_is_named(monkeypatch):
    motion = authored_motion("walk", seconds=0.1)
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(ModuleNotFoundError, match=r"to_trimesh needs trimesh: pip install"):
        motion.to_trimesh()
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    with pytest.raises(ModuleNotFoundError, match="to_pytorch3d needs pytorch3d"):
        motion.mesh().to_pytorch3d()


def test_pytorch3d_gets_all_frames():
    pytest.importorskip("pytorch3d", reason="PyTorch3D is not installed")
    mesh = authored_motion("walk", seconds=0.2).mesh()
    meshes = mesh.to_pytorch3d()
    torch.testing.assert_close(meshes.verts_padded(), mesh.vertex_m)
    assert meshes.faces_padded().shape == (mesh.frame_count, *mesh.faces.shape)
