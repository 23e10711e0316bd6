"""Published checkpoints and reference vectors."""

import pytest
import torch
from golden import fill
from torch import nn

from motionrep.encoders.published import from_published

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", fill.NAMES)
def test_reference_outputs_are_reproduced(name):
    config, weights, arrays = fill.load(name)
    encoder, head = from_published(config["architecture"], weights, heads=config["num_heads"])
    with torch.no_grad():
        representation = encoder(arrays["input"])
        pose = head(representation)
    torch.testing.assert_close(representation, arrays["representation"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(pose, arrays["output"], atol=TOLERANCE, rtol=0)


def test_ktpformer_mixes_two_layer_norm_constants():
    """Their difference lies below the tolerance of the reference vectors."""
    _, weights, _ = fill.load("ktpformer_f9_d32_l1")
    encoder, head = from_published("ktpformer", weights)
    eps = {name: module.eps for name, module in encoder.named_modules() if isinstance(module, nn.LayerNorm)}
    larger = {"joint_prior_block.norm1", "frame_prior_block.norm1"}
    assert {name: value for name, value in eps.items() if name in larger} == dict.fromkeys(larger, 1e-5)
    assert {value for name, value in eps.items() if name not in larger} == {1e-6}
    assert head[0].eps == 1e-5


def test_a_confidence_channel_leaves_published_weights_exact():
    _, weights, arrays = fill.load("ktpformer_f9_d32_l1")
    two, _ = from_published("ktpformer", weights)
    three, _ = from_published("ktpformer", weights, input_channels=3)
    confidence = torch.rand(*arrays["input"].shape[:3], 1)
    with torch.no_grad():
        got = three(torch.cat([arrays["input"], confidence], -1))
        torch.testing.assert_close(got, two(arrays["input"]), atol=1e-6, rtol=0)
