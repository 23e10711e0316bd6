"""Folders and model cards; what is said when weights do not fit."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from small_encoders import PROVENANCE, build, require_option

import motionrep
from motionrep.encoders import ENCODERS, KTPFormer, MixSTE, Provenance, load_encoder, weights_digest
from motionrep.encoders.model_cards import model_card
from motionrep.head_api.loading import load_head, save_head
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints
from motionrep.weights import shipped


def _tiny():
    return KTPFormer(frames=5, channels=16, depth=1, heads=2)


def _clip():
    xy_px = 640 * torch.rand(12, 17, 2, generator=torch.Generator().manual_seed(2))
    return Keypoints(xy_px, torch.ones(12, 17), H36M_17, 30.0, 640, 480)


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_every_class_saves_and_loads_itself(architecture, tmp_path):
    require_option(architecture, "drop_path")
    encoder = build(architecture)
    encoder.provenance = PROVENANCE
    encoder.save_pretrained(tmp_path)
    loaded = ENCODERS[architecture].from_pretrained(tmp_path, drop_path=0.5)
    assert loaded.config == dataclasses.replace(encoder.config, drop_path=0.5)
    assert loaded.provenance == PROVENANCE
    assert not loaded.training
    assert loaded.digest == encoder.digest == weights_digest(encoder)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in encoder.state_dict().items())


def test_a_class_does_not_load_another_ones_weights(saved):
    with pytest.raises(ValueError, match=r"config\.json: holds a ktpformer, not a mixste"):
        MixSTE.from_pretrained(saved)


def test_the_folder_says_what_the_encoder_reads_and_where_it_comes_from(saved):
    config = json.loads((saved / "config.json").read_text())
    assert config["input"]["layout"] == "h36m_17"
    assert config["input"]["coco_17"]["x"]["pelvis"] == {"left_hip": 0.5, "right_hip": 0.5}
    assert (config["input"]["frames"], config["input"]["normalisation"]) == (9, "width")
    _, header, text = (saved / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(header)
    assert (card["license"], card["library_name"], card["datasets"]) == ("cc-by-4.0", "motionrep", ["me/clips"])
    (metric,) = card["model-index"][0]["results"][0]["metrics"]
    assert (metric["type"], metric["value"], metric["name"]) == ("mpjpe", 40.3, "mpjpe mm, head mine-head")
    sha256 = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    for said in ("clips of mine", "12.5 minutes", "by hand", "CC-BY-4.0", "synthetic-views-1", sha256, "load_encoder"):
        assert said in text


def test_the_card_of_an_encoder_nobody_described_says_so(tmp_path):
    build("mixste").save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "not stated; ask who trained them" in text
    assert "license" not in text


def test_a_mhformer_recipe_is_declared_for_both_axes(tmp_path):
    build("motionagformer").save_pretrained(tmp_path)
    declared = json.loads((tmp_path / "config.json").read_text())["input"]["coco_17"]
    assert declared["x"]["thorax"] != declared["y"]["thorax"]


@pytest.mark.parametrize("name", sorted(shipped("encoder") | shipped("head")))
def test_shipped_cards_have_the_digest_of_the_shipped_file(name):
    folder = (shipped("encoder") | shipped("head"))[name]
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert sha256 in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(shipped("head")))
def test_shipped_heads_know_the_shipped_encoder(name):
    head = load_head(name)
    assert head.trained_on_digest == load_encoder(head.trained_on).digest


def test_saving_again_replaces_the_encoder_and_leaves_other_files(saved):
    (saved / "notes.txt").write_text("mine")
    load_encoder(saved).save_pretrained(saved)
    assert sorted(path.name for path in saved.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "notes.txt",
    ]  # fmt: skip
    assert [path.name for path in saved.parent.iterdir()] == ["mine"]


def test_a_failed_save_changes_nothing(saved):
    before = (saved / "model.safetensors").read_bytes()
    encoder = build("ktpformer")
    encoder.provenance = Provenance(metrics=[PROVENANCE.metrics[0] | {"seen": object()}])  # cannot be written as JSON
    with pytest.raises(TypeError):
        encoder.save_pretrained(saved)
    assert (saved / "model.safetensors").read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["mine"]


def test_a_declaration_that_this_version_does_not_keep_is_refused(saved):
    config = json.loads((saved / "config.json").read_text())
    config["input"]["normalisation"] = "metres"
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"the weights read normalisation 'metres'.*reads 'width'"):
        load_encoder(saved)


def test_a_revision_of_a_folder_is_refused(saved):
    with pytest.raises(ValueError, match="revision 'v1' is for the Hub"):
        load_encoder(saved, revision="v1")


def test_a_head_refuses_other_weights_of_the_same_name(saved, tmp_path):
    encoder = load_encoder(saved)
    head = motionrep.head_api.loading.head_class("pose3d")(channels=32)
    save_head(head, tmp_path / "head", "pose3d", "mine", encoder_digest=encoder.digest)
    head = load_head(tmp_path / "head")
    head.predict(motionrep.embed(_clip(), encoder))
    other = build("ktpformer", depth=1)
    other.name = "mine"
    head.predict(motionrep.embed(_clip(), other))  # never saved: not known to be another
    other.save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match=r"trained on other weights of encoder 'mine'.*trained_on_digest"):
        head.predict(motionrep.embed(_clip(), load_encoder(tmp_path / "other")))
    save_head(head, tmp_path / "head", "pose3d", "mine")
    load_head(tmp_path / "head").predict(motionrep.embed(_clip(), load_encoder(tmp_path / "other")))


def test_the_digest_is_of_values_whatever_their_precision(saved):
    half = load_encoder(saved).half()
    half.save_pretrained(saved)
    assert load_encoder(saved).digest == half.digest
    assert half.train().digest is None


def _rewrite(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def _misfit(folder):
    with pytest.raises(ValueError, match=r"model\.safetensors: the weights do not fit") as error:
        load_encoder(folder)
    return str(error.value)


@pytest.mark.parametrize("prefix", ["module.", "encoder."])
def test_a_prefix_is_named(saved, prefix):
    _rewrite(saved, lambda weights: {prefix + name: tensor for name, tensor in weights.items()})
    assert f"Their names begin with '{prefix}'" in _misfit(saved)


def test_a_training_checkpoint_is_told_apart_from_a_model(saved):
    head = {"head.weight": torch.zeros(1)}
    _rewrite(saved, lambda weights: {"encoder." + name: tensor for name, tensor in weights.items()} | head)
    assert "take that off and leave the other names (head.weight) out" in _misfit(saved)


def test_weights_that_are_no_numbers_are_refused(saved):
    name = next(name for name in load_file(saved / "model.safetensors") if name.endswith("norm.weight"))
    _rewrite(saved, lambda weights: weights | {name: weights[name] * torch.nan})
    with pytest.raises(ValueError, match=rf"hold NaN or infinite values \({name}\): the training diverged"):
        load_encoder(saved)


def test_a_head_in_the_file_is_named(saved):
    _rewrite(saved, lambda weights: weights | {"head.0.weight": torch.zeros(32)})
    assert "The file holds a head as well" in _misfit(saved)


def test_the_state_of_an_optimiser_is_named(saved):
    _rewrite(saved, lambda weights: weights | {"optimizer.state.0.exp_avg": torch.zeros(32)})
    assert "The file holds the state of an optimiser" in _misfit(saved)


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_another_window_is_named(architecture, tmp_path):
    build(architecture, frames=11).save_pretrained(tmp_path)
    weights, own = load_file(tmp_path / "model.safetensors"), build(architecture)
    if all(weights[name].shape == tensor.shape for name, tensor in own.state_dict().items()):
        pytest.skip("the weights have no window")
    own.save_pretrained(tmp_path)
    _rewrite(tmp_path, lambda _: weights)
    assert "They were trained with windows of 11 frames: pass frames=11" in _misfit(tmp_path)


def test_another_size_is_not_taken_for_another_window(saved):
    wider = build("ktpformer", channels=48).state_dict()
    _rewrite(saved, lambda _: dict(wider))
    assert "windows" not in _misfit(saved)


@pytest.mark.parametrize("architecture", sorted(ENCODERS.keys() - {"ktpformer"}))
def test_another_architecture_is_named(architecture, saved):
    _rewrite(saved, lambda _: dict(build(architecture).state_dict()))
    assert f"By their names they are weights of another architecture, '{architecture}'" in _misfit(saved)


def test_every_name_is_listed_with_layers_counted(saved):
    _rewrite(saved, lambda weights: {name: tensor for name, tensor in weights.items() if "joint_blocks" not in name})
    text = _misfit(saved)
    assert "24 missing (joint_blocks.*.norm1.weight x2, joint_blocks.*.norm1.bias x2" in text


@pytest.mark.parametrize("files", [{"README.md": "mine"}, {"README.md": "a head", "config.json": '{"head": "mesh"}'}])
def test_saving_does_not_replace_what_is_not_an_encoder(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=r"holds a README\.md or config\.json that is no encoder's"):
        _tiny().save_pretrained(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_other_weights_have_no_digest_until_they_are_saved(tmp_path):
    encoder = _tiny().eval()
    encoder.save_pretrained(tmp_path / "one")
    encoder.load_state_dict(_tiny().state_dict())
    assert encoder.digest is None
    assert KTPFormer.from_pretrained(tmp_path / "one").digest is not None
    assert KTPFormer.from_pretrained(tmp_path / "one", heads=4).digest is None


def test_training_on_after_a_checkpoint_leaves_no_digest(tmp_path):
    encoder = _tiny().train()
    encoder.save_pretrained(tmp_path)
    encoder.joint_position.data += 1
    assert encoder.eval().digest is None
    loaded = load_encoder(tmp_path)
    assert loaded.eval().digest is not None


def test_metrics_of_other_weights_are_not_saved_again(saved, tmp_path):
    load_encoder(saved).save_pretrained(tmp_path / "same")
    assert load_encoder(tmp_path / "same").provenance == PROVENANCE
    encoder = load_encoder(saved)
    encoder.joint_position.data += 1
    encoder.save_pretrained(tmp_path / "changed")
    told = load_encoder(tmp_path / "changed").provenance
    assert (told.metrics, told.data) == ([], "clips of mine")
    assert told.recipe == "the weights were changed, nobody says how, after this: by hand"
    encoder = load_encoder(saved)
    encoder.joint_position.data += 1
    encoder.provenance = dataclasses.replace(PROVENANCE, recipe="measured anew")
    encoder.save_pretrained(tmp_path / "stated")
    assert load_encoder(tmp_path / "stated").provenance == encoder.provenance


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    encoder = build("ktpformer")
    encoder.fps = 50.0
    with pytest.raises(ValueError, match=r"reads fps 50\.0, but its config builds one that reads None"):
        encoder.save_pretrained(tmp_path / "new")
    encoder = build("ktpformer")
    torch.nn.utils.parametrizations.weight_norm(encoder.joint_blocks[0].mlp.fc1)
    with pytest.raises(ValueError, match=r"the weights do not fit the config of.*parametrizations.*merge adapters"):
        encoder.save_pretrained(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_a_folder_even_under_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder, head = build("ktpformer"), motionrep.head_api.loading.head_class("pose3d")(channels=32)
    encoder.name = "mine"
    encoder.save_pretrained("ktpformer-s")
    save_head(head, Path("pose3d-ktpformer-s"), "pose3d", "mine")
    assert load_encoder(Path("ktpformer-s")).name == load_encoder("./ktpformer-s").name == "mine"
    assert load_encoder("ktpformer-s").name == load_encoder(shipped("encoder")["ktpformer-s"]).name == "ktpformer-s"
    assert load_head(Path("pose3d-ktpformer-s")).trained_on == "mine"
    assert load_head("pose3d-ktpformer-s").trained_on == "ktpformer-s"


def test_a_file_of_a_folder_names_the_folder(saved):
    for name in ("model.safetensors", "config.json"):
        with pytest.raises(ValueError, match=rf"{name}: a file of an encoder's folder; pass the folder, {saved}$"):
            load_encoder(saved / name)


@pytest.mark.parametrize("change", [{"frames": -1}, {"heads": 0}, {"channels": -32}])
def test_a_configuration_that_builds_nothing_is_refused_by_name(saved, change):
    path = saved / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"config": content["config"] | change}))
    with pytest.raises(ValueError, match=r"config\.json: does not build a ktpformer"):
        load_encoder(saved)


def test_a_card_has_the_units_that_commands_print():
    """Cards had accelerations in mm/s^2 and accuracies as shares, commands m/s^2 and %; files of 0.1.0 still do."""
    result = PROVENANCE.metrics[0]
    old = {**result, "metrics": {"accel_error": 3454.7, "top1": 0.972}, "units": {"accel_error": "mm/s^2"}}
    text = model_card("mine", "encoder", dataclasses.replace(PROVENANCE, metrics=[old]), "", "", "")
    metrics = yaml.safe_load(text.split("---\n")[1])["model-index"][0]["results"][0]["metrics"]
    told = [(one["name"], one["value"]) for one in metrics]
    assert told == [("accel_error m/s^2, head mine-head", 3.4547), ("top1 %, head mine-head", 97.2)]
    assert "**accel_error 3.45 m/s^2, top1 97.2 %**" in text
