"""Reads the arguments of a pickle's opcodes from its stream: numbers, bytes and text.

Python's module for looking at pickles has a reader for each. Those of the opcodes of which a large file has millions
are here, and make up half of the time that such a file takes; so are those that need a limit.
"""

import codecs
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

from motionrep.files.limits import limit, require_within

Reader = Callable[[Any], Any]
_ALWAYS_SHORT_BITS = 64


def _number(count: int) -> Reader:
    """Reads so many bytes. At the end of the file that is 0, and the next opcode, which lacks, is an error."""

    def number(stream: Any) -> int:
        return int.from_bytes(stream.read(count), "little")

    return number


def _within_limit(read: Reader) -> Reader:
    """Reads whole numbers, which can be of any length, up to the limit on their digits."""

    def number_within(stream: Any) -> int:
        number = read(stream)
        bits = number.bit_length()
        if bits > _ALWAYS_SHORT_BITS and bits > int(limit("digits") * 3.33):
            require_within("a whole number in it", "digits", bits / 3.33)
        return number

    return number_within


def _bytes(length: Reader) -> Reader:
    """Reads bytes that stand behind their number."""

    def content(stream: Any) -> bytes:
        count = length(stream)
        if len(found := stream.read(count)) != count:
            raise pickle.UnpicklingError("the file ends too early")
        return found

    return content


def _text(length: Reader) -> Reader:
    content = _bytes(length)

    def text(stream: Any) -> str:
        return content(stream).decode("utf-8", "surrogatepass")

    return text


def _line_of_text(stream: Any) -> str:
    """The text of a STRING, which protocol 0 writes between quotes, with escapes for what is no ASCII."""
    line = stream.readline().rstrip(b"\r\n")
    if len(line) < 2 or line[:1] not in b"'\"" or line[:1] != line[-1:]:
        raise pickle.UnpicklingError("text without quotes")
    return codecs.escape_decode(line[1:-1])[0].decode("latin1")  # pyright: ignore[reportAttributeAccessIssue]


_OURS: dict[str, Reader] = {
    "STRING": _line_of_text,
    **dict.fromkeys(("PROTO", "BININT1", "BINPUT", "BINGET"), _number(1)),
    "BININT2": _number(2),
    **dict.fromkeys(("LONG_BINPUT", "LONG_BINGET"), _number(4)),
    "SHORT_BINBYTES": _bytes(_number(1)),
    "BINBYTES": _bytes(_number(4)),
    "SHORT_BINUNICODE": _text(_number(1)),
    "BINUNICODE": _text(_number(4)),
}
_UNLIMITED = ("INT", "LONG", "LONG1", "LONG4", "GET", "PUT")
# By the names of the opcodes that have an argument.
READERS: dict[str, Reader] = {
    op.name: _within_limit(op.arg.reader) if op.name in _UNLIMITED else _OURS.get(op.name, op.arg.reader)
    for op in pickletools.opcodes
    if op.arg is not None
}
