"""Ctrl-C, sent to real processes."""

import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion

SETTINGS = {
    "head": "pose3d",
    "new_encoder": {
        "architecture": "ktpformer", "frames": 8, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3,
    },
    "epochs": 2, "clips_per_epoch": 8, "batch_size": 4, "precision": "float32",
}  # fmt: skip

# Sends the signal from within, since no other process could know where a run of seconds is.
AT_A_PLACE = """
import os, signal, sys
from motionrep.cli.main import main
from motionrep.training.module import TrainingModule

place, epoch, number = sys.argv[1], int(sys.argv[2]), signal.Signals[sys.argv[3]]
whole = getattr(TrainingModule, place)

def interrupted(self, *arguments):
    if self.current_epoch == epoch - 1:
        os.kill(os.getpid(), number)
    return whole(self, *arguments)

setattr(TrainingModule, place, interrupted)
sys.exit(main(sys.argv[4:]))
"""

BLOCK = """
import time, torch
from motionrep.training.interruption import interruptible

torch.set_num_threads(1)
matrix = torch.rand(6000, 6000)
with interruptible(lambda: "go on with --resume"):
    print("begun", flush=True)
    {inside}
print("not reached", flush=True)
"""
SLOW_STEP = "torch.linalg.svd(matrix)"  # minutes
SWALLOWED = """
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
SWALLOWED_AND_LONG = """
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            pass
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for name, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.0), folder / f"{name}.npz")
    return folder


@pytest.fixture
def arguments(data, tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(SETTINGS))
    return ["finetune", "--config", str(config), "--data", str(data), "--output", str(tmp_path / "run")]


def _command_told(errors: str) -> list[str]:
    line = next(line for line in errors.splitlines() if "Go on with: " in line)
    command = shlex.split(line.partition("Go on with: ")[2])
    assert command[0] == "motionrep"
    return [sys.executable, "-m", *command]


@pytest.mark.parametrize(
    ("place", "epoch", "number"),
    [
        ("training_step", 1, "SIGTERM"), ("validation_step", 2, "SIGINT"), ("on_validation_epoch_end", 2, "SIGINT"),
        ("on_save_checkpoint", 2, "SIGTERM"),
    ],
)  # fmt: skip
def test_a_run_ends_with_130_or_143_wherever_it_is_interrupted(arguments, tmp_path, place, epoch, number):
    """In the last epoch it was once swallowed: the run ended as if nothing had happened."""
    command = [sys.executable, "-c", AT_A_PLACE, place, str(epoch), number, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + signal.Signals[number], done.stderr
    assert [path for path in tmp_path.rglob(".*") if path.name != ".lock"] == []
    assert "motionrep: interrupted; " in done.stderr
    assert "Traceback" not in done.stderr
    assert _command_told(done.stderr)[2:] == ["motionrep", *arguments, "--resume"]
    assert done.stdout == ""


@pytest.mark.parametrize("line", [pytest.param("read ", marks=pytest.mark.slow), "epoch 1 of 2: "])
def test_the_command_that_is_told_after_an_interruption_goes_on(arguments, tmp_path, line):
    """Before the first epoch has ended, too: the run then begins again."""
    started = subprocess.Popen([sys.executable, "-m", "motionrep", *arguments], stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    seen = ""
    while line not in seen:
        seen += started.stderr.readline()
    while not (tmp_path / "run" / "config.yaml").is_file():
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    errors = started.communicate(timeout=30)[1]
    assert started.returncode == 130, errors
    done = subprocess.run(_command_told(errors), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "epoch 2 of 2: " in done.stderr
    assert ("epoch 1 of 2: " in done.stderr) == (line == "read ")
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


@pytest.mark.parametrize(
    ("inside", "status"),
    [(SLOW_STEP, 130), (SWALLOWED_AND_LONG, 130), (SWALLOWED, -signal.SIGINT)],  # the last: KeyboardInterrupt
    ids=["slow step", "swallowed and long", "swallowed"],
)
def test_no_slow_step_and_no_handler_of_errors_keeps_a_run_from_ending(inside, status):
    """Once it took 77 s, the length of a step."""
    block = BLOCK.format(inside=inside)
    process = subprocess.Popen([sys.executable, "-c", block], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)  # what is inside takes at least a minute
    assert "go on with --resume" in errors
    assert "not reached" not in output
    assert process.returncode == status
