"""Reading a video as it was filmed: uneven frame times, a late start, a turned picture, sound."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrep.layouts import H36M_17
from motionrep.rendering import render
from motionrep.rendering.video.reading import SourceVideo, frames_at, open_source_video
from motionrep.rendering.video.sound import Sound
from motionrep.rendering.video.writing import write_video
from motionrep.types import JointMotion

av = pytest.importorskip("av")

UNEVEN_S = np.cumsum([0.5] + [0.04, 0.08, 0.04, 0.04] * 10)
BEEP_S = 1.0


def _filmed(path: Path, time_s: np.ndarray, sound: bool = True) -> Path:
    """A file with frames at the given times, whose grey value tells their number, and a beep from 1.0 to 1.1 s."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt, video.options = 64, 48, "yuv420p", {"g": "12"}
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("aac", rate=44100, layout="mono") if sound else None
        for index, at_s in enumerate(time_s):
            picture = np.full((48, 64, 3), 10 + 5 * index, np.uint8)
            picture[:24, :32] = (255, 0, 0)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode())
        if audio is not None:
            at = np.arange(int(44100 * (time_s[-1] + 0.1))) / 44100
            wave = (np.sin(2 * np.pi * 1000 * at) * ((at > BEEP_S) & (at < BEEP_S + 0.1)) * 0.8).astype(np.float32)
            for start in range(0, len(wave), 1024):
                frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def _beep_at_s(path: Path) -> float:
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray())
            if frame.format.is_packed:
                wave = wave.reshape(-1, frame.layout.nb_channels).T
            loud = np.flatnonzero(wave.max(0) > 0.2)
            if len(loud):
                return float(frame.time or 0) + loud[0] / frame.sample_rate
    raise AssertionError("no beep")


def _numbers(video: SourceVideo, wanted: list[int]) -> list[int]:
    return [round((int(picture[40, 50, 1]) - 10) / 5) for picture in video.pictures(wanted, 64, 48)]


def test_frame_times_are_those_of_the_file(tmp_path):
    video = open_source_video(_filmed(tmp_path / "clip.mp4", UNEVEN_S))
    assert np.abs(video.frame_time_s - UNEVEN_S).max() < 1e-3
    assert (video.width_px, video.height_px, video.has_sound) == (64, 48, True)
    assert abs(video.fps - 20) < 1e-6


def test_any_frame_is_found_also_after_a_seek_and_twice(tmp_path):
    video = open_source_video(_filmed(tmp_path / "clip.mp4", UNEVEN_S))
    for wanted in ([0, 1, 2], [30, 30, 31, 40], [13], list(range(41))):
        assert _numbers(video, wanted) == wanted


def test_a_motion_of_the_same_rate_keeps_to_the_frames_and_of_another_to_the_time(tmp_path):
    video = open_source_video(_filmed(tmp_path / "clip.mp4", UNEVEN_S, sound=False))
    assert np.array_equal(video.times_of_motion_s(10, 20.0, 5), video.frame_time_s[5:15])
    time_s = video.times_of_motion_s(8, 10.0, 4)
    assert np.allclose(time_s, 0.5 + 0.4 + np.arange(8) / 10)
    assert frames_at(video.frame_time_s, time_s).tolist() == [8, 10, 12, 14, 16, 18, 20, 22]
    with pytest.raises(ValueError, match="has 41 frames, the motion has frames 35 to 44"):
        video.times_of_motion_s(10, 20.0, 35)
    with pytest.raises(ValueError, match=r"ends at .* the motion \(50 frames at 10 fps\)"):
        video.times_of_motion_s(50, 10.0)


def test_times_rounded_to_milliseconds_do_not_repeat_or_drop_frames():
    exact_s = np.arange(300) / 30
    assert np.array_equal(frames_at(exact_s.round(3), exact_s), np.arange(300))
    assert np.array_equal(frames_at(exact_s, np.arange(600) / 60), np.arange(600) // 2)


def test_a_video_filmed_upright_is_shown_upright(tmp_path):
    """Phones store a landscape picture and say in the track's header how it is to be turned."""
    path = _filmed(tmp_path / "clip.mp4", np.arange(3) / 30, sound=False)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 4 + 36  # version and flags, then 36 bytes up to the matrix
    one = 1 << 16
    assert struct.unpack_from(">9i", content, matrix) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", content, matrix, 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)  # clockwise by 90 degrees
    path.write_bytes(content)
    video = open_source_video(path)
    assert (video.width_px, video.height_px) == (48, 64)
    picture = next(video.pictures([0], 24, 32)).astype(int)
    assert picture.shape == (32, 24, 3)
    red = picture[..., 0] - picture[..., 1] > 100  # was top left, is top right
    assert red[2:14, 14:22].all()
    assert not red[18:].any()
    assert not red[:, :10].any()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("start_s", [0.6, 0.0])
def test_sound_starts_with_the_clip(tmp_path, suffix, start_s):
    source = _filmed(tmp_path / "source.mp4", UNEVEN_S)
    grey = (np.full((48, 64, 3), 100, np.uint8) for _ in range(30))
    path = write_video(grey, tmp_path / f"clip{suffix}", 25, Sound(source, start_s))
    assert abs(_beep_at_s(path) - (BEEP_S - start_s)) < 0.003
    with av.open(str(path)) as container:
        assert abs(container.duration / 1e6 - 1.2) < 0.05


def test_a_rendered_motion_keeps_the_sound_and_the_uneven_times_of_its_video(tmp_path):
    """20 frames per second on average: the file's frames last 40 or 80 ms, and the clip starts at 0.5 s of the file."""
    source = _filmed(tmp_path / "source.mp4", UNEVEN_S)
    generator = torch.Generator().manual_seed(0)
    position_m = torch.rand(1, 17, 3, generator=generator).repeat(41, 1, 1) + torch.tensor([-0.5, -0.5, 3.0])
    motion = JointMotion(position_m, H36M_17, 20.0, "camera")
    path = render(motion, tmp_path / "clip.mp4", video=source, audio=True, views=["video"], fps=25, height_px=48,
                  titles=False)  # fmt: skip
    assert abs(_beep_at_s(path) - (BEEP_S - 0.5)) < 0.003
    shown = _numbers(open_source_video(path), list(range(11)))
    assert shown == [0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8]  # every fifth frame of 25 per second is the one that lasts 80 ms


def test_what_is_not_a_video_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mp4: no such file"):
        open_source_video(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("not a video at all")
    with pytest.raises(ValueError, match=r"text\.mp4 cannot be read as a video"):
        open_source_video(tmp_path / "text.mp4")
    with pytest.raises(ValueError, match=r"only \.mp4 and \.webm can have sound"):
        write_video(iter([]), tmp_path / "clip.gif", 25, Sound(tmp_path / "text.mp4", 0.0))


def test_a_title_that_is_no_text_does_not_matter(tmp_path):
    """Cameras and editors write titles in other encodings; PyAV refused the whole file."""
    path = write_video([np.zeros((48, 64, 3), np.uint8)] * 3, tmp_path / "titled.mp4", 30)
    content = path.read_bytes()
    assert content.count(b"Lavf") == 1
    path.write_bytes(content.replace(b"Lavf", b"\xcd\xe4\xff\xcd"))
    video = open_source_video(path)
    assert len(list(video.pictures(range(3), 64, 48))) == 3
