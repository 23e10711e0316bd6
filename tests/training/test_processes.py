"""Processes that make samples."""

import csv

import pytest
from training_config import CONFIG

from motionrep.cli.training_options import parse
from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion
from motionrep.training.run import train


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
        parse("finetune", "", ["--data", str(data), "--output", str(tmp_path), "--workers", "-1"], "")
