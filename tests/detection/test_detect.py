"""From a video file to keypoints: `motionrep.detect`, and what is said about files that are no good."""

import logging
import os
import signal
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from filmed_people import film
from PIL import Image

import motionrep
from motionrep.cli.main import main
from motionrep.detection.pictures import even_frames, open_pictures
from motionrep.layouts import COCO_17, H36M_17, MEDIAPIPE_33
from motionrep.rendering.video.writing import write_video
from motionrep.types import JointMotion

av = pytest.importorskip("av")
FAST = "blazepose-full"


@pytest.fixture(scope="module")
def walk():
    return film(("walk",), seconds=1.0, fps=12.0)


def _filmed(path: Path, pictures: list[np.ndarray], time_s: np.ndarray) -> Path:
    """A video with pictures at given times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        for picture, at_s in zip(pictures, time_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_video_gives_keypoints_near_the_truth(walk, tmp_path):
    (clip,) = motionrep.detect(write_video(walk.pictures, tmp_path / "walk.mp4", 12), FAST)
    assert (clip.layout, clip.fps, clip.first_frame, clip.frame_count) == (MEDIAPIPE_33, 12, 0, 12)
    assert walk.errors_px(0, clip.xy_px).mean() < 3


def test_a_folder_of_images_and_an_image_are_as_the_video(walk, tmp_path):
    for number, picture in enumerate(walk.pictures[:4]):
        Image.fromarray(picture).save(tmp_path / f"{number:03d}.png")
    (clip,) = motionrep.detect(tmp_path, FAST, fps=12)
    assert (clip.frame_count, clip.fps) == (4, 12)
    assert walk.errors_px(0, torch.cat([clip.xy_px, clip.xy_px[:1].repeat(8, 1, 1)]))[:4].mean() < 3
    (still,) = motionrep.detect(tmp_path / "000.png", FAST)
    assert still.frame_count == 1
    assert still.xy_px[0].allclose(clip.xy_px[0], atol=3)
    path = motionrep.render(
        JointMotion(torch.zeros(4, 17, 3), H36M_17, 12.0, "root"), tmp_path / "overlay.mp4", keypoints=clip,
        video=tmp_path, views=["video"], height_px=240, titles=False,
    )  # fmt: skip
    shown = open_pictures(path)
    assert shown.count == 4
    assert np.abs(next(shown.pictures())[:60, :60].astype(int) - walk.pictures[0][:60, :60]).mean() < 5
    Image.fromarray(walk.pictures[0][:100]).save(tmp_path / "004.png")
    with pytest.raises(ValueError, match=r"004\.png: is 320 x 100 px, 000\.png is 320 x 240 px"):
        motionrep.detect(tmp_path, FAST)


def test_unevenly_spaced_frames_become_an_even_rate(walk, tmp_path, caplog):
    """Every fourth frame is missing. The clip's frames are at their true times all the same."""
    kept = [i for i in range(12) if i % 4 != 3]
    path = _filmed(tmp_path / "uneven.mp4", [walk.pictures[i] for i in kept], np.array(kept) / 10)
    with caplog.at_level(logging.WARNING, "motionrep"):
        (clip,) = motionrep.detect(path, FAST)
    assert clip.fps == pytest.approx(10, rel=0.01)
    assert clip.frame_count == 11
    assert "unevenly spaced" in caplog.text
    there = [i for i in range(11) if i in kept]
    truth_px = walk.truth_px[0][there][:, 11:29]
    assert np.linalg.norm(clip.xy_px.numpy()[there][:, 11:29] - truth_px, axis=-1).mean() < 4


def test_an_even_rate_with_rounded_times_is_left_alone():
    time_s = np.round(np.arange(300) / 29.97, 3) + 0.5
    fps, numbers = even_frames(time_s)
    assert numbers is None
    assert fps == pytest.approx(29.97, rel=1e-4)
    assert even_frames(np.array([0.2])) == (30.0, None)


@pytest.mark.parametrize("seed", range(5))
def test_each_frame_of_an_even_rate_is_the_nearest(seed):
    rng = np.random.default_rng(seed)
    time_s = np.cumsum(rng.choice([1 / 30, 1 / 15, 0.2], 60, p=[0.7, 0.2, 0.1]))
    fps, numbers = even_frames(time_s)
    assert numbers is not None
    shown_s = time_s[0] + np.arange(len(numbers)) / fps
    nearest_s = np.abs(shown_s[:, None] - time_s).min(1)
    assert np.abs(time_s[numbers] - shown_s) == pytest.approx(nearest_s)
    assert shown_s[-1] > time_s[-1] - 1 / fps


def test_the_picture_of_a_very_large_video_is_looked_at_in_a_smaller_size(walk, tmp_path):
    Image.fromarray(walk.pictures[0]).resize((2560, 1920)).save(tmp_path / "large.png")
    source = open_pictures(tmp_path / "large.png")
    assert source.shown_px == (1920, 1440)
    assert next(source.pictures()).shape == (1440, 1920, 3)
    (clip,) = motionrep.detect(tmp_path / "large.png", FAST)
    assert (clip.width_px, clip.height_px) == (2560, 1920)
    assert np.linalg.norm(clip.xy_px.numpy()[0, 11:29] / 8 - walk.truth_px[0, 0, 11:29], axis=-1).mean() < 4


def _grey(path: Path) -> None:
    write_video([np.full((48, 64, 3), 128, np.uint8)] * 5, path, 30)


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _cut_short(path: Path) -> None:
    write_video([np.random.default_rng(i).integers(0, 255, (96, 96, 3), np.uint8) for i in range(20)], path, 30)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


BAD = {
    "grey": (_grey, "nobody was found in any of its 5 frames"),
    "sound": (_sound_only, "holds no pictures"),
    "cut": (_cut_short, "cannot be decoded beyond"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as a video"),
    "text": (lambda path: path.write_text("no video"), "cannot be read as a video"),
    "missing": (lambda path: None, "no such"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_good_is_one_sentence(name, tmp_path, capsys):
    make, message = BAD[name]
    path = tmp_path / f"{name}.mp4"
    make(path)
    assert main(["detect", str(path), "--detector", FAST, "--output", str(tmp_path / "clip.npz")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"motionrep: {path}")
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "clip.npz").exists()


def test_a_folder_without_images_and_an_unknown_detector_are_named(tmp_path):
    with pytest.raises(ValueError, match="a folder without images"):
        motionrep.detect(tmp_path)
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="unknown detector 'blazpose'; did you mean 'blazepose'"):
        motionrep.detect(tmp_path, "blazpose")


def test_the_command_writes_npz_and_alphapose(walk, tmp_path, capsys):
    write_video(walk.pictures, tmp_path / "walk.mp4", 12)
    arguments = ["detect", str(tmp_path / "walk.mp4"), "--detector", FAST, "--output"]
    assert main([*arguments, str(tmp_path / "walk.npz")]) == 0
    assert "walk.npz: 1 person(s), 12 frames at 12 fps" in capsys.readouterr().out
    assert main([*arguments, str(tmp_path / "walk.json")]) == 0
    (clip,) = motionrep.load_keypoints(tmp_path / "walk.npz")
    (coco,) = motionrep.load_keypoints(tmp_path / "walk.json", size_px=(320, 240), fps=12)
    assert (clip.layout, coco.layout) == (MEDIAPIPE_33, COCO_17)
    joint = "left_knee"
    expected = clip.xy_px[:, MEDIAPIPE_33.index(joint)]
    assert coco.xy_px[:, COCO_17.index(joint)].allclose(expected, atol=0.01)


def test_ctrl_c_leaves_nothing_behind(walk, tmp_path, capsys, ctrl_c):
    video = write_video(walk.pictures * 25, tmp_path / "walk.mp4", 12)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert main(["detect", str(video), "--detector", FAST, "--output", str(tmp_path / "walk.npz")]) == 130
    assert capsys.readouterr().err.strip() == "motionrep: interrupted"
    assert list(tmp_path.iterdir()) == [video]


def test_several_videos_fill_a_folder_and_are_not_looked_at_again(walk, tmp_path, caplog):
    for name in ("a", "b"):
        write_video(walk.pictures[:2], tmp_path / f"{name}.mp4", 12)
    videos = [str(tmp_path / f"{name}.mp4") for name in ("a", "b")]
    assert main(["detect", *videos, "--detector", FAST, "--output", str(tmp_path / "found")]) == 0
    found = sorted((tmp_path / "found").iterdir())
    assert [path.name for path in found] == ["a.npz", "b.npz"]
    caplog.set_level("INFO", "motionrep")
    written = [path.stat().st_mtime_ns for path in found]
    assert main(["detect", *videos, "--detector", FAST, "--output", str(tmp_path / "found")]) == 0
    assert caplog.text.count("from an earlier run; delete the file to detect anew") == 2
    assert [path.stat().st_mtime_ns for path in found] == written
