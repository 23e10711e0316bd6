"""Reads the inputs of a data set ahead of their use; bad ones do not stop the others."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
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
_COPIES_AT_ONCE = 8  # of files elsewhere, whose answers take long to come


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


@dataclass(frozen=True)
class _Copy:
    """A file on this machine, or why there is none; `held` deletes what was only copied."""

    path: str
    copy: Path | None = None
    fault: str | None = None
    held: ExitStack = field(default_factory=ExitStack)


def read_ahead(paths: Iterable[str], reading: Reading) -> Iterator[ReadFile]:
    """The files in their order; while one is used, the next ones are copied to this machine and read."""
    copies = _ahead(_copied, paths, _COPIES_AT_ONCE)
    yield from _ahead(lambda copied: _read(copied, reading), copies, 1)


def _copied(path: str) -> _Copy:
    held = ExitStack()
    try:
        return _Copy(path, held.enter_context(local_copy(path)), None, held)
    except Exception as error:  # as below
        return _Copy(path, fault=_sentence(error, path, None))


def _read(copied: _Copy, reading: Reading) -> ReadFile:
    if copied.copy is None:
        return ReadFile(copied.path, [], copied.fault)
    try:
        with copied.held:
            return ReadFile(copied.path, reading.clips_in(copied.copy))
    except Exception as error:  # one bad file of a million, whatever is wrong with it, must not stop the others
        return ReadFile(copied.path, [], _sentence(error, copied.path, copied.copy))


def _sentence(error: Exception, path: str, copy: Path | None) -> str:
    known = isinstance(error, ValueError | OSError | ImportError)
    sentence = str(error) if known else f"{path}: not readable ({type(error).__name__}: {error})"
    if not known:
        logging.getLogger(__name__).debug("%s", sentence, exc_info=error)
    return " ".join((sentence if copy is None else sentence.replace(str(copy), path)).split())


def _ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """What the function gives of the items, in their order; it runs ahead in so many threads."""
    coming: deque[Any] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            coming.append(pool.submit(function, item))
            if len(coming) > threads + 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
