"""Breaks files: in their bytes, and, where they are JSON, arrays or pickles, in what they hold."""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

# What no reader expects in the place of a number, a text or an array.
ODD_JSON = st.sampled_from([
    None, True, "", "NaN", "x" * 300, -1, 0, 0.001, 1e9, 1e30, 1e300, float("nan"), float("inf"), -5, 2**31,
    2**63, 10**40, 10**400, [], {}, [[]], [None], {"class_path": "os.system"}, [[[[[[1]]]]]], "../../etc/passwd", "\0",
    "1e999",
])  # fmt: skip
ODD_ARRAYS = st.sampled_from([
    np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.float64(np.nan), np.full((5, 72), np.inf),
    np.full((5, 3), 1e30),
    np.array("text"), np.array([b"bytes"]), np.zeros((2, 2), bool), np.zeros(3, complex), np.array(["2020"], "M8[D]"),
    np.zeros(2, [("a", "f4"), ("b", "i8")]), np.array(-7), np.array(2**62), np.zeros((1, 1, 1, 1, 1)),
    np.zeros((5, 72), "f2"),
    np.arange(5)[::-1] - 3, np.array([0, 10**8]), np.array([0, 2**60]), np.array(0.001),
])  # fmt: skip
ODD_DIGITS = [b"9" * 12, b"-1", b"1e39", b"nan", b"9" * 400]
MOST_BYTES = 200


@st.composite
def broken_bytes(draw: Any, whole: bytes) -> bytes:
    """The bytes with some of them changed, cut off, doubled or put in."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "drop", "double", "insert", "digit"])):
            case "change":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[at:]
            case "drop":
                del content[at : at + draw(st.integers(1, MOST_BYTES))]
            case "double":
                content[at:at] = content[at : at + draw(st.integers(1, MOST_BYTES))]
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=12))
            case "digit":
                places = [i for i, byte in enumerate(content[at : at + 400], at) if 48 <= byte <= 57]
                if places:
                    content[places[0] : places[0] + 1] = draw(
                        st.sampled_from([b"9" * 12, b"-1", b"1e39", b"nan", b"9" * 400])
                    )
    return bytes(content)


def _changed(draw: Any, value: Any, odd: Any) -> Any:
    """A value with one of its parts replaced, removed or doubled."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(list(value)))
        match draw(st.sampled_from(["inside", "inside", "inside", "remove", "rename", "add"])):
            case "inside":
                return value | {key: _changed(draw, value[key], odd)}
            case "remove":
                return {name: it for name, it in value.items() if name != key}
            case "rename":
                return {(f"{name}_" if name == key else name): it for name, it in value.items()}
            case _:
                return value | {draw(st.text(max_size=8)): draw(odd)}
    if isinstance(value, list | tuple) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        match draw(st.sampled_from(["inside", "inside", "inside", "remove", "double"])):
            case "inside":
                changed = [*value[:at], _changed(draw, value[at], odd), *value[at + 1 :]]
            case "remove":
                changed = [*value[:at], *value[at + 1 :]]
            case _:
                changed = [*value[: at + 1], *value[at:]]
        return type(value)(changed)
    if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "fiu" and draw(st.booleans()):
        return _changed_array(draw, value)
    return draw(odd)


def _changed_array(draw: Any, value: np.ndarray) -> np.ndarray:
    match draw(st.sampled_from(["number", "cut", "axis", "type", "scale"])):
        case "number":
            changed = value.astype(float)
            changed.flat[draw(st.integers(0, changed.size - 1))] = draw(
                st.sampled_from([np.nan, np.inf, -1.0, 1e30, 1e12, 0.5])
            )
            return changed
        case "cut":
            return value[: draw(st.integers(0, len(value)))] if value.ndim else value[None]
        case "axis":
            return value[None] if draw(st.booleans()) else value.ravel()
        case "type":
            with np.errstate(all="ignore"):
                return value.astype(draw(st.sampled_from(["f2", "i4", "u1", "U8", "S4", "c8", "?"])))
        case _:
            return value * draw(st.sampled_from([1e3, 1e20, -1.0, 0.0]))


@st.composite
def broken_file(draw: Any, path: Path, whole: bytes) -> bytes:
    """The content of a broken file, broken in its structure where that is known, or else in its bytes."""
    if draw(st.booleans()):
        return draw(broken_bytes(whole))
    try:
        if whole[:1] in b"[{":
            return json.dumps(_changed(draw, json.loads(whole), ODD_JSON)).encode()
        if whole[:1] == b"\x80":
            return pickle.dumps(_changed(draw, pickle.loads(whole), st.one_of(ODD_JSON, ODD_ARRAYS)))
        if whole[:6] == b"\x93NUMPY":
            array = np.load(io.BytesIO(whole), allow_pickle=True)
            held = array.item() if array.dtype == object and array.shape == () else array
            file = io.BytesIO()
            np.save(file, _changed(draw, held, ODD_ARRAYS), allow_pickle=True)
            return file.getvalue()
        if path.suffix == ".npz":
            return _broken_npz(draw, whole)
    except (ValueError, KeyError, pickle.UnpicklingError):  # joblib's pickles are broken in their bytes only
        pass
    return draw(broken_bytes(whole))


def _broken_npz(draw: Any, whole: bytes) -> bytes:
    with np.load(io.BytesIO(whole), allow_pickle=True) as arrays:
        held = {name: it.item() if it.dtype == object and it.shape == () else it for name, it in arrays.items()}
    changed = _changed(draw, held, ODD_ARRAYS)
    file = io.BytesIO()
    np.savez_compressed(file, **(changed if isinstance(changed, dict) else {"array": changed}))
    if draw(st.integers(0, 9)):
        return file.getvalue()
    with zipfile.ZipFile(file, "a") as archive:  # a member that is no array
        archive.writestr(draw(st.sampled_from(["fps.npy", "notes.txt", "a/b.npy"])), b"nothing")
    return file.getvalue()
