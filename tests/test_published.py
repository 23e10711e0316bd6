"""Published checkpoints and reference vectors."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import fill
from torch import nn

from motionrep.encoders import KTPFormer, from_published, load_published, pose3d_head
from motionrep.unpickling import Inert, read_checkpoint

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


OFFICIAL = fill.FOLDER / "ktpformer_f9_d32_l1.official.bin"


def test_published_files_are_read_though_torch_refuses_them():
    with pytest.raises(pickle.UnpicklingError):
        torch.load(OFFICIAL, weights_only=True)
    encoder, head = load_published(OFFICIAL)
    _, _, arrays = fill.load("ktpformer_f9_d32_l1")
    with torch.no_grad():
        pose = head(encoder(arrays["input"]))
    torch.testing.assert_close(pose, arrays["output"], atol=TOLERANCE, rtol=0)
    assert encoder.name == "ktpformer_f9_d32_l1.official"


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats_of_torch_save_are_read(tmp_path, zipped):
    base = torch.arange(12.0).reshape(3, 4)
    content = {
        "a": base.T, "b": base[1:, 2:], "half": torch.ones(2, dtype=torch.bfloat16), "none": torch.zeros(0),
        "n": torch.tensor(7), "p": nn.Parameter(torch.ones(2)), "list": [1, "x", (2.5, None)],
    }  # fmt: skip
    torch.save(content, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "c.pth")
    assert read["list"] == content["list"]
    for key in ("a", "b", "half", "none", "n", "p"):
        assert torch.equal(read[key], content[key])


class _Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class _Printer(dict):
    """Pickled as an object with items and a state of its own."""


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(tmp_path, zipped):
    mark = tmp_path / "touched"
    content = {"model_pos": {"w": torch.ones(1)}, "evil": _Hostile(mark), "more": [_Printer(a=_Hostile(mark))]}
    content["random"] = np.random.default_rng(0)
    torch.save(content, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "c.pth")
    assert not mark.exists()
    assert isinstance(read["evil"], Inert)
    assert torch.equal(read["model_pos"]["w"], torch.ones(1))


def test_a_file_cannot_change_the_functions_it_may_call(tmp_path):
    """A pickle can set attributes of whatever it names: here, the defaults of the function that makes tensors."""
    code = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__K\x01s\x86b."
    with zipfile.ZipFile(tmp_path / "c.pth", "w") as archive:
        archive.writestr("c/data.pkl", code)
    with pytest.raises(ValueError, match="tries to change a function"):
        read_checkpoint(tmp_path / "c.pth")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_files_are_named(tmp_path, zipped, share):
    torch.save({"w": torch.arange(1000.0)}, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "c.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"cut\.pth: not a whole checkpoint"):
        read_checkpoint(tmp_path / "cut.pth")


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04", b"\x80\x02]q\x00."])
def test_other_files_are_named(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"c\.pth: "):
        read_checkpoint(tmp_path / "c.pth")


def test_files_without_weights_say_what_they_hold(tmp_path):
    for content in ({"epoch": 3, "lr": 0.1}, {"epoch": 3, "lr": 0.1, "model": {0: torch.ones(1)}}):
        torch.save(content, tmp_path / "c.pth")
        with pytest.raises(ValueError, match=r"c\.pth: expected a dict of weights .* holds epoch, lr"):
            load_published(str(tmp_path / "c.pth"))


def test_weights_of_another_architecture_are_refused(tmp_path):
    names = ("joints_embed.weight", "pos_embed", "temp_embed", "blocks_st.0.norm1_s.weight", "head.weight")
    torch.save({"model_pos": {"module." + name: torch.zeros(2, 2) for name in names}}, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c\.pth: .* 4 of 5 names unexpected \(joints_embed\.weight, .*architecture"):
        load_published(tmp_path / "c.pth")
    with pytest.raises(ValueError, match="unknown published architecture 'ktp'"):
        from_published("ktp", {})


def test_what_does_not_fit_is_listed_by_its_published_name():
    _, weights, _ = fill.load("ktpformer_f9_d32_l1")
    del weights["STEblocks.0.attn.qkv.weight"]
    weights["kpattention.attn.extra"] = torch.zeros(1)
    weights["head.1.bias"] = torch.zeros(4)
    with pytest.raises(ValueError, match="do not fit ktpformer") as error:
        from_published("ktpformer", weights)
    assert "1 missing (STEblocks.0.attn.qkv.weight)" in str(error.value)
    assert "1 unexpected (kpattention.attn.extra)" in str(error.value)
    assert "1 of wrong shape (head.1.bias (4,) instead of (3,))" in str(error.value)


def test_prefixes_of_parallel_training_are_dropped_and_counters_may_be_missing():
    _, weights, arrays = fill.load("ktpformer_f9_d32_l1")
    prefixed = {"module." + name: tensor for name, tensor in weights.items() if "num_batches" not in name}
    encoder, _ = from_published("ktpformer", prefixed)
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=TOLERANCE, rtol=0)


@pytest.mark.slow
def test_ktpformer_has_the_published_size():
    encoder, head = KTPFormer(), pose3d_head(512)
    count = sum(p.numel() for module in (encoder, head) for p in module.parameters())
    assert round(count / 1e6, 2) == 35.21
    assert len(encoder.state_dict()) + len(head.state_dict()) == 229
