"""Progress bars, on a terminal and elsewhere."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from paths import WALK_BVH

from motionrep.datasets.authored.motions import authored_motion
from motionrep.files.progress import duration, progress_bar
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion


def _on_a_terminal(*arguments) -> str:
    """What a command writes on the standard error, when that is a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    command = [sys.executable, "-m", "motionrep", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so that the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


def test_an_export_of_many_files_shows_how_far_it_is(tmp_path):
    bar = _on_a_terminal("export", WALK_BVH, "--fps", 5, "--output", tmp_path / "walk.obj")
    assert "meshes:   0%" in bar
    assert "frame/s" in bar


def test_a_fit_shows_how_far_it_is(tmp_path):
    save_motion(authored_motion("walk", seconds=0.3).joints(H36M_17), tmp_path / "joints.npz")
    bar = _on_a_terminal("fit", tmp_path / "joints.npz", "--output", tmp_path / "body.npz")
    assert "fit:   0%" in bar


@pytest.mark.parametrize("shown", [True, False])
def test_nothing_is_drawn_elsewhere(shown, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.StringIO())
        assert list(progress_bar(range(3), "work", "piece", shown)) == [0, 1, 2]
        assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (89, "89 s"), (720, "12 min"), (12000, "3 h 20 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
