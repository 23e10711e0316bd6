"""Ctrl-C, SIGTERM and a closed terminal in the middle of commands, and what they leave."""

import os
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
from filmed_people import film
from paths import WALK_BVH

from motionrep.cli.main import main
from motionrep.files.stopping import stoppable
from motionrep.motion.saving import save_motion
from motionrep.rendering.video.writing import write_video

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SIZE = ["--size", "1920x1080"]
COMMANDS = {
    "convert": ["convert", "{clip}", *SIZE, "--output", "{out}/clip.npz"],
    "embed": ["embed", "{clip}", *SIZE, "--encoder", "{tiny}/encoder", "--output", "{out}/clip.parquet"],
    "predict": [
        "predict", "{clip}", *SIZE, "--head", "{tiny}/mesh", "--encoder", "{tiny}/encoder", "--output", "{out}",
    ],
    "render": ["render", "{motion}", "--output", "{out}/walk.gif", "--height", "64"],
    "fit": ["fit", "{joints}", "--output", "{out}/fit.npz"],
    "export": ["export", "{motion}", "--output", "{out}/walk.glb"],
    "export meshes": ["export", "{motion}", "--output", "{out}/walk.obj"],
    "export network": ["export", "{tiny}/encoder", "--output", "{out}/network.onnx"],
    "view": ["view", "{motion}", "--save", "{out}/walk.html"],
    "report": [
        "report", "{clip}", *SIZE, "--head", "{tiny}/mesh", "--encoder", "{tiny}/encoder", "--action", "none",
        "--output", "{out}/clip.html",
    ],
    "plot": ["plot", "{table}", "--label", "frame", "--output", "{out}/map.png"],
    "detect": ["detect", "{video}", "--detector", "blazepose-full", "--output", "{out}/clip.json"],
    "evaluate": [
        "evaluate", "--data", "{data}", "--views", "1", "--head", "{tiny}/pose3d", "--encoder", "{tiny}/encoder",
        "--output", "{out}/metrics.json",
    ],
}  # fmt: skip
OLDER = {"predict": "clip_0.npz", "export meshes": "walk_000000.obj"}  # where it is not the name of --output
# Commands take the signals by turns, since a signal ends all of them in the same place.
STOPPED = [*((command, number) for command in ("convert", "predict") for number in STATUS)] + [
    (command, number) for command, number in zip(COMMANDS, cycle(STATUS)) if command not in ("convert", "predict")
]


@pytest.fixture(scope="module")
def given(tiny, tmp_path_factory):
    """Places in the arguments of COMMANDS."""
    from motionrep.datasets.authored.motions import authored_motion

    folder = tmp_path_factory.mktemp("given")
    walk = authored_motion("walk", seconds=0.2)
    save_motion(walk, folder / "walk.npz")
    save_motion(walk.joints(), folder / "joints.npz")
    save_motion(authored_motion("walk", seconds=1.0), folder / "data" / "unseen.npz")  # of the split "val"
    table = ["embed", str(tiny / "clip.json"), *SIZE, "--encoder", str(tiny / "encoder"), "--output"]
    assert main([*table, str(folder / "clip.parquet")]) == 0
    write_video(film(("walk",), seconds=0.4, fps=10.0).pictures, folder / "walk.mp4", 10.0)
    paths = {"motion": "walk.npz", "joints": "joints.npz", "table": "clip.parquet", "video": "walk.mp4", "data": "data"}
    return {"tiny": tiny, "clip": tiny / "clip.json", **{name: folder / path for name, path in paths.items()}}


@pytest.fixture(autouse=True)
def listening():
    """Shells start background jobs with signals ignored, and tests inherit it."""
    earlier = {number: signal.getsignal(number) for number in STATUS}
    for number in STATUS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


def _interrupts(monkeypatch, method, number):
    """The signal comes in the middle of a method of Path that commands call while they read or write."""
    whole = getattr(Path, method)

    def signalled(self, *arguments, **options):
        os.kill(os.getpid(), number)
        return whole(self, *arguments, **options)

    monkeypatch.setattr(Path, method, signalled)


@pytest.mark.parametrize(("command", "number"), STOPPED, ids=lambda it: getattr(it, "name", it))
def test_a_command_that_is_stopped_while_it_writes_says_so_and_leaves_what_was_there(
    given, tmp_path, monkeypatch, capsys, command, number
):
    out = tmp_path / "out"
    out.mkdir()
    arguments = [argument.format(**given, out=out) for argument in COMMANDS[command]]
    older = out / OLDER.get(command, Path(arguments[-1]).name)
    older.write_bytes(b"older")
    handlers = [signal.getsignal(one) for one in STATUS]
    _interrupts(monkeypatch, "replace", number)
    assert main(arguments) == STATUS[number], capsys.readouterr().err
    assert list(out.iterdir()) == [older]
    assert older.read_bytes() == b"older"
    assert capsys.readouterr().err.splitlines()[-1].startswith("motionrep: ")
    assert [signal.getsignal(one) for one in STATUS] == handlers


def test_a_command_that_is_stopped_leaves_no_folder_that_it_made(given, tmp_path, monkeypatch):
    arguments = [argument.format(**given, out=tmp_path / "new" / "out") for argument in COMMANDS["convert"]]
    _interrupts(monkeypatch, "replace", signal.SIGINT)
    assert main(arguments) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_says_it_is_broken_when_it_is_interrupted_does_not_hide_it(tmp_path, monkeypatch, capsys):
    """An extension that is interrupted while it is imported says ImportError."""

    def broken(_self, *_arguments, **_options):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt as stop:
            raise ImportError("the extension is broken") from stop

    monkeypatch.setattr(Path, "replace", broken)
    assert main(["convert", str(WALK_BVH), "--output", str(tmp_path / "walk.npz")]) == 130
    assert "broken" not in capsys.readouterr().err


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch):
    """As after nohup."""
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_ctrl_c_ends_the_command_quietly_while_it_is_still_imported():
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "motionrep.cli.options":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from motionrep.__main__ import run
sys.exit(run())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "motionrep: interrupted\n")
