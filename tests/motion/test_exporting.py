"""Exported files, read back by readers that share nothing with the writers."""

import json
import os
import shutil
import subprocess
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from glb import Glb
from paths import OPEN_BODY

from motionrep.body import load_body_model
from motionrep.body.kinematics import forward_kinematics
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.layouts import SMPL_24
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.editing import resample
from motionrep.motion.exporting import export_motion
from motionrep.motion.floor import put_on_floor
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
VALIDATE = """
require("gltf-validator").validateBytes(new Uint8Array(require("fs").readFileSync(process.argv[1])))
  .then((report) => console.log(JSON.stringify(report.issues)));
"""


@pytest.fixture(scope="module")
def walk() -> BodyMotion:
    return authored_motion("walk", seconds=0.7)


@pytest.fixture(scope="module")
def tumble() -> BodyMotion:
    """Rotations of any angle."""
    generator = torch.Generator().manual_seed(0)
    rotmat = roma.unitquat_to_rotmat(torch.nn.functional.normalize(torch.randn(6, 24, 4, generator=generator), dim=-1))
    betas = torch.randn(10, generator=generator)
    return BodyMotion(rotmat, torch.randn(6, 3, generator=generator), betas, "open", 25.0, "world")


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


def surface_m(motion: BodyMotion, body) -> np.ndarray:
    return body.mesh(motion).vertex_m.double().numpy()


def joints_m(motion: BodyMotion, body) -> np.ndarray:
    return body.joints(motion.local_rotmat, motion.betas, motion.translation_m).double().numpy()


def test_glb_shows_the_surface_of_every_person(tmp_path, walk, tumble, body):
    export_motion([walk, tumble], tmp_path / "two.glb")
    glb = Glb(tmp_path / "two.glb")
    expected = [surface_m(walk, body), surface_m(tumble, body)]
    for frame in range(6):
        for shown, wanted in zip(glb.surfaces(frame), expected, strict=True):
            np.testing.assert_allclose(shown, wanted[frame], atol=1e-5)
    indices = glb.array(glb.json["meshes"][1]["primitives"][0]["indices"])
    assert np.array_equal(indices.reshape(-1, 3), body.faces.numpy())


def test_glb_names_joints_and_times(tmp_path, walk, tumble):
    export_motion([walk, tumble], tmp_path / "two.glb")
    glb = Glb(tmp_path / "two.glb")
    names = [node["name"] for node in glb.json["nodes"]]
    assert names == ["person_0", *SMPL_24.joints, "person_1", *SMPL_24.joints]
    samplers = glb.json["animations"][0]["samplers"]
    for sampler, motion in ((samplers[0], walk), (samplers[-1], tumble)):
        seconds = glb.array(sampler["input"])[:, 0]
        np.testing.assert_allclose(seconds, np.arange(motion.frame_count) / motion.fps, atol=1e-6)


def test_in_a_glb_who_comes_later_waits_in_the_first_pose(tmp_path, walk, tumble):
    """All began at once, whatever `first_frame` said. 60 frames at 30 and 25 at 25 per second: 1 s lies between."""
    export_motion([replace(walk, first_frame=60), replace(tumble, first_frame=25)], tmp_path / "two.glb", fps=50)
    glb = Glb(tmp_path / "two.glb")
    samplers = glb.json["animations"][0]["samplers"]
    late_s, early_s = (glb.array(samplers[index]["input"])[:, 0] for index in (0, -1))
    assert (early_s[0], late_s[0]) == (0.0, 1.0)
    np.testing.assert_allclose(np.diff(late_s), 1 / 50, atol=1e-6)
    export_motion(replace(walk, first_frame=60), tmp_path / "alone.glb")
    alone = Glb(tmp_path / "alone.glb")
    assert alone.array(alone.json["animations"][0]["samplers"][0]["input"])[0, 0] == 0


def test_glb_turns_by_the_shorter_way_between_frames(tmp_path, walk):
    turning = walk.local_rotmat.clone()
    angle_rad = torch.linspace(0, 12, walk.frame_count)
    turning[:, 0] = roma.rotvec_to_rotmat(angle_rad[:, None] * torch.tensor([0.0, 1.0, 0.0]))
    export_motion(replace(walk, local_rotmat=turning), tmp_path / "turning.glb")
    glb = Glb(tmp_path / "turning.glb")
    for sampler in glb.json["animations"][0]["samplers"][1:]:
        quaternion = glb.array(sampler["output"])
        assert (quaternion[1:] * quaternion[:-1]).sum(1).min() > 0


@pytest.mark.parametrize("people", [1, 2])
def test_glb_is_valid(tmp_path, walk, tumble, people):
    if shutil.which("node") is None:
        pytest.skip("needs node")
    found = subprocess.run(["node", "-e", "require('gltf-validator')"], capture_output=True, env=os.environ)
    if found.returncode:
        pytest.skip("needs the npm package gltf-validator on NODE_PATH")
    export_motion([walk, tumble][:people], tmp_path / "valid.glb")
    report = subprocess.run(
        ["node", "-e", VALIDATE, str(tmp_path / "valid.glb")], capture_output=True, text=True, check=True
    )
    issues = json.loads(report.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_glb_of_one_frame_and_of_another_frame_rate(tmp_path, walk, body):
    one = replace(walk, local_rotmat=walk.local_rotmat[:1], translation_m=walk.translation_m[:1])
    export_motion(one, tmp_path / "one.glb")
    np.testing.assert_allclose(Glb(tmp_path / "one.glb").surfaces(0)[0], surface_m(one, body)[0], atol=1e-5)
    export_motion(walk, tmp_path / "slow.glb", fps=10)
    slow = surface_m(resample(walk, 10.0), body)
    np.testing.assert_allclose(Glb(tmp_path / "slow.glb").surfaces(3)[0], slow[3], atol=1e-5)


@pytest.mark.parametrize("suffix", ["glb", "obj"])
def test_unit_and_upward_axis(tmp_path, walk, body, suffix):
    export_motion(walk, tmp_path / f"walk.{suffix}", unit="cm", up="z")
    expected = 100 * surface_m(walk, body)[4] @ Z_UP.T
    shown = (
        Glb(tmp_path / "walk.glb").surfaces(4)[0]
        if suffix == "glb"
        else read_obj(tmp_path / "walk" / "walk_000004.obj")[0]
    )
    np.testing.assert_allclose(shown, expected, atol=1e-3)
    assert 140 < np.ptp(shown[:, 2]) < 210


@pytest.mark.parametrize("suffix", ["glb", "bvh", "obj"])
def test_motion_in_the_cameras_axes_is_turned_upright(tmp_path, walk, body, suffix):
    in_camera = replace(walk, frame="camera")
    export_motion(in_camera, tmp_path / f"walk.{suffix}")
    if suffix == "bvh":
        shown, expected = bvh_joints(tmp_path / "walk.bvh")[1][2], joints_m(walk, body)[2]
    else:
        expected = surface_m(walk, body)[2]
        shown = (
            Glb(tmp_path / "walk.glb").surfaces(2)[0]
            if suffix == "glb"
            else read_obj(tmp_path / "walk" / "walk_000002.obj")[0]
        )
    np.testing.assert_allclose(shown, expected * [1, -1, -1], atol=1e-4)


def bvh_joints(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """World rotations and positions of the joints that are no End Sites, in the order of SMPL_24."""
    bvh = read_bvh(path)
    rotmat, position = forward_kinematics(bvh.local_rotmat.double(), bvh.local_position.double(), bvh.parents)
    order = [bvh.joints.index(joint) for joint in SMPL_24.joints]
    return rotmat[:, order].numpy(), position[:, order].numpy()


@pytest.mark.parametrize("name", ["walk", "tumble"])
def test_bvh_holds_the_same_joints(tmp_path, request, body, name):
    motion = request.getfixturevalue(name)
    export_motion(motion, tmp_path / "m.bvh")
    rotmat, position_m = bvh_joints(tmp_path / "m.bvh")
    np.testing.assert_allclose(position_m, joints_m(motion, body), atol=1e-4)
    expected = motion.local_rotmat.double()
    for joint, parent in SMPL_24.bones:
        expected[:, joint] = expected[:, parent] @ expected[:, joint]
    np.testing.assert_allclose(rotmat, expected.numpy(), atol=1e-4)
    assert read_bvh(tmp_path / "m.bvh").fps == motion.fps
    export_motion(motion, tmp_path / "cm.bvh", unit="cm", up="z")
    np.testing.assert_allclose(bvh_joints(tmp_path / "cm.bvh")[1], 100 * joints_m(motion, body) @ Z_UP.T, atol=1e-2)


def test_bvh_rests_upright_in_its_own_axes(tmp_path, walk):
    for up, axis in (("y", 1), ("z", 2)):
        export_motion(walk, tmp_path / "rest.bvh", up=up)
        bvh = read_bvh(tmp_path / "rest.bvh")
        assert float(bvh.offset[bvh.joints.index("spine2"), axis]) > 0.05


def test_bvh_angles_do_not_jump_when_knees_bend_past_a_right_angle(tmp_path, walk):
    bending = torch.eye(3).repeat(walk.frame_count, 24, 1, 1)
    bend_rad = torch.linspace(0, 2.4, walk.frame_count)
    bending[:, SMPL_24.index("left_knee")] = roma.rotvec_to_rotmat(bend_rad[:, None] * torch.tensor([1.0, 0.05, 0.05]))
    export_motion(replace(walk, local_rotmat=bending), tmp_path / "squat.bvh")
    values = np.loadtxt((tmp_path / "squat.bvh").read_text().split("Frame Time")[1].splitlines()[1:])
    assert np.abs(np.diff(values, axis=0)).max() < 15


def test_load_motion_gives_an_exported_bvh_back(tmp_path, walk, body):
    """The wrists keep their twist, which is shared with the elbows for skeletons of other programs."""
    motion = put_on_floor(replace(walk, betas=torch.zeros(10)), body)
    twist = roma.rotvec_to_rotmat(torch.tensor([1.2, 0.0, 0.0]))
    motion.local_rotmat[:, SMPL_24.index("left_wrist")] = twist
    for unit in ("m", "cm"):
        export_motion(motion, tmp_path / "walk.bvh", unit=unit)
        back = load_motion(tmp_path / "walk.bvh")
        assert (back.fps, back.frame, back.body_model) == (motion.fps, "world", "open")
        torch.testing.assert_close(back.local_rotmat, motion.local_rotmat, atol=1e-4, rtol=0)
        torch.testing.assert_close(back.translation_m, motion.translation_m, atol=1e-4, rtol=0)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = [line.split() for line in path.read_text().splitlines()]
    vertex = np.array([row[1:] for row in rows if row[0] == "v"], np.float64)
    return vertex, np.array([row[1:] for row in rows if row[0] == "f"], np.int64) - 1


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    header, _, raw = path.read_bytes().partition(b"end_header\n")
    vertices, faces = (int(line.split()[-1]) for line in header.splitlines() if line.startswith(b"element"))
    vertex = np.frombuffer(raw, "<f4", 3 * vertices).reshape(-1, 3)
    rows = np.frombuffer(raw, np.uint8, offset=12 * vertices).reshape(faces, 13)
    assert (rows[:, 0] == 3).all()
    return vertex, rows[:, 1:].copy().view("<i4")


@pytest.mark.parametrize(("suffix", "read"), [("obj", read_obj), ("ply", read_ply)])
def test_meshes_are_numbered(tmp_path, walk, body, suffix, read):
    folder = tmp_path / "new" / "frame"
    assert export_motion(walk, tmp_path / "new" / f"frame.{suffix}") == folder
    assert len(list(folder.iterdir())) == walk.frame_count == 21
    for frame in (0, 20):
        vertex_m, faces = read(folder / f"frame_{frame:06d}.{suffix}")
        np.testing.assert_allclose(vertex_m, surface_m(walk, body)[frame], atol=1e-5)
        assert np.array_equal(faces, body.faces.numpy())


def test_frames_of_a_longer_export_go_and_other_files_stay(tmp_path, walk):
    (tmp_path / "[a]").mkdir()
    (tmp_path / "[a]" / "[a]_notes.obj").write_text("mine")
    export_motion(walk, tmp_path / "[a].obj", fps=10)
    export_motion(walk, tmp_path / "[a].obj", fps=5)
    assert sorted(file.name for file in (tmp_path / "[a]").iterdir()) == [
        "[a]_000000.obj", "[a]_000001.obj", "[a]_000002.obj", "[a]_000003.obj", "[a]_notes.obj",
    ]  # fmt: skip
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(
        ValueError, match=r"taken\.obj: becomes a folder with a \.obj for each frame, and .*taken is a file"
    ):
        export_motion(walk, tmp_path / "taken.obj")


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    """The open body as a body of SMPL's generation, with its pelvis elsewhere."""
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    fields["v_template"] = fields["v_template"] + np.float32([0.0, -0.2, 0.03])
    path = tmp_path_factory.mktemp("bodies") / "smpl-male.npz"
    np.savez(path, **fields)
    return load_body_model(path)


def test_the_open_body_in_amass_comes_back_where_it_was(tmp_path, walk, body):
    """Its betas, which mean nothing to SMPL, were written; and its translation, which is not that of SMPL's pelvis."""
    motion = put_on_floor(replace(walk, betas=torch.zeros(10)), body)
    export_motion(motion, tmp_path / "walk.npz")
    back = load_motion(tmp_path / "walk.npz")
    torch.testing.assert_close(back.local_rotmat, motion.local_rotmat, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.translation_m, motion.translation_m, atol=1e-5, rtol=0)
    export_motion(replace(motion, betas=torch.ones(10)), tmp_path / "walk.npz")
    with np.load(tmp_path / "walk.npz", allow_pickle=False) as file:
        assert not file["betas"].any()


def test_a_suffix_in_capitals_is_kept(tmp_path, walk):
    """NumPy appended .npz to the temporary name, which was left behind."""
    export_motion(walk, tmp_path / "WALK.NPZ")
    assert [file.name for file in tmp_path.iterdir()] == ["WALK.NPZ"]
    assert load_motion(tmp_path / "WALK.NPZ").frame_count == walk.frame_count


def test_gender_in_amass_is_that_of_the_bodys_name(tmp_path, walk, body, smpl, monkeypatch):
    for name, gender in (("smplh-male", "male"), ("smplx-female", "female"), ("smplx-neutral-2020", "neutral")):
        named = copy(smpl)
        named.name = name
        monkeypatch.setattr("motionrep.motion.exporting.load_body_model", lambda *_, shown=named: shown)
        export_motion(replace(walk, body_model=name), tmp_path / "walk.npz")
        with np.load(tmp_path / "walk.npz", allow_pickle=False) as file:
            assert str(file["gender"]) == gender


def test_npz_is_amass(tmp_path, walk, smpl):
    motion, body = replace(walk, body_model=smpl.name), smpl
    export_motion(motion, tmp_path / "walk.npz")
    with np.load(tmp_path / "walk.npz", allow_pickle=False) as file:
        fields = dict(file)
    assert {key: array.shape for key, array in fields.items()} == {
        "poses": (21, 156), "trans": (21, 3), "betas": (16,), "gender": (), "mocap_framerate": (),
    }  # fmt: skip
    assert (float(fields["mocap_framerate"]), str(fields["gender"])) == (30.0, "male")
    rotmat = torch.eye(3).repeat(21, 24, 1, 1)
    rotmat[:, :22] = roma.rotvec_to_rotmat(torch.from_numpy(fields["poses"][:, :66]).float().unflatten(1, (22, 3)))
    betas, trans = (torch.from_numpy(fields[name]).float() for name in ("betas", "trans"))
    for hand, finger in ((22, 22), (23, 37)):  # SMPL-H's first finger joint of each hand
        rotmat[:, hand] = roma.rotvec_to_rotmat(
            torch.from_numpy(fields["poses"][:, 3 * finger : 3 * finger + 3]).float()
        )
    shown = body.vertices(rotmat, betas[:10], trans).numpy()
    np.testing.assert_allclose(shown, surface_m(motion, body) @ Z_UP.T, atol=1e-5)
    back = load_motion(tmp_path / "walk.npz", smpl.name)
    torch.testing.assert_close(back.local_rotmat, motion.local_rotmat, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.translation_m, motion.translation_m, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.betas, motion.betas)


def test_what_cannot_be_exported_is_said(tmp_path, walk):
    for motions, name, options, message in (
        (walk, "walk.fbx", {}, r"walk\.fbx: unknown kind of file '\.fbx'.*\.glb, \.bvh, \.obj, \.ply, \.npz"),
        (walk, "walk", {}, "unknown kind of file ''"),
        ([], "walk.glb", {}, "nothing to export"),
        ([walk, walk], "walk.bvh", {}, r"\.bvh holds one person, got 2; use \.glb"),
        ([walk, replace(walk, frame="camera")], "walk.glb", {}, "must share one"),
        (walk, "walk.npz", {"unit": "cm"}, "AMASS's .npz is always in m; leave out unit='cm'"),
        (walk, "walk.glb", {"fps": 0.0}, "fps must be a positive number"),
        (replace(walk, body_model="smpl.npz"), "walk.glb", {}, r"smpl\.npz: no such file"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            export_motion(motions, tmp_path / name, **options)
    (tmp_path / "file").write_text("")
    for suffix in ("glb", "bvh", "obj", "npz"):
        with pytest.raises(OSError, match="file"):
            export_motion(walk, tmp_path / "file" / f"walk.{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_pose_correctives_are_left_out(tmp_path, tumble, body):
    with np.load(OPEN_BODY, allow_pickle=False) as file:
        fields = dict(file)
    fields["posedirs"] = np.full_like(fields["posedirs"], 1e-3)
    np.savez(tmp_path / "corrected.npz", **fields)
    export_motion(replace(tumble, body_model=str(tmp_path / "corrected.npz")), tmp_path / "plain.glb")
    np.testing.assert_allclose(Glb(tmp_path / "plain.glb").surfaces(1)[0], surface_m(tumble, body)[1], atol=1e-5)


def test_the_command_exports_several_people(tmp_path, walk, tumble, body, capsys):
    save_motion(walk, tmp_path / "walk.npz")
    save_motion(tumble, tmp_path / "tumble.npz")
    files = [str(tmp_path / name) for name in ("walk.npz", "tumble.npz", "two.glb")]
    assert cli.main(["export", *files[:2], "--output", files[2], "--unit", "cm", "--up", "z"]) == 0
    assert capsys.readouterr().out == f"{files[2]}: 2 person(s)\n"
    shown = Glb(tmp_path / "two.glb").surfaces(3)
    np.testing.assert_allclose(shown[1], 100 * surface_m(tumble, body)[3] @ Z_UP.T, atol=1e-3)
    assert cli.main(["export", *files[:2], "--output", str(tmp_path / "two.bvh")]) == 2
    assert "two.bvh: .bvh holds one person, got 2; use .glb" in capsys.readouterr().err
