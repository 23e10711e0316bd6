"""The converted networks against the original runtime's results, which make_golden.py stored."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import GOLDEN, ROOT
from safetensors.numpy import load_file

from motionrep.detection.blazepose.convert import NETWORKS, convert, read_member
from motionrep.detection.blazepose.network import Network, load_network
from motionrep.detection.blazepose.packing import unpacked

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


@pytest.fixture(scope="module")
def original():
    """Reads an original .tflite file. The packages are too large for a test to download."""
    folder = Path(os.environ.get("MOTIONREP_BLAZEPOSE", "not set"))
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("tflite")
    wheel, tarball = next(folder.glob("mediapipe-0.10.14-*.whl"), None), next(folder.glob("mediapipe-pose-*.tgz"), None)
    if wheel is None or tarball is None:
        pytest.skip("MOTIONREP_BLAZEPOSE is no folder with the two packages that blazepose/convert.py names")
    return lambda name: read_member({"wheel": wheel, "tarball": tarball}[NETWORKS[name][0]], NETWORKS[name][1])


def test_the_shipped_files_are_what_the_converter_makes(name, original):
    description, weights = convert(original(name), NETWORKS[name][2])
    shipped = json.loads((WEIGHTS / name / "network.json").read_text(encoding="utf-8"))
    assert {key: shipped[key] for key in description} == description
    stored = unpacked(load_file(WEIGHTS / name / "model.safetensors"))
    assert stored.keys() == weights.keys()
    assert all(np.array_equal(stored[key].view(np.uint16), weights[key].view(np.uint16)) for key in weights)


def test_equals_the_running_original_on_other_pictures(name, original):
    """As the stored results, with the original runtime itself, on noise and on the stored picture in other lights."""
    from ai_edge_litert.interpreter import Interpreter

    picture = np.load(GOLDEN / "blazepose.npz")[f"{name}.picture"].astype(np.float32) / 255
    noise = np.random.default_rng(0).random(picture.shape, dtype=np.float32)
    runtime = Interpreter(model_content=original(name))
    runtime.allocate_tensors()
    for given in (picture, picture[..., ::-1], 0.5 * picture, 0.8 * picture + 0.2 * noise, noise):
        given = np.ascontiguousarray(given * 2 - 1 if name == "blazepose-people" else given)
        runtime.set_tensor(runtime.get_input_details()[0]["index"], given.transpose(1, 2, 0)[None].copy())
        runtime.invoke()
        named = {detail["name"]: runtime.get_tensor(detail["index"]) for detail in runtime.get_output_details()}
        found = load_network(WEIGHTS / name)(torch.from_numpy(given)[None])
        for tensor, output in NETWORKS[name][2].items():
            assert np.abs(found[output].numpy() - named[tensor]).max() < TOLERANCE[output], output


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
