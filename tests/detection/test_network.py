"""The converted networks against the original runtime's results, which make_golden.py stored."""

import json

import numpy as np
import pytest
import torch
from paths import GOLDEN, ROOT

from motionrep.detection.blazepose.network import Network, load_network

WEIGHTS = ROOT / "motionrep" / "detection" / "weights"
THINNED = {"boxes": np.s_[:, ::23], "heatmap_logit": np.s_[:, ::8, ::8]}
TOLERANCE = {"boxes": 0.01, "landmarks": 0.01, "score_logit": 0.01, "score": 1e-4, "heatmap_logit": 0.01}


@pytest.fixture(params=["blazepose-people", "blazepose-full", "blazepose-heavy"])
def name(request):
    return request.param


def test_equals_the_original_runtime_to_a_hundredth_of_a_pixel(name):
    stored, network = np.load(GOLDEN / "blazepose.npz"), load_network(WEIGHTS / name)
    picture = torch.from_numpy(stored[f"{name}.picture"]).float()[None] / 255
    found = network(picture * 2 - 1 if name == "blazepose-people" else picture)
    for output, value in found.items():
        expected = stored[f"{name}.{output}"]
        difference = np.abs(value.numpy()[THINNED.get(output, np.s_[:])] - expected)
        assert difference.max() < TOLERANCE[output], output


def test_a_batch_is_its_pictures_one_by_one():
    network = load_network(WEIGHTS / "blazepose-full")
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    together = network(pictures)["landmarks"]
    assert together[1].allclose(network(pictures[1:])["landmarks"][0], atol=1e-3)


def test_weights_are_the_float16_of_the_source(name):
    description = json.loads((WEIGHTS / name / "network.json").read_text(encoding="utf-8"))
    assert len(description["source"]["sha256"]) == 64
    assert f"`{description['source']['sha256']}`" in (WEIGHTS / name / "README.md").read_text(encoding="utf-8")
    for weight in load_network(WEIGHTS / name).buffers():
        assert torch.equal(weight, weight.half().float())


def test_same_padding_is_tensorflows():
    """For stride 2 and an even length, TensorFlow pads only the right and the bottom."""
    description = {
        "input": "x", "outputs": {"y": "y"},
        "operations": [{
            "op": "conv", "inputs": ["x", "w", "b"], "output": "y", "stride": 2, "padding": "same", "activation": None,
        }],
    }  # fmt: skip
    network = Network(description, {"w": torch.ones(1, 3, 3, 3), "b": torch.zeros(1)})
    assert network(torch.ones(1, 3, 4, 4))["y"][0, ..., 0].tolist() == [[27, 18], [18, 12]]


def test_a_folder_without_a_network_is_named(tmp_path):
    with pytest.raises(ValueError, match="not a whole network"):
        load_network(tmp_path)
    (tmp_path / "network.json").write_text('{"format": "motionrep network 2"}')
    with pytest.raises(ValueError, match="update motionrep"):
        load_network(tmp_path)
