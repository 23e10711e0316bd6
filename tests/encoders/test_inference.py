"""The twin of an encoder that embedding runs: same results, no stale weights, the encoder untouched."""

import copy
import dataclasses
import shutil
import subprocess
import sys

import jaxtyping
import numpy as np
import pytest
import torch
from small_encoders import options_for
from torch import nn

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.embedding.encoding import embed
from motionrep.encoders import ENCODERS, SSRSTF, KTPFormer, inference, load_encoder
from motionrep.encoders.architectures.layers import MLP, Block, TransformerBlock
from motionrep.encoders.bfloat16 import PreciseProduct, Product, has_packed_products
from motionrep.encoders.inference import for_inference
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera
from motionrep.types import Keypoints

SMALL = {"frames": 9, "channels": 32, "inner_channels": 32, "depth": 2, "heads": 2, "layer_scale": 0.5}


def _encoder(architecture):
    """Small, with batch norms that have seen something."""
    torch.manual_seed(0)
    encoder = ENCODERS[architecture](**options_for(architecture, **SMALL))
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm1d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor)
    return encoder.eval()


def _windows(encoder):
    return torch.rand(2, 9, 17, encoder.input_channels, generator=torch.Generator().manual_seed(1)) - 0.5


@pytest.mark.parametrize("architecture", ENCODERS)
def test_the_twin_computes_the_same(architecture):
    encoder = _encoder(architecture)
    x = _windows(encoder)
    with torch.no_grad():
        torch.testing.assert_close(for_inference(encoder)(x), encoder(x), atol=1e-5, rtol=1e-5)


def test_no_batch_norm_over_channels_is_left():
    twin = for_inference(_encoder("ktpformer"))
    assert not any(isinstance(module, nn.BatchNorm1d) for module in twin.modules())


@pytest.mark.parametrize("architecture", ENCODERS)
def test_bfloat16_is_close(architecture):
    encoder = _encoder(architecture)
    exact, rough = (for_inference(encoder, dtype)(_windows(encoder)) for dtype in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.01 * exact.std()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["ktpformer-s", "ssr-stf-s"])
def test_bfloat16_moves_poses_by_less_than_a_millimetre(name, packed, monkeypatch):
    if not packed:
        monkeypatch.setattr(inference, "has_packed_products", lambda: False)
    encoder, head, clip = load_encoder(name), load_head(f"pose3d-{name}"), _filmed("squat", "wave", "walk", "kick")
    exact, rough = (
        head.predict(embed(clip, encoder, dtype=dtype)).position_m for dtype in (torch.float32, torch.bfloat16)
    )
    assert 1e-5 < (rough - exact).norm(dim=-1).mean() < 1e-3


def _filmed(*names):
    """Motions of two seconds, one after the other, as a simulated detector sees them."""
    body, rng, clips = load_body_model("open"), np.random.default_rng(0), []
    for name in names:
        motion = authored_motion(name, seconds=2.0)
        camera = random_camera(motion, body, rng)
        clips.append(simulated_keypoints(in_camera(motion, body, camera), body, camera, H36M_17, rng))
    xy_px, confidence = (torch.cat([getattr(clip, field) for clip in clips]) for field in ("xy_px", "confidence"))
    return dataclasses.replace(clips[0], xy_px=xy_px, confidence=confidence)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_windows_have_no_influence_on_each_other_in_bfloat16(architecture):
    encoder = _encoder(architecture)
    x = torch.rand(3, 9, 17, encoder.input_channels, generator=torch.Generator().manual_seed(1)) - 0.5
    twin = for_inference(encoder, torch.bfloat16)
    first = twin(x)
    torch.testing.assert_close(torch.cat([twin(window[None]) for window in x]), first, atol=1e-3, rtol=0)
    x[1] = torch.nan
    for bad_first in (x, x.flip(0)[1:]):
        result = for_inference(encoder, torch.bfloat16)(bad_first)
        assert result.isfinite().flatten(1).all(1).tolist() == bad_first.isfinite().flatten(1).all(1).tolist()


@pytest.mark.parametrize("change", ["subclass", "mlp", "norm", "hook on embed"])
@pytest.mark.parametrize("architecture", ["dstformer", "motionagformer", "ssr_stf"])
def test_blocks_of_other_kinds_stay_what_they_are(architecture, change):
    class Twice(MLP):
        def forward(self, x):
            return 2 * super().forward(x)

    class Halved(TransformerBlock):
        def forward(self, x):
            return 0.5 * super().forward(x)

    encoder = _encoder(architecture)
    for module in [module for module in encoder.modules() if isinstance(module, Block)]:
        match change:
            case "subclass" if type(module) is TransformerBlock:
                module.__class__ = Halved
            case "mlp":
                module.mlp.__class__ = Twice
            case "norm":
                module.norm2 = nn.LayerNorm(32, bias=False)
    if change == "hook on embed":
        encoder.embed.register_forward_hook(lambda module, inputs, output: output + 1)
    x = _windows(encoder)
    with torch.no_grad():
        expected = encoder.eval()(x)
    rough = for_inference(encoder, torch.bfloat16)(x)
    assert (rough - expected).abs().mean() < 0.015 * expected.std()


@pytest.mark.parametrize("packed", [True, False])
def test_products_round_what_they_read_and_precise_ones_not_their_result(packed):
    if packed and not has_packed_products():
        pytest.skip("this CPU has no packed bfloat16 products")
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 48), torch.randn(3, 5, 64).bfloat16()
    nn.init.normal_(linear.bias, std=100)
    with torch.no_grad():
        linear.weight.copy_(linear.weight.bfloat16())
        exact = linear(x.float())
        precise, rounded = PreciseProduct(linear, packed)(x), Product(linear, packed)(x)
    assert (precise.dtype, rounded.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(precise, exact, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(rounded.float(), exact, atol=1e-2, rtol=2**-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_encoder_is_left_as_it_is(dtype):
    encoder = _encoder("ktpformer").train()
    before, modules = copy.deepcopy(encoder.state_dict()), dict(encoder.named_modules())
    for_inference(encoder, dtype)(_windows(encoder))
    assert all(module.training and module is modules[name] for name, module in encoder.named_modules())
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in encoder.parameters())
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_embedding_knows_what_the_encoder_learned_since(dtype):
    encoder, clip = _encoder("ktpformer"), _clip()
    before = embed(clip, encoder, dtype=dtype).values
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    after = embed(clip, encoder, dtype=dtype).values
    fresh = encoder.rebuilt()
    fresh.load_state_dict(encoder.state_dict())
    assert torch.equal(after, embed(clip, fresh, dtype=dtype).values)
    assert not torch.allclose(before, after, atol=1e-2)


def test_weights_that_do_not_change_are_shared():
    encoder = _encoder("mixste")
    shared = {id(parameter) for parameter in for_inference(encoder).parameters()}
    assert shared == {id(parameter) for parameter in encoder.parameters()}


def test_without_a_compiler_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RuntimeError, match=r"C\+\+ compiler.*leave compile out"):
        embed(_clip(), _encoder("ktpformer"), compile=True)


COMPILES_ONCE = """
import torch
from motionrep.embedding.encoding import embed
from motionrep.encoders import KTPFormer
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints

torch.manual_seed(0)
encoder = KTPFormer(frames=9, channels=32, depth=2, heads=2).eval()
clip = Keypoints(torch.rand(9, 17, 2) * 400, torch.ones(9, 17), H36M_17, 30.0, 640, 480)
expected = embed(clip, encoder).values
for dtype, atol in ((torch.float32, 1e-4), (torch.bfloat16, 0.05)):
    torch.compiler.reset()
    values = embed(clip, encoder, compile=True, dtype=dtype).values
    torch.testing.assert_close(values, expected, atol=atol, rtol=1e-4)
    with torch.compiler.set_stance("fail_on_recompile"):
        embed(clip, encoder, compile=True, dtype=dtype)
"""


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, inference.COMPILERS)), reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_compute_the_same_and_compile_once():
    """In a process of its own, because annotations that are executed cannot be compiled."""
    subprocess.run([sys.executable, "-c", COMPILES_ONCE], check=True)


def _clip(frames=9):
    xy_px = torch.rand(frames, 17, 2, generator=torch.Generator().manual_seed(2)) * 400
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 30.0, 640, 480)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("change", ["reparametrised", "hooked", "removed", "half", "compiled"])
def test_encoders_that_were_worked_on_compute_what_they_say(change, dtype, monkeypatch):
    encoder = KTPFormer(frames=5, channels=32, depth=1, heads=2, drop_path=0.9).eval()
    keypoints, wanted = torch.randn(2, 5, 17, 2), encoder
    match change:
        case "reparametrised":
            nn.utils.parametrizations.weight_norm(encoder.joint_blocks[0].mlp.fc1)
        case "hooked":
            encoder.frame_priors[0].bn.register_forward_hook(lambda module, inputs, output: output + 1)
        case "removed":
            encoder.extra = nn.Linear(2, 2)
            encoder.extra = None
        case "half":
            encoder, wanted = encoder.bfloat16(), copy.deepcopy(encoder).float()
        case "compiled":
            monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as users run it
            encoder = torch.compile(encoder.train())
            wanted = copy.deepcopy(wanted).eval()
    with torch.no_grad():
        expected = wanted(keypoints)
    twin = for_inference(encoder, dtype)
    torch.testing.assert_close(twin(keypoints), expected, atol=1e-5 if dtype == torch.float32 else 0.1, rtol=0)
    copy.deepcopy(twin)


@pytest.mark.parametrize("rows", [1, 12])
def test_narrow_layers_inside_read_bfloat16(rows):
    encoder = SSRSTF(frames=9, channels=32, inner_channels=8, depth=1, heads=2).eval()
    keypoints = torch.randn(rows, 9, 17, 3)
    with torch.no_grad():
        expected = encoder(keypoints)
    torch.testing.assert_close(for_inference(encoder, torch.bfloat16)(keypoints), expected, atol=0.2, rtol=0)


def test_a_hook_on_the_joint_prior_is_kept():
    encoder, called = KTPFormer(frames=5, channels=32, depth=1, heads=2).eval(), []
    encoder.joint_prior.register_forward_hook(lambda *_: called.append(1))
    for_inference(encoder)(torch.randn(2, 5, 17, 2))
    assert called
