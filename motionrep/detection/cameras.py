"""Pictures as they come: from a camera, or from a video that is played like one."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from motionrep.detection.pictures import open_pictures

_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_USUAL_FPS = 30.0


@dataclass(frozen=True)
class LivePicture:
    """A picture of a camera.

    Attributes:
        number: How many came before it, those that nobody asked for included.
        taken_s: When it came, by `time.perf_counter`.
    """

    number: int
    taken_s: float
    picture: UInt8[np.ndarray, "height width 3"]


class LivePictures:
    """The newest picture each time one is asked for; those that come meanwhile are left out.

        with open_camera("0") as pictures:
            for shot in pictures:
                ...

    Attributes:
        fps: How many pictures come in a second.
        size_px: Their width and height.
    """

    def __init__(self, pictures: Iterator[np.ndarray], fps: float, size_px: tuple[int, int]) -> None:
        self.fps, self.size_px = fps, size_px
        self._pictures = pictures
        self._newest: LivePicture | None = None
        self._ended = False
        self._failed: BaseException | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "LivePictures":
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True

    def __iter__(self) -> Iterator[LivePicture]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended)
                shot, self._newest = self._newest, None
            if shot is None:
                if self._failed is not None:
                    raise self._failed
                return
            yield shot

    def _read(self) -> None:
        try:
            for number, picture in enumerate(self._pictures):
                with self._changed:
                    if self._ended:
                        return
                    self._newest = LivePicture(number, time.perf_counter(), picture)
                    self._changed.notify()
        except (OSError, ValueError) as error:
            self._failed = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()


def open_camera(camera: str = "0", kind: str | None = None) -> LivePictures:
    """Opens a camera through PyAV: Video4Linux, AVFoundation on a Mac, DirectShow on Windows.

    Args:
        camera: Its number or, on Windows, its name.
        kind: FFmpeg's name of the kind of device; None is the system's.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: The camera cannot be opened, with what the system says.
    """
    container = open_device(camera, kind)
    stream = container.streams.video[0]
    pictures = (frame.to_ndarray(format="rgb24") for frame in container.decode(stream))
    return LivePictures(pictures, float(stream.average_rate or _USUAL_FPS), (stream.width, stream.height))


def open_device(camera: str = "0", kind: str | None = None) -> Any:
    """A camera as a container of PyAV. Arguments and errors are those of `open_camera`."""
    try:
        import av
    except ImportError as error:
        raise ImportError('reading a camera needs PyAV: pip install "motionrep[video]"') from error
    from av.error import FFmpegError

    kind = kind or _FORMATS.get(sys.platform, "v4l2")
    named = {"v4l2": f"/dev/video{camera}" if camera.isdigit() else camera, "dshow": f"video={camera}"}
    try:
        return av.open(named.get(kind, camera), format=kind)
    except (FFmpegError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        where = "its name from the system's settings" if kind == "dshow" else "its number, the first one is 0"
        raise ValueError(f"camera {camera}: cannot be opened by {kind}: {said}; give {where}") from error


def open_as_camera(video: Path | str) -> LivePictures:
    """Plays a video at its own speed, as if a camera took it. Raises as `open_pictures`."""
    source = open_pictures(video)

    def played() -> Iterator[np.ndarray]:
        start_s = time.perf_counter()
        for number, picture in enumerate(source.pictures()):
            time.sleep(max(0.0, start_s + number / source.fps - time.perf_counter()))
            yield picture

    return LivePictures(played(), source.fps, source.shown_px)
