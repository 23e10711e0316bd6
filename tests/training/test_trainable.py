"""Ways to tune an encoder: what learns, how fast, and what is left of it afterwards."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from small_encoders import require_option

from motionrep.cli.training_options import parse
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.encoders import ENCODERS, KTPFormer, load_encoder
from motionrep.head_api.loading import load_head, save_head
from motionrep.motion.saving import save_motion
from motionrep.training.clips import share_of
from motionrep.training.config import FinetuneConfig
from motionrep.training.encoded_once import EncodedOnce
from motionrep.training.module import TrainingModule
from motionrep.training.networks import build_head
from motionrep.training.run import train, try_out
from motionrep.training.trainable import finish, optimizers, prepare
from motionrep.training.trainer import trainer_for
from motionrep_heads.action import ActionHead

DEPTH = 3
CONFIG = FinetuneConfig(
    head="pose3d", encoder="given", epochs=1, clips_per_epoch=8, batch_size=4, precision="float32", fps=30
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for name, motion in (("walk", "walk"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.5), folder / f"{name}.npz")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved encoder to start from."""
    torch.manual_seed(0)
    encoder = KTPFormer(frames=8, channels=32, depth=2, heads=2, input_channels=3, drop_path=0.0)
    encoder.name = "start"
    path = tmp_path_factory.mktemp("encoder") / "start"
    encoder.save_pretrained(path)
    return path


@pytest.fixture(params=ENCODERS)
def encoder(request):
    require_option(request.param, "depth")
    torch.manual_seed(0)
    return ENCODERS[request.param](frames=8, channels=32, depth=DEPTH)


def _config(**changes):
    return dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize(("fps", "frames", "trained_at"), [(None, 8, 15.0), (30.0, 16, 30.0)])
def test_a_run_is_at_the_frame_rate_of_its_encoder_or_makes_it_read_a_multiple(
    folder, data, tmp_path, fps, frames, trained_at
):
    start = KTPFormer.from_folder(folder, fps=15.0)
    start.save_pretrained(tmp_path / "start")
    train(_config(encoder=str(tmp_path / "start"), fps=fps), [data], tmp_path / "run")
    trained = load_encoder(tmp_path / "run" / "encoder")
    assert (trained.frames, trained.fps) == (frames, trained_at)
    assert load_head(tmp_path / "run" / "head").trained_on_digest == trained.digest


def test_a_frozen_encoder_keeps_its_frame_rate(folder, data, tmp_path):
    """What was made of it would not be saved, and nobody could use the head."""
    start = KTPFormer.from_folder(folder, fps=15.0)
    start.save_pretrained(tmp_path / "start")
    with pytest.raises(ValueError, match="reads 15 frames per second; set fps: 15"):
        train(_config(encoder=str(tmp_path / "start"), fps=30.0, tune="frozen"), [data], tmp_path / "run")


def test_every_parameter_belongs_to_a_layer(encoder):
    numbers = encoder.layer_numbers()
    assert set(numbers) == {name for name, _ in encoder.named_parameters()}
    assert set(numbers.values()) == set(range(DEPTH + 2))
    assert all(str(number - 1) in name.split(".") for name, number in numbers.items() if 1 <= number <= DEPTH)
    assert numbers["joint_position"] == 0


def test_the_last_layers_learn_and_the_first_do_not(encoder):
    prepare(encoder, _config(tune="last-1"))
    learns = {layer for name, layer in encoder.layer_numbers().items() if encoder.get_parameter(name).requires_grad}
    assert learns == {DEPTH, DEPTH + 1}
    with pytest.raises(ValueError, match=f"last-4, but the encoder has {DEPTH} layers"):
        prepare(encoder, _config(tune="last-4"))


def test_low_rank_additions_start_at_nothing_and_are_merged_in_the_end(encoder):
    encoder.eval()
    keypoints = torch.rand(1, 8, 17, encoder.input_channels)
    before, names = encoder(keypoints), set(encoder.state_dict())
    prepared = prepare(encoder, _config(tune="lora", lora_rank=4))
    torch.testing.assert_close(encoder(keypoints), before)
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert learning
    assert all("lora_" in name for name in learning)
    with torch.no_grad():
        for name in learning:
            encoder.get_parameter(name).add_(0.05)
    changed = encoder(keypoints)
    assert not torch.allclose(changed, before)
    finish(encoder, prepared)
    assert set(encoder.state_dict()) == names
    torch.testing.assert_close(encoder(keypoints), changed, atol=1e-4, rtol=1e-4)


def test_learning_rates_fall_towards_the_first_layer(encoder):
    config = _config(layer_decay=0.5, encoder_lr=1.0)
    numbers = encoder.layer_numbers()
    of = {id(encoder.get_parameter(name)): number for name, number in numbers.items()}
    seen = set()
    for number, optimizer in enumerate(optimizers(encoder, [torch.nn.Parameter(torch.zeros(1))], config)):
        factor = 10.0 if number else 1.0
        for group in optimizer.param_groups[0 if number else 1 :]:
            for parameter in group["params"]:
                assert group["lr"] == pytest.approx(factor * 0.5 ** (DEPTH + 1 - of[id(parameter)]))
                seen.add(id(parameter))
    assert seen == set(of)


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["frozen", "last-1", "lora", "full"])
def test_a_run_changes_what_it_may_and_its_encoder_is_an_ordinary_one(tune, data, folder, tmp_path):
    config = _config(encoder=str(folder), tune=tune, layer_decay=0.8)
    train(config, [data], tmp_path / "run")
    start = load_encoder(folder)
    if tune == "frozen":
        assert not (tmp_path / "run" / "encoder").exists()
        tuned = start
    else:
        tuned = load_encoder(tmp_path / "run" / "encoder")
    head = load_head(tmp_path / "run" / "head")
    assert head.trained_on == tuned.name
    numbers = start.layer_numbers()
    changed = {
        numbers[name]
        for name, parameter in start.named_parameters()
        if not torch.equal(parameter, tuned.get_parameter(name))
    }
    assert changed == {"frozen": set(), "last-1": {2, 3}, "lora": {0, 1, 2}, "full": {0, 1, 2, 3}}[tune]


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["last-1", "lora"])
def test_batch_norm_of_what_does_not_learn_keeps_its_statistics(tune, data, folder, tmp_path):
    """The running means of KTPFormer's frozen priors once moved, and with them what the frozen layers compute."""
    train(_config(encoder=str(folder), tune=tune), [data], tmp_path / "run")
    tuned = load_encoder(tmp_path / "run" / "encoder").state_dict()
    statistics = {name: tensor for name, tensor in load_encoder(folder).state_dict().items() if "running_" in name}
    assert statistics
    for name, tensor in statistics.items():
        assert torch.equal(tuned[name], tensor), name


def test_a_trained_head_that_is_trained_further_has_its_dropout(folder):
    """`load_head` gives a head ready to predict, and Lightning leaves modes alone: its dropout was off in training."""
    head = ActionHead(32, ["a", "b"]).eval()
    module = TrainingModule(
        load_encoder(folder), {"action": head}, _config(encoder=str(folder), tune="frozen"), 30.0, 1
    )
    module.on_train_epoch_start()
    assert head.classify[0].training
    assert not module.encoder.training


def test_clips_that_repeat_are_encoded_once(data, folder, tmp_path):
    """With more epochs than one, and the same result as encoding them every time."""
    config = _config(encoder=str(folder), tune="frozen", repeat_clips=True, epochs=2)
    scores = train(config, [data], tmp_path / "run")
    assert scores["mpjpe"] > 0
    calls = []

    class Clips:
        def __len__(self):
            return 6

        def __getitems__(self, keys):
            return {"keypoints": torch.tensor([float(index) for _, index in keys])[:, None]}

    def encode(batch):
        calls.append(len(batch["keypoints"]))
        return 2 * batch["keypoints"]

    encoded = EncodedOnce(Clips(), encode)
    for epoch in range(3):
        batch = encoded.__getitems__([(epoch, 4), (epoch, 1)])
        assert batch["representation"][:, 0].tolist() == [8.0, 2.0]
    assert encoded.__getitems__([(0, 1), (0, 2)])["keypoints"][:, 0].tolist() == [1.0, 2.0]
    assert calls == [2, 1]


@pytest.mark.slow
def test_two_heads_learn_from_one_encoder_and_are_saved_each_for_itself(data, folder, tmp_path):
    config = _config(encoder=str(folder), more_heads={"mesh": {"hidden": 32}})
    scores = train(config, [data], tmp_path / "run")
    assert {"mpjpe", "mesh_mpjpe", "mesh_pve", "loss", "mesh_loss"} <= set(scores)
    encoder = load_encoder(tmp_path / "run" / "encoder")
    for name in ("head", "head_mesh"):
        assert load_head(tmp_path / "run" / name).trained_on_digest == encoder.digest


def test_a_run_stops_when_it_gets_no_better_and_keeps_so_many_epochs(data, folder, tmp_path):
    config = _config(
        encoder=str(folder), epochs=8, patience=1, keep_best=2, head_lr=3.0, encoder_lr=1e-9, tensorboard=True
    )
    train(config, [data], tmp_path / "run")
    epochs = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert len(epochs) < 1 + 2 * 8
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert len(kept) == 3
    assert "last.ckpt" in kept
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    train(config, [data], tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines() == epochs, "it has stopped for good"


def test_the_best_epochs_are_known_after_the_run_folder_has_moved(tmp_path):
    """Lightning forgot them, so the run went on to look for its best epoch where the folder had been."""
    (_, before), (_, after) = (trainer_for(_config(), tmp_path / name, None, 1, 1) for name in ("before", "after"))
    name = "checkpoints/best_epoch=1.ckpt"
    before.best_model_path = before.kth_best_model_path = str(tmp_path / "before" / name)
    before.best_model_score, before.best_k_models = torch.tensor(3.0), {before.best_model_path: torch.tensor(3.0)}
    after.load_state_dict(before.state_dict())
    assert after.best_model_path == str(tmp_path / "after" / name)
    assert float(after.best_model_score) == 3
    assert list(after.best_k_models) == [after.best_model_path]
    assert after.state_key.startswith("ModelCheckpoint{"), "runs of before go on with their best epochs"


@pytest.mark.parametrize(("share", "rounds_to"), [(0.1, 0), (0.9, 4)])
def test_a_share_of_observed_clips_that_rounds_to_none_or_all_is_refused(share, rounds_to, data, folder, tmp_path):
    """With 0 of 4 the keypoints were silently left out, with 4 of 4 there was nothing left to synthesise."""
    head = {"losses": {"position": 1.0, "reprojection": 1.0}}
    config = _config(encoder=str(folder), head_config=head, observed_share=share)
    with pytest.raises(ValueError, match=f"of the 4 samples .* rounds to {rounds_to}: at least one"):
        train(config, [data], tmp_path / "run", keypoints=[tmp_path])


def test_a_trained_head_keeps_its_classes_and_a_new_one_needs_them(folder, tmp_path):
    """The labels of a trained head were not compared: other classes were learnt under its names."""
    encoder = load_encoder(folder)
    head = tmp_path / "head"
    save_head(ActionHead(32, ["bow", "clap"], hidden=8), head, "action", encoder.name)
    assert build_head(str(head), {}, encoder, ("bow", "clap"))[0] == "action"
    with pytest.raises(ValueError, match=r"tells bow, clap apart, but the training clips are of jump, run"):
        build_head(str(head), {}, encoder, ("jump", "run"))
    with pytest.raises(ValueError, match=r"no classes; use data .* classes: core"):
        build_head(str(head), {}, encoder, ())
    with pytest.raises(ValueError, match=r"'config' with nonsense changed does not build a head 'action'"):
        build_head(str(head), {"nonsense": 3}, encoder, ("bow", "clap"))
    with pytest.raises(ValueError, match=r"model\.safetensors: the weights do not fit head 'action'"):
        build_head(str(head), {"hidden": 16}, encoder, ("bow", "clap"))
    assert build_head(str(head), {"contrastive": 0.0}, encoder, ("bow", "clap"))[1].trained_on == encoder.name
    for options in ({}, {"labels": ["bow", "clap"]}):
        with pytest.raises(ValueError, match="head 'action' needs clips with classes: set classes: core"):
            build_head("action", options, encoder, ())


def test_trying_out_leaves_nothing(data, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert try_out(_config(encoder=str(folder), epochs=1000), [data])["mpjpe"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tune": "last-0"}, "last-N"),
        ({"tune": "half"}, "last-N"),
        (
            {"tune": "lora", "encoder": None, "new_encoder": {"architecture": "ktpformer"}},
            "lora needs a trained encoder",
        ),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"more_heads": {"pose3d": {}}}, "more_heads"),
        ({"patience": 0}, "patience"),
        ({"clip_norm": 0.0}, "clip_norm"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        _config(**changes)


SCRIPT = """
import sys, yaml
from pathlib import Path
import torch
torch.set_num_threads(1)
from motionrep.training.config import FinetuneConfig
from motionrep.training.run import train
config, data, output, devices, nodes = sys.argv[1:]
train(FinetuneConfig.from_dict(yaml.safe_load(Path(config).read_text())), [Path(data)], Path(output),
      devices=int(devices), nodes=int(nodes))
"""


def _losses(run):
    lines = (run / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train_loss")
    return [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """A run of one process: its configuration's file, and its losses."""
    # The clips all fill the window, so means over half a batch average to the mean over the batch; and there is no
    # BatchNorm, whose statistics are each process's own on a CPU.
    work = tmp_path_factory.mktemp("processes")
    torch.manual_seed(0)
    ENCODERS["mixste"](frames=8, channels=32, depth=2, heads=2, drop_path=0.0).save_pretrained(work / "start")
    # Muon orthogonalises in bfloat16, which makes much of how sums were rounded.
    config = _config(encoder=str(work / "start"), optimizer="adamw", epochs=2, clips_per_epoch=16)
    (work / "config.yaml").write_text(yaml.safe_dump(dataclasses.asdict(config)))
    (work / "run.py").write_text(SCRIPT)
    train(config, [data], work / "one")
    return work, _losses(work / "one")


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_tell_it_once(alone, data):
    """By the command, with samples made in others. Every process of a run printed its scores once."""
    work, losses = alone
    command = ["finetune", "--config", "config.yaml", "--data", str(data), "--output", "two", "--devices", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "motionrep", *command, "--workers", "1"], cwd=work, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert _losses(work / "two") == pytest.approx(losses, rel=1e-5)
    metrics = [json.loads((work / run / "metrics.json").read_text())["mpjpe"] for run in ("one", "two")]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-3)
    load_encoder(work / "two" / "encoder")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["two", "next"]
    for sentence in ("read ", "precision float32", "epoch 1 of 2", "epoch 2 of 2"):
        assert done.stderr.count(sentence) == 1, done.stderr


@pytest.mark.slow
def test_two_nodes_that_torchrun_starts_learn_what_one_process_does(alone, data):
    """Two launchers that meet at an address, as on two machines; here both are this one."""
    work, losses = alone
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(rank),
                "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(port),
                "run.py", "config.yaml", str(data), "nodes", "1", "2",
            ],
            cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    for node in nodes:
        _, errors = node.communicate(timeout=300)
        assert node.returncode == 0, errors.decode()[-2000:]
    assert _losses(work / "nodes") == pytest.approx(losses, rel=1e-5)
    assert Path(work / "nodes" / "head" / "model.safetensors").is_file()


def test_a_share_of_the_clips_keeps_some_of_every_action_where_it_counts():
    motion = authored_motion("walk", seconds=1.0)
    good = torch.ones(motion.frame_count, dtype=torch.bool)
    clips = [MotionClip(f"{action}_{k}", motion, good, action, "train", True, "") for action in "ab" for k in range(20)]
    clips.append(MotionClip("c", motion, good, "c", "train", True, ""))
    names = [clip.name for clip in share_of(clips, 0.1, by_action=True)]
    assert sorted(name[0] for name in names) == ["a", "a", "b", "b", "c"]
    assert names == [clip.name for clip in share_of(clips[::-1], 0.1, by_action=True)][::-1]
    assert share_of(clips, 1.0, by_action=True) == clips
    assert len(share_of(clips, 0.1, by_action=False)) == 4


def test_one_folder_of_motions_may_stand_in_the_file_without_a_list(tmp_path):
    """Its letters were taken for folders, "/" among them."""
    settings = {"head": "pose3d", "encoder": "ktpformer-s", "data": str(tmp_path)}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    _, run = parse("finetune", "", ["--config", str(tmp_path / "run.yaml"), "--output", "run"], "")
    assert (run["data"], run["keypoints"]) == ([tmp_path], [])
