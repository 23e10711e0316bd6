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
import torch
from paths import WALK_BVH

from motionrep.datasets.authored.motions import authored_motion
from motionrep.embedding.tables import write_embeddings
from motionrep.files.progress import duration, progress_bar
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.types import Keypoints, MotionEmbedding


def _on_a_terminal(*arguments, code: str | None = None) -> str:
    """What a command, or Python code, writes on the standard error, when that is a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    command = [sys.executable, *(["-m", "motionrep", *map(str, arguments)] if code is None else ["-c", code])]
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


@pytest.mark.parametrize(("suffix", "bar"), [(".bvh", "BVH:   0%"), (".glb", "GLB, person 0:   0%")])
def test_an_export_to_one_file_shows_how_far_it_is(tmp_path, suffix, bar):
    assert bar in _on_a_terminal("export", WALK_BVH, "--fps", 5, "--output", tmp_path / f"walk{suffix}")


def test_a_map_shows_how_far_it_is(tmp_path):
    """t-SNE of many rows takes minutes, in which nothing was said."""
    for package in ("pyarrow", "matplotlib", "sklearn"):
        pytest.importorskip(package, reason="needs the extras tables, report and train")
    values = torch.rand(12, 17, 4, generator=torch.Generator().manual_seed(0))
    clip = Keypoints(torch.zeros(12, 17, 2), torch.ones(12, 17), H36M_17, 30.0, 640, 480)
    write_embeddings([MotionEmbedding(values, clip, "tiny")], tmp_path / "e.parquet", "frame", ["a"])
    bar = _on_a_terminal("plot", tmp_path / "e.parquet", "--label", "frame", "--output", tmp_path / "map.png")
    assert "t-SNE:   0%" in bar
    assert "/1000" in bar
    assert "[t-SNE]" not in bar


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


def test_bars_leave_the_terminal_where_a_command_ends_early():
    """The last line was glued to the bar, as in "detect: 28%|...motionrep: interrupted"."""
    code = (
        "from motionrep.files.progress import close_bars, progress_bar\n"
        "bar = iter(progress_bar(range(9), 'work', 'piece'))\nnext(bar)\nclose_bars()\n"
        "import sys; print('ended', file=sys.stderr)"
    )
    written = _on_a_terminal(code=code)
    assert "work:   0%" in written
    assert written.rstrip().rsplit("\r", 1)[-1] == "ended"
