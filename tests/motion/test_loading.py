import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from paths import WALK_BVH

import motionrep.body.loading
from motionrep.body.finding import body_folder
from motionrep.body.loading import load_body_model
from motionrep.layouts import H36M_17, SMPL_24, JointLayout
from motionrep.motion.editing import resample, with_betas
from motionrep.motion.loading import load_joint_motion, load_motion
from motionrep.motion.retargeting.skeletons import CMU_DAZ, SkeletonMap
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion, JointMotion

# AMASS turns SMPL's y-up body upright by 90 degrees about x; z is up then.
UPRIGHT_IN_Z_UP = [np.pi / 2, 0.0, 0.0]


@pytest.fixture(scope="module")
def walk():
    return load_motion(WALK_BVH)


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


def _amass(generation: str, frames: int = 4) -> dict[str, np.ndarray]:
    width, rate = {"smplh": (156, "mocap_framerate"), "smplx": (165, "mocap_frame_rate")}[generation]
    poses = np.zeros((frames, width))
    poses[:, :3] = UPRIGHT_IN_Z_UP
    poses[:, 3 * SMPL_24.index("left_elbow") + 1] = -np.pi / 2  # forearm forward
    poses[:, 66:] = 0.3  # fingers and face, which are not read
    trans = np.stack([np.arange(frames) * 0.1, np.arange(frames) * -0.2, np.full(frames, 0.9)], 1)
    fields = {"poses": poses, "trans": trans, "betas": np.full(16, 0.5), rate: np.array(120.0)}
    return fields | {"gender": np.array("male" if generation == "smplx" else b"female")}


def _joints(motion, body):
    position_m = body.joints(motion.local_rotmat, motion.betas, motion.translation_m)
    return dict(zip(SMPL_24.joints, position_m.unbind(1), strict=True))


def test_a_bvh_clip_stands_on_the_floor_head_up(walk, body):
    assert (walk.frame_count, walk.fps, walk.frame, walk.body_model) == (60, 120.0, "world", "open")
    assert not walk.betas.any()
    joints = _joints(walk, body)
    assert 1.3 < float(joints["head"][:, 1].min()) < float(joints["head"][:, 1].max()) < 1.7
    assert 0.03 < float(joints["left_ankle"][:, 1].min()) < 0.12


def test_a_skeleton_can_be_passed(walk):
    same = SkeletonMap("mine", CMU_DAZ.joints, CMU_DAZ.bone_ends)
    assert torch.equal(load_motion(WALK_BVH, skeleton=same).local_rotmat, walk.local_rotmat)
    other = SkeletonMap("mine", CMU_DAZ.joints | {"head": "Head"})
    with pytest.raises(ValueError, match=r"first_60\.bvh: skeleton map 'mine' names joints that the file lacks: Head"):
        load_motion(WALK_BVH, skeleton=other)


def test_an_unknown_skeleton_names_the_file(tmp_path):
    path = tmp_path / "other.bvh"
    path.write_text(WALK_BVH.read_text().replace("lShin", "LeftLeg"))
    with pytest.raises(ValueError, match=r"other\.bvh: skeleton not recognised \(cmu_daz lacks lShin\).*LeftLeg"):
        load_motion(path)


@pytest.mark.parametrize("frame", ["world", "camera"])
def test_save_and_load_give_back_the_same_numbers(walk, tmp_path, frame):
    motion = replace(walk.cut(5), betas=torch.randn(10), fps=29.97, frame=frame, body_model="bodies/SMPL_NEUTRAL.npz")
    save_motion(motion, tmp_path / "new" / "walk.npz")
    loaded = load_motion(tmp_path / "new" / "walk.npz")
    for name in ("local_rotmat", "translation_m", "betas"):
        assert torch.equal(getattr(loaded, name), getattr(motion, name))
    assert (loaded.fps, loaded.frame, loaded.body_model) == (29.97, frame, "bodies/SMPL_NEUTRAL.npz")
    assert loaded.first_frame == 5


def test_a_later_format_and_a_missing_field_are_named(tmp_path):
    np.savez(tmp_path / "clip.npz", local_rotmat=np.zeros(1), format=np.array("motionrep body motion 2"))
    with pytest.raises(ValueError, match=r"clip\.npz: is in format 2 of motionrep body motions, .* up to 1; update"):
        load_motion(tmp_path / "clip.npz")
    np.savez(tmp_path / "clip.npz", local_rotmat=np.zeros(1))
    with pytest.raises(ValueError, match=r"clip\.npz: no field 'frame'"):
        load_motion(tmp_path / "clip.npz")


def test_save_refuses_another_suffix(walk, tmp_path):
    with pytest.raises(ValueError, match=r"walk\.bvh: save_motion writes \.npz"):
        save_motion(walk, tmp_path / "walk.bvh")


def test_a_suffix_in_capitals_is_kept(walk, tmp_path):
    """NumPy appended .npz to the temporary name, which was left behind."""
    save_motion(walk, tmp_path / "M.NPZ")
    assert [file.name for file in tmp_path.iterdir()] == ["M.NPZ"]
    assert torch.equal(load_motion(tmp_path / "M.NPZ").local_rotmat, walk.local_rotmat)


@pytest.mark.parametrize("generation", ["smplh", "smplx"])
def test_amass_stands_upright_on_the_open_body(tmp_path, body, generation):
    np.savez(tmp_path / "clip_poses.npz", **_amass(generation))
    motion = load_motion(tmp_path / "clip_poses.npz")
    assert (motion.fps, motion.frame, motion.frame_count) == (120.0, "world", 4)
    assert not motion.betas.any()
    joints = _joints(motion, body)
    assert bool((joints["head"][:, 1] > joints["pelvis"][:, 1] + 0.5).all())
    assert 0.03 < float(joints["left_ankle"][0, 1]) < 0.12
    assert bool((joints["left_wrist"][:, 2] > joints["left_elbow"][:, 2] + 0.2).all())
    torch.testing.assert_close(motion.local_rotmat[:, 22:], torch.eye(3).repeat(4, 2, 1, 1))
    step = joints["pelvis"].diff(dim=0)  # z-up (0.1, -0.2, 0) is y-up (0.1, 0, 0.2)
    torch.testing.assert_close(step, torch.tensor([0.1, 0.0, 0.2]).expand(3, 3), atol=1e-5, rtol=0)


def test_amass_on_its_own_body_keeps_shape_and_place(tmp_path, body):
    """The pelvis must be where z-up SMPL puts it, also when it is not the body's origin."""
    path = tmp_path / "smpl_like.npz"
    shift_m = np.array([0.0, -0.22, 0.03], dtype=np.float32)
    np.savez(
        path,
        v_template=body.template_vertex_m.numpy() + shift_m,
        f=body.faces.numpy(),
        weights=body.skin_weights.numpy(),
        J_regressor=_joint_regressor(),
        kintree_table=np.array([body.parents, range(24)]),
        shapedirs=body.shape_directions_m.numpy(),
    )
    fields = _amass("smplh")
    np.savez(tmp_path / "clip.npz", **fields)
    motion = load_motion(tmp_path / "clip.npz", str(path))
    own = load_body_model(path)
    assert motion.betas.tolist() == [0.5] * 10
    in_z_up = torch.from_numpy(fields["trans"]).float() + own.rest_joints(motion.betas)[0]
    expected = torch.stack([in_z_up[:, 0], in_z_up[:, 2], -in_z_up[:, 1]], -1)
    torch.testing.assert_close(_joints(motion, own)["pelvis"], expected, atol=1e-5, rtol=0)


def _joint_regressor() -> np.ndarray:
    import motionrep.body.loading as loading

    with np.load(Path(loading.__file__).with_name("open_body.npz"), allow_pickle=False) as file:
        return file["J_regressor"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trans": None}, "an AMASS motion has poses, trans and mocap_framerate or"),
        ({"mocap_framerate": None}, "an AMASS motion has poses, trans and mocap_framerate or"),
        ({"trans": np.zeros((3, 3))}, r"expected poses \(frames, numbers\) .* trans \(frames, 3\), got .*\(3, 3\)"),
        ({"poses": np.zeros((4, 75))}, r"one of 66 .*, 72 \(SMPL\), 156 \(SMPL-H\), 165 \(SMPL-X\), .*got \(4, 75\)"),
        ({"mocap_framerate": np.array(0.0)}, "'mocap_framerate' must be one positive number.*got 0.0"),
        ({"mocap_framerate": np.array(-30.0)}, "'mocap_framerate' must be one positive number.*got -30"),
        ({"mocap_framerate": np.array(np.nan)}, "'mocap_framerate' must be one positive number.*got nan"),
        ({"mocap_framerate": np.array([30.0, 60.0])}, "'mocap_framerate' must be one positive number"),
        ({"mocap_framerate": np.array("fast")}, "'mocap_framerate' must be one positive number.*got fast"),
        ({"poses": np.full((4, 156), np.nan)}, "NaN"),
        ({"poses": np.array([{}] * 4)}, "'poses' holds Python objects, which are never unpickled"),
    ],
)
def test_a_broken_amass_file_names_file_and_field(tmp_path, change, message):
    fields = {name: value for name, value in (_amass("smplh") | change).items() if value is not None}
    np.savez(tmp_path / "clip.npz", **fields)
    with pytest.raises(ValueError, match=r"clip\.npz: .*" + message):
        load_motion(tmp_path / "clip.npz")


@pytest.mark.parametrize("rate", [np.array([120.0]), np.array([[120]]), np.array("120")])
def test_the_frame_rate_of_amass_may_be_an_array_of_one_number(tmp_path, rate):
    """An array of one number ended in a TypeError."""
    np.savez(tmp_path / "clip.npz", **_amass("smplh") | {"mocap_framerate": rate})
    assert load_motion(tmp_path / "clip.npz").fps == 120.0


def test_hands_of_smpl_poses_are_kept(tmp_path):
    """All 24 joints of 72 numbers, as in 3DPW; only 22 were read."""
    poses = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 72))
    np.savez(tmp_path / "clip.npz", **_amass("smplh") | {"poses": poses})
    local_rotmat = load_motion(tmp_path / "clip.npz").local_rotmat[:, 1:].double()
    expected = roma.rotvec_to_rotmat(torch.from_numpy(poses[:, 3:]).unflatten(1, (23, 3)))
    torch.testing.assert_close(local_rotmat, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("asked", "gender", "remedy"),
    [
        ("smpl-male", b"female", "smpl-female"),
        ("smpl-male", "Neutral", "smpl-neutral"),
        ("smpl-male", "male", None),
        ("smpl-male", "unknown", None),
        ("smpl-male", {"a": "Python object"}, None),
        ("open", "female", None),
    ],
)
def test_a_body_of_another_gender_than_the_files_is_warned_of(tmp_path, monkeypatch, caplog, asked, gender, remedy):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder = body_folder()
    folder.mkdir(parents=True)
    shutil.copy(Path(motionrep.body.loading.__file__).with_name("open_body.npz"), folder / "SMPL_MALE.npz")
    fields = _amass("smplh") | {"gender": np.array(gender), "betas": np.full(10, 0.5)}
    np.savez(tmp_path / "clip.npz", **fields)
    load_motion(tmp_path / "clip.npz", asked)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == (remedy is not None)
    assert all(f"on smpl-male; pass body_model='{remedy}'" in line for line in said)


def test_betas_beyond_those_of_the_body_are_dropped_with_a_warning_if_they_are_not_0(tmp_path, caplog):
    body = tmp_path / "body.npz"
    shutil.copy(Path(motionrep.body.loading.__file__).with_name("open_body.npz"), body)
    clip, betas = tmp_path / "clip.npz", np.zeros(16)
    betas[:10] = 0.5
    np.savez(clip, **_amass("smplh") | {"betas": betas})
    assert load_motion(clip, str(body)).betas.tolist() == [0.5] * 10
    assert not caplog.records
    np.savez(clip, **_amass("smplh"))
    load_motion(clip)  # on the open body they are 0 anyway
    assert not caplog.records
    assert load_motion(clip, str(body)).betas.tolist() == [0.5] * 10
    (record,) = caplog.records
    assert "clip.npz: only the first 10 of its 16 betas are kept" in record.getMessage()


def test_betas_of_amass_that_change_over_time_become_their_mean(tmp_path):
    """Only those of the first frame counted."""
    body = tmp_path / "body.npz"
    shutil.copy(Path(motionrep.body.loading.__file__).with_name("open_body.npz"), body)
    np.savez(tmp_path / "clip.npz", **_amass("smplh") | {"betas": np.arange(4.0)[:, None].repeat(10, 1)})
    assert load_motion(tmp_path / "clip.npz", str(body)).betas.tolist() == [1.5] * 10


def test_a_flipped_byte_anywhere_is_an_error_and_no_crash(tmp_path):
    path = tmp_path / "walk.npz"
    save_motion(_turning(2, 30.0), path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        with contextlib.suppress(ValueError):
            load_motion(path)


def test_other_files_are_refused(tmp_path):
    save_motion(JointMotion(torch.zeros(2, 17, 3), H36M_17, 30.0, "root"), tmp_path / "joints.npz")
    with pytest.raises(
        ValueError, match=r"holds joint positions .*make a body motion with motionrep fit .*joints\.npz --output"
    ):
        load_motion(tmp_path / "joints.npz")
    with pytest.raises(FileNotFoundError, match=r"none\.bvh"):
        load_motion(tmp_path / "none.bvh")
    (tmp_path / "clip.fbx").write_bytes(b"Kaydara")
    with pytest.raises(ValueError, match=r"clip\.fbx: is a \.fbx file, not a motion of a kind"):
        load_motion(tmp_path / "clip.fbx")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match=r"cut\.npz: not a readable \.npz"):
        load_motion(tmp_path / "cut.npz")
    (tmp_path / "text.npz").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"text\.npz: not a readable \.npz"):
        load_motion(tmp_path / "text.npz")


def _turning(frames: int, fps: float) -> BodyMotion:
    """Every joint turns about z at a steady 1 rad/s while the body moves along x at 1 m/s."""
    seconds = torch.arange(frames) / fps
    turn = roma.rotvec_to_rotmat(torch.stack([0 * seconds, 0 * seconds, seconds], -1))
    place = torch.stack([seconds, 0 * seconds, 0 * seconds], -1)
    return BodyMotion(turn[:, None].repeat(1, 24, 1, 1), place, torch.zeros(10), "open", fps, "world")


@given(frames=st.integers(1, 40), fps=st.sampled_from([24.0, 29.97, 30.0, 59.94, 120.0]), to=st.floats(5, 240))
def test_resampling_a_steady_motion_gives_the_same_motion(frames, fps, to):
    resampled, motion = resample(_turning(frames, fps), to), _turning(frames, fps)
    expected = _turning(resampled.frame_count, to)
    torch.testing.assert_close(resampled.local_rotmat, expected.local_rotmat, atol=2e-4, rtol=0)
    torch.testing.assert_close(resampled.translation_m, expected.translation_m, atol=2e-4, rtol=0)
    lost_s = (motion.frame_count - 1) / fps - (resampled.frame_count - 1) / to
    assert -1e-4 < lost_s < 1 / to + 1e-4
    assert resampled.fps == to


def test_resampling_to_a_divisor_keeps_frames(walk):
    assert resample(walk, 120.0) is walk
    half = resample(walk, 60.0)
    torch.testing.assert_close(half.local_rotmat, walk.local_rotmat[::2], atol=1e-6, rtol=0)
    torch.testing.assert_close(half.translation_m, walk.translation_m[::2])
    assert resample(walk.cut(8), 60.0).first_frame == 4
    with pytest.raises(ValueError, match="positive number"):
        resample(walk, 0.0)


def test_another_shape_walks_on_the_same_floor(walk, body):
    tall = torch.zeros(10)
    tall[0] = 2.0
    shaped = with_betas(walk, body, tall)
    assert torch.equal(shaped.local_rotmat, walk.local_rotmat)
    before, after = _joints(walk, body), _joints(shaped, body)
    longer = float(after["pelvis"][-1, 2] - after["pelvis"][0, 2]) / float(
        before["pelvis"][-1, 2] - before["pelvis"][0, 2]
    )
    assert 1.02 < longer < 1.3
    assert float(after["head"][:, 1].mean()) > float(before["head"][:, 1].mean()) + 0.05
    assert abs(float(after["left_ankle"][:, 1].min() - before["left_ankle"][:, 1].min())) < 0.03
    with pytest.raises(ValueError, match="mean nothing on it"):
        with_betas(replace(walk, body_model="smpl"), body, tall)


def test_joint_positions_come_back_exactly(tmp_path):
    layout = JointLayout("two", ("left_hand", "right_hand"), ("", "left_hand"))
    motion = JointMotion(torch.rand(3, 2, 3), layout, 25.0, "root", first_frame=7)
    save_motion(motion, tmp_path / "made" / "m.npz")
    back = load_joint_motion(tmp_path / "made" / "m.npz")
    assert torch.equal(back.position_m, motion.position_m)
    assert (back.layout, back.fps, back.frame, back.frame_count) == (layout, 25.0, "root", 3)
    assert back.first_frame == 7


def test_joints_and_bodies_are_not_taken_for_each_other(walk, tmp_path):
    save_motion(walk, tmp_path / "body.npz")
    save_motion(JointMotion(torch.rand(3, 17, 3), H36M_17, 25.0, "world"), tmp_path / "joints.npz")
    with pytest.raises(ValueError, match=r"joints\.npz: holds joint positions .* motionrep\.load_joints"):
        load_motion(tmp_path / "joints.npz")
    with pytest.raises(ValueError, match=r"body\.npz: holds a motion \(motionrep body motion\)"):
        load_joint_motion(tmp_path / "body.npz")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("frame", "moon", "'frame' must be root, camera or world"),
        ("fps", -1.0, "positive number"),
        ("position_m", np.full((3, 17, 3), np.nan), "NaN"),
        ("position_m", np.zeros((3, 16, 3)), "expected shape any x 17 x 3"),
        ("position_m", np.array([None]), "never unpickled"),
        ("joints", None, "no field 'joints'"),
    ],
)
def test_a_spoiled_joint_file_names_the_file_and_the_field(tmp_path, field, value, message):
    path = tmp_path / "m.npz"
    save_motion(JointMotion(torch.rand(3, 17, 3), H36M_17, 25.0, "world"), path)
    with np.load(path) as file:
        fields = dict(file)
    if value is None:
        del fields[field]
    else:
        fields[field] = np.asarray(value)
    np.savez(path, **fields)
    with pytest.raises(ValueError, match=rf"m\.npz: .*{message}"):
        load_joint_motion(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_joint_motion(tmp_path / "nowhere.npz")
