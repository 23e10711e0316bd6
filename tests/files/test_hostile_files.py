"""Pickles and joblib files that ask to run something are refused, and nothing in them runs."""

import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from python2_pickles import python2_pickle

from motionrep.files.pickles import as_array, read_pickle
from motionrep.motion.loading import load_motions


class Hostile:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("write", ["pickle", "pickle of Python 2", "joblib", "torch", "torch, old"])
def test_a_hostile_file_is_refused_by_the_name_of_what_it_asks_for(tmp_path, write):
    ran = tmp_path / "ran"
    content = {"poses": [1.0], "trans": Hostile(ran), "smpl_params_global": {}}
    path = tmp_path / ("results.pt" if "torch" in write else "results.pkl")
    if "torch" in write:
        torch.save(content, path, _use_new_zipfile_serialization=write == "torch")
    elif write == "joblib":
        joblib.dump(content, path)
    else:
        path.write_bytes(pickle.dumps(content) if write == "pickle" else python2_pickle(content))
    with pytest.raises(ValueError, match=r"results\.p.*: asks to import (posix|nt)\.system"):
        load_motions(path)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["builtins eval", "builtins getattr", "joblib.numpy_pickle NDArrayWrapper"])
def test_only_names_on_the_list_are_known(tmp_path, name):
    module, member = name.split()
    path = tmp_path / "results.pkl"
    path.write_bytes(f"c{module}\n{member}\n.".encode())
    with pytest.raises(ValueError, match=f"asks to import {module}.{member}"):
        load_motions(path)


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_file_that_joblib_compressed_is_read(tmp_path, method):
    """PHALP's results are compressed, and were refused."""
    path, pose = tmp_path / "results.pkl", np.arange(144.0).reshape(2, 72)
    joblib.dump({0: {"pose": pose}}, path, compress=(method, 3))
    np.testing.assert_array_equal(as_array(read_pickle(path, "test")[0]["pose"]), pose)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"results\.pkl: "):
        read_pickle(path, "test")


def test_a_file_that_lz4_compressed_is_called_so(tmp_path):
    (tmp_path / "results.pkl").write_bytes(b"\x04\x22M\x18 and so on")
    with pytest.raises(ValueError, match=r"results\.pkl: is compressed by lz4.*save it with compress=3"):
        read_pickle(tmp_path / "results.pkl", "test")


def test_objects_in_joblib_arrays_are_not_read(tmp_path):
    path = tmp_path / "results.pkl"
    joblib.dump({0: {"pose": np.array([Hostile(tmp_path / "ran"), None])}}, path)
    with pytest.raises(ValueError, match=r"results\.pkl: "):
        load_motions(path)
    assert not (tmp_path / "ran").exists()
