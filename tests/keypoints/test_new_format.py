"""A keypoint format is one file and one line: here a plug-in in a package of its own."""

import pytest
import torch

import motionrep
from motionrep.cli.main import main
from motionrep.files import kinds
from motionrep.files.kinds import Kind

PLUGIN = """
from motionrep.keypoints.records import Row, checked_detections
from motionrep.layouts import COCO_17


def read(contents, options):
    rows = []
    for line in contents.path.read_text().splitlines()[1:]:
        frame, person, *numbers = line.split(",")
        rows.append(Row(int(frame), [float(number) for number in numbers], None, person))
    return checked_detections(rows, None, {17: COCO_17}, options, contents.path)
"""


@pytest.fixture
def csv_format(tmp_path, monkeypatch):
    package = tmp_path / "plugin_formats"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "table.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    line = Kind(
        "table of keypoints", "keypoints", "plugin_formats.table", lambda file: file.path.suffix == ".csv", (".csv",),
        takes_fps=True, needs_size=True,
    )  # fmt: skip
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, line))


@pytest.fixture
def table(tmp_path):
    rows = [f"{frame},{person}," + ",".join(["50,60,0.5"] * 17) for frame in (3, 4, 6) for person in ("a", "b")]
    path = tmp_path / "clip.csv"
    path.write_text("frame,person,x,y,c\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.usefixtures("csv_format")
def test_a_new_format_is_read_checked_and_converted(table, tmp_path, capsys):
    clips = motionrep.load_keypoints(table, size_px=(640, 480), fps=25.0)
    assert [(clip.person, clip.first_frame, clip.frame_count) for clip in clips] == [("a", 3, 4), ("b", 3, 4)]
    assert clips[0].confidence[:, 0].tolist() == [0.5, 0.5, 0.0, 0.5]
    assert torch.equal(clips[1].xy_px[0, 0], torch.tensor([50.0, 60.0]))
    with pytest.raises(ValueError, match=r"clip\.csv: does not say how large the image is"):
        motionrep.load_keypoints(table)
    with pytest.raises(ValueError, match=r"clip\.csv: holds keypoints \(table of keypoints\); .* motionrep predict"):
        motionrep.load_motion(table)
    assert main(["convert", str(table), "--size", "640x480", "--output", str(tmp_path / "clip.npz")]) == 0
    assert "2 person(s), 4 frames at 30 fps" in capsys.readouterr().out


def test_without_its_line_the_format_is_unknown(table):
    with pytest.raises(
        ValueError,
        match=r"clip\.csv: is a \.csv file with the columns 'frame', .*, not keypoints of a kind that motionrep reads",
    ):
        motionrep.load_keypoints(table, size_px=(640, 480))
