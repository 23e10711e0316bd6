import contextlib
import copy
import pickle
from collections import defaultdict
from dataclasses import replace

import joblib
import numpy as np
import pytest
import roma
import torch
from body_motions import DOWN_UP, SMPL_PELVIS_M, assert_same, joints, on_smpl, rotvec, turned
from hypothesis import given
from hypothesis import strategies as st
from paths import WALK_BVH
from python2_pickles import python2_pickle

from motionrep.body.loading import load_body_model
from motionrep.body.skeletons import BODY_SKELETONS
from motionrep.cli.main import main
from motionrep.cli.motions import Recovery, viewed_motions
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.files.contents import look
from motionrep.files.pickles import as_array, read_pickle
from motionrep.layouts import SMPL_24
from motionrep.motion.floor import floor_height_m
from motionrep.motion.loading import load_motion, load_motions
from motionrep.motion.readers import amass
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackAxes, motion_from_track
from motionrep.types import BodyMotion

# 3DPW


@pytest.fixture(scope="module")
def couple(walk, smpl):
    """Two persons in one world, one a step behind and half a metre above the other; and cameras that move."""
    betas = torch.linspace(-1, 1, 10)
    first = on_smpl(replace(walk, fps=30.0, betas=betas), smpl)
    second = replace(first, translation_m=first.translation_m + torch.tensor([0.0, 0.5, -1.0]))
    about_y = torch.stack([torch.zeros(50), torch.linspace(0, 1, 50), torch.zeros(50)], -1)
    camera = torch.eye(4).repeat(50, 1, 1)
    camera[:, :3, :3] = DOWN_UP @ roma.rotvec_to_rotmat(about_y)
    camera[:, :3, 3] = torch.tensor([0.1, 1.0, 4.0])
    return [first, second], camera


def threedpw(motions: list[BodyMotion], camera: torch.Tensor) -> dict[str, object]:
    return {
        "sequence": "downtown_walking_00",
        "betas": [motion.betas.double().numpy() for motion in motions],
        "poses": [rotvec(motion) for motion in motions],
        "trans": [motion.translation_m.double().numpy() for motion in motions],
        "poses_60Hz": [rotvec(motion).repeat(2, 0) for motion in motions],
        "trans_60Hz": [motion.translation_m.double().numpy().repeat(2, 0) for motion in motions],
        "genders": ["m", "f"],
        "campose_valid": [np.ones(50, bool)] * 2,
        "cam_poses": camera.double().numpy(),
        "cam_intrinsics": np.eye(3),
        "img_frame_ids": np.arange(0, 100, 2),
    }


def test_3dpw_in_the_world_keeps_persons_together_and_stands_on_the_floor(tmp_path, couple, smpl):
    path = tmp_path / "walking.pkl"
    path.write_bytes(python2_pickle(threedpw(*couple)))
    below = replace(couple[0][0], translation_m=couple[0][0].translation_m)
    loaded = load_motions(path, smpl.name)
    floor_m = floor_height_m(below, smpl)
    for got, expected in zip(loaded, couple[0], strict=True):
        assert_same(got, replace(expected, translation_m=expected.translation_m - floor_m * torch.tensor([0, 1, 0])))
    assert abs(float(floor_height_m(loaded[0], smpl))) < 1e-5
    both = load_motions(path, smpl.name, fps=60)
    assert (both[1].fps, both[1].frame_count) == (60.0, 100)


def test_3dpw_in_the_camera_is_where_the_camera_saw_it(tmp_path, couple, smpl):
    path = tmp_path / "walking.pkl"
    path.write_bytes(python2_pickle(threedpw(*couple)))
    turn, shift_m = couple[1][:, :3, :3], couple[1][:, :3, 3]
    for got, world in zip(load_motions(path, smpl.name, frame="camera"), couple[0], strict=True):
        assert got.frame == "camera"
        expected = (joints(world, smpl) @ turn.mT) + shift_m[:, None]
        torch.testing.assert_close(joints(got, smpl), expected, atol=2e-5, rtol=0)


def test_3dpw_with_z_up_is_turned(tmp_path, couple, smpl):
    z_up = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    path = tmp_path / "walking.pkl"
    tilted = [turned(motion, z_up, torch.zeros(3), smpl) for motion in couple[0]]
    camera = couple[1].clone()
    camera[:, :3, :3] = camera[:, :3, :3] @ z_up.T
    path.write_bytes(python2_pickle(threedpw(tilted, camera)))
    got = load_motion(path, smpl.name, person=1)
    torch.testing.assert_close(got.local_rotmat, couple[0][1].local_rotmat, atol=2e-5, rtol=0)


@pytest.mark.parametrize("axis", range(3))
def test_somebody_who_lies_in_3dpw_stays_down(tmp_path, couple, smpl, axis):
    """The people's own mean direction was taken for up; the cameras tell it."""
    lying = roma.rotvec_to_rotmat(1.5708 * torch.eye(3)[axis])
    path = tmp_path / "lying.pkl"
    fallen = [turned(motion, lying, torch.zeros(3), smpl) for motion in couple[0]]
    path.write_bytes(python2_pickle(threedpw(fallen, couple[1])))
    got = load_motion(path, smpl.name, person=0)
    torch.testing.assert_close(got.local_rotmat[:, 0], fallen[0].local_rotmat[:, 0], atol=2e-5, rtol=0)
    other = load_motion(path, smpl.name, person=0, up="z")
    z_to_y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    torch.testing.assert_close(other.local_rotmat[:, 0], z_to_y @ fallen[0].local_rotmat[:, 0], atol=2e-5, rtol=0)


def test_on_the_open_body_betas_become_0_and_the_pelvis_stays(tmp_path, couple, smpl, open_body):
    path = tmp_path / "walking.pkl"
    mean = [replace(motion, betas=torch.zeros(10)) for motion in couple[0]]
    path.write_bytes(python2_pickle(threedpw(mean, couple[1]) | {"betas": [np.ones(10)] * 2}))
    got = load_motion(path, person=0, frame="camera")
    assert got.body_model == "open"
    assert not got.betas.any()
    world = joints(mean[0], smpl)[:, 0] - smpl.rest_joints(torch.zeros(10))[0] + SMPL_PELVIS_M
    expected = (couple[1][:, :3, :3] @ world[..., None])[..., 0] + couple[1][:, :3, 3]
    torch.testing.assert_close(joints(got, open_body)[:, 0], expected, atol=2e-5, rtol=0)


# WHAM


def wham(motion: BodyMotion, smpl, frame_ids: np.ndarray) -> dict[str, np.ndarray]:
    """What `demo.py --save_pkl` writes of one person: SMPL's translation in the camera, the hips' in the world."""
    hips_m = joints(motion, smpl)[:, [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]].mean(1)
    camera = turned(motion, DOWN_UP, torch.tensor([0.2, 0.9, 3.0]), smpl)
    fields = {
        "pose": rotvec(camera),
        "trans": camera.translation_m.numpy(),
        "pose_world": rotvec(motion),
        "trans_world": hips_m.numpy(),
        "betas": motion.betas.expand(motion.frame_count, -1).numpy(),
        "verts": np.zeros((motion.frame_count, 4, 3)),
    }
    kept = np.asarray(frame_ids) - frame_ids[0]
    return {name: value[kept].astype(np.float32) for name, value in fields.items()} | {"frame_ids": frame_ids}


@pytest.fixture(scope="module")
def wham_file(walk, smpl, tmp_path_factory):
    path = tmp_path_factory.mktemp("wham") / "wham_output.pkl"
    content = defaultdict(dict)
    short = on_smpl(replace(walk, fps=30.0), smpl)
    seen = np.array([0, 1, 2, 3, 7, 8, *range(9, 50)])
    content[np.int64(0)].update(wham(short, smpl, np.arange(50)))
    content[np.int64(3)].update(wham(short, smpl, seen + 100))
    joblib.dump(content, path)
    return path


def test_wham_in_the_world_is_placed_by_its_hips_on_the_floor(wham_file, walk, smpl):
    got = load_motion(wham_file, smpl.name, person=0)
    expected = on_smpl(replace(walk, fps=30.0), smpl)
    floor_m = floor_height_m(expected, smpl)
    assert_same(got, replace(expected, translation_m=expected.translation_m - floor_m * torch.tensor([0, 1, 0])), 5e-5)


def test_wham_in_the_camera(wham_file, walk, smpl):
    got = load_motion(wham_file, smpl.name, person=0, frame="camera", fps=25)
    expected = turned(on_smpl(walk, smpl), DOWN_UP, torch.tensor([0.2, 0.9, 3.0]), smpl)
    assert_same(got, replace(expected, fps=25.0), 5e-5)


def test_frames_that_wham_did_not_see_are_filled_in_evenly_and_the_others_keep_their_place(wham_file, smpl):
    whole, gapped = load_motions(wham_file, smpl.name, frame="camera")
    assert (gapped.first_frame, gapped.frame_count) == (100, 50)
    seen = [0, 1, 2, 3, 7, 8, 49]
    torch.testing.assert_close(gapped.local_rotmat[seen], whole.local_rotmat[seen], atol=1e-5, rtol=0)
    halfway = (whole.translation_m[3] + whole.translation_m[7]) / 2
    torch.testing.assert_close(gapped.translation_m[5], halfway, atol=1e-5, rtol=0)


def test_one_of_several_persons_has_to_be_chosen(wham_file, smpl):
    with pytest.raises(ValueError, match=r"wham_output\.pkl: holds 2 persons; choose one, 0 to 1"):
        load_motion(wham_file)
    with pytest.raises(ValueError, match="so person must be 0 to 1"):
        load_motion(wham_file, person=2)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_joblib_arrays_are_read_where_they_lie(tmp_path, protocol):
    content = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6).reshape(2, 3)), "c": np.zeros(0)}
    content["d"] = content["a"].astype(">f4")
    joblib.dump(content, tmp_path / "arrays.pkl", protocol=protocol)
    read = read_pickle(tmp_path / "arrays.pkl", "test")
    for name, array in content.items():
        np.testing.assert_array_equal(as_array(read[name]), array)


# Betas and gaps


def test_betas_of_smplx_mean_nothing_on_smpl(tmp_path, walk, smpl):
    """Which body a file of SMPL's family holds is told by its number of vertices."""

    def track(generation):
        rotvecs, place_m = torch.zeros(2, 22, 3), torch.zeros(2, 3)
        numbers = torch.arange(2)
        axes = TrackAxes("camera", "own")
        return Track("0", rotvecs, place_m, "vertices", torch.ones(2, 10), generation, 30.0, axes, numbers)

    assert motion_from_track(track("smplx"), smpl).betas.tolist() == [1.0] * 10
    smpl_sized = load_body_model(smpl.name)
    smpl_sized.template_vertex_m = smpl_sized.template_vertex_m[:6890]
    assert motion_from_track(track("smpl"), smpl_sized).betas.tolist() == [1.0] * 10
    assert motion_from_track(track("smplx"), smpl_sized).betas.tolist() == [0.0] * 10


@given(st.lists(st.integers(1, 5), max_size=8), st.integers(0, 1000))
def test_any_gaps_in_a_steady_turn_are_filled_with_the_turn(open_body, steps, first):
    numbers = torch.tensor([first, *steps]).cumsum(0)
    seconds = numbers.float() / 30
    turn = torch.zeros(len(numbers), 24, 3)
    turn[:, :, 2] = seconds[:, None] - seconds[0]
    place_m, betas = seconds[:, None].expand(-1, 3), torch.zeros(len(numbers), 10)
    track = Track("0", turn, place_m, "vertices", betas, "smpl", 30.0, TrackAxes("camera", "own"), numbers)
    motion = motion_from_track(track, open_body)
    assert motion.frame_count == sum(steps) + 1
    expected_rad = torch.arange(motion.frame_count) / 30
    got_rad = roma.rotmat_to_rotvec(motion.local_rotmat)[..., 2]
    torch.testing.assert_close(got_rad, expected_rad[:, None].expand(-1, 24), atol=1e-4, rtol=0)
    moved_m = motion.translation_m[:, 0] - motion.translation_m[0, 0]
    torch.testing.assert_close(moved_m, expected_rad, atol=1e-4, rtol=0)


# Files that are not what they should be


def test_a_file_cannot_change_the_class_that_stands_for_defaultdict(tmp_path, wham_file):
    """A state for the class itself set its attributes, and no later file with a defaultdict could be read."""
    path = tmp_path / "results.pkl"
    path.write_bytes(b"\x80\x02ccollections\ndefaultdict\nN}X\x08\x00\x00\x00__init__K\x05s\x86b.")
    with pytest.raises(ValueError, match=r"results\.pkl: not a whole pickle .*attributes of a type"):
        load_motions(path)
    assert len(load_motions(wham_file)) == 2


@given(st.data())
def test_a_damaged_file_is_an_error_and_no_crash(wham_file, tmp_path_factory, data):
    whole = wham_file.read_bytes()
    position = data.draw(st.integers(0, 400))
    damaged = bytearray(whole)
    damaged[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "wham_output.pkl"
    path.write_bytes(bytes(damaged[: data.draw(st.sampled_from([position, len(whole) // 2, len(whole)]))]))
    with contextlib.suppress(ValueError):
        load_motions(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trans": None}, r"is a pickle with the fields 'sequence', 'betas', .* not a motion of a kind .*3DPW"),
        ({"betas": [np.zeros(10)]}, "2 persons in poses, 2 in trans, 1 in betas"),
        ({"poses": [np.zeros((50, 71))] * 2}, r"person 0: expected poses \(frames, 72 or 66\)"),
        ({"trans": [np.full((50, 3), np.nan)] * 2}, "person 0: .* NaN"),
        ({"poses": ["none", "none"]}, "'poses' is no array that can be read"),
        ({"poses": np.zeros((2, 50, 72))}, "expected 'poses' to list an array for each person"),
        ({"betas": [np.zeros((3, 10))] * 2}, r"expected betas \(10\) or \(frames, 10\), got \(3, 10\)"),
    ],
)
def test_a_broken_3dpw_file_names_the_field(tmp_path, couple, change, message):
    path = tmp_path / "walking.pkl"
    content = {name: value for name, value in (threedpw(*couple) | change).items() if value is not None}
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"walking\.pkl: .*" + message):
        load_motions(path)


def test_frames_and_rates_that_a_file_does_not_have_are_refused(tmp_path, couple, walk):
    path = tmp_path / "walking.pkl"
    path.write_bytes(pickle.dumps(threedpw(*couple)))
    with pytest.raises(ValueError, match="3DPW has 30 frames/s"):
        load_motions(path, fps=25)
    with pytest.raises(ValueError, match="3DPW has 30 frames/s"):
        load_motions(path, fps=60, frame="camera")
    with pytest.raises(ValueError, match="is in world axes, and camera axes were asked for"):
        load_motions(WALK_BVH, frame="camera")
    with pytest.raises(ValueError, match=r"already has a frame rate \(120 fps\); remove fps=30 \(--fps\)"):
        load_motions(WALK_BVH, fps=30)
    with pytest.raises(ValueError, match="holds 1 person"):
        load_motion(WALK_BVH, person=1)
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"weights\.pt: holds weights of a network \(checkpoint\); .*load_encoder"):
        load_motions(path)


def test_wham_without_its_fields(tmp_path):
    joblib.dump({0: {"poses_body": np.zeros((2, 23, 3, 3))}}, tmp_path / "wham.pkl")
    with pytest.raises(ValueError, match=r"whose items have the fields 'poses_body' \(2, 23, 3, 3\), not a motion"):
        load_motions(tmp_path / "wham.pkl")
    joblib.dump({0: {"pose_world": np.zeros((2, 72))}}, tmp_path / "wham.pkl")
    with pytest.raises(ValueError, match="person 0 lacks trans_world, betas, frame_ids"):
        load_motions(tmp_path / "wham.pkl")
    fields = {"pose_world": np.zeros((2, 72)), "trans_world": np.zeros((2, 3)), "betas": np.zeros((2, 10))}
    joblib.dump({0: fields | {"frame_ids": np.array([4, 4])}}, tmp_path / "wham.pkl")
    with pytest.raises(ValueError, match="person 0: expected 2 increasing frame numbers"):
        load_motions(tmp_path / "wham.pkl")


@pytest.mark.parametrize(("file_joints", "body_joints"), [(52, 54), (55, 57), (52, 57), (55, 54)])
def test_fingers_and_face_of_amass_go_where_the_body_has_them(tmp_path, file_joints, body_joints, open_body):
    """SMPL-H's file: 22 joints and 30 of the fingers; SMPL-X's has jaw and eyes between them."""
    poses = np.arange(file_joints)[None, :, None].repeat(3, 2).reshape(1, -1) / 100
    np.savez(tmp_path / "clip.npz", poses=poses, trans=np.zeros((1, 3)), mocap_framerate=np.array(120.0))
    (track,) = amass.read(look(tmp_path / "clip.npz"), MotionOptions())
    layout = BODY_SKELETONS[body_joints]
    body = copy.copy(open_body)
    body.joint_count = body_joints
    motion = motion_from_track(track, body)
    assert motion.local_rotmat.shape[1] == body_joints
    got = dict(
        zip(layout.joints, roma.rotmat_to_rotvec(motion.local_rotmat[0])[:, 0].mul(100).round().tolist(), strict=True)
    )
    fingers = 22 if file_joints == 52 else 25
    assert (got["left_wrist"], got["left_hand"], got["left_index1"], got["right_thumb3"]) == (
        20,
        0,
        fingers,
        fingers + 29,
    )
    if body_joints == 57:
        assert (got["jaw"], got["right_eye"]) == ((22, 24) if file_joints == 55 else (0, 0))


def test_the_viewers_frame_rate_reaches_files_that_do_not_tell_it(wham_file):
    """`motionrep view wham_output.pkl --fps 25` did not pass the rate on: it played at 30, and warned that it would."""
    recovery = Recovery(None, None, None, None, 25.0, None, "cpu", "float32")
    shown = viewed_motions([wham_file], recovery, None, "camera")
    assert [viewed.motion.fps for viewed in shown] == [25.0, 25.0]


def test_the_command_line_chooses_person_and_axes(wham_file, tmp_path, capsys):
    arguments = ["convert", str(wham_file), "--output", str(tmp_path / "out.npz")]
    assert main(arguments) == 2
    assert "holds 2 persons; choose one, 0 to 1" in capsys.readouterr().err
    assert main([*arguments, "--person", "1", "--frame", "camera", "--fps", "25"]) == 0
    got = load_motion(tmp_path / "out.npz")
    assert (got.frame, got.fps, got.frame_count) == ("camera", 25.0, 50)
    export = ["export", str(wham_file), "--output", str(tmp_path / "both.glb")]
    assert main([*export, "--frame", "camera"]) == 0
    assert "2 person(s)" in capsys.readouterr().out
    assert main([*export, "--person", "1"]) == 0


def test_persons_who_share_no_world_are_not_exported_together(wham_file, couple, tmp_path, capsys):
    """WHAM's persons, each in a world and time of its own, were put into one scene."""
    export = ["--output", str(tmp_path / "both.glb")]
    assert main(["export", str(wham_file), *export]) == 2
    assert "holds 2 persons, each in a world and time of its own" in capsys.readouterr().err
    (tmp_path / "walking.pkl").write_bytes(pickle.dumps(threedpw(*couple)))
    assert main(["export", str(tmp_path / "walking.pkl"), *export]) == 0
    assert main(["export", str(tmp_path / "walking.pkl"), *export, "--fps", "60"]) == 2
    assert "walking.pkl: --fps is the frame rate of the export here; convert it first" in capsys.readouterr().err


def test_the_frame_rate_of_wham_is_asked_for(wham_file, smpl, caplog):
    load_motion(wham_file, smpl.name, person=0, fps=25)
    assert not caplog.text
    load_motion(wham_file, smpl.name, person=0)
    assert caplog.text.count("wham_output.pkl does not say its frame rate; taking 30") == 1
    with pytest.raises(ValueError, match="fps must be a positive number"):
        load_motion(wham_file, smpl.name, person=0, fps=0)


def test_render_takes_the_frame_rate_of_a_pickle(wham_file, tmp_path, monkeypatch, capsys):
    """--fps was dropped, so that WHAM's motion played at 30 frames/s."""
    shown = []
    monkeypatch.setattr("motionrep.rendering.render", lambda motions, *_, **__: shown.append(motions[0].fps))
    render = ["render", str(wham_file), "--person", "0", "--output", str(tmp_path / "out.mp4")]
    assert main([*render, "--fps", "25"]) == 0
    assert shown == [25.0]
    assert main([*render, "--size", "640x480"]) == 2
    assert "holds no keypoints, and --size is for keypoints" in capsys.readouterr().err
    assert main(["convert", str(WALK_BVH), "--output", str(tmp_path / "walk.npz")]) == 0
    assert main(["render", str(tmp_path / "walk.npz"), "--output", str(tmp_path / "out.mp4"), "--fps", "25"]) == 2
    assert "walk.npz: already has a frame rate; remove --fps" in capsys.readouterr().err


def test_results_are_training_clips_one_for_each_person(wham_file):
    clips = load_motion_folder(wham_file.parent)
    assert [clip.name for clip in clips] == ["wham_output.pkl", "wham_output.pkl#1"]
    assert all(clip.motion.body_model == "open" and clip.motion.frame == "world" for clip in clips)
