"""`motionrep pretrain` on each labelled data set lowers the error of its protocol, and prints the protocol's table."""

import json
import pickle

import numpy as np
import pytest
import torch
import yaml
from benchmark_files import motionbert, write_pyskl
from smpl_containers import write_smpl
from training_config import NEW_ENCODER

from motionrep.cli.main import main
from motionrep.datasets.benchmarks.mpi_inf_3dhp import TEST_SEQUENCES
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17
from motionrep.types import Keypoints

pytestmark = pytest.mark.slow
STEADY = {
    "new_encoder": NEW_ENCODER, "precision": "float32", "batch_size": 16, "head_lr": 0.02, "encoder_lr": 0.003,
    "validation_views": 1,
}  # fmt: skip
BASE_MM = np.random.default_rng(1).normal(0, 300, (17, 3)) * [1, 1.5, 1] * (np.arange(17) > 0)[:, None]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scored(capsys, folder, data, metric, protocol, **settings):
    """The protocol's metric after one step, and after a short training; both from the command line."""
    found = []
    for name, effort in (("short", (1, 16)), ("long", (6, 96))):
        length = dict(zip(("epochs", "clips_per_epoch"), effort, strict=True))
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(STEADY | length | settings))
        arguments = ["--config", str(folder / f"{name}.yaml"), "--data", str(data), "--output", str(folder / name)]
        assert main(["pretrain", *arguments]) == 0
        result = json.loads((folder / name / f"protocol_{protocol}.json").read_text())
        printed = capsys.readouterr().out
        assert f"protocol: id {result['protocol']['id']}" in printed
        assert f"motionrep evaluate --protocol {protocol} --run" in printed
        found.append(result["metrics"][metric])
    return found


def noisy(rng, base, frames):
    return base + rng.normal(0, 10, (frames, *base.shape))


def test_mpi_inf_3dhp_of_pstmo(tmp_path, capsys):
    rng = np.random.default_rng(0)

    def sequence(frames):
        place = np.array([0, 0, 3500.0])
        return {
            "data_2d": noisy(rng, 1000 + BASE_MM[:, :2] / 2, frames),
            "data_3d": noisy(rng, BASE_MM, frames) + place,
        }

    train = {f"S{n} Seq1": [{camera: sequence(24) for camera in "04"}, 25] for n in (1, 2)}
    np.savez_compressed(tmp_path / "data_train_3dhp.npz", data=train)
    test = {name: sequence(8) | {"valid": np.ones(8)} for name in TEST_SEQUENCES}
    np.savez_compressed(tmp_path / "data_test_3dhp.npz", data=test)
    before, after = scored(capsys, tmp_path, tmp_path, "mpjpe", "3dhp", head="pose3d", fps=25.0)
    assert after < 0.8 * before


def test_human36m_of_motionbert(tmp_path, capsys):
    rng, frames = np.random.default_rng(0), 243
    content = {}
    for part, subject in (("train", "01"), ("test", "09")):
        content[part] = motionbert(frames=(frames,))["test"]
        content[part] |= {
            "joint_2d": noisy(rng, 500 + BASE_MM[:, :2] / 4, frames),
            "source": [f"s_{subject}_act_02_subact_01_ca_01"] * frames,
            "joints_2.5d_image": noisy(rng, BASE_MM, frames) + 2000.0,
        }  # fmt: skip
    (tmp_path / "h36m_sh_conf_cam_source_final.pkl").write_bytes(pickle.dumps(content))
    data = tmp_path / "h36m_sh_conf_cam_source_final.pkl"
    before, after = scored(capsys, tmp_path, data, "mpjpe", "h36m", head="pose3d", fps=50.0)
    assert after < 0.8 * before


def bent(rng, frames):
    """SMPL's rotations of one who bends, y down."""
    pose = np.zeros((24, 3))
    pose[[1, 2, 4, 5, 16, 17]] = np.random.default_rng(3).normal(0, 0.9, (6, 3))
    pose[0] = (np.pi, 0, 0)
    return (pose + rng.normal(0, 0.01, (frames, 24, 3))).reshape(frames, 72)


def test_3dpw(tmp_path, capsys):
    rng, frames = np.random.default_rng(0), 16
    for part in ("train", "validation", "test"):
        found = np.concatenate([noisy(rng, 500 + BASE_MM[:, :2].T / 4, frames), np.full((frames, 1, 17), 0.9)], 1)
        stored = {
            "sequence": "downtown_walking_00", "betas": [np.zeros(10)], "poses": [bent(rng, frames)], "genders": ["m"],
            "trans": [np.tile([0.0, 0, 4], (frames, 1))], "poses2d": [np.concatenate([found, found[..., -1:]], 2)],
            "campose_valid": [np.ones(frames)], "cam_poses": np.tile(np.eye(4), (frames, 1, 1)),
            "cam_intrinsics": np.array([[1961.9, 0, 540], [0, 1969.2, 960], [0, 0, 1]]),
            "img_frame_ids": np.arange(frames),
        }  # fmt: skip
        (tmp_path / "sequenceFiles" / part).mkdir(parents=True)
        (tmp_path / "sequenceFiles" / part / "downtown_walking_00.pkl").write_bytes(pickle.dumps(stored, protocol=2))
    settings = {"head": "mesh", "head_config": {"hidden": 32}, "fps": 30.0}
    options = {"male": "open", "female": "open"}
    before, after = scored(capsys, tmp_path, tmp_path, "mpjpe", "3dpw", protocol_options=options, **settings)
    assert after < 0.8 * before


def test_meshes_of_motionbert(tmp_path, capsys):
    rng, frames = np.random.default_rng(0), 16
    smpl = write_smpl(tmp_path / "smpl.npz", "smpl")

    def part(name):
        return {
            "joint_2d": noisy(rng, 900 + BASE_MM[:, :2] / 2, frames), "confidence": np.ones((frames, 17, 1)),
            "smpl_pose": bent(rng, frames), "smpl_shape": np.zeros((frames, 10)), "source": [name] * frames,
            "img_hw": np.tile([1920, 1920], (frames, 1)),
        }  # fmt: skip

    data = tmp_path / "mesh_det_pw3d.pkl"
    data.write_bytes(pickle.dumps({"train": part("courtyard_00"), "test": part("downtown_00")}))
    settings = {"head": "mesh", "head_config": {"hidden": 32}, "fps": 30.0, "body": str(smpl)}
    options = {"neutral": str(smpl)}
    found = scored(capsys, tmp_path, data, "mpjpe", "motionbert-mesh", protocol_options=options, **settings)
    assert found[1] < 0.8 * found[0]


def walkers(rng, action, frames=8):
    """Somebody at rest in the pose of the action."""
    base = np.array([960, 540]) + np.random.default_rng(action).uniform(-300, 300, (17, 2))
    return base + rng.normal(0, 2, (frames, 17, 2))


def test_a_csv_of_clips(tmp_path, capsys):
    rng, rows = np.random.default_rng(0), ["clip,label,split,subject,fps,width,height"]
    for number in range(12):
        label, split = ("wave", "jump")[number % 2], "val" if number >= 8 else "train"
        xy_px = torch.from_numpy(walkers(rng, number % 2)).float()
        clip = Keypoints(xy_px, torch.ones(8, 17), COCO_17, 30.0, 1920, 1080)
        save_keypoints([clip], tmp_path / f"{number}.npz")
        rows.append(f"{number}.npz,{label},{split},p{number},,,")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    config = {"head": "action", "head_config": {"hidden": 32}, "classes": "core", "epochs": 6, "clips_per_epoch": 96}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(STEADY | config | {"fps": 30.0, "variety": {"mirror": False}}))
    arguments = ["--config", str(tmp_path / "run.yaml"), "--data", str(tmp_path / "clips.csv")]
    assert main(["pretrain", *arguments, "--output", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["top1"] > 0.9
    assert not list((tmp_path / "run").glob("protocol_*"))


def test_runs_on_joints_and_on_bones_are_scored_together(tmp_path, capsys):
    """As the field reports NTU RGB+D: each stream, and the mean of both; with classes by name."""
    rng, found = np.random.default_rng(0), []
    for action in range(60):
        for subject in (1, 3):  # 3 is of the test part
            keypoint = walkers(rng, action)[None].astype(np.float16)
            found.append(
                {"frame_dir": f"S001C001P{subject:03d}R001A{action + 1:03d}", "label": action, "total_frames": 8,
                 "img_shape": (1080, 1920), "keypoint": keypoint, "keypoint_score": np.ones((1, 8, 17), np.float16)}
            )  # fmt: skip
    write_pyskl(tmp_path / "ntu60_hrnet.pkl", found)
    config = {
        "head": "action", "head_config": {"hidden": 64, "dropout": 0.0}, "classes": "core", "fps": 30.0, "epochs": 4,
        "clips_per_epoch": 480, "batch_size": 32, "protocol": "ntu60-xsub", "variety": {"mirror": False},
    }  # fmt: skip
    for reads in ("joints", "bones"):
        settings = STEADY | config | {"new_encoder": NEW_ENCODER | {"reads": reads}}
        (tmp_path / f"{reads}.yaml").write_text(yaml.safe_dump(settings))
        arguments = ["--config", str(tmp_path / f"{reads}.yaml"), "--data", str(tmp_path / "ntu60_hrnet.pkl")]
        assert main(["pretrain", *arguments, "--output", str(tmp_path / reads)]) == 0
    capsys.readouterr()
    arguments = ["--protocol", "ntu60-xsub", "--data", str(tmp_path / "ntu60_hrnet.pkl")]
    arguments += ["--run", str(tmp_path / "joints"), "--ensemble", str(tmp_path / "bones")]
    assert main(["evaluate", *arguments, "--output", str(tmp_path / "both.json")]) == 0
    printed = capsys.readouterr().out
    assert "ensemble mean of the probabilities of joints (joints) + bones (bones)" in printed
    assert "least recognised" in printed
    result = json.loads((tmp_path / "both.json").read_text())
    assert list(result["members"]) == ["joints", "bones"]
    for reads, member in result["members"].items():
        alone = json.loads((tmp_path / reads / "protocol_ntu60-xsub.json").read_text())
        assert member["top1"] == pytest.approx(alone["metrics"]["top1"])
        assert member["top1"] > 20  # one of sixty by chance
    assert result["metrics"]["top1"] >= min(member["top1"] for member in result["members"].values())
    assert result["classes"][:2] == ["drink water", "eat meal/snack"]
    assert np.array(result["confusion"]).sum() == 60
