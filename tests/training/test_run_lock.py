"""One process at a time trains into a run folder."""

import signal
import subprocess
import sys

import pytest

from motionrep.training.config import FinetuneConfig
from motionrep.training.run import train
from motionrep.training.run_folder import may_resume
from motionrep.training.run_lock import held

CONFIG = FinetuneConfig("pose3d", encoder="ktpformer-s")
CONFIG = FinetuneConfig("pose3d", encoder="ktpformer-s")
HOLDER = """
import sys, time
from pathlib import Path
from motionrep.training.run_lock import held

with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains into the folder `run`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_until_the_first_one_ends_however_it_ends(tmp_path, holder):
    """Once its settings replaced those of the first one, whose weights came out."""
    run = tmp_path / "run"
    with pytest.raises(ValueError, match=rf"run: process {holder.pid} on .* trains into this folder; wait for it"):
        train(CONFIG, [tmp_path], run)
    assert [path.name for path in run.iterdir()] == [".lock"]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with held(run) as was_killed:
        assert was_killed
        (run / "config.yaml").write_text("seed: 0\n")
    assert [path.name for path in run.iterdir()] == ["config.yaml"]


def test_a_run_that_was_killed_before_its_settings_were_written_begins_again(tmp_path):
    assert may_resume(tmp_path, was_killed=True) is False
    with pytest.raises(ValueError, match=r"nothing to resume.*leave out --resume"):
        may_resume(tmp_path, was_killed=False)
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    assert may_resume(tmp_path, was_killed=False)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match=r"the run has ended and .*last\.ckpt is gone"):
        may_resume(tmp_path, was_killed=False)
    with pytest.raises(ValueError, match="already holds a run"):
        train(CONFIG, [tmp_path], tmp_path)


def test_a_run_that_fails_at_once_leaves_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train(CONFIG, [tmp_path / "nowhere"], tmp_path / "runs" / "mine")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        train(CONFIG, [tmp_path], tmp_path / "file")
