"""What killed writers leave, and who removes it."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from motionrep.files import leftovers
from motionrep.files.leftovers import clear_leftovers, free_name
from motionrep.files.writing import temporary_beside, written_beside

# Writes half a file or folder, says so, and waits for the end.
WRITER = """
import sys, time
from pathlib import Path
from motionrep.files.writing import written_beside

path, what = Path(sys.argv[1]), sys.argv[2]
with written_beside(path) as beside:
    if what == "folder":
        beside.mkdir()
        (beside / "part").write_text("half")
    else:
        beside.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def _writer(path, what="file"):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), what], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def _kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("what", ["file", "folder"])
def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_of_a_living_one(tmp_path, what):
    killed, living = _writer(tmp_path / "clip.mp4", what), _writer(tmp_path / "clip.mp4", what)
    _kill(killed)
    left = _names(tmp_path)
    assert len(left) == 2
    mine = tmp_path / ".mine.motionrep-new.mp4"
    mine.write_text("of a user")
    with written_beside(tmp_path / "other.json") as beside:
        beside.write_text("{}")
    kept = _names(tmp_path)
    assert mine.name in kept
    assert "other.json" in kept
    assert len(set(left) & set(kept)) == 1
    _kill(living)
    clear_leftovers(tmp_path)
    assert _names(tmp_path) == [mine.name, "other.json"]


@pytest.mark.parametrize("gap_s", [0.0, 3600.0 * 23, 3600.0 * 25], ids=["now", "23 hours", "25 hours"])
def test_a_writer_of_another_machine_is_given_a_day(tmp_path, monkeypatch, gap_s):
    """Its process id says nothing here, whether a process of that number lives or not."""
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    leftovers._place.cache_clear()
    path = free_name(tmp_path / "clip.npz")
    monkeypatch.undo()
    leftovers._place.cache_clear()
    path.write_text("half")
    then_s = time.time() - gap_s
    os.utime(path, (then_s, then_s))
    clear_leftovers(tmp_path)
    assert _names(tmp_path) == ([] if gap_s > 86400 else [path.name])


def test_a_folder_that_was_moved_aside_when_its_writer_was_killed_comes_back(tmp_path):
    """Between two renames an older result stands only under a temporary name."""
    process = _writer(tmp_path / "other")
    _kill(process)
    aside = _names(tmp_path)[0].replace("other.motionrep-new", "weights.v1.motionrep-old")
    (tmp_path / aside).mkdir()
    (tmp_path / aside / "part").write_text("whole")
    clear_leftovers(tmp_path)
    assert _names(tmp_path) == ["weights.v1"]
    assert (tmp_path / "weights.v1" / "part").read_text() == "whole"
    (tmp_path / "weights.v1" / "part").write_text("newer")
    (tmp_path / aside).mkdir()
    clear_leftovers(tmp_path)
    assert _names(tmp_path) == ["weights.v1"]
    assert (tmp_path / "weights.v1" / "part").read_text() == "newer"


def test_long_names_have_room_for_the_mark(tmp_path):
    path = tmp_path / ("ä" * 120 + ".json")
    with written_beside(path) as beside:
        beside.write_text("{}")
    assert _names(tmp_path) == [path.name]


def test_it_is_told_that_an_older_result_was_replaced(tmp_path, caplog):
    caplog.set_level("INFO")
    for told in (True, True, False):
        with written_beside(tmp_path / "clip.json", told) as beside:
            beside.write_text("{}")
    assert caplog.messages == [f"{tmp_path / 'clip.json'}: replaced an older one"]


def test_folders_that_were_made_for_a_result_go_with_it(tmp_path):
    with pytest.raises(KeyError), written_beside(tmp_path / "new" / "er" / "clip.json"):
        raise KeyError
    assert _names(tmp_path) == []
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyError), written_beside(tmp_path / "old" / "clip.json"):
        raise KeyError
    assert _names(tmp_path) == ["old"]


def test_a_temporary_folder_disappears_with_its_block(tmp_path):
    with temporary_beside(tmp_path / "walk.obj") as folder:
        folder.mkdir()
        (folder / "walk_000000.obj").write_text("mesh")
    assert _names(tmp_path) == []
