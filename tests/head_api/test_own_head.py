"""The example package of a head: installed by pip, trained by the command, and used."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from paths import ROOT

import motionrep
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.head_api.contract import Head
from motionrep.head_api.loading import head_class, head_entry_points
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints, MotionEmbedding

PACKAGE = ROOT / "examples" / "own_head"
CONFIG = {
    "head": "hand_height",
    "new_encoder": {
        "architecture": "ktpformer", "frames": 9, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3,
    },
    "epochs": 2,
    "clips_per_epoch": 8,
    "batch_size": 4,
    "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which pip installed the package, from a copy, without a network."""
    source, target = tmp_path_factory.mktemp("own") / "own_head", tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def name(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    yield "hand_height"
    sys.modules.pop("hand_height", None)


def test_the_package_has_fewer_than_sixty_lines():
    files = [path for path in PACKAGE.iterdir() if path.suffix in (".py", ".toml")]
    assert {path.name for path in files} == {"pyproject.toml", "hand_height.py"}
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < 60


def test_it_is_known_only_where_it_is_installed(installed, monkeypatch):
    assert "hand_height" not in head_entry_points()
    monkeypatch.syspath_prepend(installed)
    assert "hand_height" in head_entry_points()


def test_it_is_a_head_and_its_loss_is_of_the_height_of_the_wrists(name):
    head = head_class(name)(channels=16)
    assert isinstance(head, Head)
    position_m = torch.zeros(1, 3, 17, 3)
    position_m[..., H36M_17.index("left_wrist"), 1] = -0.5  # y points down: half a metre above the pelvis
    batch = {"position_m": position_m, "valid": torch.tensor([[True, True, False]])}
    right = {"height_m": torch.tensor([[[0.5, 0.0], [0.5, 0.0], [9.0, 9.0]]])}
    assert float(head.loss(right, batch)["height"]) == 0
    assert float(head.loss({"height_m": torch.zeros(1, 3, 2)}, batch)["height"]) == pytest.approx(0.25)


def test_the_command_trains_it_and_it_predicts(name, tmp_path, capsys):
    (tmp_path / "motions").mkdir()
    # The hash of its name makes unseen.npz the clip to validate on.
    for file, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):
        motionrep.save_motion(authored_motion(motion, seconds=1.0), tmp_path / "motions" / f"{file}.npz")
    (tmp_path / "config.yaml").write_text(json.dumps(CONFIG))
    options = ("--config", "config.yaml", "--data", "motions", "--output", "run")
    arguments = [option if option[0] == "-" else str(tmp_path / option) for option in options]
    assert cli.main(["finetune", *arguments]) == 0
    head = motionrep.load_head(tmp_path / "run" / "head")
    assert type(head).__name__ == "HandHeightHead"
    encoder = motionrep.load_encoder(tmp_path / "run" / "encoder")
    clip = Keypoints(torch.rand(12, 17, 2) * 500, torch.ones(12, 17), H36M_17, 30.0, 640, 480)
    embedding = motionrep.embed(clip, encoder)
    height_m = head.predict(embedding)
    assert height_m.shape == (12, 2)
    assert not height_m.requires_grad
    with pytest.raises(ValueError, match="was trained on encoder 'run', got 'other'"):
        head.predict(MotionEmbedding(embedding.values, clip, "other"))
    trained = {"encoder": str(tmp_path / "run" / "encoder"), "head": str(tmp_path / "run" / "head")}
    metrics = evaluate(tmp_path / "motions", **trained, options=SyntheticViews(views=2))["metrics"]
    assert set(metrics) == {"loss", "loss_height"}  # of its own, since no metric knows its output
    assert 0 < metrics["loss"] == metrics["loss_height"] < 2
    with pytest.raises(ValueError, match="the head has height_m; leave it out for this head"):
        evaluate(tmp_path / "motions", **trained, options=SyntheticViews(views=1, flip=True))
    motionrep.save_keypoints([clip], tmp_path / "clip.npz")
    command = ["predict", str(tmp_path / "clip.npz"), "--output", str(tmp_path / "out")]
    command += ["--encoder", str(tmp_path / "run" / "encoder"), "--head", str(tmp_path / "run" / "head")]
    assert cli.main(command) == 0
    assert cli.main([*command, "--flip"]) == 2
    assert "leave it out for this head" in capsys.readouterr().err
