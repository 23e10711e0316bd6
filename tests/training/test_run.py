"""Training runs of a few seconds, and the evaluation of what they made."""

import csv
import dataclasses
import json
import shutil
import signal
import time
from pathlib import Path

import jsonargparse
import pytest
import torch
import yaml
from forked import Forked
from paths import WALK_BVH
from safetensors.torch import load_file
from training_config import CONFIG, NEW_ENCODER

from motionrep.datasets.authored.motions import authored_motion
from motionrep.encoders import KTPFormer, load_encoder
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.head_api.loading import head_class, load_head, save_head
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.training.config import FinetuneConfig
from motionrep.training.module import TrainingModule
from motionrep.training.run import train
from motionrep.types import Keypoints


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two clips to train on and, by the hash of its name, one to validate on."""
    folder = tmp_path_factory.mktemp("motions")
    for name, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.5), folder / f"{name}.npz")
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory, one_thread):
    """A finished run of one epoch: its folder and what `finetune` returned."""
    output = tmp_path_factory.mktemp("runs") / "first"
    return output, train(CONFIG, [data], output)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums then come out the same every time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _weights(run: Path) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{name}": tensor
        for part in ("encoder", "head")
        if (run / part).is_dir()
        for name, tensor in load_file(run / part / "model.safetensors").items()
    }


def test_a_run_leaves_everything_that_is_needed_to_use_and_repeat_it(run):
    output, returned = run
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics == returned
    assert set(metrics) == {"loss", "mpjpe", "pa_mpjpe", "accel_error"}
    assert all(value > 0 for value in metrics.values())
    assert 100 < metrics["mpjpe"] < 2000
    versions = json.loads((output / "versions.json").read_text())
    assert {"motionrep", "torch", "lightning", "numpy", "roma", "python", "commit", "clips", "keypoints"} == {*versions}
    assert versions["torch"] == torch.__version__
    header, *rows = (output / "metrics.csv").read_text().splitlines()
    assert {"epoch", "train_loss", "val_mpjpe"} <= set(header.split(","))
    assert rows
    expected = {"checkpoints", "config.yaml", "encoder", "head", "metrics.csv", "metrics.json", "versions.json"}
    assert {path.name for path in output.iterdir()} == expected


def test_the_configuration_comes_back_from_its_file(run):
    """With the frame rate that was taken, since none was given."""
    written = (run[0] / "config.yaml").read_text()
    assert FinetuneConfig.from_dict(yaml.safe_load(written)) == dataclasses.replace(CONFIG, fps=30.0)
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(FinetuneConfig, as_group=False)
    assert FinetuneConfig.from_dict(parser.parse_string(written).as_dict()) == dataclasses.replace(CONFIG, fps=30.0)


def test_encoder_and_head_of_a_run_belong_together(run):
    output, _ = run
    encoder, head = load_encoder(output / "encoder"), load_head(output / "head")
    assert encoder.name == head.trained_on == "first"
    assert encoder.digest == head.trained_on_digest
    assert "new weights" in encoder.provenance.recipe
    assert (encoder.frames, encoder.channels) == (8, 16)


def test_a_run_is_repeatable_and_the_seed_matters(run, data, tmp_path, one_thread):
    train(CONFIG, [data], tmp_path / "again")
    train(dataclasses.replace(CONFIG, seed=1), [data], tmp_path / "other")
    first, again, other = (_weights(path) for path in (run[0], tmp_path / "again", tmp_path / "other"))
    for name, tensor in first.items():
        torch.testing.assert_close(again[name], tensor, atol=1e-5, rtol=0, msg=name)
    assert any(not torch.allclose(other[name], tensor, atol=1e-3) for name, tensor in first.items())


def test_a_folder_with_a_run_is_not_overwritten(run, data):
    before = (run[0] / "metrics.json").stat().st_mtime_ns
    with pytest.raises(ValueError, match=r"already holds a run; pass --resume .* or another --output"):
        train(CONFIG, [data], run[0])
    assert (run[0] / "metrics.json").stat().st_mtime_ns == before


def test_there_must_be_something_to_resume(data, tmp_path):
    with pytest.raises(ValueError, match="nothing to resume"):
        train(CONFIG, [data], tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


INTERRUPTED = """
import sys
from pathlib import Path

import torch
import yaml

from motionrep.training.config import FinetuneConfig
from motionrep.training.run import train
from motionrep.types import Keypoints

torch.set_num_threads(1)
config, data, output, resume = sys.argv[1:]
train(FinetuneConfig.from_dict(yaml.safe_load(config)), [Path(data)], Path(output), resume=resume == "resume")
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_weights_it_would_have_had(data, tmp_path):
    """SIGKILL after the first epoch's checkpoint; the encoder drops paths at random, so random states matter too."""
    encoder = NEW_ENCODER | {"drop_path": 0.5, "depth": 2, "channels": 32}  # wide enough for Muon
    config = dataclasses.replace(CONFIG, epochs=3, clips_per_epoch=16, new_encoder=encoder)
    whole, broken = tmp_path / "whole" / "run", tmp_path / "broken" / "run"

    def start(output, resume):
        return Forked(INTERRUPTED, yaml.safe_dump(dataclasses.asdict(config)), data, output, resume)

    process = start(broken, "start")
    last = broken / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 300
    while not last.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert last.is_file()
    assert not (broken / "metrics.json").exists()
    assert torch.load(last, weights_only=True)["epoch"] < 2

    for process in (start(broken, "resume"), start(whole, "start")):
        assert process.wait() == 0, process.errors()
    final = [
        torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for path in (whole, broken)
    ]
    for name, tensor in final[0].items():
        torch.testing.assert_close(final[1][name], tensor, atol=1e-6, rtol=0, msg=name)
    expected, resumed = (json.loads((path / "metrics.json").read_text()) for path in (whole, broken))
    assert resumed == pytest.approx(expected, rel=1e-4)
    epochs = [
        {row["epoch"] for row in csv.DictReader((path / "metrics.csv").open()) if row["val_mpjpe"]}
        for path in (whole, broken)
    ]
    assert epochs[0] == epochs[1] == {"1", "2", "3"}


def test_a_run_is_not_resumed_with_other_settings(run, data):
    with pytest.raises(ValueError, match=r"config\.yaml: a run goes on as it was started, but seed 0 is now 5"):
        train(dataclasses.replace(CONFIG, seed=5), [data], run[0], resume=True)


def test_a_run_is_not_resumed_with_other_motions(run, data, tmp_path):
    """Both --data were accepted, and the run went on with whatever there was."""
    for name in ("wave", "unseen"):
        shutil.copy(data / f"{name}.npz", tmp_path)
    with pytest.raises(ValueError, match=r"versions\.json: the run was started with other motion clips"):
        train(CONFIG, [tmp_path], run[0], resume=True)
    shutil.copy(data / "walk.npz", tmp_path)
    assert train(CONFIG, [tmp_path], run[0], resume=True) == run[1]


def test_resuming_a_finished_run_changes_nothing(run, data):
    output, returned = run
    before, table = _weights(output), (output / "metrics.csv").read_text()
    assert train(CONFIG, [data], output, resume=True) == returned
    assert (output / "metrics.csv").read_text() == table
    assert all(torch.equal(tensor, before[name]) for name, tensor in _weights(output).items())


def test_a_frozen_encoder_stays_as_it_is(run, data, tmp_path):
    encoder = run[0] / "encoder"
    before = load_file(encoder / "model.safetensors")
    config = dataclasses.replace(CONFIG, new_encoder=None, encoder=str(encoder), tune="frozen")
    train(config, [data], tmp_path / "frozen")
    assert not (tmp_path / "frozen" / "encoder").exists()
    assert load_head(tmp_path / "frozen" / "head").trained_on == "first"
    checkpoint = torch.load(tmp_path / "frozen" / "checkpoints" / "last.ckpt", weights_only=True)
    after = checkpoint["state_dict"]
    assert all(torch.equal(tensor, after[f"encoder.{name}"]) for name, tensor in before.items())


def test_full_tuning_moves_encoder_and_head_of_another_run(run, data, tmp_path):
    first = _weights(run[0])
    config = dataclasses.replace(
        CONFIG, new_encoder=None, encoder=str(run[0] / "encoder"), head=str(run[0] / "head"), precision="bfloat16"
    )
    train(config, [data], tmp_path / "second")
    second = _weights(tmp_path / "second")
    assert second.keys() == first.keys()
    assert sum(not torch.equal(second[name], first[name]) for name in first) > 0.8 * len(first)
    assert load_head(tmp_path / "second" / "head").trained_on == "second"
    assert json.loads((tmp_path / "second" / "head" / "config.json").read_text())["head"] == "pose3d"


def test_a_mesh_head_is_judged_by_its_surface(data, tmp_path):
    config = dataclasses.replace(CONFIG, head="mesh", head_config={"hidden": 16}, window=6, optimizer="adamw")
    metrics = train(config, [data], tmp_path / "mesh")
    assert set(metrics) == {"loss", "mpjpe", "pa_mpjpe", "accel_error", "pve"}
    assert load_head(tmp_path / "mesh" / "head").config["hidden"] == 16


@pytest.fixture
def labelled(tmp_path):
    """A folder with an index: the recorded clip, played to and fro, under two labels and in both splits."""
    lines = WALK_BVH.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    header = [line if not line.startswith("Frames") else "Frames: 120" for line in lines[:first]]
    frames = lines[first : first + 60]
    (tmp_path / "clip.bvh").write_text("\n".join([*header, *frames, *frames[::-1]]) + "\n")
    rows = ["clip_id,subject,path,action,split,core,first_frame,bad_ranges"]
    rows += [
        f"{action}_{split},1,clip.bvh,{action},{split},1,0,"
        for action in ("walk", "jump")
        for split in ("train", "val")
    ]
    (tmp_path / "index.csv").write_text("\n".join([*rows, "bow,1,clip.bvh,bow,train,0,0,"]) + "\n")
    return tmp_path


def test_an_action_head_learns_the_core_classes_by_name(labelled, tmp_path):
    config = dataclasses.replace(CONFIG, head="action", classes="core", head_config={"hidden": 16})
    metrics = train(config, [labelled], tmp_path / "run")
    assert set(metrics) == {"loss", "top1", "macro_accuracy"}
    head = load_head(tmp_path / "run" / "head")
    assert head.labels == ("jump", "walk")
    result = evaluate(
        labelled, str(tmp_path / "run" / "encoder"), str(tmp_path / "run" / "head"), options=SyntheticViews(views=1)
    )
    assert set(result["metrics"]) == {"top1", "macro_accuracy"}


def test_labels_in_the_training_split_alone_are_refused_before_training(labelled, tmp_path):
    index = labelled / "index.csv"
    index.write_text(index.read_text().replace("val,1,0,", "val,0,0,"))
    config = dataclasses.replace(CONFIG, more_heads={"action": {}}, classes="core_and_rest")
    with pytest.raises(ValueError, match=r"of split val is of a class \(jump, walk\): put core clips"):
        train(config, [labelled], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_actions_are_learned_beside_poses_from_clips_of_every_kind(labelled, tmp_path):
    """The clip of no core class is there for the poses; the action head's scores leave it out."""
    more = {"action": {"hidden": 16, "weight": 0.05}}
    config = dataclasses.replace(CONFIG, head="pose3d", more_heads=more, classes="core_and_rest")
    index = labelled / "index.csv"
    index.write_text(index.read_text() + "bow_val,1,clip.bvh,bow,val,0,0,\n")
    metrics = train(config, [labelled], tmp_path / "run")
    assert {"mpjpe", "action_loss", "action_macro_accuracy"} <= set(metrics)
    assert load_head(tmp_path / "run" / "head_action").labels == ("jump", "walk")
    assert metrics["action_loss"] < 0.2  # 0.05 of about log 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "pose3"}, "no head 'pose3'.*not one of the installed heads .*pose3d"),
        ({"head_config": {"width": 3}}, "head_config does not fit head 'pose3d'.*width"),
        ({"new_encoder": NEW_ENCODER | {"architecture": "ktp"}}, "unknown 'ktp' .known: .*ktpformer"),
        ({"new_encoder": NEW_ENCODER | {"layers": 3}}, "new_encoder does not fit .*ktpformer.*layers"),
        ({"new_encoder": None, "encoder": "nothing"}, "no encoder 'nothing'"),
        ({"new_encoder": NEW_ENCODER | {"heads": 0}}, "new_encoder does not fit architecture 'ktpformer'"),
        ({"new_encoder": NEW_ENCODER | {"channels": -16}}, "new_encoder does not fit architecture 'ktpformer'"),
        (
            {"head_config": {"losses": {}}},
            "head_config does not fit .*losses: at least one of clips whose pose is known",
        ),
        ({"head_config": {"losses": {"reprojection": 1.0}}}, "losses: at least one of clips whose pose is known"),
        ({"window": 9}, "window of 9 frames does not fit into 8"),
        ({"classes": "core"}, "no clip of a core class"),
        ({"fps": 30.0, "new_encoder": NEW_ENCODER | {"fps": 15.0}}, "encoder .* 15 frames per second.*fps: 15$"),
        ({"fps": 20.0, "new_encoder": None, "encoder": "ssr-stf-s"}, "ssr-stf-s reads .* must be a multiple of that"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_before_anything_is_written(data, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(CONFIG, **changes), [data], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_both_splits_must_be_there(tmp_path):
    save_motion(authored_motion("walk", seconds=1.0), tmp_path / "walk.npz")
    with pytest.raises(
        ValueError, match=r"1 training and 0 validation clips.*but both are needed.*An index\.csv assigns"
    ):
        train(CONFIG, [tmp_path], tmp_path / "run")


def test_clips_of_keypoints_alone_take_part(data, tmp_path):
    """Poses are synthesised, keypoints are what a detector found; without a loss for them they are refused."""
    clips = tmp_path / "clips"
    clips.mkdir()
    xy_px = 200 + 100 * torch.rand(40, 17, 2, generator=torch.Generator().manual_seed(0))
    save_keypoints([Keypoints(xy_px, torch.ones(40, 17), H36M_17, 30.0, 640, 480)], clips / "seen.npz")
    losses = {"position": 1.0, "reprojection": 1.0}
    config = dataclasses.replace(CONFIG, head_config={"losses": losses}, observed_share=0.5)
    train(config, [data, data], tmp_path / "run", [clips])
    columns = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "train_term_reprojection" in columns
    assert load_encoder(tmp_path / "run" / "encoder").provenance.data.endswith("and keypoint files of 'clips'")
    with pytest.raises(ValueError, match="a loss 'reprojection'"):
        train(CONFIG, [data], tmp_path / "other", [clips])
    with pytest.raises(ValueError, match=r"started with other keypoint clips than --keypoints holds now"):
        train(config, [data, data], tmp_path / "run", resume=True)


def test_a_learning_rate_may_fall_with_every_epoch(data, tmp_path):
    config = dataclasses.replace(CONFIG, lr_decay=0.5, epochs=3)
    encoder = KTPFormer(**{name: value for name, value in NEW_ENCODER.items() if name != "architecture"})
    module = TrainingModule(encoder, {"pose3d": head_class("pose3d")(channels=16)}, config, 30.0, steps=6)
    _, schedules = module.configure_optimizers()
    shares = [schedules[0].lr_lambdas[0](step) for step in range(6)]
    assert shares == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_a_damaged_checkpoint_is_named(run, data, tmp_path):
    broken = tmp_path / "run"
    shutil.copytree(run[0], broken)
    last = broken / "checkpoints" / "last.ckpt"
    content = last.read_bytes()
    for left in (b"", content[: len(content) // 2]):
        last.write_bytes(left)
        with pytest.raises(ValueError, match=r"last\.ckpt: damaged or not whole .* best_\*\.ckpt"):
            train(CONFIG, [data], broken, resume=True)
    assert (broken / "metrics.csv").read_text() == (run[0] / "metrics.csv").read_text()


def test_training_that_diverges_ends_with_an_error(data, tmp_path):
    config = dataclasses.replace(CONFIG, head_lr=1e30, encoder_lr=1e30, epochs=3, optimizer="adamw")
    with pytest.raises(ValueError, match=r"epoch \d: the loss of head 'pose3d' is \w+, so training has diverged"):
        train(config, [data], tmp_path / "run")
    assert not (tmp_path / "run" / "head").exists()


def test_what_a_user_keeps_in_a_folder_of_the_runs_name_is_not_replaced(data, tmp_path):
    note = tmp_path / "run" / "head" / "thesis.txt"
    note.parent.mkdir(parents=True)
    note.write_text("mine")
    with pytest.raises(ValueError, match=r"run/head: is no encoder or head, and would be replaced"):
        train(CONFIG, [data], tmp_path / "run")
    with pytest.raises(ValueError, match="holds something that is no head and would be lost"):
        save_head(head_class("pose3d")(channels=16), note.parent, "pose3d", "mine")
    assert [path.name for path in note.parent.iterdir()] == ["thesis.txt"]


def test_an_interrupted_run_says_so(data, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "training_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, [data], tmp_path / "run")


def test_windows_of_one_frame_are_learned_from(data, tmp_path):
    config = dataclasses.replace(CONFIG, new_encoder=NEW_ENCODER | {"architecture": "ssr_stf", "frames": 1})
    assert set(train(config, [data], tmp_path / "run")) == {"loss", "mpjpe", "pa_mpjpe"}
