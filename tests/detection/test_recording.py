"""What a camera or an address gives is recorded to a video at its own times; local servers stand in for the world."""

import io
import os
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler

import numpy as np
import pytest
from PIL import Image
from video_files import filmed

from motionrep.cli.main import main
from motionrep.detection.pictures import open_pictures
from motionrep.detection.recording import record_address, record_camera
from motionrep.rendering.video.reading import open_source_video

av = pytest.importorskip("av")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class WebCamera(BaseHTTPRequestHandler):
    """JPEGs, a tenth of a second apart, as network cameras send them."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for seed in range(6):
            picture = io.BytesIO()
            noise = np.random.default_rng(seed).integers(0, 255, (120, 160, 3), np.uint8)  # compresses to 20 kB
            Image.fromarray(noise).save(picture, "JPEG")
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {picture.tell()}\r\n\r\n"
            self.wfile.write(head.encode() + picture.getvalue() + b"\r\n")
            time.sleep(0.1)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    @contextmanager
    def serving(handler):
        server = HTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()

    return serving


def _pictures():
    return [np.full((48, 64, 3), 20 + 20 * number, np.uint8) for number in range(10)]


def test_a_file_at_an_address_is_recorded_at_its_own_times(serve, tmp_path):
    times_s = np.array([0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.3])
    filmed(tmp_path / "there.mp4", _pictures(), times_s)
    with serve(partial(Quiet, directory=str(tmp_path))) as address:
        record_address(f"{address}/there.mp4", tmp_path / "all.mp4")
        record_address(f"{address}/there.mp4", tmp_path / "part.mp4", seconds=0.45)
        with pytest.raises(ValueError, match=r"missing\.mp4: cannot be opened: .*Not Found"):
            record_address(f"{address}/missing.mp4", tmp_path / "none.mp4")
        with pytest.raises(FileExistsError, match=r"all\.mp4: is there already"):
            record_address(f"{address}/there.mp4", tmp_path / "all.mp4")
    video = open_source_video(tmp_path / "all.mp4")
    assert video.frame_time_s == pytest.approx(times_s, abs=0.01)
    grey = [picture.mean() for picture in video.pictures(range(10), 64, 48)]
    assert grey == pytest.approx([picture.mean() for picture in _pictures()], abs=4)
    assert open_source_video(tmp_path / "part.mp4").frame_time_s == pytest.approx(times_s[:4], abs=0.01)
    assert not (tmp_path / "none.mp4").exists()


def test_the_pictures_of_a_web_camera_are_timed_when_they_come(serve, tmp_path):
    with serve(WebCamera) as address:
        record_address(address, tmp_path / "seen.mp4")
    video = open_source_video(tmp_path / "seen.mp4")
    assert len(video.frame_time_s) == 6
    assert video.frame_time_s[-1] - video.frame_time_s[0] > 0.3


def test_a_camera_is_recorded_for_some_seconds(tmp_path):
    path = record_camera("testsrc=size=65x49:rate=25", tmp_path / "seen.mp4", 0.4, kind="lavfi")
    source = open_pictures(path)
    assert (source.count, source.fps, source.shown_px) == (10, pytest.approx(25), (64, 48))


def test_ctrl_c_ends_a_recording_and_keeps_it(tmp_path, ctrl_c):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    path = record_camera("testsrc=size=64x48:rate=25,realtime", tmp_path / "seen.mp4", kind="lavfi")
    assert open_pictures(path).count > 1
    assert signal.getsignal(signal.SIGINT) is ctrl_c


BAD = {
    "file:///etc/passwd": "is no address of a video",
    "concat:a.mp4|b.mp4": "is no address of a video",
    "http://127.0.0.1:9/dance.mp4": "cannot be opened",
}


@pytest.mark.parametrize("url", BAD)
def test_another_address_is_one_sentence(url, serve, tmp_path, capsys):
    assert main(["detect", "--url", url, "--output", str(tmp_path / "clip.npz")]) == 2
    error = capsys.readouterr().err.strip()
    assert BAD[url] in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "give videos, --camera or --url"),
        (["a.mp4", "--camera", "0"], "give videos, --camera or --url"),
        (["a.mp4", "--seconds", "3"], "--seconds is for --camera and --url"),
        (["--camera", "97"], "camera 97: cannot be opened"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(given, said, tmp_path, capsys):
    assert main(["detect", *given, "--output", str(tmp_path / "clip.npz")]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
