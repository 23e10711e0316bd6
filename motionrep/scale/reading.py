"""Reads the inputs of a data set ahead of their use; bad ones do not stop the others."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from motionrep.detection import detect
from motionrep.detection.names import DEFAULT_DETECTOR
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.files.remote import local_copy
from motionrep.keypoints.frames import FrameOrder
from motionrep.keypoints.loading import read_keypoints
from motionrep.types import Keypoints

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 2


@dataclass(frozen=True)
class Reading:
    """How files become keypoints; `layout` to `all_persons` as in `load_keypoints`, `detector` as in `detect`."""

    layout: str | None = None
    fps: float | None = None
    size_px: tuple[int, int] | None = None
    frame_order: FrameOrder = "number"
    all_persons: bool = False
    detector: str | None = None
    device: str = "cpu"

    def clips_in(self, path: Path) -> list[Keypoints]:
        """The persons in a keypoint file or a video.

        Raises:
            OSError, ValueError, ImportError: As `load_keypoints` and `detect`.
        """
        contents = look(path)
        if kind_of(contents).holds in ("video", "picture"):
            return detect(path, self.detector or DEFAULT_DETECTOR, fps=self.fps, device=self.device)
        return read_keypoints(contents, self.layout, self.fps, self.size_px, self.frame_order, self.all_persons)


@dataclass(frozen=True)
class ReadFile:
    """A file, and its persons or a sentence that says what is wrong with it."""

    path: str
    clips: list[Keypoints]
    fault: str | None = None


def read_ahead(paths: Iterable[str], reading: Reading) -> Iterator[ReadFile]:
    """The files in their order; while one is used, the next ones are read."""
    yield from _ahead(lambda path: _read(path, reading), paths)


def _read(path: str, reading: Reading) -> ReadFile:
    copy = None
    try:
        with local_copy(path) as copy:
            return ReadFile(path, reading.clips_in(copy))
    except Exception as error:  # one bad file of a million, whatever is wrong with it, must not stop the others
        known = isinstance(error, ValueError | OSError | ImportError)
        sentence = str(error) if known else f"{path}: not readable ({type(error).__name__}: {error})"
        if copy is not None:
            sentence = sentence.replace(str(copy), path)
        if not known:
            logging.getLogger(__name__).debug("%s", sentence, exc_info=True)
        return ReadFile(path, [], " ".join(sentence.split()))


def _ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    coming: deque[Any] = deque()
    with ThreadPoolExecutor(1) as thread:
        for item in items:
            coming.append(thread.submit(function, item))
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
