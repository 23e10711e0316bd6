"""What the command line says about keypoint files: size and rate of a video, order of the frames."""

import numpy as np
import pytest
from keypoint_files import alphapose, moved, person, written

from motionrep.cli.main import main
from motionrep.keypoints import load_keypoints
from motionrep.rendering import write_video

pytest.importorskip("av")


@pytest.fixture
def video(tmp_path):
    write_video((np.full((48, 64, 3), 90, np.uint8) for _ in range(12)), tmp_path / "video60.mp4", 60)
    return tmp_path / "video60.mp4"


def converted(tmp_path, *options, times=(0, 1, 2)):
    """The clip that motionrep convert makes of a person at these times, or None where it refuses."""
    small = person(17, x=130, y=100) * [0.2, 0.2, 1]
    path = written(tmp_path, [alphapose(f"{t}.jpg", moved(small, i), 1) for i, t in enumerate(times)])
    given = [str(path), "--layout", "coco_17", "--output", str(tmp_path / "c.npz"), *map(str, options)]
    return load_keypoints(tmp_path / "c.npz")[0] if main(["convert", *given]) == 0 else None


def test_the_video_given_as_size_says_the_rate_as_well(tmp_path, video, caplog):
    """Results of a video of 60 frames per second once ran half as fast as life."""
    clip = converted(tmp_path, "--size", video)
    assert clip is not None
    assert (clip.fps, clip.width_px, clip.height_px) == (60, 64, 48)
    assert "frame rate" not in caplog.text


@pytest.mark.parametrize("before", [True, False])
def test_a_given_rate_wins_and_is_compared(tmp_path, video, caplog, before):
    rate, size = ("--fps", 30), ("--size", video)
    clip = converted(tmp_path, *(rate + size if before else size + rate))
    assert clip is not None
    assert clip.fps == 30
    assert "video60.mp4 has 60 frames per second, but --fps 30 was given and is used" in caplog.text


def test_frames_are_counted_in_the_files_order_where_that_is_asked(tmp_path, capsys):
    times_ms = (0, 33, 67, 100)
    assert converted(tmp_path, "--size", "64x48", times=times_ms) is None
    assert "--frame-order file" in capsys.readouterr().err
    clip = converted(tmp_path, "--size", "64x48", "--frame-order", "file", times=times_ms)
    assert clip is not None
    assert clip.frame_count == 4
