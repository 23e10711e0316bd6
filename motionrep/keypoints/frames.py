"""Where a detection belongs: its video, and the number of its frame there."""

import logging
import re
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

logger = logging.getLogger(__name__)

FrameOrder = Literal["number", "file"]

_REMEDY = "if each is the next frame of the video, pass --frame-order file (in Python frame_order='file')"
_LONG_STEP = 12  # detectors are run on every 2nd, 5th or 10th frame; longer steps are more often times
_LONG_GAP = 1000
_MILLISECONDS = (16, 17, 33, 34, 40, 41, 42)  # from frame to frame at 60, 30, 25 and 24 per second
_NO_NUMBER_OF_A_FRAME = 10**8  # a month of video; times since 1970 and ids of pictures lie above
_DIGITS = re.compile(r"\d+")
_SUFFIX = re.compile(r"\.[A-Za-z]\w*$")
_POSETRACK_IDS = range(10**10, 2 * 10**10)  # of PoseTrack18: 1, six digits of the video, four of the frame


class InVideo(NamedTuple):
    """The key of a frame in a file that says of which video it is."""

    video: str
    frame: Any


class Place(NamedTuple):
    """Where a frame belongs; `video` is "" where a file holds one video only."""

    video: str
    number: int


def place_frames(keys: Iterable[Any], order: FrameOrder, path: Path) -> dict[Any, Place]:
    """The place of each frame, by its key: a number, a file name, or one of these `InVideo`.

    Videos are told apart by what the file says, by the folders of the names, or by what stands before the number of the
    frame where the numbers repeat. Of several integers in a name, the last one counts that differs in all frames and
    goes up as frames do; names without one are counted in the file's order, and so is everything with `order` "file".

    Raises:
        ValueError: A key is neither number nor name, or the numbers do not count frames.
    """
    keys = list(keys)
    for key in keys:
        _require_name(key, order, path)
    keys = list(dict.fromkeys(keys))
    of_posetrack = all(isinstance(key, int) and key in _POSETRACK_IDS for key in keys)
    videos: dict[str, list[Any]] = {}
    for key, video in zip(keys, _posetrack_videos(keys) if of_posetrack else _videos(keys), strict=True):
        videos.setdefault(video, []).append(key)
    if len(videos) > 1:
        logger.warning("%s: holds %d videos (%s); each has people of its own", path, len(videos), _some(videos))
    places = {}
    for video, group in videos.items():
        frames = [_frame(key) for key in group]
        if of_posetrack:
            frames = [frame % 10_000 for frame in frames]
        numbers = range(len(frames)) if order == "file" else _numbers(frames, path)
        places |= {key: Place(video, int(number)) for key, number in zip(group, numbers, strict=True)}
    return places


def _frame(key: Any) -> Any:
    """The number or name of a frame; JSON and tables may make 3.0 of 3."""
    frame = key.frame if isinstance(key, InVideo) else key
    return int(frame) if isinstance(frame, float) and frame.is_integer() else frame


def _posetrack_videos(ids: list[int]) -> list[str]:
    videos = [f"{number // 10_000 % 1_000_000:06d}" for number in ids]
    return videos if len(set(videos)) > 1 else [""] * len(ids)


def _require_name(key: Any, order: FrameOrder, path: Path) -> None:
    frame = _frame(key)
    if order == "file" and isinstance(frame, float):
        return
    if isinstance(frame, bool) or not isinstance(frame, int | str):
        remedy = f"; {_REMEDY}" if isinstance(frame, float) else ""
        raise ValueError(f"{path}: a frame must be an integer or a file name, got {frame!r}{remedy}")


def _videos(keys: list[Any]) -> list[str]:
    """The video of each frame; all "" where there is only one."""
    if all(isinstance(key, InVideo) for key in keys):
        videos = [key.video for key in keys]
    elif not all(isinstance(key, str) for key in keys):
        videos = [""] * len(keys)
    elif (folders := _folders(keys)) is not None:
        videos = folders
    else:
        videos = _beginnings(keys)
    return videos if len(set(videos)) > 1 else [""] * len(keys)


def _folders(names: list[str]) -> list[str] | None:
    """The folder of each name where folders are videos: the numbers of the next one do not go on from the last one."""
    split = [name.replace("\\", "/").split("/") for name in names]
    folders = ["/".join(parts[:-1]) for parts in split]
    if len(set(folders)) < 2:
        return None
    numbers = [_integers(_stem(parts[-1]))[-1:] for parts in split]
    if not all(numbers):
        return None
    spans: dict[str, list[int]] = {}
    for folder, number in zip(folders, numbers, strict=True):
        spans.setdefault(folder, []).extend(number)
    bounds = sorted((min(span), max(span)) for span in spans.values())
    goes_on = all(last + 1 == first for (_, last), (first, _) in pairwise(bounds))
    if goes_on:
        return None
    depth = min(len(parts) for parts in split) - 1  # what all folders begin with says nothing
    shared = next((i for i in range(depth) if len({parts[i] for parts in split}) > 1), depth)
    return ["/".join(parts[shared:-1]) for parts in split]


def _beginnings(names: list[str]) -> list[str]:
    """What stands before the frame's number in each name, where that number tells the frames apart only together."""
    stems = [_stem(name) for name in names]
    columns = _columns(stems)
    if any(len(set(column)) == len(names) for column in columns) and not _end_in_padded(stems):
        return [""] * len(names)
    found = []
    for place, column in enumerate(columns):
        rests = [_without_number(stem, place) for stem in stems]
        if len(set(zip(rests, column, strict=True))) < len(names) or not all(map(_LETTER.search, rests)):
            continue
        numbers: dict[str, list[int]] = {}
        for rest, number in zip(rests, column, strict=True):
            numbers.setdefault(rest, []).append(number)
        if len(numbers) > 1:
            found.append((not all(map(_counts, numbers.values())), len(numbers), place, rests))
    if not found:
        return [""] * len(names)
    _, count, place, rests = min(found, key=lambda it: it[:3])
    heads = [_cut(stem, place)[0] for stem in stems]
    return heads if len(set(heads)) == count and all(heads) else rests


def _without_number(stem: str, place: int) -> str:
    """A name without one of its numbers, the last one being 0, and without what joins that to the rest."""
    head, tail = _cut(stem, place)
    return (head + tail).strip("_-. /")


def _cut(stem: str, place: int) -> tuple[str, str]:
    """What stands before and after one of the numbers of a name."""
    start, stop = list(_DIGITS.finditer(stem))[-1 - place].span()
    return stem[:start].strip("_-. /"), stem[stop:]


_LETTER = re.compile("[A-Za-z]")


def _end_in_padded(stems: list[str]) -> bool:
    """Whether all names end in a number as video tools write it, 000012, and some of these are the same."""
    ends = [re.search(r"(?<!\d)0\d{3,}$", stem) for stem in stems]
    return all(ends) and len({end[0] for end in ends if end}) < len(stems)


def _numbers(frames: list[Any], path: Path) -> Sequence[int]:
    """The number of each frame of one video."""
    found = [tuple(frames)] if set(map(type, frames)) == {int} else _columns([_stem(str(key)) for key in frames])
    columns = [column for column in found if len(set(column)) == len(frames) and min(column) >= 0]
    if not columns:
        if any(_DIGITS.search(str(key)) for key in frames):
            logger.warning(
                "%s: no number in the frames' names (%r, ...) differs in all of them; they are counted in their order, "
                "and frames that are missing cannot be told", path, frames[0],
            )  # fmt: skip
        return range(len(frames))
    chosen = next((column for column in columns if _counts(column)), None) or min(columns, key=_usual_step)
    _check_gaps(chosen, path)
    return chosen


def _columns(stems: list[str]) -> list[tuple[int, ...]]:
    """The integers of all names, the last ones first."""
    return list(zip(*(reversed(_integers(stem)) for stem in stems), strict=False))


def _counts(numbers: Sequence[int]) -> bool:
    """Whether numbers go up as those of frames do: mostly by 1, or evenly by a few."""
    usual = _usual_step(numbers)
    return usual <= 1 or (usual <= _LONG_STEP and _even(numbers))


def _steps(numbers: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(sorted(numbers))]


def _usual_step(numbers: Sequence[int]) -> float:
    steps = _steps(numbers)
    return float(sorted(steps)[len(steps) // 2]) if steps else 1.0


def _even(numbers: Sequence[int]) -> bool:
    """Whether all steps are multiples of one above 1."""
    return int(np.gcd.reduce(np.array(_steps(numbers), dtype=object))) > 1


def _check_gaps(numbers: Sequence[int], path: Path) -> None:
    """Warns of numbers that leave out most frames; ValueError where they cannot count the frames of a video."""
    steps, usual = _steps(numbers), _usual_step(numbers)
    ascending = sorted(numbers)
    if ascending[0] >= _NO_NUMBER_OF_A_FRAME or ascending[-1] - ascending[0] > 100 * len(ascending) + 10_000:
        raise ValueError(
            f"{path}: frames run from {ascending[0]} to {ascending[-1]}, yet only {len(ascending)} are there; "
            f"these numbers do not count the frames of a video; {_REMEDY}"
        )
    if len(steps) < 3:
        return
    shown = ", ".join(map(str, ascending[:4]))
    if usual in _MILLISECONDS or (usual > _LONG_STEP and not _even(numbers)):
        raise ValueError(
            f"{path}: its frames are numbered {shown}, ..., which looks like times rather than frames; {_REMEDY}"
        )
    if usual > 1:
        logger.warning(
            "%s: its frames are numbered %s, ..., and those between count as unseen; %s", path, shown, _REMEDY
        )
    elif (longest := max(steps)) > max(_LONG_GAP, len(numbers)):
        at = ascending[steps.index(longest)]
        logger.warning("%s: no frame from %d to %d is there; %s", path, at + 1, at + longest - 1, _REMEDY)


def _stem(name: str) -> str:
    return _SUFFIX.sub("", name)


def _integers(stem: str) -> list[int]:
    return [int(digits) for digits in _DIGITS.findall(stem)]


def _some(names: Iterable[Hashable]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:4]) + (", ..." if len(listed) > 4 else "")
