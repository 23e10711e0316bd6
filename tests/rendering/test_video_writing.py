import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from motionrep.rendering.video.writing import write_video


def _ramp(count: int, height: int = 48, width: int = 64):
    """Frames whose grey value tells their index."""
    for index in range(count):
        yield np.full((height, width, 3), 10 + 5 * index, np.uint8)


def _left_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("fps", [30.0, 29.97, 12.5])
def test_mp4_holds_every_frame_at_its_speed_and_size(tmp_path, fps):
    av = pytest.importorskip("av")
    path = write_video(_ramp(12), tmp_path / "clip.mp4", fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert abs(float(stream.average_rate) - fps) < 1e-3
        assert (stream.width, stream.height) == (64, 48)
        grey = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.abs(np.array(grey) - (10 + 5 * np.arange(12))).max() < 3
    assert _left_in(tmp_path) == ["clip.mp4"]


def test_mp4_pads_odd_sizes_to_even(tmp_path):
    av = pytest.importorskip("av")
    path = write_video(_ramp(3, 47, 63), tmp_path / "clip.mp4", 25)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (64, 48)
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - 10).max() < 3


def test_mp4_begins_with_its_index(tmp_path):
    """So that a browser can play it while it loads."""
    pytest.importorskip("av")
    written = write_video(_ramp(5), tmp_path / "clip.mp4", 25).read_bytes()
    assert written.index(b"moov") < written.index(b"mdat")


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 15), (60.0, 8), (7.0, 15)])
def test_gif_plays_as_long_as_the_clip(tmp_path, fps, frames):
    path = write_video(_ramp(15), tmp_path / "clip.gif", fps)
    with Image.open(path) as image:
        durations_ms = []
        for index in range(image.n_frames):
            image.seek(index)
            durations_ms.append(image.info["duration"])
            step = 2 if fps > 50 else 1
            assert abs(np.asarray(image.convert("RGB"), int) - (10 + 5 * index * step)).max() <= 2
        assert image.info["loop"] == 0
    assert len(durations_ms) == frames
    assert abs(sum(durations_ms) / 1000 - frames * (2 / fps if fps > 50 else 1 / fps)) < 0.011


def test_folder_of_png_is_exact_and_replaces_an_older_one(tmp_path):
    write_video(_ramp(5), tmp_path / "clip", 30)
    write_video(_ramp(3), tmp_path / "clip", 30)
    assert _left_in(tmp_path / "clip") == ["000000.png", "000001.png", "000002.png"]
    for index, frame in enumerate(_ramp(3)):
        with Image.open(tmp_path / "clip" / f"{index:06d}.png") as image:
            assert np.array_equal(np.asarray(image), frame)


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.txt"):
        write_video(_ramp(3), tmp_path / "mine", 30)
    assert _left_in(tmp_path / "mine") == ["thesis.txt"]


def test_frames_of_another_program_are_not_replaced(tmp_path):
    """ffmpeg counts 000001.png, 000002.png, ...; a folder of them was taken for an older result and deleted."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "000001.png").write_text("a frame")
    with pytest.raises(ValueError, match=r"000001\.png"):
        write_video(_ramp(3), tmp_path / "frames", 30)
    assert _left_in(tmp_path / "frames") == ["000001.png"]


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'\.avi'.*\.mp4.*\.gif.*\.png"):
        write_video(_ramp(3), tmp_path / "clip.avi", 30)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.gif", "clip"])
def test_a_failure_on_the_way_leaves_no_file(tmp_path, name):
    def stops():
        yield from _ramp(3)
        raise RuntimeError("stopped")

    def interrupted():
        yield from _ramp(3)
        raise KeyboardInterrupt

    with pytest.raises(RuntimeError, match="stopped"):
        write_video(stops(), tmp_path / name, 30)
    with pytest.raises(KeyboardInterrupt):
        write_video(interrupted(), tmp_path / name, 30)
    with pytest.raises(ValueError, match="no frames"):
        write_video(iter([]), tmp_path / name, 30)
    with pytest.raises(ValueError, match="frame 1 has shape"):
        write_video(iter([*_ramp(1), *_ramp(1, 20, 20)]), tmp_path / name, 30)
    assert _left_in(tmp_path) == []


def test_speed_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="fps"):
        write_video(_ramp(3), tmp_path / "clip.gif", 0.0)


def test_pictures_that_the_encoder_cannot_take_are_an_error_in_one_line(tmp_path):
    """PyAV's error of an encoder that does not start is neither OSError nor ValueError: commands gave a traceback."""
    pytest.importorskip("av")
    with pytest.raises(ValueError, match=r"\.mp4 of 16400 x 16 px at 30 fps: libx264 cannot start"):
        write_video(_ramp(2, 16, 16400), tmp_path / "wide.mp4", 30)
    assert _left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
@pytest.mark.parametrize("limit_bytes", [100, 20_000, 200_000])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip"])
def test_a_full_disk_is_reported_and_leaves_no_file(tmp_path, name, limit_bytes):
    """A limit on the size of files stands in for a full disk; it strikes at the start, midway and near the end."""
    import resource

    if name == "clip" and limit_bytes > 100_000:
        pytest.skip("one picture is smaller than that")
    noise = np.random.default_rng(0).integers(0, 255, (12, 200, 200, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        with pytest.raises(OSError, match=f"{name} was not written"):
            write_video(noise, tmp_path / name, 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert _left_in(tmp_path) == []


def test_mp4_without_pyav_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as if the package were not there
    write_video(_ramp(2), tmp_path / "clip.gif", 10)
    with pytest.raises(ImportError, match=r'pip install "motionrep\[video\]"'):
        write_video(_ramp(2), tmp_path / "clip.mp4", 10)
    assert _left_in(tmp_path) == ["clip.gif"]


def _see_through(count: int) -> list[np.ndarray]:
    """A square that moves: opaque above, half opaque below, nothing around it."""
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[10:30, 10:30] = (200, 40, 90, 255)
    picture[30:40, 10:30] = (200, 40, 90, 128)
    return [np.roll(picture, 3 * index, 1) for index in range(count)]


def test_webm_keeps_opacity_and_colour(tmp_path):
    av = pytest.importorskip("av")
    path = write_video(_see_through(8), tmp_path / "clip.webm", 25)
    frames = []
    with av.open(str(path)) as container:  # FFmpeg's own VP9 decoder drops the opacity, browsers and libvpx do not
        stream, decoder = container.streams.video[0], av.CodecContext.create("libvpx-vp9", "r")
        assert stream.metadata["ALPHA_MODE"] == "1"
        for packet in container.demux(stream):
            frames += decoder.decode(packet)
    assert len(frames) == 8
    seen = frames[3].to_ndarray(format="rgba").astype(int)
    for row, column, expected in ((20, 28, (200, 40, 90, 255)), (35, 28, (200, 40, 90, 128)), (20, 10, (0, 0, 0, 0))):
        assert np.abs(seen[row, column] - expected).max() < 6


def test_gif_and_png_keep_what_is_transparent(tmp_path):
    pictures = _see_through(5)
    with Image.open(write_video(pictures, tmp_path / "clip.gif", 25)) as image:
        image.seek(3)
        seen = np.asarray(image.convert("RGBA")).astype(int)
    assert np.array_equal(seen[..., 3] > 0, pictures[3][..., 3] >= 128)
    assert np.abs(seen[20, 28] - (200, 40, 90, 255)).max() < 6
    write_video(pictures, tmp_path / "clip", 25)
    with Image.open(tmp_path / "clip" / "000004.png") as image:
        assert np.array_equal(np.asarray(image), pictures[4])


def test_mp4_cannot_be_transparent(tmp_path):
    pytest.importorskip("av")
    with pytest.raises(ValueError, match=r"cannot be transparent; use \.webm"):
        write_video(_see_through(2), tmp_path / "clip.mp4", 25)
    assert _left_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("name", ["clip.mp4", "clip"])
def test_a_killed_run_leaves_nothing_under_the_name_and_an_older_file_whole(tmp_path, name):
    """What it had written stands beside, under a hidden name."""
    pytest.importorskip("av")
    write_video(_ramp(2), tmp_path / f"old_{name}", 30)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    script = f"""
import os, numpy as np
from motionrep.rendering.video.writing import write_video
def frames():
    for index in range(200):
        yield np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)
    os.kill(os.getpid(), {int(signal.SIGKILL)})
    yield
import sys
write_video(frames(), sys.argv[1], 30)
"""
    for target in (tmp_path / name, tmp_path / f"old_{name}"):
        killed = subprocess.run([sys.executable, "-c", script, os.fspath(target)], timeout=120)
        assert killed.returncode == -signal.SIGKILL
    assert [left for left in _left_in(tmp_path) if not left.startswith(".")] == [f"old_{name}"]
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}.items()


@pytest.mark.slow
def test_importing_the_renderer_imports_no_video_library():
    script = "import sys, motionrep.rendering; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=120).returncode == 0
