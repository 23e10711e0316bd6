"""Sizes in a config.json are held against the weights before a network of them is built."""

import json

import pytest
import torch
from torch import nn

from motionrep.encoders.architectures.ktpformer import KTPFormer
from motionrep.encoders.loading import load_encoder
from motionrep.head_api.loading import head_class, load_head, save_head
from motionrep.weights.building import within


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    encoder = KTPFormer(frames=9, channels=16, depth=1, heads=2, input_channels=3)
    encoder.name = "tiny"
    encoder.save_pretrained(folder / "encoder")
    save_head(head_class("pose3d")(channels=16, hidden=8), folder / "head", "pose3d", "tiny")
    return folder


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("encoder", {"frames": 10**9}),
        ("encoder", {"depth": 10**9}),
        ("encoder", {"channels": 2**40}),
        ("encoder", {"channels": "many"}),
        ("head", {"hidden": 10**9}),
        ("head", {"channels": 10**12}),
        ("head", {"hypotheses": 10**10}),
    ],
)
def test_a_network_larger_than_its_weights_is_not_built(folder, name, changes):
    path = folder / name / "config.json"
    before = path.read_text()
    content = json.loads(before)
    path.write_text(json.dumps(content | {"config": content["config"] | changes}))
    try:
        with pytest.raises(ValueError, match=r"config\.json: .*does not build"):
            (load_encoder if name == "encoder" else load_head)(folder / name)
    finally:
        path.write_text(before)
    (load_encoder if name == "encoder" else load_head)(folder / name)


@pytest.mark.parametrize(
    "build",
    [lambda: nn.Linear(10**6, 10**6), lambda: torch.zeros(10**5, 10**5), lambda: torch.empty((10**5, 10**5))],
)
def test_only_what_is_hardly_larger_than_the_weights_is_built(build):
    with within({"weight": torch.zeros(3, 3)}, {}):
        assert nn.Linear(100, 100).weight.shape == (100, 100)
    with pytest.raises(ValueError, match="larger than the weights"), within({"weight": torch.zeros(3, 3)}, {}):
        build()
