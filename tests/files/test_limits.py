"""Small files that ask for much are refused at once, in one sentence with the file, the limit and the setting."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrep.files.arrays import npz_text, open_npz, read_array
from motionrep.files.checkpoints import read_checkpoint
from motionrep.files.contents import look
from motionrep.files.hdf5 import open_hdf5, whole
from motionrep.files.limits import LIMITS, SETTING, OverLimitError, limit, require_within
from motionrep.files.pickle_machine import PickleMachine
from motionrep.files.pickles import as_array, read_pickle
from motionrep.files.settings import read_settings
from motionrep.files.texts import read_index, read_json
from motionrep.files.writing import written_beside
from motionrep.motion.editing import resample, without_gaps
from motionrep.motion.joint_loading import load_joints
from motionrep.types import BodyMotion

# Each name stands for ten of the one before, 10,000,000 in all.
LAUGHS = "a: &a [b, b, b, b, b, b, b, b, b, b]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 10)}]\n"
    for before, after in zip("abcdef", "bcdefg", strict=True)
)  # fmt: skip


def motion(frames: int, fps: float = 30.0) -> BodyMotion:
    rotmat = torch.eye(3).repeat(frames, 24, 1, 1)
    return BodyMotion(rotmat, torch.zeros(frames, 3), torch.zeros(10), "open", fps, "world")


def test_the_setting_raises_every_limit_and_the_message_says_by_how_much(monkeypatch):
    asked = 3 * LIMITS["frames"] - 1
    with pytest.raises(OverLimitError, match=rf"day\.npz: asks for .* frames, the limit is .*{SETTING}=3$"):
        require_within("day.npz", "frames", asked)
    monkeypatch.setenv(SETTING, "3")
    require_within("day.npz", "frames", asked)
    assert all(limit(what) == 3 * LIMITS[what] for what in LIMITS)
    monkeypatch.setenv(SETTING, "0.5")
    with pytest.raises(ValueError, match=f"{SETTING} should be a number of at least 1"):
        limit("frames")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02N" + b"\x85" * 5000 + b".", "levels of nesting"),
        (b"\x80\x02}N" + b"\x85" * 5000 + b"Ns.", "a key that is neither text nor a number"),
        (b"\x80\x02" + b"]q\x00h\x00a.", "contains itself"),
        (b"I" + b"9" * 1000 + b"\n.", "digits"),
        (b"\x80\x02T\xff\xff\xff\x7fabc.", "not a whole pickle"),
        (b"\x80\x02(((((0000000.", "not a whole pickle"),
    ],
)
def test_a_pickle_that_asks_for_much_is_refused(tmp_path, content, message):
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.pkl: .*{message}"):
        read_pickle(path, "test file")


def test_a_memo_number_takes_no_room(tmp_path):
    """Nine bytes made Python's unpickler fill 4 GiB."""
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02Nr\xff\xff\xff\x7f.")
    assert read_pickle(path, "test file") is None


def test_lists_that_are_shared_count_as_often_as_they_are_met(tmp_path):
    value = [0.0] * 10
    for _ in range(11):
        value = [value] * 10
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(OverLimitError, match=r"x\.pkl: .*numbers"):
        read_pickle(path, "test file")
    path.write_bytes(pickle.dumps([[[1.0, 2.0]] * 3] * 2))
    assert as_array(read_pickle(path, "test file")).shape == (2, 3, 2)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_as_pythons_own_unpickler_reads_them(protocol):
    shared = [1, 2.5, -(2**70)]
    value = {"a": shared, "b": (shared, None, True, False, "text", "ü", b"bytes"), 3: {}, (1, "x"): (), "s": {1, 2},
             "t": ((1, 2, 3), (1, 2), (1,)), "long": list(range(300))}  # fmt: skip

    def find(module: str, name: str) -> object:
        assert (module, name) in {("builtins", "set"), ("__builtin__", "set"), ("_codecs", "encode")}
        return set if name == "set" else (lambda text, codec: text.encode(codec))

    read = PickleMachine(io.BytesIO(pickle.dumps(value, protocol)), find).load()
    assert read == value
    assert read["a"] is read["b"][0]


@pytest.mark.parametrize("old", [False, True])
def test_a_tensor_that_repeats_its_numbers_is_read_up_to_a_size(tmp_path, old):
    def saved(frames: int):
        content = {"poses": torch.ones(1).expand(frames, 66), "whole": torch.arange(6.0).view(2, 3).T}
        torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
        return tmp_path / "x.pt"

    read = read_checkpoint(saved(100))
    assert read["poses"].shape == (100, 66)
    assert read["whole"].tolist() == [[0, 3], [1, 4], [2, 5]]
    for frames in (10**5, 10**11):
        with pytest.raises(ValueError, match=r"x\.pt: "):
            read_checkpoint(saved(frames))


def test_json_is_held_to_nesting_and_digits_but_texts_may_hold_brackets(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[" * 5000)
    with pytest.raises(OverLimitError, match=r"x\.json: asks for .* levels of nesting"):
        read_json(path)
    path.write_text('{"frame": ' + "7" * 1000 + "}")
    with pytest.raises(OverLimitError, match=r"x\.json: asks for 1,000 digits"):
        read_json(path)
    content = {"notes": ["[[{" * 100, 'a "quoted [" text'] * 3, "nested": [[[1]]]}
    path.write_text(json.dumps(content))
    assert read_json(path) == content


@pytest.mark.parametrize("shape", [(10**11, 0), (10**12,), (3, 10**6)])
def test_an_array_says_no_more_than_it_has(tmp_path, shape):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    (tmp_path / "x.npy").write_bytes(head.getvalue())
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("poses.npy", head.getvalue())
    with pytest.raises(ValueError, match=r"x\.npy: "):
        read_array(tmp_path / "x.npy", "")
    with open_npz(tmp_path / "x.npz") as arrays, pytest.raises(ValueError, match=r"x\.npz: "):
        arrays["poses"]


def test_a_text_that_is_one_element_has_the_limit_on_bytes(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", format=np.array("x" * 2**20))
    assert npz_text(tmp_path / "x.npz", "format") is None
    monkeypatch.setitem(LIMITS, "bytes", 2**20)
    with open_npz(tmp_path / "x.npz") as arrays, pytest.raises(ValueError, match=r"x\.npz: .*bytes, the limit is"):
        arrays["format"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"," * 100_000 + b"\n" + b"a\n" * 100_000, "numbers, the limit is"),
        (b"clip\n" + b"x" * 200_000, "not a readable table"),
        (b"clip\n\xff\xfe", "not UTF-8"),
    ],
    ids=["cells that rows lack", "a cell without end", "bytes"],
)
def test_a_table_is_refused_by_name(tmp_path, content, message):
    """A row of one cell became 100,000; a long cell ended in a traceback."""
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.csv: .*{message}"):
        read_index(tmp_path / "x.csv")


def test_markers_that_rows_lack_are_counted_first(tmp_path):
    names = "\t\t\t".join(f"m{i}" for i in range(20_000))
    head = f"PathFileType\t4\nDataRate\tUnits\n100\tm\nFrame#\tTime\t{names}\n\n"
    (tmp_path / "x.trc").write_text(head + "1\t0\t1\n" * 2000)
    with pytest.raises(OverLimitError, match=r"x\.trc: .*numbers, the limit is"):
        load_joints(tmp_path / "x.trc")


def test_pipes_and_devices_are_neither_read_nor_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path, called in ((tmp_path / "pipe.json", "a pipe"), (os.devnull, "a device")):
        with pytest.raises(ValueError, match=f"is {called}, not a file"):
            look(path)
    null = Path(os.devnull)
    for path in (tmp_path / "pipe.json", null, Path("/dev/stdout")):
        with pytest.raises(FileExistsError, match="was not written: it is a device or a pipe"), written_beside(path):
            pass
    assert null.is_char_device()


def test_hdf5_files_do_not_open_others(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.arange(3.0)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["own"], file["linked"] = np.arange(4.0), h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
        file.create_dataset("raw", (3,), "f8", external=[(str(tmp_path / "secret.h5"), 0, 24)])
    with open_hdf5(tmp_path / "x.h5") as file:
        assert whole(file["own"], tmp_path / "x.h5").tolist() == [0, 1, 2, 3]
        for name in ("linked", "raw"):
            with pytest.raises(ValueError, match=r"x\.h5: array .* has its numbers in another file"):
                whole(file[name], tmp_path / "x.h5")


def test_frames_that_are_missing_or_made_are_counted_first():
    with pytest.raises(OverLimitError, match="frames in a gap"):
        without_gaps(motion(2), torch.tensor([0, 10**8]))
    with pytest.raises(OverLimitError, match="frames"):
        resample(motion(100, fps=0.1), 10_000.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("head: {class_path: os.system}", r"'head\.class_path'"),
        ("more: [{a: {init_args: {}}}]", r"'more\[0\]\.a\.init_args'"),
        ("a: !!python/object:os.system {}", "not a YAML file"),
        ("a: 2020-01-01", "setting 'a': expected text, a number"),
        ("1: a", "names of settings are text"),
        ("- a", "not a YAML file of settings such as"),
        ("[" * 3000, "x.yaml: "),
        (LAUGHS, "settings"),
    ],
)  # fmt: skip
def test_settings_are_plain_values(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"x\.yaml: .*{message}|{message}"):
        read_settings(path)


def test_settings_may_share_what_yaml_names(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("head: pose3d\nhead_config: &it {losses: {position: 1.0}}\nmore_heads: {mesh: *it}\n")
    assert read_settings(path)["more_heads"]["mesh"] == {"losses": {"position": 1.0}}
