"""Processes that make samples, and runs of several processes as the command starts them."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from training_config import CONFIG, NEW_ENCODER

from motionrep.cli.training_options import parse
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion
from motionrep.training.run import train

_SETTINGS = {
    "head": "pose3d", "new_encoder": NEW_ENCODER, "epochs": 2, "clips_per_epoch": 8, "batch_size": 4,
    "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for name, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.5), folder / f"{name}.npz")
    return folder


def _started(folder: Path, data: Path, *options: str, epochs: int = 2) -> subprocess.Popen:
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(_SETTINGS | {"epochs": epochs}))
    command = ["pretrain", "--config", settings, "--data", data, "--output", folder / "run", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "motionrep", *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_run_does_not_depend_on_who_makes_its_samples(data, tmp_path):
    rows = []
    for workers in (0, 2):
        train(CONFIG, [data], tmp_path / str(workers), workers=workers)
        with (tmp_path / str(workers) / "metrics.csv").open() as table:
            rows.append(list(csv.DictReader(table)))
    assert rows[0] == rows[1]
    assert rows[0]


def test_a_number_of_workers_that_cannot_be_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="--workers must be at least 0, got -1"):
        parse(
            "finetune", "", ["--head", "pose3d", "--data", str(data), "--output", str(tmp_path), "--workers", "-1"], ""
        )


@pytest.mark.slow
def test_several_processes_tell_each_result_once(data, tmp_path):
    """Every process of a run printed its scores once."""
    process = _started(tmp_path, data, "--devices", "2", "--workers", "1")
    results, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert [line.partition(":")[0] for line in results.splitlines()] == [str(tmp_path / "run"), "next"]
    for sentence in ("read ", "precision float32", "epoch 1 of 2", "epoch 2 of 2"):
        assert told.count(sentence) == 1, told


@pytest.mark.slow
def test_workers_end_when_their_run_is_killed(data, tmp_path):
    process = _started(tmp_path, data, "--workers", "2", epochs=1000)
    try:
        assert process.stderr is not None
        assert any(line.startswith("epoch 1 of") for line in process.stderr)
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(workers) >= 2
    for _ in range(60):
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            return
        time.sleep(0.5)
    pytest.fail("workers outlive their run")
