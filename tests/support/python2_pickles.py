"""Pickles as Python 2 wrote them."""

import io
import pickle
import struct
from typing import Any


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as strings of Python 2, and NumPy's and SciPy's names of that time."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_string(self, value: str | bytes) -> None:
        raw = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(content: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol, fix_imports=True).dump(content)
    names = {b"cnumpy._core.": b"cnumpy.core.", b"cscipy.sparse._csc\n": b"cscipy.sparse.csc\n"}
    written = file.getvalue()
    for now, then in names.items():
        written = written.replace(now, then)
    return written
