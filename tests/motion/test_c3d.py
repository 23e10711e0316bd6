"""Marker files of motion capture systems: as another library reads them, and with sizes that are not true."""

import struct

import numpy as np
import pytest

from motionrep.files.contents import look
from motionrep.motion.joint_loading import load_joints
from motionrep.motion.readers.c3d import read
from motionrep.motion.records import JointOptions

NAMES = ("RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle", "Neck", "Head", "RShoulder", "LShoulder")
FRAMES, SAMPLES = 3, 4  # of 2 instruments, twice in a frame


def dec(value: float) -> bytes:
    """A number as DEC computers write it: four times as large, halves exchanged."""
    raw = struct.pack("<f", 4 * value)
    return raw[2:] + raw[:2]


def parameter(order: str, group: int, name: str, kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    held = struct.pack("bB", kind, len(shape)) + bytes(shape) + content + b"\0"
    return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}H", len(held) + 2) + held


def group(order: str, number: int, name: str) -> bytes:
    return struct.pack("bb", len(name), -number) + name.encode() + struct.pack(f"{order}HB", 3, 0)


def positions() -> np.ndarray:
    """(frames, markers, 3) in mm, whole numbers, on a grid that is no line."""
    return np.arange(FRAMES * len(NAMES) * 3).reshape(FRAMES, len(NAMES), 3) * 7.0 % 900 - 300


def c3d(processor=84, scale=-1.0, missing=(1, 2), more=(), used=10, analog_rate=200.0, frames=FRAMES) -> bytes:
    """A file by hand. The marker `missing[1]` is lost in frame `missing[0]`; `more` are bytes of further parameters."""
    order = ">" if processor == 86 else "<"
    real = dec if processor == 85 else lambda value: struct.pack(f"{order}f", value)
    whole = lambda value: struct.pack(f"{order}h", value)  # noqa: E731
    labels = b"".join(name.ljust(12).encode() for name in NAMES)
    records = b"".join([
        group(order, 1, "POINT"), group(order, 2, "ANALOG"),
        parameter(order, 1, "USED", 2, (), whole(used)),
        parameter(order, 1, "FRAMES", 2, (), whole(frames)),
        parameter(order, 1, "SCALE", 4, (), real(scale)),
        parameter(order, 1, "RATE", 4, (), real(100.0)),
        parameter(order, 1, "UNITS", -1, (4,), b"mm  "),
        parameter(order, 1, "LABELS", -1, (12, len(NAMES)), labels),
        parameter(order, 2, "USED", 2, (), whole(2)),
        parameter(order, 2, "RATE", 4, (), real(analog_rate)),
        parameter(order, 2, "SCALE", 4, (2,), real(1.0) * 2),
        parameter(order, 2, "OFFSET", 2, (2,), whole(0) * 2),
        *more,
    ])  # fmt: skip
    parameters = bytes([1, 0x50, 2, processor]) + records + b"\0"
    blocks = -(-len(parameters) // 512)
    number = whole if scale > 0 else real
    factor = scale if scale > 0 else 1.0
    rows = b""
    for i, frame in enumerate(positions()):
        for j, point in enumerate(frame):
            rows += b"".join(number(int(value / factor) if scale > 0 else value) for value in point)
            rows += number(-1 if (i, j) == missing else 0)
        rows += number(5) * SAMPLES
    head = struct.pack(f"{order}BBHHHHH", 2, 0x50, len(NAMES), SAMPLES, 1, FRAMES, 10) + real(scale)
    head += struct.pack(f"{order}HH", 2 + blocks, 2) + real(100.0)
    return head.ljust(512, b"\0") + parameters.ljust(512 * blocks, b"\0") + rows


def recorded(path, content):
    path.write_bytes(content)
    return read(look(path), JointOptions())


@pytest.mark.parametrize("scale", [-1.0, 0.5], ids=["fractions", "whole numbers"])
@pytest.mark.parametrize("processor", [84, 85, 86], ids=["Intel", "DEC", "MIPS"])
def test_markers_are_read_as_every_processor_writes_them(tmp_path, processor, scale):
    joints = recorded(tmp_path / "walk.c3d", c3d(processor, scale))
    assert (joints.fps, joints.unit) == (100.0, "mm")
    held = [joints.layout.index(name) for name in ("right_knee", "left_hip")]
    expected = positions()[:, [2, 1]]
    expected[1, 0] = np.nan
    np.testing.assert_allclose(joints.values[:, held], expected, atol=1e-4)


@pytest.mark.parametrize("scale", [-1.0, 0.5], ids=["fractions", "whole numbers"])
@pytest.mark.parametrize("processor", [84, 85], ids=["Intel", "DEC"])
def test_markers_are_those_of_another_library(tmp_path, processor, scale):
    ezc3d = pytest.importorskip("ezc3d")
    path = tmp_path / "walk.c3d"
    path.write_bytes(c3d(processor, scale))
    points = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(points[[0, 2]], positions()[[0, 2]], atol=1e-4)


BOMB = parameter("<", 1, "BOMB", 4, (255,) * 7, b"")
WRONG = {
    "more markers than the file has": (c3d(used=3000), "has 0 of 3 frames of 3000 markers"),
    "markers without number": (c3d(used=-1), r"asks for 65,535 joints, the limit is 5,000"),
    "no markers": (c3d(used=0), "3 frames of 0 markers"),
    "more frames than the file has": (c3d(frames=-2), "has 3 of 65534 frames"),
    "a parameter of 255 ** 7 numbers": (c3d(more=[BOMB]), "parameter BOMB of .* bytes is not there"),
    "instruments that fill frames": (c3d(analog_rate=6e6), "has 0 of 3 frames"),
    "a kind of parameter that is none": (c3d(more=[parameter("<", 1, "ODD", 3, (), b"")]), "parameter ODD"),
    "no processor": (c3d().replace(b"\1\x50\2\x54", b"\1\x50\2\7"), "no known processor, 7"),
    "a file that ends in the parameters": (c3d()[:700], "export it again"),
    "a file that ends in the frames": (c3d()[:-200], "has 1 of 3 frames"),
    "nothing more": (b"\x02P nothing more", "its header is of another kind"),
    "nothing": (b"", "export it again"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_sizes_that_are_not_true_are_refused_by_name(tmp_path, what):
    """The library that read these files made room for whatever they said: 4 GB and endless loops from 1 kB."""
    content, message = WRONG[what]
    (tmp_path / "walk.c3d").write_bytes(content)
    with pytest.raises(ValueError, match=rf"walk\.c3d: .*{message}"):
        load_joints(tmp_path / "walk.c3d")


def test_more_frames_than_two_bytes_tell_are_counted_in_another_place(tmp_path):
    words = struct.pack("<4h", 1, 0, FRAMES, 0)
    trial = [
        group("<", 3, "TRIAL"),
        parameter("<", 3, "ACTUAL_START_FIELD", 2, (2,), words[:4]),
        parameter("<", 3, "ACTUAL_END_FIELD", 2, (2,), words[4:]),
    ]
    assert len(recorded(tmp_path / "walk.c3d", c3d(frames=-1, more=trial)).values) == FRAMES
