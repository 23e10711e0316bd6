"""What ships: every model loads, knows where it comes from, and can be made again by one command."""

import json
import shutil

import pytest
import torch
import yaml
from paths import ROOT

import motionrep
from motionrep.datasets.authored.motions import authored_motion
from motionrep.encoders import load_encoder
from motionrep.head_api.loading import encoder_of, load_head, save_head
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.pipeline import load_networks
from motionrep.training import reproduce
from motionrep.training.mean_of_weights import mean_of_weights
from motionrep.training.reproduce import Mean, Run
from motionrep.types import Keypoints
from motionrep.weights import find_shipped, shipped, shipped_versions, versions

ROOT = ROOT / "motionrep" / "weights"


@pytest.mark.parametrize(
    "name", [f"{name}@{version}" for name in shipped("head") for version in shipped_versions("head", name)]
)
def test_a_shipped_head_reads_its_shipped_encoder(name):
    head = load_head(name)
    encoder = load_encoder(encoder_of(head))
    assert head.trained_on_digest == encoder.digest
    xy_px = 300 + 100 * torch.rand(20, 17, 2, generator=torch.Generator().manual_seed(0))
    clip = Keypoints(xy_px, torch.ones(20, 17), H36M_17, 30.0, 1000, 800)
    assert head.predict(motionrep.embed(clip, encoder)) is not None


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in ROOT.glob("*/config.json")), ids=lambda path: path.name
)
def test_a_card_says_data_recipe_licence_and_scores_with_their_protocol(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for said in ("CMU Graphics Lab", "license: apache-2.0", "seed", "commit", "synthetic-views-1", "sha256"):
        assert said in card, said
    assert not [word for word in ("/work", "/tmp", "/root") if word in card + (folder / "config.json").read_text()]


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """A folder of shipped weights with two versions of an encoder and of its 3D pose head; the mesh head has one."""
    for name in ("ktpformer-s", "pose3d-ktpformer-s", "mesh-ktpformer-s"):
        shutil.copytree(ROOT / name, tmp_path / name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        config |= {"version": 1, "sha256": None}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    for name in ("ktpformer-s", "pose3d-ktpformer-s"):
        (tmp_path / name).rename(tmp_path / f"{name}@1")
    monkeypatch.setattr(versions, "FOLDER", tmp_path)
    encoder = load_encoder("ktpformer-s@1")
    with torch.no_grad():
        encoder.frame_position.add_(1)
    encoder.save_pretrained(tmp_path / "ktpformer-s", version=2)
    head = load_head("pose3d-ktpformer-s@1")
    folder = tmp_path / "pose3d-ktpformer-s"
    save_head(head, folder, "pose3d", "ktpformer-s", encoder_digest=encoder.digest, version=2)
    return tmp_path


def test_the_newest_version_has_the_name_and_older_ones_have_a_number(newer):
    assert list(shipped("encoder")) == ["ktpformer-s"]
    assert list(shipped("head")) == ["mesh-ktpformer-s", "pose3d-ktpformer-s"]
    assert shipped_versions("encoder", "ktpformer-s") == {2: newer / "ktpformer-s", 1: newer / "ktpformer-s@1"}
    newest, named, older = (load_encoder(f"ktpformer-s{version}") for version in ("", "@2", "@1"))
    assert newest.digest == named.digest != older.digest
    assert older.digest == load_encoder(ROOT / "ktpformer-s").digest
    assert newest.name == older.name == "ktpformer-s"


def test_an_unknown_version_is_refused_with_those_there_are(newer):
    for version in ("3", "0", "", "x"):
        with pytest.raises(ValueError, match=rf"no version '{version}' \(there are ktpformer-s@2, ktpformer-s@1;"):
            load_encoder(f"ktpformer-s@{version}")
    with pytest.raises(ValueError, match=r"head 'mesh-ktpformer-s' has no version '2' \(there are mesh-ktpformer-s@1;"):
        load_head("mesh-ktpformer-s@2")
    assert find_shipped("encoder", "nothing@1") is None


def test_a_head_finds_the_version_of_its_encoder(newer):
    heads = {name: load_head(name) for name in ("pose3d-ktpformer-s", "pose3d-ktpformer-s@1", "mesh-ktpformer-s")}
    assert [encoder_of(head) for head in heads.values()] == ["ktpformer-s", "ktpformer-s@1", "ktpformer-s@1"]
    encoder, _ = load_networks(["mesh-ktpformer-s", "pose3d-ktpformer-s@1"])
    assert encoder.digest == load_encoder("ktpformer-s@1").digest
    with pytest.raises(ValueError, match=r"different encoders \(ktpformer-s, ktpformer-s@1\)"):
        load_networks(["mesh-ktpformer-s", "pose3d-ktpformer-s"])
    with pytest.raises(ValueError, match=r"trained on other weights of encoder 'ktpformer-s'.*; load 'ktpformer-s@1'"):
        load_networks(["mesh-ktpformer-s"], "ktpformer-s")
    heads["mesh-ktpformer-s"].trained_on_digest = "0" * 64
    assert encoder_of(heads["mesh-ktpformer-s"]) is None
    heads["mesh-ktpformer-s"].trained_on_digest = None
    assert encoder_of(heads["mesh-ktpformer-s"]) == "ktpformer-s"


@pytest.mark.parametrize(("name", "load"), [("ktpformer-s", load_encoder), ("pose3d-ktpformer-s", load_head)])
def test_formats_of_later_versions_of_motionrep_are_refused(newer, name, load):
    path = newer / name / "config.json"
    config = json.loads(path.read_text())
    kind, number = config["format"].rsplit(" ", 1)
    path.write_text(json.dumps(config | {"format": f"{kind} {int(number) + 1}"}))
    with pytest.raises(ValueError, match=rf"is in format 2 of {kind}s, this version reads up to 1; update motionrep"):
        load(name)
    path.write_text(json.dumps(config | {"format": 1}))
    with pytest.raises(ValueError, match="its format should be"):
        load(name)
    del config["format"]  # as before there were numbers
    path.write_text(json.dumps(config))
    load(name)


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in ROOT.glob("*/*.safetensors")) < 13e6


@pytest.mark.slow
def test_one_command_goes_from_motion_files_to_cards_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    data, configs = tmp_path / "motions", tmp_path / "configs"
    configs.mkdir()
    for name in ("walk", "unseen"):
        save_motion(authored_motion("walk", seconds=3.0), data / f"{name}.npz")
    common = {"fps": 15, "epochs": 1, "clips_per_epoch": 8, "batch_size": 4, "precision": "float32"}
    encoder = {"architecture": "mixste", "frames": 8, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3}
    plans = {
        "first": common | {"head": "pose3d", "new_encoder": encoder},
        "second": common
        | {"head": "mesh", "head_config": {"hidden": 16}, "more_heads": {"pose3d": {}}, "encoder": "x"},
        "longer": common
        | {"head": "mesh-tiny", "more_heads": {"pose3d-tiny": {}}, "encoder": "x", "head_lr": 0.0}
        | {"encoder_lr": 0.0},
    }
    for name, plan in plans.items():
        (configs / f"{name}.yaml").write_text(yaml.safe_dump(plan))
    recipe = reproduce.Recipe(
        (
            Run("one", "first"),
            Run("two", "second", "one", more=True),
            Run("three", "longer", "two", more=True),
            Mean("mean", "three", 0.5),
        ),
        "mean",
        {"mesh": "mean/head", "pose3d": "mean/head_pose3d"},
    )
    monkeypatch.setattr(reproduce, "RECIPES", {"tiny": recipe})
    monkeypatch.setattr(reproduce, "_CONFIGS", configs)
    with pytest.raises(ValueError, match="--more"):
        reproduce.reproduce("tiny", data, tmp_path / "runs")
    more = tmp_path / "more"
    save_motion(authored_motion("punch", seconds=3.0), more / "punch.npz")
    packed = reproduce.reproduce("tiny", data, tmp_path / "runs", more, "Made in a test.")
    runs = (tmp_path / "runs" / run / "versions.json" for run in ("one", "two", "three"))
    first, second, third = (json.loads(path.read_text())["clips"] for path in runs)
    assert first != second == third  # digests of the clips
    assert sorted(path.name for path in packed.iterdir()) == ["mesh-tiny", "pose3d-tiny", "tiny"]
    assert "Made in a test." in (packed / "tiny" / "README.md").read_text()
    assert not [path for path in packed.glob("*/*.[mj][ds]*") if str(tmp_path) in path.read_text()]
    network = load_encoder(packed / "tiny")
    assert load_head(packed / "mesh-tiny").trained_on_digest == network.digest
    for head in ("head", "head_pose3d"):  # at rates of nothing, going on changes nothing
        weights = [load_head(tmp_path / "runs" / run / head).state_dict() for run in ("two", "three", "mean")]
        for other in weights[1:]:
            torch.testing.assert_close(weights[0], other)
    between = mean_of_weights(tmp_path / "runs" / "two", 0.25, tmp_path / "between")
    assert not list(between.glob("head*"))  # that run made its heads anew
    old, new, mean = (load_encoder(folder / "encoder").state_dict() for folder in (
        tmp_path / "runs" / "one", tmp_path / "runs" / "two", between,
    ))  # fmt: skip
    assert any(not torch.equal(old[name], new[name]) for name in old)
    for name in (name for name in old if old[name].is_floating_point()):
        torch.testing.assert_close(mean[name], 0.75 * old[name] + 0.25 * new[name])
    measured = json.loads((tmp_path / "runs" / "mesh.json").read_text())
    assert measured["head"] == "mesh-tiny"
    before = (tmp_path / "runs" / "two" / "metrics.json").stat().st_mtime_ns
    (tmp_path / "runs" / "pose3d.json").unlink()
    reproduce.reproduce("tiny", data, tmp_path / "runs", more)
    assert (tmp_path / "runs" / "two" / "metrics.json").stat().st_mtime_ns == before


def test_recipes_name_configurations_that_exist():
    for recipe in reproduce.RECIPES.values():
        for run in (run for run in recipe.runs if isinstance(run, Run)):
            assert (reproduce._CONFIGS / f"{run.configuration}.yaml").is_file()
