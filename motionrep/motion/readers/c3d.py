"""Marker files of motion capture systems (.c3d).

The format is that of the C3D manual (c3d.org): blocks of 512 bytes. The first is a header, some hold parameters in
groups, and the rest are frames. A frame has four numbers for each marker, then samples of other instruments.
"""

import math
import re
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.limits import OverLimitError, require_within
from motionrep.files.reading import BROKEN, read_bytes
from motionrep.motion.marker_sets import joints_of_markers
from motionrep.motion.records import Axes, JointOptions, RecordedJoints, Unit, chosen

_UNITS: dict[str, Unit] = {"mm": "mm", "cm": "cm", "m": "m"}
_UP: dict[str, Axes] = {"+Y": "y-up", "+Z": "z-up"}
_BLOCK_BYTES = 512
_MARK = 0x50
_DEC = 85
_ORDER = {84: "<", _DEC: "<", 86: ">"}  # of bytes, by the processor that a file was written on: Intel, DEC, MIPS
_HEADER = "BBHHHHHfHHf"
_MOST_FRAMES = 0xFFFF  # that two bytes tell; longer files have them in TRIAL


class _Parameter(NamedTuple):
    kind: int  # -1 is text; else the bytes of a number
    shape: tuple[int, ...]
    content: bytes


class _Parameters(dict[str, _Parameter]):
    """Parameters by GROUP:NAME, and how their numbers are written."""

    processor: int = 84

    def numbers(self, name: str) -> np.ndarray:
        """The numbers of a parameter; none where it is not there or is text."""
        it = self.get(name)
        return np.empty(0) if it is None or it.kind == -1 else _numbers(it.content, it.kind, self.processor)

    def number(self, name: str, otherwise: float) -> float:
        values = self.numbers(name)
        return float(values[0]) if len(values) else otherwise

    def texts(self, name: str) -> list[str]:
        it = self.get(name)
        if it is None or it.kind != -1 or not it.content:
            return []
        length = it.shape[0] if it.shape else 1
        starts = range(0, len(it.content), length)
        return [it.content[start : start + length].decode("latin-1").strip(" \0") for start in starts]


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The joints of the markers, see `marker_sets`. The upward axis is that of the file's screen, if it has one.

    Raises:
        ValueError: A broken file, one without frames or unit, or no marker that gives a joint.
    """
    path = contents.path
    chosen(path, 1, options.person)
    try:
        content = read_bytes(path)
        about = _parameters(content)
        position, rate = _markers(path, content, about)
    except OverLimitError:
        raise
    except BROKEN as error:
        raise ValueError(f"{path}: not a whole .c3d file ({error}); export it again") from error
    unit = next(iter(about.texts("POINT:UNITS")), "").lower()
    if unit not in _UNITS:
        raise ValueError(f"{path}: expected markers in m, cm or mm, got {unit!r}")
    values, layout = joints_of_markers(path, _labels(about)[: position.shape[1]], position, options)
    upward = next(iter(about.texts("POINT:Y_SCREEN")), "").upper()
    return RecordedJoints(values, layout, rate, _UNITS[unit], _UP.get(upward))


def _parameters(content: bytes) -> _Parameters:
    """All parameters. None reaches beyond the place at which the next one begins.

    Raises:
        ValueError, struct.error: The file is none of this format, or ends too early.
    """
    block, mark = content[:2]
    at = (block - 1) * _BLOCK_BYTES
    if mark != _MARK or at < _BLOCK_BYTES or at + 4 > len(content):
        raise ValueError("its header is of another kind")
    about, groups, found = _Parameters(), {}, []
    about.processor = content[at + 3]
    if about.processor not in _ORDER:
        raise ValueError(f"of no known processor, {about.processor}")
    at += 4
    while content[at]:
        length, number = struct.unpack_from("bb", content, at)
        begin = at + 2 + abs(length)
        name = content[at + 2 : begin].decode("latin-1").strip(" \0").upper()
        (offset,) = struct.unpack_from(f"{_ORDER[about.processor]}H", content, begin)
        end = begin + offset if offset else len(content)
        if number < 0:
            groups[-number] = name
        else:
            found.append((number, name, _parameter(content, begin + 2, end, name)))
        if not offset:
            break
        at = end
    about.update({f"{groups.get(number, '')}:{name}": it for number, name, it in found})
    return about


def _parameter(content: bytes, at: int, end: int, name: str) -> _Parameter:
    kind, dimensions = struct.unpack_from("bB", content, at)
    at += 2 + dimensions
    shape = tuple(content[at - dimensions : at])
    size = math.prod(shape) * abs(kind)
    if kind not in (-1, 1, 2, 4) or at + size > min(end, len(content)):
        raise ValueError(f"parameter {name} of {size} bytes is not there")
    return _Parameter(kind, shape, content[at : at + size])


def _numbers(content: bytes, width: int, processor: int) -> np.ndarray:
    """Numbers of 1 or 2 bytes are whole, of 4 bytes have a fraction."""
    order = _ORDER[processor]
    if width < 4:
        return np.frombuffer(content, f"{order}i{width}")
    if processor == _DEC:  # its halves are exchanged, and the exponent is larger by 2
        return np.frombuffer(content, "<u2").reshape(-1, 2)[:, ::-1].copy().view("<f4")[:, 0] / 4
    return np.frombuffer(content, f"{order}f4")


def _markers(path: Path, content: bytes, about: _Parameters) -> tuple[np.ndarray, float]:
    """Positions (frames, markers, 3) in the file's unit, NaN where a marker is missing, and the frame rate.

    Raises:
        ValueError, struct.error: There are none, or the file ends before the last of them.
    """
    head = struct.unpack_from(f"{_ORDER[about.processor]}{_HEADER}", content)
    rate = about.number("POINT:RATE", float(_numbers(content[20:24], 4, about.processor)[0]))
    count = _unsigned(about.number("POINT:USED", head[2]))
    scale = about.number("POINT:SCALE", float(_numbers(content[12:16], 4, about.processor)[0]))
    frames = _frames(about, head[4], head[5])
    if not count or frames < 1:
        raise ValueError(f"{frames} frames of {count} markers")
    require_within(path, "joints", count)
    require_within(path, "frames", frames)
    width = 4 if scale < 0 else 2
    stride = (4 * count + _samples(about, rate, head[3])) * width
    begin = (head[8] - 1) * _BLOCK_BYTES
    there = (len(content) - begin) // stride
    if begin < _BLOCK_BYTES or frames > there:
        raise ValueError(f"has {max(there, 0)} of {frames} frames of {count} markers, the rest was cut off")
    rows = np.frombuffer(content, np.uint8, frames * stride, begin).reshape(frames, stride)[:, : 4 * count * width]
    numbers = _numbers(rows.tobytes(), width, about.processor).reshape(frames, count, 4)
    position = numbers[..., :3].astype(np.float64) * (1.0 if scale < 0 else scale)
    position[np.signbit(numbers[..., 3].astype(np.float64))] = np.nan
    return position, rate


def _frames(about: _Parameters, first: int, last: int) -> int:
    """How many frames there are, as the parameters say, or else the header."""
    told = about.number("POINT:FRAMES", 0)
    frames = (_unsigned(told) if math.isfinite(told) else 0) or last - first + 1
    trial = [about.numbers(f"TRIAL:ACTUAL_{which}_FIELD") for which in ("START", "END")]
    if frames < _MOST_FRAMES or any(len(field) < 2 for field in trial):
        return frames
    begin, end = (_unsigned(float(field[0])) + (_unsigned(float(field[1])) << 16) for field in trial)
    return end - begin + 1


def _samples(about: _Parameters, rate: float, otherwise: int) -> int:
    """How many samples of other instruments follow the markers of a frame."""
    channels, samples_rate = about.number("ANALOG:USED", -1), about.number("ANALOG:RATE", 0)
    if channels < 0 or not (rate > 0 and 0 <= samples_rate / rate < _MOST_FRAMES):
        return otherwise
    return int(channels) * int(samples_rate / rate)


def _labels(about: _Parameters) -> list[str]:
    """The names of the markers; LABELS2 follows after 255."""
    lists = {int(found[1] or 1): name for name in about if (found := re.fullmatch(r"POINT:LABELS(\d{0,3})", name))}
    return [label for _, name in sorted(lists.items()) for label in about.texts(name)]


def _unsigned(value: float) -> int:
    """The value of two bytes, which the format means without a sign."""
    return int(value) % 2**16 if value < 0 else int(value)
