"""A motion file is one reader and one line, or one writer and one line: here plug-ins in a package of their own."""

import numpy as np
import pytest
import torch
from paths import WALK_BVH

import motionrep
from motionrep.cli.main import main
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.files import kinds
from motionrep.files.kinds import Kind
from motionrep.motion.writers import table
from motionrep.motion.writers.table import Writer

READER = """
import numpy as np

from motionrep.motion.tracks import TrackArrays, TrackAxes, checked_track


def read(contents, options):
    poses = np.loadtxt(contents.path, skiprows=1, ndmin=2)
    arrays = TrackArrays(poses[:, 3:], poses[:, :3], np.zeros(10))
    return [checked_track(contents.path, "0", arrays, "smpl", options.fps or 50.0, TrackAxes("world", "own"))]
"""
WRITER = """
from motionrep.files.writing import written_beside
from motionrep.motion.writers.scene import figure_of


def write(scene, path):
    (person,) = scene.people
    figure = figure_of(person, scene)
    lines = [" ".join(f"{number:.6f}" for number in row) for row in figure.root_position.tolist()]
    with written_beside(path) as beside:
        beside.write_text("\\n".join(lines))
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "plugin_motions"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "reader.py").write_text(READER)
    (folder / "writer.py").write_text(WRITER)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def poses_file(tmp_path):
    """Four frames of somebody upright who moves along x."""
    rows = np.zeros((4, 75))
    rows[:, 0] = np.arange(4) * 0.1
    path = tmp_path / "clips" / "walk.poses"
    path.parent.mkdir()
    np.savetxt(path, rows, header="POSES", comments="")
    return path


@pytest.mark.usefixtures("package")
def test_a_new_kind_of_motion_file_is_read_everywhere(poses_file, tmp_path, monkeypatch, capsys):
    with pytest.raises(
        ValueError, match=r"walk\.poses: is a \.poses file, not a motion of a kind that motionrep reads"
    ):
        motionrep.load_motion(poses_file)
    line = Kind(
        "poses", "motion", "plugin_motions.reader", lambda file: file.path.suffix == ".poses", (".poses",),
        takes_fps=True,
    )  # fmt: skip
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, line))
    motion = motionrep.load_motion(poses_file)
    assert (motion.frame_count, motion.fps, motion.body_model) == (4, 50.0, "open")
    assert motion.translation_m[:, 0].diff().tolist() == pytest.approx([0.1] * 3, abs=1e-5)
    with pytest.raises(ValueError, match=r"walk\.poses: holds a motion \(poses\)"):
        motionrep.load_keypoints(poses_file, size_px=(640, 480))
    assert [clip.name for clip in load_motion_folder(poses_file.parent)] == ["walk.poses"]
    output = tmp_path / "walk.npz"
    assert main(["convert", str(poses_file), "--fps", "25", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: 4 frames at 25 fps\n"
    assert torch.equal(motionrep.load_motion(output).local_rotmat, motion.local_rotmat)


@pytest.mark.usefixtures("package")
def test_a_new_writer_is_offered_by_the_command_and_used(tmp_path, monkeypatch, capsys):
    path = tmp_path / "path.xyz"
    assert main(["export", str(WALK_BVH), "--output", str(path)]) == 2
    assert "path.xyz: unknown kind of file '.xyz'; motion is exported to .glb, .bvh" in capsys.readouterr().err
    monkeypatch.setitem(table.WRITERS, ".xyz", Writer("path of the pelvis", "plugin_motions.writer", units=("cm",)))
    assert main(["export", str(WALK_BVH), "--output", str(path), "--unit", "cm"]) == 0
    assert np.loadtxt(path).shape == (60, 3)
    assert main(["export", str(WALK_BVH), "--output", str(path)]) == 2
    assert "path of the pelvis is always in cm; leave out unit='m'" in capsys.readouterr().err
    assert main(["export", str(WALK_BVH), str(WALK_BVH), "--output", str(path)]) == 2
    assert ".xyz holds one person, got 2; use .glb" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert ".xyz" in capsys.readouterr().out
