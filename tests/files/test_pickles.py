"""Objects inside .npz files and text in pickles, read without running anything."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from motionrep.files.pickle_machine import Inert, PickleMachine
from motionrep.files.pickles import MALFORMED, as_array, as_items, as_text, read_npz_object, read_pickle


class Runs:
    """Unpickling it as Python does would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_an_object_in_an_npz_is_what_numpy_was_given(tmp_path):
    content = {"S9": {"Walking 1": np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)}, "fps": 50, "names": ["a", "b"]}
    np.savez_compressed(tmp_path / "x.npz", data=content, more={"k": (1, 2)})
    read = read_npz_object(tmp_path / "x.npz", "data", "test file")
    np.testing.assert_array_equal(as_array(read["S9"]["Walking 1"]), content["S9"]["Walking 1"])
    assert (read["fps"], as_items(read["names"])) == (50, ["a", "b"])
    assert read_npz_object(tmp_path / "x.npz", "more", "test file") == {"k": (1, 2)}


def test_nothing_in_an_npz_is_run(tmp_path):
    np.savez(tmp_path / "x.npz", data={"a": Runs(tmp_path / "made")})
    with pytest.raises(ValueError, match=r"x\.npz: asks to import (_?io|builtins)\.open.*refused"):
        read_npz_object(tmp_path / "x.npz", "data", "test file")
    assert not (tmp_path / "made").exists()


def test_a_missing_key_is_named_with_those_there_are(tmp_path):
    np.savez(tmp_path / "x.npz", one={}, two=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npz: a test file has 'data', this file has one, two"):
        read_npz_object(tmp_path / "x.npz", "data", "test file")
    with pytest.raises(ValueError, match=r"'two' should be one object \(a dict\), it is an array of shape \(3,\)"):
        read_npz_object(tmp_path / "x.npz", "two", "test file")


def test_broken_and_missing_files_are_named(tmp_path):
    np.savez(tmp_path / "whole.npz", data={"a": np.arange(1000)})
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.npz"):
        read_npz_object(tmp_path / "cut.npz", "data", "test file")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("data.npy", b"no array at all")
    with pytest.raises(ValueError, match=r"odd\.npz"):
        read_npz_object(tmp_path / "odd.npz", "data", "test file")
    with pytest.raises(FileNotFoundError, match=r"none\.npz: no such file; expected a test file"):
        read_npz_object(tmp_path / "none.npz", "data", "test file")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_text_comes_back_from_lists_arrays_and_scalars(tmp_path, protocol):
    names = ["s_09_act_02", "Zürich", "x"]
    stored = {
        "list": names,
        "unicode": np.array(names),
        "bytes": np.array([b"one", b"three"]),
        "objects": np.array([*names, None], dtype=object)[:3],
        "scalars": list(np.array(names)),
        "numbers": np.arange(3),
    }
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(stored, protocol))
    read = read_pickle(tmp_path / "x.pkl", "test file")
    for key in ("list", "unicode", "objects"):
        assert [as_text(item) for item in as_items(read[key])] == names
    assert [as_text(item) for item in read["scalars"]] == names
    assert as_items(read["bytes"]) == ["one", "three"]
    with pytest.raises(TypeError, match="not text"):
        as_items(read["numbers"])


def test_a_long_pickle_is_what_python_reads(tmp_path):
    """The mapped file's memory is given back while it is read; what was read before must not change by that."""
    content = {f"name {number}": [number, str(number), (number / 2, b"x" * (number % 7))] for number in range(20_000)}
    (tmp_path / "long.pkl").write_bytes(pickle.dumps(content, protocol=4))
    assert read_pickle(tmp_path / "long.pkl", "test file") == content


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_ends_anywhere_too_early_is_refused(protocol):
    """Numbers at the end of a file are read as 0, so the opcode that lacks behind them must be missed."""
    shared = np.arange(3.0)
    content = {"a": (1, 300, 70_000, -5, 2**70), "text": ["x" * 300, "ü", b"abc"], "arrays": [shared, shared]}
    whole = pickle.dumps(content, protocol)
    assert PickleMachine(io.BytesIO(whole), lambda module, name: Inert).load()["a"] == content["a"]
    for end in range(len(whole)):
        with pytest.raises(MALFORMED):
            PickleMachine(io.BytesIO(whole[:end]), lambda module, name: Inert).load()
