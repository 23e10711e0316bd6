"""Records a camera or an address into a video file."""

import itertools
import logging
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from motionrep.detection.cameras import open_device
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.rendering.video.reading import upright

logger = logging.getLogger(__name__)

_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt")
_PROTOCOLS = (*_SCHEMES, "tls", "httpproxy", "crypto", "data", "rtmpt", "rtmpe")
_PATIENCE_S = 15.0  # for an answer, and for each picture
_TICKS_PER_S = 90_000
_UNTIMED = "mpjpeg"  # pictures of a web camera, which FFmpeg numbers at 25 per second however fast they come


def record_camera(
    camera: str, path: Path, seconds: float | None = None, *, kind: str | None = None, progress: bool = False
) -> Path:
    """Writes what a camera sees to an .mp4, for so many seconds or until Ctrl-C.

    Args:
        camera, kind: As in `open_camera`.

    Raises:
        ValueError: As `open_camera`.
        FileExistsError: `path` is there already.
    """
    _require_free(path)
    return _recorded(open_device(camera, kind), f"camera {camera}", path, seconds, progress)


def record_address(url: str, path: Path, seconds: float | None = None, *, progress: bool = False) -> Path:
    """Writes the video at an address to an .mp4, until it ends, for so many seconds, or until Ctrl-C.

    Args:
        url: Of a file, a playlist or a camera: http, https, rtsp, rtmp, udp, tcp, rtp or srt.

    Raises:
        ValueError: Another kind of address, or nothing that can be read there.
        FileExistsError: As `record_camera`.
        ImportError: PyAV is not installed.
    """
    if not re.match(rf"({'|'.join(_SCHEMES)})://", url):
        raise ValueError(f"{url}: is no address of a video; it begins with one of {', '.join(_SCHEMES)} and ://")
    _require_free(path)
    import av
    from av.error import FFmpegError

    try:
        options = {"protocol_whitelist": ",".join(_PROTOCOLS)}
        container = av.open(url, options=options, timeout=_PATIENCE_S, metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        raise ValueError(f"{url}: cannot be opened: {error.strerror}") from error
    return _recorded(container, url, path, seconds, progress)


def _require_free(path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path}: is there already, and the recording would replace it; choose another --output")


def _recorded(container: Any, name: str, path: Path, seconds: float | None, progress: bool) -> Path:
    with container, _ctrl_c() as stopped, written_beside(path) as beside:
        if not container.streams.video:
            raise ValueError(f"{name}: holds no pictures")
        logger.info("%s: recording to %s; Ctrl-C ends it", name, path)
        frames = _until_the_end(container, name, seconds, stopped)
        bar = progress_bar(frames, f"record {name}", "frame", progress)
        _write(iter(bar), beside, float(_rate(container)), name)
    return path


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of raising KeyboardInterrupt, the first time."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _until_the_end(
    container: Any, name: str, seconds: float | None, stopped: threading.Event
) -> Iterator[tuple[float, Any]]:
    """Seconds since the first picture, and pictures; these end with the time, Ctrl-C, or a lost connection."""
    from av.error import FFmpegError

    by_arrival = container.format.name == _UNTIMED
    start_s, last_s = None, -1.0
    try:
        for frame in container.decode(container.streams.video[0]):
            now_s = time.perf_counter() if by_arrival or frame.time is None else frame.time
            start_s = now_s if start_s is None else start_s
            at_s = max(now_s - start_s, last_s + 1e-3)
            if stopped.is_set() or (seconds is not None and at_s >= seconds):
                return
            yield at_s, frame
            last_s = at_s
    except FFmpegError as error:
        if start_s is None:
            raise ValueError(f"{name}: gives no pictures: {error.strerror}") from error
        logger.warning("%s: ended after %.1f s: %s", name, last_s, error.strerror)


def _write(frames: Iterator[tuple[float, Any]], path: Path, fps: float, name: str) -> None:
    """Encodes pictures at their times, in the size of the first one."""
    import av

    if (first := next(frames, None)) is None:
        raise ValueError(f"{name}: gives no pictures")
    turned = first[1].rotation % 180 != 0
    width, height = (first[1].height, first[1].width) if turned else (first[1].width, first[1].height)
    width, height = max(width // 2, 1) * 2, max(height // 2, 1) * 2
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1001), options={"preset": "veryfast", "crf": "18"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        for at_s, frame in itertools.chain([first], frames):
            picture = av.VideoFrame.from_ndarray(upright(frame, frame.rotation, width, height), format="rgb24")
            picture.pts, picture.time_base = round(at_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _rate(container: Any) -> Fraction:
    return container.streams.video[0].average_rate or Fraction(30)
