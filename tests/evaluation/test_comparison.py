"""One table of results of other systems, each written as its code writes it, on the same walk."""

import json
import pickle
from collections import defaultdict
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from body_motions import DOWN_UP, on_smpl, rotvec, turned
from paths import WALK_BVH
from smpl_containers import write_smpl

from motionrep.body.loading import load_body_model
from motionrep.cli.main import main
from motionrep.evaluation.comparison import score
from motionrep.layouts import HALPE_26, MEDIAPIPE_33, SMPL_24
from motionrep.motion.loading import load_motion
from motionrep.motion.saving import save_motion
from motionrep.types import BodyMotion

FRAMES, IN_CAMERA_M = 12, torch.tensor([0.2, 0.9, 3.0])


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    return load_body_model(write_smpl(tmp_path_factory.mktemp("body") / "smpl.npz", "smpl"))


@pytest.fixture(scope="module")
def world(body) -> BodyMotion:
    walk = load_motion(WALK_BVH).cut(10, 10 + FRAMES)
    return on_smpl(replace(walk, fps=30.0, betas=torch.linspace(-1, 1, 10), first_frame=0), body)


@pytest.fixture(scope="module")
def camera(world, body) -> BodyMotion:
    return turned(world, DOWN_UP, IN_CAMERA_M, body)


def wham(world: BodyMotion, camera: BodyMotion, body) -> dict[str, np.ndarray]:
    """What WHAM's `demo.py --save_pkl` writes of one person; in the world it places the hips."""
    joint_m = body.joints(world.local_rotmat, world.betas, world.translation_m)
    hips_m = joint_m[:, [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]].mean(1)
    return {
        "pose": rotvec(camera), "trans": camera.translation_m.numpy(), "pose_world": rotvec(world),
        "trans_world": hips_m.numpy(), "betas": world.betas.expand(FRAMES, -1).numpy(),
        "verts": np.zeros((FRAMES, 6890, 3), np.float32), "frame_ids": np.arange(FRAMES),
    }  # fmt: skip


def wham_output(person: dict[str, np.ndarray]) -> dict[object, dict[str, np.ndarray]]:
    """Persons have the numbers that the tracker gave them, which are NumPy's."""
    results: dict[object, dict[str, np.ndarray]] = defaultdict(dict)
    results[np.int64(1)].update(person)
    return results


def gvhmr(motion: BodyMotion) -> dict[str, torch.Tensor]:
    pose = torch.from_numpy(rotvec(motion)).float()
    return {
        "body_pose": pose[:, 3:66], "betas": motion.betas.expand(FRAMES, -1), "global_orient": pose[:, :3],
        "transl": motion.translation_m,
    }  # fmt: skip


def phalp(people: list[BodyMotion]) -> dict[str, dict[str, object]]:
    """PHALP's and 4D-Humans' results, with those of its drawing: lists over the persons of each frame."""
    results: dict[str, dict[str, object]] = {}
    for number in range(FRAMES):
        name, ids, box = f"outputs/_DEMO/walk/img/{number:06d}.jpg", list(range(1, len(people) + 1)), np.ones(4)
        results[name] = {
            "time": number, "shot": 0, "tracked_ids": ids, "tracked_bbox": [box] * len(ids), "tid": ids,
            "bbox": [box] * len(ids), "tracked_time": [0] * len(ids), "appe": [np.zeros(512)] * len(ids),
            "loca": [np.zeros(90)] * len(ids), "pose": [np.zeros(229)] * len(ids), "center": [np.ones(2)] * len(ids),
            "scale": [np.ones(2)] * len(ids), "size": [[720, 1280]] * len(ids), "img_path": [name] * len(ids),
            "img_name": [f"{number:06d}.jpg"] * len(ids), "conf": [np.float32(0.9)] * len(ids),
            "mask": [{"size": [720, 1280], "counts": b"0"}] * len(ids), "class_name": [0] * len(ids),
            "smpl": [
                {"global_orient": it.local_rotmat[number, :1].numpy(), "body_pose": it.local_rotmat[number, 1:].numpy(),
                 "betas": it.betas.numpy()} for it in people
            ],
            "camera": [it.translation_m[number].numpy() for it in people],
            "camera_bbox": [np.ones(3, np.float32)] * len(ids), "3d_joints": [np.zeros((45, 3))] * len(ids),
            "2d_joints": [np.zeros(90)] * len(ids), "mask_name": [""] * len(ids), "extra_data": [None] * len(ids),
        }  # fmt: skip
    return results


def romp(motion: BodyMotion) -> dict[str, dict[str, np.ndarray]]:
    """ROMP's `video_results.npz`, with --temporal_optimize."""
    pose = rotvec(motion).astype(np.float32)
    return {
        f"{number:08d}.png": {
            "cam": np.ones((1, 3), np.float32), "global_orient": pose[number : number + 1, :3],
            "body_pose": pose[number : number + 1, 3:], "smpl_betas": motion.betas[None].numpy(),
            "smpl_thetas": pose[number : number + 1], "center_preds": np.ones((1, 2), np.int64),
            "center_confs": np.ones(1, np.float32), "track_ids": np.array([1], dtype=np.int32),
            "cam_trans": motion.translation_m[number : number + 1].numpy(),
            "verts": np.zeros((1, 6890, 3), np.float32), "joints": np.zeros((1, 71, 3), np.float32),
            "pj2d_org": np.zeros((1, 71, 2), np.float32), "verts_camed_org": np.zeros((1, 6890, 3), np.float32),
        }
        for number in range(FRAMES)
    }  # fmt: skip


def sam3d(motion: BodyMotion, body) -> list[list[dict[str, object]]]:
    """What `process_one_image` returns for each frame: 70 keypoints in camera axes, the place apart, and much more."""
    points = body.points(HALPE_26, motion.local_rotmat, motion.betas, motion.translation_m).numpy()
    order = [joint for joint in HALPE_26.joints if not joint.endswith("wrist")][:15]
    order += [f"{side}_{it}" for side in ("left", "right") for it in ("big_toe", "small_toe", "heel")]
    places = dict(enumerate(order)) | {41: "right_wrist", 62: "left_wrist", 69: "neck"}
    more = {
        "pred_keypoints_2d": (70, 2), "pred_vertices": (18439, 3), "pred_pose_raw": (266,), "global_rot": (3,),
        "body_pose_params": (133,), "hand_pose_params": (108,), "scale_params": (28,), "shape_params": (45,),
        "expr_params": (72,), "pred_joint_coords": (127, 3), "pred_global_rots": (127, 3, 3),
        "mhr_model_params": (204,), "bbox": (4,), "lhand_bbox": (4,), "rhand_bbox": (4,),
    }  # fmt: skip
    rest = {name: np.zeros(shape, np.float32) for name, shape in more.items()}
    rest |= {"mask": None, "focal_length": np.float32(1200)}
    frames = []
    for point in points - np.array([0, 0, 1]):
        keypoints = np.full((70, 3), 7.0, np.float32)
        for index, joint in places.items():
            keypoints[index] = point[HALPE_26.index(joint)]
        found = {"pred_keypoints_3d": keypoints, "pred_cam_t": np.array([0, 0, 1], np.float32)}
        frames.append([rest | found])
    return frames


def mediapipe(motion: BodyMotion, body) -> list[dict[str, object]]:
    """World landmarks as people write them into JSON: the origin is between the hips, and one frame has nobody."""
    point_m = body.points(HALPE_26, motion.local_rotmat, motion.betas, motion.translation_m)
    point_m = point_m - point_m[:, HALPE_26.index("hip")][:, None]
    names = [joint if joint in HALPE_26.joints else "nose" for joint in MEDIAPIPE_33.joints]
    chosen = point_m[:, [HALPE_26.index(name) for name in names]].tolist()
    frames: list[dict[str, object]] = [
        {"frame": n, "pose_world_landmarks": [dict(zip("xyz", p, strict=True)) for p in pose]}
        for n, pose in enumerate(chosen)
    ]
    frames[5] = {"frame": 5, "pose_world_landmarks": []}
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory, world, camera, body):
    folder = tmp_path_factory.mktemp("results")
    joblib.dump(wham_output(wham(world, camera, body)), folder / "wham_output.pkl")
    both = {"smpl_params_global": gvhmr(world), "smpl_params_incam": gvhmr(camera)}
    inner = {"pred_x": torch.zeros(FRAMES, 151), "static_conf_logits": torch.zeros(1, FRAMES, 6)}
    both |= {"K_fullimg": torch.eye(3).repeat(FRAMES, 1, 1), "net_outputs": {"model_output": inner}}
    torch.save(both, folder / "hmr4d_results.pt")
    aside = replace(camera, translation_m=camera.translation_m + torch.tensor([1.0, 0, 0]))
    joblib.dump(phalp([aside, camera]), folder / "phalp.pkl")
    np.savez(folder / "romp.npz", results=romp(camera))
    (folder / "sam3d.pkl").write_bytes(pickle.dumps(sam3d(camera, body)))
    (folder / "mediapipe.json").write_text(json.dumps(mediapipe(camera, body)))
    save_motion(camera, folder / "ours.npz")
    return folder


def test_the_truth_in_every_format_has_next_to_no_error(files, body):
    names = ["hmr4d_results.pt", "phalp.pkl", "romp.npz", "sam3d.pkl", "mediapipe.json", "ours.npz"]
    table = score([files / name for name in names], files / "wham_output.pkl", body.name)
    for name in ("hmr4d_results.pt", "phalp.pkl", "romp.npz", "ours.npz"):
        errors = table[name]
        assert (errors["frames"], errors["joints"]) == (100, 14), name
        limit = 40 if name.startswith("hmr4d") else 0.2  # GVHMR has no rotations of the hands
        assert errors["mpjpe"] < 0.2, name
        assert errors["pve"] < limit, name
    assert table["hmr4d_results.pt"]["w_mpjpe"] < 1
    assert table["hmr4d_results.pt"]["foot_sliding"] is not None
    assert table["ours.npz"]["w_mpjpe"] is None
    assert table["sam3d.pkl"]["joints"] == 13
    assert table["sam3d.pkl"]["mpjpe"] < 25  # its joints become Human3.6M's by a recipe
    assert table["sam3d.pkl"]["pve"] is None
    assert table["mediapipe.json"]["frames"] == pytest.approx(100 * (FRAMES - 1) / FRAMES)
    assert table["mediapipe.json"]["mpjpe"] < 120


def test_a_known_error_is_measured(files, camera, body, tmp_path):
    """A turn by 90 degrees, and a body that begins in the middle of the clip."""
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    save_motion(turned(camera, turn, torch.zeros(3), body).cut(4), tmp_path / "turned.npz")
    (errors,) = score([tmp_path / "turned.npz"], files / "ours.npz", body.name).values()
    assert errors["frames"] == pytest.approx(100 * (FRAMES - 4) / FRAMES)
    assert errors["mpjpe"] > 50
    assert errors["pa_mpjpe"] < 0.1


def test_the_command_prints_a_table_of_files_or_folders(files, camera, body, tmp_path, capsys):
    for folder in ("truth", "results"):
        (tmp_path / folder).mkdir()
        save_motion(camera, tmp_path / folder / "clip.npz")
    options = ["--body", body.name, "--output", str(tmp_path / "table.json")]
    assert main(["score", str(tmp_path / "results"), "--truth", str(tmp_path / "truth"), *options]) == 0
    header, row, _ = capsys.readouterr().out.splitlines()
    assert "mpjpe [mm]" in header
    assert row.startswith("results")
    assert json.loads((tmp_path / "table.json").read_text())["scores"]["results"]["mpjpe"] < 0.01
    save_motion(replace(camera, fps=25.0), tmp_path / "slow.npz")
    assert main(["score", str(tmp_path / "slow.npz"), "--truth", str(files / "ours.npz"), *options]) == 2
    assert "has 25 frames per second, the truth 30" in capsys.readouterr().err
