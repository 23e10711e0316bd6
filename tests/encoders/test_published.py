"""Published checkpoints and reference vectors."""

import json
import pickle
import zipfile
from pathlib import Path

import fill
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from motionrep.encoders import ENCODERS, KTPFormer, from_published, load_encoder, load_published, pose3d_head
from motionrep.encoders.architectures import dstformer, motionagformer
from motionrep.encoders.motionbert_heads import published_head
from motionrep.files.checkpoints import Inert, read_checkpoint

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


@pytest.mark.parametrize("name", fill.NAMES)
def test_containers_of_training_scripts_are_recognised(name, tmp_path):
    config, weights, arrays = fill.load(name)
    torch.save({"epoch": 1, "model": {"module." + key: value for key, value in weights.items()}}, tmp_path / "c.bin")
    links = {"temporal_links": 0} if config["architecture"] == "motionagformer" else {}
    encoder, _ = load_published(tmp_path / "c.bin", **links)
    assert (encoder.architecture, encoder.name, encoder.normalisation) == (config["architecture"], "c", "width")
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", ["mixste_f27_d64_l2", "dstformer_f9_d32_l1"])
@pytest.mark.parametrize("prefix", ["_orig_mod.", "model.", "module.module.", "module._orig_mod.", "_orig_mod.module."])
def test_what_all_names_begin_with_is_dropped(name, prefix, tmp_path):
    """Names wrapped by torch.compile, by Lightning or twice by parallel training were of "no architecture"."""
    _, weights, arrays = fill.load(name)
    wrapped = {prefix + key: value for key, value in weights.items()}
    torch.save({"state_dict": wrapped, "epoch": 1}, tmp_path / "c.ckpt")
    encoder = load_encoder(tmp_path / "c.ckpt")
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("wrap", [lambda w: {"net": w}, lambda w: {"model": {"state_dict": w, "epoch": 1}, "lr": 0.1}])
def test_dicts_around_the_weights_are_taken_off(wrap, tmp_path):
    _, weights, arrays = fill.load("mixste_f27_d64_l2")
    torch.save(wrap(weights), tmp_path / "c.pth")
    encoder = load_encoder(tmp_path / "c.pth")
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=TOLERANCE, rtol=0)


def test_the_same_weights_as_safetensors(tmp_path):
    _, weights, arrays = fill.load("mixste_f27_d64_l2")
    save_file({key: value.contiguous() for key, value in weights.items()}, tmp_path / "c.safetensors")
    encoder = load_encoder(tmp_path / "c.safetensors")
    torch.testing.assert_close(encoder(arrays["input"]), arrays["representation"], atol=TOLERANCE, rtol=0)
    whole = (tmp_path / "c.safetensors").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"c\.safetensors: not a whole file of safetensors"):
        load_encoder(tmp_path / "c.safetensors")


@pytest.mark.parametrize(("name", "eps"), [("dstformer", 1e-6), ("mixste", 1e-6), ("motionagformer", 1e-5)])
def test_layer_norm_constants_are_the_published_ones(name, eps):
    """What a wrong one changes lies below the tolerance of the reference vectors."""
    norms = [module for module in ENCODERS[name](frames=9, depth=1).modules() if isinstance(module, nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {eps}


def test_ktpformer_mixes_two_layer_norm_constants():
    """Their difference lies below the tolerance of the reference vectors."""
    _, weights, _ = fill.load("ktpformer_f9_d32_l1")
    encoder, head = from_published("ktpformer", weights)
    eps = {name: module.eps for name, module in encoder.named_modules() if isinstance(module, nn.LayerNorm)}
    larger = {"joint_prior_block.norm1", "frame_prior_block.norm1"}
    assert {name: value for name, value in eps.items() if name in larger} == dict.fromkeys(larger, 1e-5)
    assert {value for name, value in eps.items() if name not in larger} == {1e-6}
    assert head[0].eps == 1e-5


@pytest.mark.parametrize("name", ["ktpformer_f9_d32_l1", "mixste_f27_d64_l2"])
def test_a_confidence_channel_leaves_published_weights_exact(name):
    config, weights, arrays = fill.load(name)
    two, _ = from_published(config["architecture"], weights)
    three, _ = from_published(config["architecture"], weights, input_channels=3)
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
    with pytest.raises(ValueError, match="attributes of a function"):
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


def test_a_dict_that_holds_itself_is_no_weights(tmp_path):
    content = {}
    content["model"] = content
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c\.pth: .* contains itself"):
        load_published(tmp_path / "c.pth")


def test_weights_of_another_architecture_are_refused(tmp_path):
    names = ("time_mlp.weight", "pos_embed", "head.weight")
    torch.save({"model_pos": {"module." + name: torch.zeros(2, 2) for name in names}}, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c\.pth: .* no architecture known here \(dstformer, .*time_mlp\.weight"):
        load_published(tmp_path / "c.pth")
    _, weights, _ = fill.load("mixste_f27_d64_l2")
    with pytest.raises(ValueError, match=r"not those of a published ktpformer: .*W'; they hold 60 names"):
        from_published("ktpformer", weights)
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


def test_in_the_wild_weights_can_be_said_to_need_crops():
    _, weights, _ = fill.load("dstformer_f9_d32_l1")
    encoder, _ = from_published("dstformer", weights, normalisation="crop")
    assert (encoder.normalisation, encoder.crop_ratio) == ("crop", 1.0)
    with pytest.raises(ValueError, match="crop_ratio positive"):
        from_published("dstformer", weights, crop_ratio=0.0)


@pytest.mark.parametrize("kind", ["mesh", "action", "embed"])
def test_published_heads_are_reproduced(kind):
    _, weights, arrays = fill.load(f"motionbert_{kind}_head")
    head = published_head(weights).eval()
    head.load_state_dict(weights)
    with torch.no_grad():
        output = head(arrays["input"])
    output = output if isinstance(output, dict) else {"logits": output, "embedding": output}
    for key in arrays.keys() - {"input"}:
        torch.testing.assert_close(output[key], arrays[key], atol=TOLERANCE, rtol=0)


def _fine_tuned(head: dict[str, list[int]], seed: int) -> dict[str, torch.Tensor]:
    """A whole model as MotionBERT's fine-tuning writes it, with an encoder of 32 channels and one layer."""
    shapes = json.loads((fill.FOLDER / "dstformer_f9_d32_l1.json").read_text())["state_dict"]
    shapes = {f"backbone.{name}": shape for name, shape in shapes.items()}
    shapes |= {f"head.{name}": shape for name, shape in head.items()}
    return {f"module.{name}": value for name, value in fill.entries(shapes, seed).items()}


def _head_shapes(kind: str, hidden: int) -> dict[str, list[int]]:
    shapes = json.loads((fill.FOLDER / f"motionbert_{kind}_head.json").read_text())["state_dict"]
    return {name: [hidden if size == 96 else size for size in shape] for name, shape in shapes.items()}


def test_a_fine_tuned_mesh_model_is_read_without_its_body_model(tmp_path):
    weights = _fine_tuned(_head_shapes("mesh", 48), 31)
    licensed = {"module.head.smpl.v_template": torch.ones(5, 3), "module.head.smpl.parents": torch.arange(24)}
    torch.save({"model": weights | licensed, "best_jpe": 50.0}, tmp_path / "mesh.bin")
    encoder, head = load_published(tmp_path / "mesh.bin")
    arrays = fill.outputs("motionbert_mesh_f8")
    with torch.no_grad():
        output = head(encoder(arrays["input"]))
    assert (encoder.normalisation, encoder.crop_ratio) == ("crop", 1.0)
    for key in ("rotmat", "betas"):
        torch.testing.assert_close(output[key], arrays[key], atol=TOLERANCE, rtol=0)
    assert len(head.state_dict()) == 20


def test_a_fine_tuned_action_model_is_read(tmp_path):
    weights = _fine_tuned(_head_shapes("action", 2048), 33)
    torch.save({"model": weights, "best_acc": 0.9}, tmp_path / "action.bin")
    encoder, head = load_published(tmp_path / "action.bin")
    arrays = fill.outputs("motionbert_action_f8")
    samples, persons = arrays["input"].shape[:2]
    with torch.no_grad():
        logits = head(encoder(arrays["input"].flatten(0, 1)).unflatten(0, (samples, persons)))
    assert (encoder.normalisation, encoder.crop_ratio) == ("crop", 2.0)
    torch.testing.assert_close(logits, arrays["logits"], atol=TOLERANCE, rtol=0)


def test_what_does_not_fit_in_a_fine_tuned_model_is_listed():
    weights = _fine_tuned(_head_shapes("embed", 96), 1)
    from_published("dstformer", weights)
    del weights["module.backbone.head.bias"]
    weights |= {"module.head.other.weight": torch.zeros(1), "module.extra": torch.zeros(1)}
    with pytest.raises(
        ValueError, match=r"1 missing \(backbone\.head\.bias\); 2 unexpected \(head\.other\.weight, extra"
    ):
        from_published("dstformer", weights)
    weights = {name: value for name, value in weights.items() if ".head.fc" not in name}
    with pytest.raises(ValueError, match=r"unknown shape 'fc1\.weight'"):
        from_published("dstformer", weights)


@pytest.mark.parametrize(
    ("architecture", "size", "millions", "entries"),
    [
        ("mixste", {"frames": 243}, 33.78, 204),
        ("mixste", {"frames": 81}, 33.70, 204),
        ("dstformer", dstformer.SIZES["full"], 42.47, 260),
        ("dstformer", dstformer.SIZES["lite"], 16.00, 260),
        ("motionagformer", motionagformer.SIZES["xs"], 2.24, None),
        ("motionagformer", motionagformer.SIZES["s"], 4.82, None),
        ("motionagformer", motionagformer.SIZES["b"], 11.72, None),
        ("motionagformer", motionagformer.SIZES["l"], 19.01, None),
    ],
)
def test_published_sizes(architecture, size, millions, entries):
    with torch.device("meta"):
        encoder = ENCODERS[architecture](**size)
        head = ENCODERS[architecture].published.pose_head(encoder.channels)
    assert round(sum(p.numel() for module in (encoder, head) for p in module.parameters()) / 1e6, 2) == millions
    assert entries in (None, len(encoder.state_dict()) + len(head.state_dict()))


@pytest.mark.slow
def test_ktpformer_has_the_published_size():
    encoder, head = KTPFormer(), pose3d_head(512)
    count = sum(p.numel() for module in (encoder, head) for p in module.parameters())
    assert round(count / 1e6, 2) == 35.21
    assert len(encoder.state_dict()) + len(head.state_dict()) == 229


def test_a_configuration_the_architecture_does_not_have_is_refused():
    with pytest.raises(ValueError, match="does not fit ktpformer"):
        load_published(OFFICIAL, normalisation="crop")
