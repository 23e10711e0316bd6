"""Heads learn from the files of labelled data sets, written as their authors' scripts write them."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmark_files import annotation, write_pyskl, write_videopose3d
from training_config import CONFIG

from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.evaluation.published import evaluate_protocol
from motionrep.training.run import train

STEADY = replace(CONFIG, fps=50.0, epochs=6, clips_per_epoch=64, batch_size=16, head_lr=0.02, encoder_lr=0.003)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_training_on_human36m_lowers_the_error_of_its_protocol_and_ends_with_its_table(tmp_path):
    write_videopose3d(tmp_path, frames=12, subjects=("S1", "S5", "S6", "S7", "S8", "S9", "S11"))
    errors = []
    for name, config in (("short", replace(STEADY, epochs=1, clips_per_epoch=16)), ("long", STEADY)):
        train(config, [tmp_path], tmp_path / name)
        (table,) = (tmp_path / name).glob("protocol_*.json")
        errors.append(json.loads(table.read_text())["metrics"]["mpjpe"])
    assert errors[1] < 0.9 * errors[0]
    again = evaluate_protocol("h36m", tmp_path, str(tmp_path / "long/encoder"), str(tmp_path / "long/head"))
    assert again["metrics"]["mpjpe"] == pytest.approx(errors[1], abs=1e-3)


@pytest.mark.slow
def test_training_on_ntu_makes_the_head_that_its_protocol_asks_for(tmp_path):
    write_skeletons(tmp_path / "ntu60_hrnet.pkl")
    config = replace(
        STEADY, head="action", head_config={"hidden": 64, "dropout": 0.0}, fps=30.0, classes="core",
        protocol="ntu60-xsub", clips_per_epoch=960, batch_size=32, variety=Augmentation(mirror=False),
    )  # fmt: skip
    train(config, [tmp_path / "ntu60_hrnet.pkl"], tmp_path / "run")
    result = json.loads((tmp_path / "run/protocol_ntu60-xsub.json").read_text())
    assert result["protocol"]["clips"] == 60
    assert result["metrics"]["top1"] > 30  # two of sixty by chance


def write_skeletons(path):
    """One person at rest for each class, in a place of its own, from a training and from a test subject."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-300, 300, (60, 17, 2))
    found = []
    for action in range(60):
        for subject in (1, 2, 3):  # 3 is of the test part
            item = annotation(f"S001C001P{subject:03d}R001A{action + 1:03d}", action)
            item["keypoint"] = (place[action] + (960, 540) + rng.normal(0, 2, (1, 6, 17, 2))).astype(np.float16)
            found.append(item)
    write_pyskl(path, found)


def test_what_clips_do_not_tell_no_head_learns(tmp_path):
    write_skeletons(tmp_path / "ntu.pkl")
    with pytest.raises(ValueError, match="clips have only actions; train the head action"):
        train(replace(CONFIG, protocol="ntu60-xsub"), [tmp_path / "ntu.pkl"], tmp_path / "run")
    with pytest.raises(ValueError, match="set protocol to one of ntu60-xsub"):
        train(CONFIG, [tmp_path / "ntu.pkl"], tmp_path / "run")
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"train": {"x": 1}}))
    with pytest.raises(ValueError, match="this file holds train"):
        train(CONFIG, [tmp_path / "other.pkl"], tmp_path / "run")
