"""What holds for every encoder in the table."""

import dataclasses
import json

import fill
import pytest
import torch
from safetensors.torch import load_file
from small_encoders import build, require_option

from motionrep.embedding.encoding import embed
from motionrep.encoders import ENCODERS, Provenance, load_encoder
from motionrep.encoders.architectures import ssr_stf
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints


@pytest.fixture(params=sorted(ENCODERS))
def encoder(request):
    return build(request.param)


@pytest.fixture
def keypoints():
    return torch.randn(3, 9, 17, 3, generator=torch.Generator().manual_seed(1))


def test_declarations_are_true(encoder, keypoints):
    assert ENCODERS[encoder.architecture]
    assert (encoder.frames, encoder.channels, encoder.input_channels) == (9, 32, 3)
    assert encoder.layout == H36M_17
    assert encoder(keypoints).shape == (3, 9, 17, 32)
    rebuilt = ENCODERS[encoder.architecture](**dataclasses.asdict(encoder.config))
    assert rebuilt.config == encoder.config
    rebuilt.load_state_dict(encoder.state_dict())


def test_gradients_reach_every_parameter(encoder, keypoints):
    encoder.train()(keypoints).square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_bfloat16_training_has_the_gradients_of_float32(encoder, keypoints):
    """The CPU takes another path through attention in bfloat16 training; see `layers._attend`."""
    gradients = []
    for enabled in (False, True):
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            encoder(keypoints).float().square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in encoder.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99


def test_evaluation_is_deterministic_and_training_drops_paths(encoder, keypoints):
    assert torch.equal(encoder(keypoints), encoder(keypoints))
    require_option(encoder.architecture, "drop_path")
    rebuilt = encoder.rebuilt(drop_path=0.5).train()
    assert not torch.equal(rebuilt(keypoints), rebuilt(keypoints))


def test_a_batch_is_the_same_as_one_by_one(encoder, keypoints):
    singly = torch.cat([encoder(clip[None]) for clip in keypoints])
    torch.testing.assert_close(encoder(keypoints), singly, atol=1e-5, rtol=0)


def test_the_window_is_what_the_encoder_declares(encoder, keypoints):
    if encoder.fixed_window:
        with pytest.raises(ValueError, match="batch x 9 frames"):
            encoder(keypoints[:, :5])
    else:
        assert encoder(keypoints[:, :5]).shape == (3, 5, 17, 32)
    with pytest.raises(ValueError, match="9 frames"):
        encoder(torch.cat([keypoints, keypoints], 1))


@pytest.mark.parametrize("input_channels", [2, 3])
@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_unseen_frames_do_not_poison_the_rest(architecture, input_channels):
    encoder = build(architecture, input_channels=input_channels)
    xy_px = 640 * torch.rand(21, 17, 2, generator=torch.Generator().manual_seed(2))
    confidence = torch.ones(21, 17)
    confidence[6:9] = 0
    clip = Keypoints(xy_px, confidence, H36M_17, 30.0, 640, 480)
    damaged = dataclasses.replace(clip, xy_px=xy_px.where(confidence[..., None] > 0, 1e8))
    values = embed(damaged, encoder).values
    assert torch.equal(values, embed(clip, encoder).values)
    assert values.isfinite().all()
    nothing = embed(dataclasses.replace(clip, confidence=torch.zeros(21, 17)), encoder).values
    assert nothing.isfinite().all()


def test_impossible_sizes_are_refused(encoder):
    with pytest.raises(ValueError, match="input_channels"):
        build(encoder.architecture, input_channels=4)
    require_option(encoder.architecture, "heads")
    with pytest.raises(ValueError, match="heads"):
        build(encoder.architecture, heads=5)


def test_saving_and_loading_is_exact(encoder, keypoints, tmp_path):
    encoder.name = "walker"
    encoder.save_pretrained(tmp_path / "mine")
    loaded = load_encoder(tmp_path / "mine")
    assert torch.equal(loaded(keypoints), encoder(keypoints))
    assert not loaded.training
    assert loaded.name == "walker"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_loaded_in_float32(encoder, keypoints, tmp_path, dtype):
    encoder.save_pretrained(tmp_path / "whole")
    load_encoder(tmp_path / "whole").to(dtype).save_pretrained(tmp_path / "mine")
    kept = load_file(tmp_path / "mine" / "model.safetensors").values()
    assert {tensor.dtype for tensor in kept if tensor.is_floating_point()} == {dtype}
    loaded = load_encoder(tmp_path / "mine")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded(keypoints), encoder(keypoints), atol=0.1, rtol=0)


def _damage(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_damaged_folders_are_refused_by_name(encoder, tmp_path):
    folder = tmp_path / "mine"
    encoder.save_pretrained(folder)
    _damage(folder, config={**dataclasses.asdict(encoder.config), "channels": 48})
    with pytest.raises(ValueError, match=r"model\.safetensors: .* of wrong shape"):
        load_encoder(folder)
    _damage(folder, config={**dataclasses.asdict(encoder.config), "dept": 3})
    with pytest.raises(ValueError, match=r"config\.json.*dept"):
        load_encoder(folder)
    _damage(folder, architecture="ktp")
    with pytest.raises(ValueError, match=r"unknown architecture 'ktp' \(known: .*ktpformer"):
        load_encoder(folder)
    encoder.save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="not a whole encoder"):
        load_encoder(folder)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no encoder 'ktpformer-xyz'"):
        load_encoder("ktpformer-xyz")


def test_a_published_file_becomes_an_encoder():
    encoder = load_encoder(fill.FOLDER / "ktpformer_f9_d32_l1.official.bin")
    _, _, arrays = fill.load("ktpformer_f9_d32_l1")
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=1e-4, rtol=0)


def test_choices_of_ssr_stf_are_checked():
    with pytest.raises(ValueError, match="kernels must be odd"):
        build("ssr_stf", kernel=4)
    with pytest.raises(ValueError, match="frame_scale must be a whole number from 1 on, got 0"):
        build("ssr_stf", frame_scale=0)
    assert sorted(ssr_stf.SIZES) == ["b", "l", "s", "xs"]


def test_the_local_stream_of_ssr_stf_sees_as_far_as_its_kernels():
    """A change in one frame reaches as many frames as both strips and the selection together."""
    sizes = {"kernel": 3, "dilated_kernel": 3, "dilation": 4, "selection_kernel": 3}
    mixer = ssr_stf.SelectiveRefinement(ssr_stf.SSRSTFConfig(inner_channels=8, **sizes))
    clip = torch.randn(1, 40, 17, 8, requires_grad=True)
    mixer(clip)[0, 20].sum().backward()
    reached = clip.grad[0].abs().sum((1, 2)).nonzero().flatten().tolist()
    assert (reached[0], reached[-1]) == (20 - 1 - 4 - 1, 20 + 1 + 4 + 1)


@pytest.mark.parametrize("architecture", ["ktpformer", "ssr_stf"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_encoder_for_a_higher_frame_rate_reads_repeated_frames_as_before(keypoints, architecture, times):
    encoder = build(architecture, fps=15.0)
    finer = encoder.with_frame_rate(times * 15.0)
    assert (finer.frames, finer.fps, finer.name) == (times * 9, times * 15.0, encoder.name)
    repeated = finer(keypoints.repeat_interleave(times, 1))
    torch.testing.assert_close(repeated, encoder(keypoints).repeat_interleave(times, 1), atol=1e-5, rtol=1e-4)


def test_an_encoder_for_a_higher_frame_rate_says_where_its_weights_come_from():
    encoder = build("ktpformer", fps=15.0)
    encoder.provenance = Provenance(data="walks", recipe="by hand", metrics=({"mpjpe": 1.0},))
    finer = encoder.with_frame_rate(30.0)
    assert (finer.provenance.data, finer.provenance.metrics) == ("walks", ())
    assert finer.provenance.recipe.endswith("30 frames per second, after this: by hand")


@pytest.mark.parametrize(
    ("known", "fps", "remedy"),
    [(None, 30.0, "build it with fps="), (15.0, 20.0, "such as 30"), (15.0, 7.5, "fps must be a multiple")],
)
def test_other_frame_rates_are_refused(known, fps, remedy):
    with pytest.raises(ValueError, match=remedy):
        build("ktpformer", fps=known).with_frame_rate(fps)
