"""Run folders as they are taken by `evaluate`, `predict` and `embed`."""

import dataclasses
import json
import shutil

import pytest
from training_config import CONFIG

from motionrep.datasets.authored.motions import authored_motion
from motionrep.encoders import load_encoder
from motionrep.head_api.loading import load_head
from motionrep.motion.saving import save_motion
from motionrep.pipeline import load_networks
from motionrep.pipeline.run_folders import run_networks
from motionrep.training.run import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`full`, and `frozen` on the encoder of it; `shipped` is frozen too, on an encoder that ships."""
    folder = tmp_path_factory.mktemp("runs")
    for name, motion in (("walk", "walk"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.0), folder / "motions" / f"{name}.npz")
    train(CONFIG, [folder / "motions"], folder / "full")
    shipped = dataclasses.replace(CONFIG, new_encoder=None, encoder="ssr-stf-s", tune="frozen", repeat_clips=True)
    train(shipped, [folder / "motions"], folder / "shipped")
    encoder, more = str(folder / "full" / "encoder"), {"mesh": {"hidden": 16}}
    train(dataclasses.replace(shipped, encoder=encoder, more_heads=more), [folder / "motions"], folder / "frozen")
    return folder


@pytest.mark.parametrize("name", ["full", "frozen", "shipped"])
def test_the_encoder_and_the_heads_of_a_run_are_found(runs, name):
    encoder, heads = run_networks(runs / name)
    network, loaded = load_networks(heads, encoder)  # refuses what does not belong together
    assert list(loaded) == [str(head) for head in heads]
    assert heads[0] == runs / name / "head"
    assert len(heads) == (2 if name == "frozen" else 1)
    assert (runs / name / "encoder").exists() == (name == "full")
    assert network.digest == load_head(heads[0]).trained_on_digest


def test_the_run_folder_says_which_encoder_was_frozen(runs):
    shipped, own = (json.loads((runs / name / "encoder.json").read_text()) for name in ("shipped", "frozen"))
    assert shipped["name"] == shipped["source"] == "ssr-stf-s"
    assert shipped["digest"] == load_encoder("ssr-stf-s").digest
    assert "path" not in shipped
    assert own["path"] == str((runs / "full" / "encoder").resolve())
    assert own["digest"] == load_encoder(runs / "full" / "encoder").digest


def test_runs_are_found_after_they_have_moved(runs, tmp_path):
    """Together to another place, or the frozen run alone."""
    shutil.copytree(runs / "frozen", tmp_path / "alone")
    assert run_networks(tmp_path / "alone")[0] == (runs / "full" / "encoder").resolve()
    for name in ("full", "frozen"):
        shutil.copytree(runs / name, tmp_path / "together" / name)
    found = run_networks(tmp_path / "together" / "frozen")[0]
    assert found.resolve() == (tmp_path / "together" / "full" / "encoder").resolve()


def test_an_encoder_that_is_gone_or_another_one_is_named(runs, tmp_path):
    shutil.copytree(runs / "frozen", tmp_path / "frozen")
    path = tmp_path / "frozen" / "encoder.json"
    reference = json.loads(path.read_text())
    for changes in ({"path": str(tmp_path / "gone")}, {"digest": "0" * 64}):
        path.write_text(json.dumps(reference | changes | {"path_from_here": "../gone"}))
        with pytest.raises(FileNotFoundError, match=r"frozen encoder 'full' \(sha256 \w{12}\.\.\.\).*--encoder"):
            run_networks(tmp_path / "frozen")
    assert run_networks(tmp_path / "frozen", "elsewhere")[0] == "elsewhere"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"encoder\.json: damaged"):
        run_networks(tmp_path / "frozen")


def test_runs_of_older_versions_name_the_encoder_in_their_head(runs, tmp_path):
    for name in ("shipped", "frozen"):
        shutil.copytree(runs / name, tmp_path / name)
        (tmp_path / name / "encoder.json").unlink()
    assert run_networks(tmp_path / "shipped")[0] == "ssr-stf-s"
    with pytest.raises(FileNotFoundError, match="does not say where encoder 'full' is; pass --encoder"):
        run_networks(tmp_path / "frozen")


def test_what_is_no_finished_run_is_named(runs, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        run_networks(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no run of motionrep finetune or pretrain"):
        run_networks(runs / "motions")
    (tmp_path / "run").mkdir()
    shutil.copy(runs / "full" / "config.yaml", tmp_path / "run")
    with pytest.raises(ValueError, match=r"not finished.*--resume"):
        run_networks(tmp_path / "run")
