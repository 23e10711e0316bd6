import dataclasses
import json
import logging

import pytest
import torch
import yaml
from training_config import CONFIG

from motionrep.datasets.authored.motions import authored_motion
from motionrep.motion.saving import save_motion
from motionrep.training.precision import Choice, measured_choice
from motionrep.training.run import train

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("bfloat16_s", "precision", "why"),
    [
        (0.4, "bfloat16", "2.5 times as fast as float32"),
        (0.95, "float32", "bfloat16 is hardly faster"),
        (13.0, "float32", "bfloat16 is 13.0 times as slow"),
    ],
)
def test_bfloat16_is_taken_where_it_is_clearly_faster(bfloat16_s, precision, why):
    choice = Choice(1.0, bfloat16_s, "a CPU")
    assert choice.precision == precision
    assert choice.sentence.startswith(f"precision {precision}: ")
    assert f"{why} on a CPU" in choice.sentence


def test_a_measurement_is_made_once(tmp_path):
    first = measured_choice(CPU, tmp_path)
    assert min(first.float32_s, first.bfloat16_s) > 0
    assert measured_choice(CPU, tmp_path) == first
    (key,) = json.loads((tmp_path / "precision.json").read_text())
    assert torch.__version__ in key
    assert first.device_name in key


def test_what_was_measured_with_another_torch_does_not_count_but_stays(tmp_path):
    other = {"a CPU, torch 1.0": [1.0, 2.0]}
    (tmp_path / "precision.json").write_text(json.dumps(other))
    measured_choice(CPU, tmp_path)
    known = json.loads((tmp_path / "precision.json").read_text())
    assert len(known) == 2
    assert known.items() > other.items()


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "{"])
def test_a_damaged_cache_is_measured_anew(tmp_path, content):
    (tmp_path / "precision.json").write_text(content)
    found = measured_choice(CPU, tmp_path)
    assert list(json.loads((tmp_path / "precision.json").read_text()).values()) == [[found.float32_s, found.bfloat16_s]]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder would be")
    assert measured_choice(CPU, tmp_path / "taken").precision in ("float32", "bfloat16")


def test_the_probe_leaves_random_numbers_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    measured_choice(CPU, tmp_path)
    assert torch.equal(torch.rand(2), expected)


def test_a_resumed_run_keeps_its_precision(tmp_path, caplog, monkeypatch):
    """Also on a machine where the other one would be faster: the settings hold what was taken."""
    for name, motion in (("walk", "walk"), ("unseen", "walk")):
        save_motion(authored_motion(motion, seconds=1.0), tmp_path / "motions" / f"{name}.npz")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    output, data = tmp_path / "run", [tmp_path / "motions"]
    auto = dataclasses.replace(CONFIG, precision="auto")
    with caplog.at_level(logging.INFO):
        train(auto, data, output)
    taken = yaml.safe_load((output / "config.yaml").read_text())["precision"]
    assert f"precision {taken}: " in caplog.text
    settings = output / "config.yaml"
    for precision in ("float32", "bfloat16"):
        settings.write_text(settings.read_text().replace(f"precision: {taken}", f"precision: {precision}"))
        taken = precision
        caplog.clear()
        with caplog.at_level(logging.INFO):
            train(auto, data, output, resume=True)
        assert f"precision {precision}: the run was started with it" in caplog.text
        assert yaml.safe_load(settings.read_text())["precision"] == precision
    with pytest.raises(ValueError, match="precision 'bfloat16' is now 'float32'"):
        train(CONFIG, data, output, resume=True)
