"""The table of published protocols: it agrees with the functions and the documentation, and takes one entry more."""

import inspect
import json
import subprocess
import sys

import pytest
from paths import ROOT

from motionrep.cli.main import main
from motionrep.evaluation.protocols.registry import PROTOCOLS, Protocol
from motionrep.evaluation.published import evaluate_protocol


@pytest.mark.parametrize("name", PROTOCOLS)
def test_an_entry_has_the_options_of_its_function_and_stands_in_the_documentation(name):
    protocol = PROTOCOLS[name]
    data, predictor, *options = inspect.signature(protocol.load()).parameters
    assert (data, predictor) == ("data", "predictor")
    assert list(protocol.options) == options
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page
    assert f"--protocol {name} " in page


def test_the_table_imports_no_protocol_and_nothing_slow():
    code = """
import sys
from motionrep.evaluation.protocols.registry import PROTOCOLS
ours = "motionrep.evaluation.protocols."
print(*(n for n in sys.modules if n in ("torch", "numpy") or n.startswith(ours) and not n.endswith("registry")))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


STEPS = '''
"""Mean length of the steps of the predicted pelvis: a protocol that measures nothing of use."""

from motionrep import load_keypoints


def evaluate_steps(data, predictor, order="1"):
    clip = load_keypoints(data)[0]
    steps_m = predictor.joints_m(clip).diff(n=int(order), dim=0).norm(dim=-1)
    return {
        "metrics": {"step": 1000 * float(steps_m.mean())},
        "units": {"step": "mm"},
        "protocol": {"id": f"steps/{order}/1"} | predictor.details(),
    }
'''


def test_a_new_protocol_is_a_file_and_an_entry(tmp_path, tiny, monkeypatch, capsys):
    (tmp_path / "steps_protocol.py").write_text(STEPS)
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = Protocol("Steps of the joints", "steps_protocol:evaluate_steps", {"order": "of the difference"})
    monkeypatch.setitem(PROTOCOLS, "steps", entry)
    encoder, head, data = str(tiny / "encoder"), str(tiny / "pose3d"), tmp_path / "clip.npz"
    assert main(["convert", str(tiny / "clip.json"), "--output", str(data), "--size", "1920x1080"]) == 0
    result = evaluate_protocol("steps", data, encoder, head, options={"order": "2"})
    assert result["protocol"]["id"] == "steps/2/1"
    assert result["metrics"]["step"] > 0
    with pytest.raises(ValueError, match="protocol 'steps' takes no option 'width'; it takes order"):
        evaluate_protocol("steps", data, encoder, head, options={"width": "2"})
    chosen = ["evaluate", "--protocol", "steps", "--data", str(data), "--encoder", encoder, "--head", head]
    assert main([*chosen, "--order", "2", "--output", str(tmp_path / "steps.json")]) == 0
    assert json.loads((tmp_path / "steps.json").read_text()) == result
    assert "protocol: id steps/2/1" in capsys.readouterr().out
