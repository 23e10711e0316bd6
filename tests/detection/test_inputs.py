"""Videos and pictures of every kind are read right, or refused in one sentence."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motionrep.cli.main import main
from motionrep.detection.pictures import open_pictures

av = pytest.importorskip("av")

WIDTH, HEIGHT, COUNT = 96, 64, 6


def _picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Grey, brighter with its number, with a red corner at the top left."""
    picture = np.full((height, width, 3), 60 + 15 * number, np.uint8)
    picture[: height // 4, : width // 4] = (230, 20, 20)
    return picture


def _write(path: Path, codec: str = "libx264", pix_fmt: str = "yuv420p", size=(WIDTH, HEIGHT), count=COUNT, **options):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={key: str(value) for key, value in options.items()})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(_picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _corner(picture: np.ndarray) -> str:
    """Where the red corner is."""
    height, width = picture.shape[:2]
    rows = picture[: height // 5], picture[-height // 5 :]
    reds = [(row[:, part, 0].mean() - row[:, part, 1].mean()) for row in rows for part in _ends(width)]
    assert max(reds) > 60
    return ("top left", "top right", "bottom left", "bottom right")[int(np.argmax(reds))]


def _ends(width: int) -> tuple[slice, slice]:
    return slice(0, width // 5), slice(-width // 5, None)


KINDS = {
    "h264.mp4": {},
    "ten_bit.mp4": {"codec": "libx265", "pix_fmt": "yuv420p10le", "x265-params": "log-level=none"},
    "av1.mp4": {"codec": "libsvtav1", "pix_fmt": "yuv420p10le", "svtav1-params": "preset=12"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "alpha.webm": {"codec": "libvpx-vp9", "pix_fmt": "yuva420p"},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "odd.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p", "size": (97, 65)},
    "portrait.mp4": {"size": (64, 128)},
    "interlaced.mp4": {"flags": "+ildct+ilme", "x264-params": "tff=1"},
    "gif.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "one_frame.mp4": {"count": 1},
}


@pytest.mark.parametrize("name", KINDS)
def test_a_video_is_read_whatever_its_codec_and_size(name, tmp_path):
    options = KINDS[name]
    source = open_pictures(_write(tmp_path / name, **options))
    pictures = list(source.pictures())
    assert (source.width_px, source.height_px) == options.get("size", (WIDTH, HEIGHT))
    assert len(pictures) == source.count == options.get("count", COUNT)
    assert source.fps == pytest.approx(25 if len(pictures) > 1 else 30)
    for number, picture in enumerate(pictures):
        assert picture.shape == (source.height_px, source.width_px, 3)
        assert picture[-8:, -8:].mean() == pytest.approx(60 + 15 * number, abs=6)
        if "gray" not in options.values():
            assert _corner(picture) == "top left"


@pytest.mark.slow
def test_8k_is_looked_at_in_a_smaller_size(tmp_path):
    source = open_pictures(_write(tmp_path / "8k.mp4", size=(7680, 4320), count=2, preset="ultrafast"))
    assert (source.width_px, source.height_px, source.shown_px) == (7680, 4320, (1920, 1080))
    assert [picture.shape for picture in source.pictures()] == [(1080, 1920, 3)] * 2


MATRICES = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # clockwise, as phones write them


@pytest.mark.parametrize("clockwise", MATRICES)
def test_a_phones_rotation_turns_the_pictures_upright(clockwise, tmp_path):
    path = _write(tmp_path / "turned.mp4")
    content = bytearray(path.read_bytes())
    a, b, c, d = (65536 * number for number in MATRICES[clockwise])
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    _is_turned(path, clockwise)


@pytest.mark.parametrize("clockwise", MATRICES)
def test_a_rotation_in_the_tags_of_an_older_file_does_so_too(clockwise, tmp_path):
    with av.open(str(tmp_path / "tagged.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.metadata["rotate"] = str(clockwise)
        for number in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(number), format="rgb24")))
        container.mux(stream.encode())
    _is_turned(tmp_path / "tagged.mkv", clockwise)


def _is_turned(path: Path, clockwise: int) -> None:
    source = open_pictures(path)
    assert (source.width_px, source.height_px) == ((WIDTH, HEIGHT) if clockwise == 180 else (HEIGHT, WIDTH))
    corner = {90: "top right", 180: "bottom right", 270: "bottom left"}[clockwise]
    assert {_corner(picture) for picture in source.pictures()} == {corner}


def test_pictures_are_read_by_their_numbers_and_in_every_mode(tmp_path):
    for number in (1, 2, 10):
        Image.fromarray(_picture(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "._frame1.png").write_bytes(b"what a Mac leaves behind")
    brightness = [picture[-1, -1, 0] for picture in open_pictures(tmp_path).pictures()]
    assert brightness == [75, 90, 210]
    grey = np.full((8, 8), 200, np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(np.dstack([grey] * 3 + [np.zeros_like(grey)])).save(tmp_path / "clear.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.bmp")
    for name, value in (("grey.png", 200), ("deep.png", 200), ("clear.png", 0), ("palette.bmp", 200)):
        (picture,) = open_pictures(tmp_path / name).pictures()
        assert picture.shape == (8, 8, 3)
        assert (picture == value).all(), name


def test_a_cover_picture_is_no_video(tmp_path):
    """A piece of music often holds a picture of its cover."""
    _music(tmp_path / "music.mp4", cover=True)
    with pytest.raises(ValueError, match="holds no pictures"):
        open_pictures(tmp_path / "music.mp4")


def _music(path: Path, cover: bool) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44100, layout="mono")
        if cover:
            stream = container.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            stream.disposition = av.stream.Disposition.attached_pic
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(0), format="rgb24")))
            container.mux(stream.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())


LISTS = {  # what FFmpeg takes for a list of other files, whatever the name
    "list.mp4": "ffconcat version 1.0\nfile 'real.mp4'\n",
    "list.ffconcat": "ffconcat version 1.0\nfile 'real.mp4'\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n",
    "list.mov": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n",
    "stream.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_files_is_no_video(name, tmp_path):
    """It would lead to other files, or into the network."""
    _write(tmp_path / "real.mp4", count=2)
    (tmp_path / name).write_text(LISTS[name])
    with pytest.raises(ValueError, match="cannot be read as a video") as error:
        open_pictures(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write(Path("plain.mp4")).rename("rtsp:camera.mp4")
    assert open_pictures("rtsp:camera.mp4").count == COUNT
    for name in ("http://example.org/dance.mp4", "rtsp://10.0.0.1/live"):
        with pytest.raises(ValueError, match="is an address; record it with"):
            open_pictures(name)


@pytest.mark.parametrize("name", ["http://example.org/dance.mp4", "nothing*.mp4", "missing.mp4"])
def test_what_names_no_file_is_one_sentence(name, tmp_path, capsys):
    assert main(["detect", name, "--output", str(tmp_path / "clip.npz")]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert any(word in error for word in ("is an address", "no file has such a name", "no such video"))
    assert list(tmp_path.iterdir()) == []


def test_one_bad_video_of_several_does_not_stop_the_others(tmp_path, capsys):
    for name in ("a", "c"):
        _write(tmp_path / f"{name}.mp4", count=2)
    (tmp_path / "b.mp4").write_bytes(b"")
    arguments = ["detect", str(tmp_path / "*.mp4"), "--detector", "blazepose-full", "--output", str(tmp_path / "found")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "3 of 3 videos gave no keypoints" in error
    assert "b.mp4 cannot be read as a video" in error
    assert error.count("nobody was found in any of its 2 frames") == 2


def test_list_shows_the_detectors_with_size_and_licence(capsys):
    assert main(["list"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("detectors: ")]
    assert "blazepose (30 MB, shipped, Apache-2.0), blazepose-full (8 MB, shipped, Apache-2.0)" in line
    weights = Path(__file__).parents[2] / "motionrep" / "detection" / "weights"
    for name, about_mb in (("heavy", 30), ("full", 8)):
        files = (weights / f"blazepose-{part}" / "model.safetensors" for part in ("people", name))
        assert round(sum(file.stat().st_size for file in files) / 1e6) == about_mb
