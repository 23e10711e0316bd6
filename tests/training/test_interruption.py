"""Ctrl-C, sent to real processes."""

import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from forked import COMMAND, Forked

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
import time
from motionrep.training.interruption import interruptible

{before}
with interruptible(lambda: "go on with --resume"):
    print("begun", flush=True)
    {inside}
print("not reached", flush=True)
"""
MATRIX = """
import torch
torch.set_num_threads(1)
matrix = torch.rand(6000, 6000)
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


def _arguments_told(errors: str) -> list[str]:
    line = next(line for line in errors.splitlines() if "Go on with: " in line)
    command = shlex.split(line.partition("Go on with: ")[2])
    assert command[0] == "motionrep"
    return command[1:]


@pytest.mark.parametrize(
    ("place", "epoch", "number"),
    [
        ("training_step", 1, "SIGTERM"), ("validation_step", 2, "SIGINT"), ("on_validation_epoch_end", 2, "SIGINT"),
        ("on_save_checkpoint", 2, "SIGTERM"),
    ],
)  # fmt: skip
def test_a_run_ends_with_130_or_143_wherever_it_is_interrupted(arguments, tmp_path, place, epoch, number):
    """In the last epoch it was once swallowed: the run ended as if nothing had happened."""
    run = Forked(AT_A_PLACE, place, epoch, number, *arguments)
    assert run.wait() == 128 + signal.Signals[number], run.errors()
    assert [path for path in tmp_path.rglob(".*") if path.name != ".lock"] == []
    assert "motionrep: interrupted; " in run.errors()
    assert "Traceback" not in run.errors()
    assert _arguments_told(run.errors()) == [*arguments, "--resume"]
    assert run.output() == ""


@pytest.mark.parametrize("line", [pytest.param("read ", marks=pytest.mark.slow), "epoch 1 of 2: "])
def test_the_command_that_is_told_after_an_interruption_goes_on(arguments, tmp_path, line):
    """Before the first epoch has ended, too: the run then begins again."""
    started = Forked(COMMAND, *arguments)
    started.wait_for(line)
    while not (tmp_path / "run" / "config.yaml").is_file():
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 130, started.errors()
    again = Forked(COMMAND, *_arguments_told(started.errors()))
    assert again.wait() == 0, again.errors()
    assert "epoch 2 of 2: " in again.errors()
    assert ("epoch 1 of 2: " in again.errors()) == (line == "read ")
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1


@pytest.mark.slow
def test_a_whole_process_is_interrupted(arguments):
    """To the end of its interpreter, which forked processes skip."""
    command = [sys.executable, "-m", "motionrep", "pretrain", *arguments[1:]]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    assert any("epoch 1 of 2: " in line for line in started.stderr)
    started.send_signal(signal.SIGTERM)
    errors = started.communicate(timeout=30)[1]
    assert started.returncode == 143, errors
    assert "motionrep: interrupted; " in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("before", "inside", "status"),
    [(MATRIX, SLOW_STEP, 130), ("", SWALLOWED_AND_LONG, 130), ("", SWALLOWED, -signal.SIGINT)],
    ids=["slow step", "swallowed and long", "swallowed"],  # the last: KeyboardInterrupt
)
def test_no_slow_step_and_no_handler_of_errors_keeps_a_run_from_ending(before, inside, status):
    """Once it took 77 s, the length of a step."""
    block = BLOCK.format(before=before, inside=inside)
    process = subprocess.Popen([sys.executable, "-c", block], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)  # what is inside takes at least a minute
    assert "go on with --resume" in errors
    assert "not reached" not in output
    assert process.returncode == status
