"""What programs that recover SMPL from videos write: a walk is written as their code does, and comes back."""

import json
import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from body_motions import DOWN_UP, assert_same, on_smpl, rotvec, turned

from motionrep.body.kinematics import body_kinematics
from motionrep.motion.floor import floor_height_m
from motionrep.motion.loading import load_motion, load_motions
from motionrep.types import BodyMotion

FRAMES = 12
Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
IN_CAMERA_M = torch.tensor([0.2, 0.9, 3.0])
WIDTH_PX, HEIGHT_PX = 1280, 720


@pytest.fixture(scope="module")
def world(walk, smpl) -> BodyMotion:
    return on_smpl(replace(walk.cut(0, FRAMES), fps=30.0), smpl)


@pytest.fixture(scope="module")
def camera(world, smpl) -> BodyMotion:
    return turned(world, DOWN_UP, IN_CAMERA_M, smpl)


def rotmats(motion: BodyMotion) -> np.ndarray:
    return motion.local_rotmat.numpy()


def betas(motion: BodyMotion) -> np.ndarray:
    return np.tile(motion.betas.numpy(), (motion.frame_count, 1))


# VIBE


def vibe(motion: BodyMotion, frames: np.ndarray, box: tuple[float, float, float]) -> dict[str, object]:
    """output_dict of mkocabas/VIBE, demo.py, with orig_cam of convert_crop_cam_to_orig_img."""
    centre_x, centre_y, size = box
    crop = np.tile([0.9, 0.05, -0.1], (len(frames), 1))
    across, down = crop[:, 0] * size / WIDTH_PX, crop[:, 0] * size / HEIGHT_PX
    x = crop[:, 1] + (centre_x - WIDTH_PX / 2) / (WIDTH_PX / 2) / across
    y = crop[:, 2] + (centre_y - HEIGHT_PX / 2) / (HEIGHT_PX / 2) / down
    return {
        "pred_cam": crop, "orig_cam": np.stack([across, down, x, y], 1), "verts": np.zeros((len(frames), 5, 3)),
        "pose": rotvec(motion)[: len(frames)].astype(np.float32), "betas": betas(motion)[: len(frames)],
        "joints2d": None, "bboxes": np.tile([centre_x, centre_y, size, size], (len(frames), 1)), "frame_ids": frames,
    }  # fmt: skip


def test_vibe_gives_everybody_where_a_camera_sees_them(tmp_path, camera, smpl) -> None:
    path = tmp_path / "vibe_output.pkl"
    first, second = vibe(camera, np.arange(FRAMES), (700, 300, 400)), vibe(camera, np.arange(3, 9), (300, 380, 250))
    joblib.dump({1: first, 2: second}, path)
    one, other = load_motions(path, smpl.name, fps=30)
    assert (one.frame, one.fps, one.frame_count) == ("camera", 30, FRAMES)
    assert (other.first_frame, other.frame_count) == (3, 6)
    torch.testing.assert_close(one.local_rotmat, camera.local_rotmat, atol=2e-5, rtol=0)
    pelvis_m = smpl.rest_joints(camera.betas)[0]
    for motion, fields in ((one, first), (other, second)):
        across, down, x, y = torch.from_numpy(fields["orig_cam"]).float().T
        seen = torch.stack([across * (pelvis_m[0] + x), down * (pelvis_m[1] + y)], -1)  # -1 to 1 over the picture
        place = motion.translation_m + pelvis_m
        size_px = torch.tensor([WIDTH_PX, HEIGHT_PX])
        focal_px = size_px.float().norm()
        # what is said of depth holds at the place of the body's origin
        projected = focal_px * place[:, :2] / motion.translation_m[:, 2:] / (size_px / 2)
        torch.testing.assert_close(projected, seen, atol=1e-3, rtol=0)


def test_what_pare_writes_has_matrices(tmp_path, camera, smpl) -> None:
    fields = vibe(camera, np.arange(FRAMES), (700, 300, 400)) | {"pose": rotmats(camera)}
    joblib.dump({1: fields}, tmp_path / "pare_output.pkl")
    got = load_motion(tmp_path / "pare_output.pkl", smpl.name, fps=30)
    torch.testing.assert_close(got.local_rotmat, camera.local_rotmat, atol=2e-5, rtol=0)
    joblib.dump({1: fields | {"orig_cam": np.ones((FRAMES, 3))}}, tmp_path / "pare_output.pkl")
    with pytest.raises(ValueError, match="orig_cam should hold sx, sy, tx and ty"):
        load_motion(tmp_path / "pare_output.pkl")
    del fields["frame_ids"]
    joblib.dump({1: fields}, tmp_path / "pare_output.pkl")
    with pytest.raises(ValueError, match=r"person 1 lacks frame_ids, which VIBE's demo\.py writes"):
        load_motion(tmp_path / "pare_output.pkl")


# TRAM


def test_tram(tmp_path, camera, smpl) -> None:
    """scripts/estimate_humans.py of yufu-wang/tram: np.save of a dict of tensors."""
    path, numbers = tmp_path / "hps_track_0.npy", torch.tensor([*range(5), *range(7, FRAMES)])
    results = {
        "pred_cam": torch.ones(len(numbers), 3), "pred_pose": torch.zeros(len(numbers), 144),
        "pred_shape": torch.from_numpy(betas(camera))[numbers], "pred_rotmat": camera.local_rotmat[numbers],
        "pred_trans": camera.translation_m[numbers, None], "frame": numbers,
    }  # fmt: skip
    np.save(path, np.array(results), allow_pickle=True)
    got = load_motion(path, smpl.name, fps=30)
    assert (got.frame, got.frame_count) == ("camera", FRAMES)
    torch.testing.assert_close(got.local_rotmat[numbers], camera.local_rotmat[numbers], atol=2e-5, rtol=0)
    torch.testing.assert_close(got.translation_m[numbers], camera.translation_m[numbers], atol=2e-5, rtol=0)
    with pytest.raises(ValueError, match="is in camera axes, and world axes were asked for"):
        load_motion(path, fps=30, frame="world")


# PromptHMR


@pytest.mark.parametrize("frame", ["world", "camera"])
def test_prompthmr(tmp_path, world, camera, smpl, frame) -> None:
    """pipeline/pipeline.py and world.py of yufu-wang/PromptHMR: SMPL-X of each person, in both axes."""
    expected = camera if frame == "camera" else world
    matrices = np.tile(np.eye(3, dtype=np.float32), (FRAMES, 55, 1, 1))
    matrices[:, :22] = rotmats(camera)[:, :22]
    pose = np.concatenate([rotvec(world)[:, :66], np.zeros((FRAMES, 99))], 1).astype(np.float32)
    person = {
        "track_id": 1, "frames": np.arange(4, 4 + FRAMES), "bboxes": np.zeros((FRAMES, 4)),
        "smplx_cam": {"rotmat": matrices, "shape": betas(camera), "trans": camera.translation_m.numpy()[:, None]},
        "smplx_world": {"pose": pose, "shape": betas(world), "trans": world.translation_m.numpy()},
    }  # fmt: skip
    results = {
        "camera": {"img_focal": np.float32(900.0), "pred_cam_R": np.zeros((30, 3, 3))}, "people": {1: person},
        "timings": {}, "has_tracks": True, "camera_world": {"Rwc": np.zeros((30, 3, 3)), "viz_center": [0.1, 0, 0.2]},
    }  # fmt: skip
    joblib.dump(results, tmp_path / "results.pkl")
    got = load_motion(tmp_path / "results.pkl", smpl.name, fps=30, frame=frame)
    still = torch.eye(3).repeat(FRAMES, 2, 1, 1)
    expected = replace(expected, local_rotmat=torch.cat([expected.local_rotmat[:, :22], still], 1))
    if frame == "world":
        up = torch.tensor([0.0, 1.0, 0.0])
        expected = replace(expected, translation_m=expected.translation_m - floor_height_m(expected, smpl) * up)
    assert got.first_frame == 4
    assert_same(replace(got, first_frame=0), expected, 5e-5)
    del person["smplx_world"]["trans"]
    joblib.dump(results, tmp_path / "results.pkl")
    with pytest.raises(ValueError, match="person 1 should have frames, and smplx_world with pose, shape and trans"):
        load_motion(tmp_path / "results.pkl")


# CLIFF


@pytest.mark.parametrize("pose_format", ["aa", "rotmat"])
def test_cliff(tmp_path, camera, smpl, pose_format) -> None:
    """CLIFF/demo.py of huawei-noah/noah-research with --save_results; the last column is a class there."""
    path = tmp_path / "walk_cliff_hr48.npz"
    detections = np.column_stack([np.arange(FRAMES), np.zeros((FRAMES, 4)), np.ones((FRAMES, 2)), np.zeros(FRAMES)])
    fields = {
        "imgname": [f"{number:06d}.png" for number in range(FRAMES)], "shape": betas(camera),
        "pose": rotvec(camera) if pose_format == "aa" else rotmats(camera), "global_t": camera.translation_m.numpy(),
        "pred_joints": np.zeros((FRAMES, 45, 3)), "focal_l": np.full(FRAMES, 1468.0), "detection_all": detections,
    }  # fmt: skip
    np.savez(path, **fields)
    assert_same(load_motion(path, smpl.name, fps=30), camera)
    detections[5, 0] = 4
    np.savez(path, **fields)
    with pytest.raises(ValueError, match="several persons in a frame and does not say who is who"):
        load_motion(path, smpl.name)
    detections[5, 7] = 3  # haofanwang/CLIFF keeps there who it is
    np.savez(path, **fields)
    first, second = load_motions(path, smpl.name, fps=30)
    assert (first.frame_count, second.first_frame, second.frame_count) == (FRAMES, 4, 1)


# HybrIK


def test_hybrik(tmp_path, camera, smpl) -> None:
    """scripts/demo_video.py of Jeff-sjtu/HybrIK with --save-pk: the root in a camera as wide as the box."""
    rest = smpl.rest_joints(camera.betas)
    root = body_kinematics(camera.local_rotmat, camera.translation_m, rest)[1][:, 0].numpy()
    size = np.linspace(300, 500, FRAMES)
    fields = {
        "pred_uvd": np.zeros((FRAMES, 29, 3)), "pred_betas": betas(camera), "pred_phi": np.zeros((FRAMES, 23, 2)),
        "pred_thetas": rotmats(camera).reshape(FRAMES, 216), "img_path": np.array(["a-000001.png"] * FRAMES),
        "pred_cam_root": root * np.stack([np.ones(FRAMES), np.ones(FRAMES), size / 256], 1),
        "transl": np.zeros((FRAMES, 3)), "bbox": np.stack([size, size, size * 2, size * 2], 1),
        "height": np.full(FRAMES, HEIGHT_PX), "width": np.full(FRAMES, WIDTH_PX),
    }  # fmt: skip
    path = tmp_path / "res.pk"
    path.write_bytes(pickle.dumps(fields))
    assert_same(load_motion(path, smpl.name, fps=30), camera)
    path.write_bytes(pickle.dumps(fields | {"pred_thetas": np.zeros((FRAMES, 96))}))
    with pytest.raises(ValueError, match=r"should hold 24 matrices a frame.*neither quaternions nor SMPL-X"):
        load_motion(path)


def test_nothing_in_such_files_is_run(tmp_path) -> None:
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "was_run"), "w"))

    fields = {"pose": np.zeros((4, 72)), "orig_cam": np.ones((4, 4)), "betas": Attack(), "frame_ids": np.arange(4)}
    joblib.dump({1: fields}, tmp_path / "vibe_output.pkl")
    results = {"pred_rotmat": Attack(), "pred_shape": 0, "pred_trans": 0, "frame": 0}
    np.save(tmp_path / "hps_track_0.npy", np.array(results), allow_pickle=True)
    for name in ("vibe_output.pkl", "hps_track_0.npy"):
        with pytest.raises(ValueError, match=r"asks to import .*open"):
            load_motions(tmp_path / name)
    assert not (tmp_path / "was_run").exists()


# EasyMocap


@pytest.mark.parametrize("layout", ["list", "annots"])
def test_easymocap(tmp_path, world, smpl, layout) -> None:
    """write_smpl of zju3dv/EasyMocap, easymocap/mytools/file_utils.py: the posed body is turned about the origin."""
    tilted = turned(world, Z_UP, torch.zeros(3), smpl, frame="world")
    pelvis_m = smpl.rest_joints(world.betas)[0]
    folder = tmp_path / "smpl"
    folder.mkdir()
    for number in range(FRAMES):
        turn = tilted.local_rotmat[number, 0]
        place = tilted.translation_m[number] + pelvis_m - turn @ pelvis_m
        pose = rotvec(tilted)[number]
        person = {
            "id": 0, "Rh": [pose[:3].tolist()], "Th": [place.tolist()],
            "poses": [[0.0, 0.0, 0.0, *pose[3:].tolist()]], "expression": [[0.0] * 10], "shapes": [[0.0] * 10],
        }  # fmt: skip
        content = [person] if layout == "list" else {"annots": [person]}
        (folder / f"{number + 3:06d}.json").write_text(json.dumps(content))
    got = load_motion(folder, smpl.name, fps=30)
    up = torch.tensor([0.0, 1.0, 0.0])
    expected = replace(world, translation_m=world.translation_m - floor_height_m(world, smpl) * up)
    assert got.first_frame == 3
    assert_same(replace(got, first_frame=0), expected, 5e-5)
    one = load_motion(folder / "000005.json", smpl.name, fps=30)
    torch.testing.assert_close(one.local_rotmat[0], world.local_rotmat[2], atol=2e-5, rtol=0)
    (folder / "000005.json").write_text(json.dumps([person | {"poses": [[0.0] * 48]}]))
    with pytest.raises(ValueError, match=r"000005\.json': expected 3 numbers in Rh and Th, and 72, 78 or 87 in poses"):
        load_motion(folder, fps=30)
