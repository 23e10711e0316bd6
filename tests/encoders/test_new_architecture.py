"""A new architecture is one file: here the example in the docstring of `Encoder`, as a module of another package."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import textwrap

import pytest
import torch
from paths import ROOT
from safetensors.torch import save_file
from small_encoders import build

from motionrep.embedding.encoding import embed
from motionrep.encoders import ENCODERS, Encoder, load_encoder, load_published
from motionrep.encoders.inference import for_inference
from motionrep.layouts import COCO_17
from motionrep.training.config import FinetuneConfig
from motionrep.training.networks import build_networks
from motionrep.types import Keypoints

IMPORTS = """
from dataclasses import dataclass

from torch import nn

from motionrep.encoders import Encoder, EncoderConfig, PublishedFormat
"""

PUBLISHED = """
def published_config(weights):
    channels, hidden = weights["out.weight"].shape
    return PlainConfig(frames=9, channels=channels, hidden=hidden, input_channels=weights["stem.weight"].shape[1])


Plain.published = PublishedFormat(
    ((r"^embed\\.", "stem."), (r"^representation\\.", "out.")),
    published_config,
    lambda channels: nn.Linear(channels, 3),
    first_layer="stem.weight",
    mark="stem.weight",
)
"""


def _example():
    """The code in the docstring."""
    text = inspect.getdoc(Encoder)
    return textwrap.dedent(text[text.index("    @dataclass") : text.index("`save_pretrained`")])


@pytest.fixture
def package(tmp_path):
    """A folder with the module `plain_encoder`."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "plain_encoder.py").write_text(IMPORTS + _example() + PUBLISHED)
    return folder


@pytest.fixture
def plain(package, monkeypatch):
    """The class, registered until the test ends."""
    monkeypatch.syspath_prepend(package)
    yield importlib.import_module("plain_encoder").Plain
    del sys.modules["plain_encoder"], ENCODERS["plain"]


def _clip():
    xy_px = 640 * torch.rand(21, 17, 2, generator=torch.Generator().manual_seed(2))
    return Keypoints(xy_px, torch.ones(21, 17), COCO_17, 30.0, 640, 480)


@pytest.mark.usefixtures("plain")
def test_it_is_built_embeds_is_saved_and_is_loaded(tmp_path):
    encoder = build("plain", hidden=24)
    assert (encoder.name, encoder.frames, encoder.channels, encoder.config.hidden) == ("plain", 9, 32, 24)
    embedding = embed(_clip(), encoder)
    assert embedding.values.shape == (21, 17, 32)
    encoder.save_pretrained(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    assert (type(loaded), loaded.config, loaded.digest) == (type(encoder), encoder.config, encoder.digest)
    assert torch.equal(embed(_clip(), loaded).values, embedding.values)
    rough = for_inference(encoder, torch.bfloat16)(torch.rand(1, 9, 17, 3))
    assert rough.isfinite().all()


@pytest.mark.usefixtures("plain")
def test_error_messages_offer_it(tmp_path):
    build("ktpformer").save_pretrained(tmp_path)
    save_file(dict(build("plain").state_dict()), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="weights of another architecture, 'plain'"):
        load_encoder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architecture": "plane"}))
    with pytest.raises(ValueError, match=r"unknown architecture 'plane' \(known: .*plain.*import that first"):
        load_encoder(tmp_path)
    torch.save({"model": {"other.weight": torch.zeros(1)}}, tmp_path / "c.bin")
    with pytest.raises(ValueError, match=r"no architecture known here .*plain"):
        load_encoder(tmp_path / "c.bin")


@pytest.mark.usefixtures("plain")
def test_its_published_checkpoints_are_recognised(tmp_path):
    encoder, head = build("plain", hidden=24), torch.nn.Linear(32, 3)
    weights = {encoder.published.name_in_file(name): tensor for name, tensor in encoder.state_dict().items()}
    assert sorted(weights) == ["out.bias", "out.weight", "stem.bias", "stem.weight"]
    torch.save({"model": weights | {f"head.{k}": v for k, v in head.state_dict().items()}}, tmp_path / "c.bin")
    read, pose_head = load_published(tmp_path / "c.bin")
    assert read.config == encoder.config
    keypoints = torch.rand(1, 9, 17, 3)
    assert torch.equal(pose_head(read(keypoints)), head(encoder(keypoints)))


@pytest.mark.usefixtures("plain")
def test_it_can_be_trained():
    new = {"architecture": "plain", "frames": 9, "channels": 16, "hidden": 8, "fps": 30.0}
    encoder, heads = build_networks(FinetuneConfig(head="pose3d", new_encoder=new), ())
    assert (encoder.architecture, list(heads)) == ("plain", ["pose3d"])
    assert set(encoder.layer_numbers().values()) == {0}


def test_an_unknown_option_is_refused_by_name(plain):
    with pytest.raises(TypeError, match=r"PlainConfig.*unexpected keyword argument 'hiden'"):
        plain(hiden=3)


def test_two_classes_cannot_have_one_name(plain):
    with pytest.raises(ValueError, match=r"architecture 'plain' is .*plain_encoder\.Plain.* already"):
        type("Other", (Encoder,), {"architecture": "plain"})
    assert ENCODERS["plain"] is plain


def test_a_class_without_a_name_is_not_registered_and_not_saved(tmp_path):
    class Nameless(Encoder):
        def forward(self, keypoints):
            return keypoints

    assert Nameless not in ENCODERS.values()
    with pytest.raises(ValueError, match="Nameless names no `architecture`"):
        Nameless(frames=9, channels=3).save_pretrained(tmp_path)


@pytest.mark.slow
def test_the_tests_of_all_architectures_run_over_it(package):
    """Without a line of theirs that knows it."""
    environment = os.environ | {"PYTHONPATH": str(package)}
    files = [f"tests/encoders/test_{name}.py" for name in ("architectures", "sharing", "inference")]
    files.append("tests/deployment/test_stream.py")
    command = [sys.executable, "-m", "pytest", "-p", "plain_encoder", "-p", "no:cacheprovider", "-k", "plain", *files]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    counts = re.search(r"(\d+) passed", done.stdout)
    assert counts, done.stdout
    assert int(counts[1]) >= 15
