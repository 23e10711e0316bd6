"""SMPL as other programs write it: a walk is written as their code does, and comes back through a body."""

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from body_motions import DOWN_UP, assert_same, joints, on_smpl, rotvec, turned

from motionrep.cli.main import main
from motionrep.motion.floor import floor_height_m
from motionrep.motion.loading import load_motion, load_motions
from motionrep.types import BodyMotion

Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
IN_CAMERA_M = torch.tensor([0.2, 0.9, 3.0])


@pytest.fixture(scope="module")
def world(walk, smpl) -> BodyMotion:
    return on_smpl(replace(walk, fps=30.0), smpl)


@pytest.fixture(scope="module")
def camera(world, smpl) -> BodyMotion:
    return turned(world, DOWN_UP, IN_CAMERA_M, smpl)


def assert_on_floor(got: BodyMotion, expected: BodyMotion, body, atol: float = 5e-5) -> None:
    """The same but for the height of the floor, which is 0 in what was read."""
    assert abs(float(floor_height_m(got, body))) < 1e-4
    raised_m = floor_height_m(expected, body) * torch.tensor([0.0, 1.0, 0.0])
    assert_same(replace(got, translation_m=got.translation_m + raised_m), expected, atol)


def rotmats(motion: BodyMotion) -> np.ndarray:
    return motion.local_rotmat.numpy()


# PHALP


def phalp(motion: BodyMotion, tid: int, frames: range) -> dict[str, dict[str, object]]:
    """What PHALP.track in brjathu/PHALP, phalp/trackers/PHALP.py, keeps of each frame and dumps with joblib."""
    found = {}
    for number in frames:
        smpl = {
            "global_orient": rotmats(motion)[number, :1],
            "body_pose": rotmats(motion)[number, 1:],
            "betas": motion.betas.numpy(),
        }
        found[f"outputs/_TMP/img/{number:06d}.jpg"] = {
            "time": number, "shot": 0, "frame_path": f"outputs/_TMP/img/{number:06d}.jpg",
            "tid": [tid], "bbox": [np.zeros(4)], "tracked_time": [0], "tracked_ids": [tid], "tracked_bbox": [],
            "smpl": [smpl], "camera": [motion.translation_m[number].numpy()], "3d_joints": [np.zeros((45, 3))],
            "conf": [np.float32(0.9)], "size": [[720, 1280]], "img_name": [f"{number:06d}.jpg"],
            "mask": [{"size": [720, 1280], "counts": b"0PP1"}],
        }  # fmt: skip
    return found


@pytest.mark.parametrize("compress", [0, 3])
def test_phalp_gives_every_person_in_the_camera(tmp_path, camera, smpl, compress) -> None:
    path, shifted = tmp_path / "demo_walk.pkl", replace(camera, translation_m=camera.translation_m + 1)
    frames, other = phalp(camera, 1, range(50)), phalp(shifted, 12, range(7, 30))
    for name, frame in other.items():  # as its tracker appends to the lists of a frame
        for field, value in frame.items():
            if isinstance(value, list):
                frames[name][field] += value
    frames["outputs/_TMP/img/000012.jpg"]["tracked_time"][1] = 2  # only guessed
    frames["outputs/_TMP/img/000012.jpg"]["smpl"][1] = other["outputs/_TMP/img/000025.jpg"]["smpl"][0]
    joblib.dump(frames, path, compress=compress)
    first, second = load_motions(path, smpl.name)
    assert_same(first, camera)
    assert (second.first_frame, second.frame_count) == (7, 23)
    kept = [number for number in range(23) if number != 5]
    torch.testing.assert_close(second.local_rotmat[kept], shifted.local_rotmat[7:30][kept], atol=2e-5, rtol=0)
    halfway = (shifted.translation_m[11] + shifted.translation_m[13]) / 2
    torch.testing.assert_close(second.translation_m[5], halfway, atol=1e-5, rtol=0)


def test_phalp_says_what_it_does_not_know(tmp_path, camera, smpl, caplog) -> None:
    path = tmp_path / "demo_walk.pkl"
    joblib.dump(phalp(camera, 1, range(50)), path)
    assert load_motion(path, smpl.name, fps=25).fps == 25
    assert not caplog.records
    load_motion(path, smpl.name)
    assert "demo_walk.pkl does not say its frame rate; taking 30" in caplog.text
    with pytest.raises(ValueError, match="is in camera axes, and world axes were asked for"):
        load_motion(path, smpl.name, frame="world")
    broken = phalp(camera, 1, range(50))
    broken["outputs/_TMP/img/000003.jpg"]["camera"] = []
    joblib.dump(broken, path)
    with pytest.raises(ValueError, match=r"000003\.jpg' has 1 persons in tid, and other numbers in smpl or camera"):
        load_motion(path)


# ROMP


def romp(motion: BodyMotion, number: int, ids: list[int] | None) -> dict[str, np.ndarray]:
    """ROMP.forward of Arthur151/ROMP, simple_romp/romp/main.py: arrays over the persons of a frame."""
    count = len(ids or [0])
    pose = np.stack([rotvec(motion)[number]] * count).astype(np.float32)
    found = {
        "cam": np.ones((count, 3)), "global_orient": pose[:, :3], "body_pose": pose[:, 3:], "smpl_thetas": pose,
        "smpl_betas": np.stack([motion.betas.numpy()] * count), "center_confs": np.ones(count),
        "cam_trans": np.stack([motion.translation_m[number].numpy() + 0.5 * place for place in range(count)]),
    }  # fmt: skip
    return found if ids is None else found | {"track_ids": np.array(ids, dtype=np.int32)}


def test_romp_gives_the_persons_that_it_followed(tmp_path, camera, smpl) -> None:
    """save_video_results of simple_romp/romp/utils.py, which --temporal_optimize gives track_ids."""
    path = tmp_path / "video_results.npz"
    results = {f"{number:08d}.png": romp(camera, number, [4, 2] if number < 9 else [4]) for number in range(50)}
    del results["00000020.png"]  # nobody was found
    np.savez(path, results=results, sequence_results={4: {"frame_id": [0]}})
    second, first = load_motions(path, smpl.name, fps=30)
    assert (first.frame_count, second.frame_count) == (50, 9)
    seen = [number for number in range(50) if number != 20]
    torch.testing.assert_close(first.local_rotmat[seen], camera.local_rotmat[seen], atol=2e-5, rtol=0)
    torch.testing.assert_close(first.translation_m[seen], camera.translation_m[seen], atol=2e-5, rtol=0)
    torch.testing.assert_close(second.translation_m, camera.translation_m[:9] + 0.5, atol=2e-5, rtol=0)


def test_romp_that_followed_nobody(tmp_path, camera, smpl) -> None:
    path = tmp_path / "video_results.npz"
    np.savez(path, results={f"{number:08d}.png": romp(camera, number, None) for number in range(50)})
    assert_same(load_motion(path, smpl.name, fps=30), camera)
    results = {"00000000.png": {**romp(camera, 0, [0, 1])}}
    del results["00000000.png"]["track_ids"]
    np.savez(path, results=results)
    with pytest.raises(ValueError, match=r"has 2 persons and does not say who is who; .*--temporal_optimize"):
        load_motion(path)


def test_romp_of_one_picture_and_of_its_first_releases(tmp_path, camera, smpl) -> None:
    """The first releases listed a dict for each person: poses, betas, trans."""
    np.savez(tmp_path / "picture.npz", results=romp(camera, 3, None))
    got = load_motion(tmp_path / "picture.npz", smpl.name)
    torch.testing.assert_close(joints(got, smpl), joints(camera, smpl)[3:4], atol=1e-4, rtol=0)
    person = {"poses": rotvec(camera)[3], "betas": np.zeros(10), "trans": camera.translation_m[3].numpy()}
    np.savez(tmp_path / "results.npz", results={"a.jpg": [person]})
    got = load_motion(tmp_path / "results.npz", smpl.name)
    torch.testing.assert_close(joints(got, smpl), joints(camera, smpl)[3:4], atol=1e-4, rtol=0)


# AIST++


def test_aist_is_scaled_to_metres(tmp_path, world, smpl) -> None:
    """google/aistplusplus_api, demos/run_vis.py: joints are scaling * SMPL(pose) + trans, in centimetres, 60 fps."""
    path = tmp_path / "gBR_sBM_cAll_d04_mBR0_ch01.pkl"
    content = {
        "smpl_loss": 1.2,
        "smpl_poses": rotvec(world),
        "smpl_scaling": np.array([93.8]),
        "smpl_trans": world.translation_m.double().numpy() * 93.8,
    }
    path.write_bytes(pickle.dumps(content))
    assert_on_floor(load_motion(path, smpl.name), replace(world, fps=60.0), smpl)
    path.write_bytes(pickle.dumps(content | {"smpl_scaling": np.array([0.0])}))
    with pytest.raises(ValueError, match="'smpl_scaling' should be one positive number"):
        load_motion(path)


# GVHMR


def gvhmr(motion: BodyMotion, betas: torch.Tensor) -> dict[str, torch.Tensor]:
    """A dict of zju3dv/GVHMR's results, as tools/demo/demo.py saves two by torch.save: betas change over time."""
    pose = torch.from_numpy(rotvec(motion)).float()
    changing = betas.expand(50, -1) + 0.1 * torch.linspace(-1, 1, 50)[:, None]
    parts = {"body_pose": pose[:, 3:66], "betas": changing, "global_orient": pose[:, :3]}
    return parts | {"transl": motion.translation_m}


@pytest.mark.parametrize("kept", ["torch", "torch, old", "pickle", "pickle of NumPy"])
@pytest.mark.parametrize("frame", ["world", "camera"])
def test_gvhmr(tmp_path, world, smpl, frame, kept) -> None:
    """Users pickle what it saved, as tensors or as NumPy's arrays."""
    betas, still = torch.linspace(-1, 1, 10), torch.eye(3).repeat(50, 2, 1, 1)
    local_rotmat = torch.cat([world.local_rotmat[:, :22], still], 1)
    expected_world = replace(world, betas=betas, local_rotmat=local_rotmat)
    expected_camera = turned(expected_world, DOWN_UP, IN_CAMERA_M, smpl)
    content = {"smpl_params_global": gvhmr(expected_world, betas), "smpl_params_incam": gvhmr(expected_camera, betas)}
    more = {"K_fullimg": torch.eye(3).repeat(50, 1, 1), "net_outputs": {"model_output": {"pred_x": torch.zeros(2)}}}
    path = tmp_path / ("hmr4d_results.pt" if kept.startswith("torch") else "hmr4d_results.pkl")
    match kept:
        case "torch" | "torch, old":
            torch.save(content | more, path, _use_new_zipfile_serialization=kept == "torch")
        case "pickle":
            path.write_bytes(pickle.dumps(content | more))
        case _:
            arrays = {key: {name: part.numpy() for name, part in parts.items()} for key, parts in content.items()}
            path.write_bytes(pickle.dumps(arrays))
    got = load_motion(path, smpl.name, frame=frame)
    if frame == "world":
        assert_on_floor(got, expected_world, smpl)
    else:
        assert_same(got, expected_camera)


# GLAMR


def glamr(world: BodyMotion, camera: BodyMotion, body, exists: np.ndarray) -> dict[str, object]:
    """pose_dict of NVlabs/GLAMR, global_recon/models/global_recon_model.py; its world has z up."""
    tilted = turned(world, Z_UP, torch.zeros(3), body)
    pelvis_m = body.rest_joints(world.betas)[0]
    return {
        "smpl_pose": rotvec(world)[:, 3:].astype(np.float32), "smpl_beta": np.zeros((50, 10), np.float32),
        "smpl_orient_world": rotvec(tilted)[:, :3], "root_trans_world": (tilted.translation_m + pelvis_m).numpy(),
        "smpl_orient_cam_in_world": rotvec(camera)[:, :3], "scale": None, "frame2ind": {0: 0},
        "root_trans_cam_in_world": (camera.translation_m + pelvis_m).numpy(), "exist_frames": exists,
        "visible": exists.astype(np.float32),
    }  # fmt: skip


def test_glamr_gives_persons_of_one_world_or_camera(tmp_path, world, camera, smpl) -> None:
    path, late = tmp_path / "walk_seed1.pkl", np.arange(50) >= 8
    people = {0: glamr(world, camera, smpl, np.ones(50, bool))}
    content = {"seq_name": "walk", "person_data": people, "seq_len": 50, "cam_pose": np.zeros((50, 4, 4)), "meta": {}}
    path.write_bytes(pickle.dumps(content))
    assert_on_floor(load_motion(path, smpl.name), world, smpl)
    people[1] = glamr(world, camera, smpl, late)
    path.write_bytes(pickle.dumps(content))
    first, second = load_motions(path, smpl.name)
    torch.testing.assert_close(first.translation_m[8:], second.translation_m, atol=5e-5, rtol=0)
    assert (second.first_frame, second.frame_count) == (8, 42)
    assert_same(load_motion(path, smpl.name, person=0, frame="camera"), camera, 5e-5)
    people[1]["scale"] = np.ones(50)
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="person 1 has a scale, which is not read"):
        load_motions(path)
    del people[0]["root_trans_world"]
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="person 0 lacks root_trans_world"):
        load_motions(path)


# root_orient and pose_body


def parts(world: BodyMotion, body) -> dict[str, object]:
    """What scripts of YanjieZe/GMR and of human_body_prior's users load: SMPL-X in parts, in AMASS's axes."""
    tilted = turned(world, Z_UP, torch.zeros(3), body)
    pose = rotvec(tilted)
    return {
        "root_orient": pose[:, :3], "pose_body": pose[:, 3:66], "trans": tilted.translation_m.numpy(),
        "betas": np.zeros(16), "gender": "neutral", "mocap_frame_rate": 30.0,
    }  # fmt: skip


def test_smplx_in_parts(tmp_path, world, smpl, caplog) -> None:
    path = tmp_path / "walk_stageii.npz"
    np.savez(path, **parts(world, smpl))
    still = torch.eye(3).repeat(50, 2, 1, 1)
    expected = replace(world, local_rotmat=torch.cat([world.local_rotmat[:, :22], still], 1))
    assert_same(load_motion(path, smpl.name), expected)
    assert "taking SMPL-X" in caplog.text
    with pytest.raises(ValueError, match=r"already has a frame rate \(30 fps\)"):
        load_motion(path, fps=60)
    fields = parts(world, smpl)
    del fields["mocap_frame_rate"]
    np.savez(path, **fields)
    assert load_motion(path, fps=60).fps == 60
    np.savez(path, **fields | {"pose_body": np.zeros((50, 30))})
    with pytest.raises(ValueError, match=r"expected root_orient \(frames, 3\) and pose_body \(frames, 63\)"):
        load_motion(path)


def test_parts_whose_up_nobody_says_are_refused(tmp_path, world, smpl) -> None:
    """SLAHMR's *_world_results.npz has persons first; HuMoR's stages are in a camera, with the floor's plane."""
    fields = parts(world, smpl)
    names = ("root_orient", "pose_body", "trans")
    slahmr = fields | {name: np.stack([fields[name]] * 2) for name in names}
    for more in (slahmr, fields | {"floor_plane": np.array([0.0, -1.0, 0.0])}):
        np.savez(tmp_path / "results.npz", **more)
        with pytest.raises(ValueError, match=r"is a result of SLAHMR or HuMoR, .*does not say which way is up"):
            load_motion(tmp_path / "results.npz", smpl.name)


def test_smplx_in_parts_with_y_up_is_told(tmp_path, world, smpl, caplog) -> None:
    fields = parts(world, smpl) | {"root_orient": rotvec(world)[:, :3], "trans": world.translation_m.numpy()}
    np.savez(tmp_path / "walk.npz", **fields)
    load_motion(tmp_path / "walk.npz", smpl.name)
    assert "the person stands along y, where z is up in such files" in caplog.text
    caplog.clear()
    got = load_motion(tmp_path / "walk.npz", smpl.name, up="y")
    assert "stands along y" not in caplog.text
    torch.testing.assert_close(got.local_rotmat[:, 0], world.local_rotmat[:, 0], atol=2e-5, rtol=0)


def test_smplx_in_parts_has_the_fingers_of_the_whole(tmp_path, world, smpl) -> None:
    """AMASS's SMPL-X files have both: poses is root_orient, pose_body, jaw, eyes and hands in this order."""
    numbers = np.random.default_rng(0)
    fields = parts(world, smpl) | {"pose_hand": numbers.normal(size=(50, 90)), "pose_jaw": np.zeros((50, 3))}
    fields |= {"pose_eye": np.zeros((50, 6)), "surface_model_type": "smplx"}
    np.savez(tmp_path / "parts.npz", **fields)
    names = ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
    np.savez(tmp_path / "whole.npz", poses=np.concatenate([fields[name] for name in names], 1), **fields)
    assert_same(load_motion(tmp_path / "parts.npz", smpl.name), load_motion(tmp_path / "whole.npz", smpl.name))


# Files that are none of these


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"pred_pose": np.zeros((4, 24, 6)), "fps": 30}, r"'pred_pose' \(4, 24, 6\), 'fps'"),
        ({"a": {"pose": np.zeros((4, 72)), "betas": np.zeros(10)}}, r"items have the fields 'pose' \(4, 72\), 'betas'"),
        ({0: {"smpl": []}}, "whose items have the fields 'smpl'"),
        ({"results": {"a": 1}}, "'results'"),
    ],
)
def test_unknown_dicts_are_called_by_what_they_hold(tmp_path, content, said, capsys) -> None:
    """Any dict of dicts was taken for WHAM's."""
    path = tmp_path / "results.pkl"
    path.write_bytes(pickle.dumps(content))
    np.savez(tmp_path / "results.npz", results=content)
    with pytest.raises(ValueError, match=rf"results\.pkl: is a pickle .*{said}.* not a motion of a kind"):
        load_motions(path)
    with pytest.raises(ValueError, match=r"results\.npz: is an .npz file with the fields 'results'.* not a motion"):
        load_motions(tmp_path / "results.npz")
    assert main(["convert", str(path), "--output", str(tmp_path / "out.npz")]) == 2
    assert "WHAM's" not in capsys.readouterr().err


def test_rotations_that_are_none_are_refused(tmp_path, camera) -> None:
    frames = phalp(camera, 1, range(2))
    frames["outputs/_TMP/img/000001.jpg"]["smpl"][0]["body_pose"] = np.ones((23, 3, 3))
    joblib.dump(frames, tmp_path / "demo.pkl")
    with pytest.raises(ValueError, match="'body_pose' should hold rotation matrices"):
        load_motion(tmp_path / "demo.pkl")
