"""Processes that make samples."""

import csv
import signal
import time
from pathlib import Path

import pytest
import yaml
from forked import COMMAND, Forked
from training_config import CONFIG, NEW_ENCODER

from motionrep.cli.training_options import parse
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion
from motionrep.training.run import train

_SETTINGS = {
    "head": "pose3d", "new_encoder": NEW_ENCODER, "epochs": 1000, "clips_per_epoch": 8, "batch_size": 4,
    "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for name, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.5), folder / f"{name}.npz")
    return folder


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
def test_workers_end_when_their_run_is_killed(data, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump(_SETTINGS))
    run = Forked(
        COMMAND, "pretrain", "--config", settings, "--data", data, "--output", tmp_path / "run", "--workers", "2"
    )
    try:
        run.wait_for("epoch 1 of")
        workers = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert len(workers) >= 2
    for _ in range(60):
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            return
        time.sleep(0.5)
    pytest.fail("workers outlive their run")
