"""Weights are packed without loss."""

import zlib

import numpy as np
import pytest
from paths import ROOT
from safetensors.numpy import load_file, save

from motionrep.detection.blazepose.packing import packed, unpacked

WEIGHTS = ROOT / "motionrep" / "detection" / "weights"


def _same(some, others) -> bool:
    return some.keys() == others.keys() and all(
        some[name].shape == others[name].shape
        and np.array_equal(some[name].view(np.uint16), others[name].view(np.uint16))
        for name in some
    )


def test_each_bit_survives():
    """Every float16 there is: both zeros, the smallest numbers, infinities and those that are not numbers."""
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    rng = np.random.default_rng(0)
    weights = {
        "all": every, "matrix": every.reshape(256, 256), "kernel": rng.permutation(every).reshape(64, 256, 2, 2),
        "sparse": np.where(rng.random((16, 8, 3, 3)) < 0.7, 0, rng.normal(size=(16, 8, 3, 3))).astype(np.float16),
        "zeros": np.zeros((4, 2), np.float16), "one": np.ones(1, np.float16),
    }  # fmt: skip
    assert _same(unpacked(packed(weights)), weights)


@pytest.mark.parametrize("name", ["blazepose-people", "blazepose-full"])
def test_shipped_weights_are_packed_and_smaller_in_a_wheel(name):
    shipped = load_file(WEIGHTS / name / "model.safetensors")
    weights = unpacked(shipped)
    assert packed(weights).keys() == shipped.keys()
    assert len(zlib.compress(save(shipped))) < 0.95 * len(zlib.compress(save(weights)))
