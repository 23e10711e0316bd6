"""`motionrep render` on the command line: several motions, a video, a reference."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import motionrep
from motionrep.cli.commands.render import _labels
from motionrep.cli.main import main
from motionrep.layouts import H36M_17
from motionrep.rendering import write_video

pytest.importorskip("av")
SMALL = ("--height", "48", "--supersample", "1", "--no-titles")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A folder with a.npz and b.npz, joints in camera axes at 25 fps, and video.mp4 of the same three frames."""
    generator = torch.Generator().manual_seed(0)
    position_m = torch.rand(3, 17, 3, generator=generator) + torch.tensor([-0.5, -0.5, 3.0])
    for name, shift_m in (("a", 0.0), ("b", 0.1)):
        motion = motionrep.JointMotion(position_m + shift_m, H36M_17, 25.0, "camera")
        motionrep.save_motion(motion, tmp_path / f"{name}.npz")
    write_video((np.full((48, 64, 3), 90, np.uint8) for _ in range(3)), tmp_path / "video.mp4", 25)
    return tmp_path


def run(*arguments: object) -> int:
    return main(["render", *map(str, arguments)])


def test_two_motions_on_a_video_with_a_legend(clip: Path) -> None:
    status = run(clip / "a.npz", clip / "b.npz", "--video", clip / "video.mp4", "--views", "video", "overlay",
                 "--names", "a", "b", "--output", clip / "frames", *SMALL)  # fmt: skip
    assert status == 0
    pictures = sorted((clip / "frames").glob("*.png"))
    assert len(pictures) == 3
    with Image.open(pictures[0]) as image:
        assert image.size == (64 + 2 + 64, 48 + 24)


def test_errors_labels_size_and_rate(clip: Path) -> None:
    segments = [{"start_s": 0.0, "end_s": 1.0, "label": "walk", "probability": 0.5}]
    (clip / "labels.json").write_text(json.dumps({"over_time": {"segments": segments}}))
    status = run(clip / "a.npz", "--compare", clip / "b.npz", "--labels", clip / "labels.json", "--views", "side",
                 "--width", 30, "--output-fps", 50, "--output", clip / "frames", *SMALL)  # fmt: skip
    assert status == 0
    pictures = sorted((clip / "frames").glob("*.png"))
    assert len(pictures) == 6
    with Image.open(pictures[0]) as image:
        assert image.size == (30, 48 + 24 + 32)


def test_labels_count_from_the_first_motion(tmp_path: Path) -> None:
    segments = [{"start_s": 0.0, "end_s": 1.0, "label": "walk", "probability": 0.5}]
    content = {"first_frame": 60, "fps": 30.0, "over_time": {"segments": segments}}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert _labels(tmp_path / "labels.json", 0.5) == [(1.5, 2.5, "walk", 0.5)]


def test_the_video_knows_how_large_the_picture_is(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [
        {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": [30.0, 20.0, 0.9] * 17, "score": 1.0, "idx": 1}
        for frame in range(3)
    ]
    (clip / "seen.json").write_text(json.dumps(entries))
    given = (clip / "a.npz", "--keypoints", clip / "seen.json", "--video", clip / "video.mp4", "--fps", 25)
    assert run(*given, "--output", clip / "frames", *SMALL) == 0
    converted = ["convert", str(clip / "seen.json"), "--output", str(clip / "seen.npz"), "--size"]
    assert main([*converted, str(clip / "video.mp4")]) == 0
    (keypoints,) = motionrep.load_keypoints(clip / "seen.npz")
    assert (keypoints.width_px, keypoints.height_px) == (64, 48)
    motionrep.save_keypoints([keypoints, keypoints], clip / "two.npz")
    assert run(clip / "a.npz", "--keypoints", clip / "two.npz", "--output", clip / "frames", *SMALL) == 2
    assert "two.npz: holds 2 persons; pass --person, the number of the one in" in capsys.readouterr().err
    assert main([*converted, str(clip / "a.npz")]) == 2
    assert "a.npz cannot be read as a video" in capsys.readouterr().err


def test_bad_input_is_one_line(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        ((clip / "a.npz", "--output", clip / "o.mp4", "--background", "transparent"), ".mp4 cannot be transparent"),
        ((clip / "a.npz", "--output", clip / "o.mp4", "--video", clip / "video.mp4", "--audio"), "has no sound"),
        ((clip / "a.npz", "--output", clip / "o.mp4", "--video", clip / "none.mp4"), "none.mp4: no such file"),
        ((clip / "a.npz", "--output", clip / "video.mp4", "--video", clip / "video.mp4"), "is the source video and"),
        ((clip / "a.npz", "--output", clip / "o.mp4", "--labels", clip / "a.npz"), "a.npz: not valid JSON"),
        ((clip / "a.npz", "--output", clip / "o.mp4", "--compare", clip / "none.npz"), "none.npz: no such file"),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (clip / "o.mp4").exists()
