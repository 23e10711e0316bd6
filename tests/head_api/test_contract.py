"""Finding, saving and loading heads, also those of other packages."""

import json
import subprocess
import sys

import fill
import pytest
import torch
import yaml
from forked import COMMAND, Forked
from safetensors.torch import load_file, save_file

from motionrep.datasets.authored.motions import authored_motion
from motionrep.embedding.encoding import embed
from motionrep.encoders import DSTformer, KTPFormer, load_encoder
from motionrep.encoders.architectures.layers import linear_pose3d_head
from motionrep.head_api.loading import head_class, head_entry_points, load_head, save_head, trained_head_name
from motionrep.layouts import H36M_17
from motionrep.motion.saving import save_motion
from motionrep.types import Keypoints

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "someones-heads"
version = "1.0"

[project.entry-points."motionrep.heads"]
speed = "someones_heads:SpeedHead"

[tool.setuptools]
py-modules = ["someones_heads"]
"""

# A head as somebody who only read the protocol would write it; it knows nothing of motionrep's own heads.
MODULE = '''
import torch
from torch import nn


class SpeedHead(nn.Module):
    """How fast the pelvis moves in each frame, metres per second."""

    def __init__(self, channels, fps=30.0):
        super().__init__()
        self.config = {"channels": channels, "fps": fps}
        self.linear = nn.Linear(channels, 1)

    def forward(self, representation, valid):
        return {"speed": self.linear(representation.mean(2))[..., 0]}

    def loss(self, output, batch):
        moved = batch["translation_m"].diff(dim=1).norm(dim=-1) * self.config["fps"]
        counts = (batch["valid"][:, 1:] & batch["valid"][:, :-1]).float()
        return {"speed": ((output["speed"][:, 1:] - moved).abs() * counts).sum() / counts.sum()}

    @torch.no_grad()
    def predict(self, embedding):
        values = embedding.values[None]
        return self(values, values.new_ones(values.shape[:2], dtype=torch.bool))["speed"][0]
'''


@pytest.fixture
def saved(tmp_path):
    """A saved pose head."""
    torch.manual_seed(0)
    save_head(head_class("pose3d")(channels=8), tmp_path / "pose", "pose3d", "tiny")
    return tmp_path / "pose"


def _rewrite(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_name_of_a_trained_head_is_kept(saved):
    assert trained_head_name(saved) == trained_head_name(str(saved)) == "pose3d"


def test_saving_again_replaces_and_a_failed_save_changes_nothing(saved):
    before = (saved / "model.safetensors").read_bytes()
    head = head_class("pose3d")(channels=8)
    head.config["channels"] = object()  # cannot be written as JSON
    with pytest.raises(TypeError):
        save_head(head, saved, "pose3d", "tiny")
    assert (saved / "model.safetensors").read_bytes() == before
    save_head(head_class("pose3d")(channels=8), saved, "pose3d", "tiny")
    assert (saved / "model.safetensors").read_bytes() != before
    assert [path.name for path in saved.parent.iterdir()] == ["pose"]


def test_the_pose_head_of_a_published_checkpoint_predicts():
    path = fill.FOLDER / "ktpformer_f9_d32_l1.official.bin"
    _, _, arrays = fill.load("ktpformer_f9_d32_l1")
    encoder, head = load_encoder(path), load_head(path)
    pose_m = head(encoder(arrays["input"]), torch.ones(arrays["input"].shape[:2], dtype=torch.bool))["position_m"]
    torch.testing.assert_close(pose_m, arrays["output"], atol=1e-4, rtol=0)
    xy_px = 200 + 100 * torch.rand(12, 17, 2, generator=torch.Generator().manual_seed(0))
    embedding = embed(Keypoints(xy_px, torch.ones(12, 17), H36M_17, 50.0, 1000, 1000), encoder)
    position_m = head.predict(embedding).position_m
    assert position_m.shape == (12, 17, 3)
    assert not position_m[:, 0].any(), "the pelvis is the origin, wherever the network puts it"


def test_a_published_pose_head_without_metres_gives_a_person_of_usual_size(tmp_path):
    encoder, head = DSTformer(frames=9, channels=32, inner_channels=32, depth=1), linear_pose3d_head(32)
    named = {DSTformer.published.name_in_file(name): t for name, t in encoder.state_dict().items()}
    torch.save({"model_pos": named | {f"head.{name}": t for name, t in head.state_dict().items()}}, tmp_path / "d.bin")
    encoder, loaded = load_encoder(tmp_path / "d.bin"), load_head(tmp_path / "d.bin")
    xy_px = 200 + 100 * torch.rand(12, 17, 2, generator=torch.Generator().manual_seed(0))
    embedding = embed(Keypoints(xy_px, torch.ones(12, 17), H36M_17, 50.0, 1000, 1000), encoder)
    position_m = loaded.predict(embedding).position_m
    raw = head(embedding.values)
    factor = (position_m[0, 16] / (raw - raw[:, :1])[0, 16]).mean()
    torch.testing.assert_close(position_m, factor * (raw - raw[:, :1]), atol=1e-4, rtol=1e-3)
    bones = [(joint, parent) for joint, parent in enumerate(H36M_17.parent_indices) if parent >= 0]
    lengths_m = sum((position_m[:, joint] - position_m[:, parent]).norm(dim=-1) for joint, parent in bones)
    assert float(lengths_m.mean()) == pytest.approx(4.15, abs=0.01)


def test_unknown_heads_are_refused_with_the_installed_ones():
    with pytest.raises(
        ValueError, match=r"unknown head 'pose3'; did you mean 'pose3d'\? \(installed: .*mesh.*pose3d.*\)"
    ):
        head_class("pose3")
    assert list(head_entry_points())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no head '.*none': not a shipped name .* not a folder"):
        load_head(tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "posed"}, "unknown head 'posed'"),
        ({"config": {"channels": 8, "depth": 2}}, r"config\.json: 'config' does not build a head 'pose3d'.*depth"),
        ({"config": [8]}, r"config\.json: 'config' must hold the options of a head by name, got \[8\]"),
        ({"config": {"channels": 9}}, r"model\.safetensors: the weights do not fit head 'pose3d'.*position\.weight"),
        (
            {"head": "mesh", "config": {"channels": 8}},
            r"model\.safetensors: the weights do not fit head 'mesh'.*missing",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(saved, changes, message):
    _rewrite(saved, **changes)
    with pytest.raises(ValueError, match=message):
        load_head(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"head": "pose3d"}', '"pose3d"'])
def test_a_damaged_configuration_is_refused_by_name(saved, text):
    (saved / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"pose/config\.json: not that of a head"):
        load_head(saved)


def test_an_encoder_is_no_head(tmp_path):
    KTPFormer(frames=9, channels=16, depth=1, heads=2).save_pretrained(tmp_path / "encoder")
    with pytest.raises(ValueError, match=r"encoder/config\.json: not that of a head"):
        load_head(tmp_path / "encoder")


def test_missing_and_cut_off_weights_are_refused(saved):
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a whole head"):
        load_head(saved)
    weights.unlink()
    with pytest.raises(ValueError, match="not a whole head"):
        load_head(saved)


def test_weights_with_a_tensor_too_many_or_too_few_are_refused(saved):
    path = saved / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"more": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"1 unexpected \(more\)"):
        load_head(saved)
    del weights["norm.bias"]
    save_file(weights, path)
    with pytest.raises(ValueError, match=r"1 missing \(norm\.bias\)"):
        load_head(saved)


def test_half_precision_weights_are_loaded_in_float32(saved):
    save_head(load_head(saved).half(), saved, "pose3d", "tiny")
    assert {tensor.dtype for tensor in load_file(saved / "model.safetensors").values()} == {torch.float16}
    assert {p.dtype for p in load_head(saved).parameters()} == {torch.float32}


@pytest.mark.slow
def test_a_head_of_another_package_is_trained_like_ours(tmp_path):
    """Installed by pip into a folder of its own, found by its entry point, trained by the command line; then loaded."""
    package, site, data, run = (tmp_path / name for name in ("package", "site", "data", "run"))
    package.mkdir()
    (package / "pyproject.toml").write_text(PYPROJECT)
    (package / "someones_heads.py").write_text(MODULE)
    for name, motion in (("walk", "walk"), ("wave", "wave"), ("unseen", "walk")):  # the hash makes unseen.npz "val"
        save_motion(authored_motion(motion, seconds=2.0), data / f"{name}.npz")

    def python(code, *arguments):
        process = Forked(f"import sys\nsys.path.insert(0, {str(site)!r})\n{code}", *arguments)
        assert process.wait() == 0, process.output() + process.errors()
        return process.output()

    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run([*pip, "--target", site, package], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = python(COMMAND, "list")
    assert "speed" in next(line for line in listed.splitlines() if line.startswith("heads"))

    config = {
        "head": "speed",
        "new_encoder": {
            "architecture": "ktpformer", "frames": 8, "channels": 16, "depth": 1, "heads": 2, "input_channels": 3,
        },
        "epochs": 1,
        "clips_per_epoch": 8,
        "batch_size": 4,
    }  # fmt: skip
    (tmp_path / "speed.yaml").write_text(yaml.safe_dump(config))
    told = python(COMMAND, "finetune", "--config", tmp_path / "speed.yaml", "--data", data, "--output", run)
    assert "loss" in told
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) == {"loss"}
    assert 0 < metrics["loss"] < 10
    saved = json.loads((run / "head" / "config.json").read_text())
    assert set(saved.pop("sha256")) == {"config", "model.safetensors"}
    assert saved.pop("encoder_digest") == load_encoder(run / "encoder").digest
    built = {"head": "speed", "config": {"channels": 16, "fps": 30.0}, "encoder": "run"}
    assert saved == built | {"format": "motionrep head 1", "version": 1}
    code = "import motionrep, sys; print(type(motionrep.load_head(sys.argv[1])).__module__)"
    assert python(code, run / "head").strip() == "someones_heads"
