"""What ships: every model loads, knows where it comes from, and can be made again by one command."""

import json

import pytest
import torch
import yaml
from paths import ROOT

import motionrep
from motionrep.datasets.authored.motions import authored_motion
from motionrep.encoders import load_encoder
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.training import reproduce
from motionrep.types import Keypoints
from motionrep.weights import shipped

ROOT = ROOT / "motionrep" / "weights"


@pytest.mark.parametrize("name", shipped("head"))
def test_a_shipped_head_reads_its_shipped_encoder(name):
    head = load_head(name)
    encoder = load_encoder(head.trained_on)
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


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in ROOT.glob("*/*.safetensors")) < 40e6


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
        (("one", "first", None), ("two", "second", "one"), ("three", "longer", "two")),
        "three",
        {"mesh": "three/head", "pose3d": "three/head_pose3d"},
    )
    monkeypatch.setattr(reproduce, "RECIPES", {"tiny": recipe})
    monkeypatch.setattr(reproduce, "_CONFIGS", configs)
    packed = reproduce.reproduce("tiny", data, tmp_path / "runs", note="Made in a test.")
    assert sorted(path.name for path in packed.iterdir()) == ["mesh-tiny", "pose3d-tiny", "tiny"]
    assert "Made in a test." in (packed / "tiny" / "README.md").read_text()
    assert not [path for path in packed.glob("*/*.[mj][ds]*") if str(tmp_path) in path.read_text()]
    network = load_encoder(packed / "tiny")
    assert load_head(packed / "mesh-tiny").trained_on_digest == network.digest
    for head in ("head", "head_pose3d"):  # at rates of nothing, going on changes nothing
        weights = [load_head(tmp_path / "runs" / run / head).state_dict() for run in ("two", "three")]
        torch.testing.assert_close(*weights)
    measured = json.loads((tmp_path / "runs" / "mesh.json").read_text())
    assert measured["head"] == "mesh-tiny"
    before = (tmp_path / "runs" / "two" / "metrics.json").stat().st_mtime_ns
    (tmp_path / "runs" / "pose3d.json").unlink()
    reproduce.reproduce("tiny", data, tmp_path / "runs")
    assert (tmp_path / "runs" / "two" / "metrics.json").stat().st_mtime_ns == before


def test_recipes_name_configurations_that_exist():
    for recipe in reproduce.RECIPES.values():
        for _, configuration, _ in recipe.runs:
            assert (reproduce._CONFIGS / f"{configuration}.yaml").is_file()
