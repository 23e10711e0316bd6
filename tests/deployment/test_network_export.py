"""Exported encoders and heads do what they do in PyTorch."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from paths import ROOT, WALK_BVH
from small_encoders import build

from motionrep.cli.main import main
from motionrep.deployment.network_export import export_encoder
from motionrep.embedding.inputs import encoder_input
from motionrep.encoders import ENCODERS, load_encoder, pose3d_head
from motionrep.head_api.loading import head_class, load_head
from motionrep.layouts import COCO_17
from motionrep.types import Keypoints
from motionrep.windows import padded

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
HEADS = {"pose3d": {"hidden": 16}, "mesh": {"hidden": 16}, "action": {"labels": ["walk", "jump"]}}


def _keypoints(encoder, batch, frames):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, frames, 17, encoder.input_channels, generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_onnx_has_the_outputs_of_pytorch(architecture, tmp_path):
    encoder = build(architecture, depth=1)
    export_encoder(encoder, tmp_path / "e.onnx")
    session = ort.InferenceSession(tmp_path / "e.onnx")
    assert [axis.name for axis in (*session.get_inputs(), *session.get_outputs())] == ["keypoints", "embedding"]
    lengths = (9,) if encoder.fixed_window else (9, 8, 1)
    for batch, frames in [(batch, frames) for batch in (1, 3) for frames in lengths]:
        keypoints = _keypoints(encoder, batch, frames)
        with torch.no_grad():
            expected = encoder(keypoints)
        (got,) = session.run(None, {"keypoints": keypoints.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("fixed_window", [True, False])
def test_pt2_has_the_outputs_of_pytorch(fixed_window, tmp_path):
    """It is what is turned into ONNX for every architecture, saved as it is; here one with windows of each kind."""
    encoder = next(it for name in sorted(ENCODERS) if (it := build(name, depth=1)).fixed_window == fixed_window)
    export_encoder(encoder, tmp_path / "e.pt2")
    program = torch.export.load(tmp_path / "e.pt2").module()
    for batch in (1, 3):
        keypoints = _keypoints(encoder, batch, 9)
        with torch.no_grad():
            expected = encoder(keypoints)
        torch.testing.assert_close(program(keypoints)[0], expected, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_heads_are_exported_with_the_encoder(tmp_path):
    """All of them together. Of outputs with the same name, that of the head comes before it."""
    encoder = build("mixste", depth=1)
    heads = {name: head_class(name)(channels=32, **options).eval() for name, options in HEADS.items()}
    heads["other"] = head_class("pose3d")(channels=32).eval()
    export_encoder(encoder, tmp_path / "e.onnx", heads)
    export_encoder(encoder, tmp_path / "e.pt2", heads)
    session = ort.InferenceSession(tmp_path / "e.onnx")
    program = torch.export.load(tmp_path / "e.pt2").module()
    for batch in (1, 3):
        keypoints = _keypoints(encoder, batch, 9)
        with torch.no_grad():
            outputs = {
                name: head(encoder(keypoints), torch.ones(batch, 9, dtype=torch.bool)) for name, head in heads.items()
            }
        expected = {
            f"{head}_{name}" if head in ("pose3d", "other") else name: value
            for head, found in outputs.items()
            for name, value in found.items()
        }
        assert [output.name for output in session.get_outputs()] == list(expected)
        arrays = session.run(None, {"keypoints": keypoints.numpy()})
        for got, again, value in zip(arrays, program(keypoints), expected.values(), strict=True):
            torch.testing.assert_close(torch.from_numpy(got), value, atol=1e-4, rtol=0)
            torch.testing.assert_close(again, value, atol=1e-6, rtol=0)
    about = session.get_modelmeta().custom_metadata_map
    told = json.loads(about["outputs"])
    assert list(told) == list(expected)
    assert "see" not in " ".join(told.values())
    assert told["other_position_m"].startswith("batch x frames x 17 joints x 3, metres")
    assert json.loads(about["labels"]) == list(heads["action"].labels)


def _documented(block: int) -> str:
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)[block]


def _run(code, folder):
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True)


@pytest.mark.slow
def test_the_documented_example_needs_numpy_and_onnxruntime_only(tmp_path):
    """It does by itself what `encoder_input` does, on a clip of the wrong rate that is shorter than the window."""
    encoder, head = load_encoder("ktpformer-s"), load_head("pose3d-ktpformer-s")
    export_encoder(encoder, tmp_path / "pose3d.onnx", head)
    rng = np.random.default_rng(0)
    coco = np.concatenate([rng.uniform(200, 900, (50, 17, 2)), rng.uniform(0.2, 1, (50, 17, 1))], -1)
    coco[3:9, 5:8, 2] = 0
    np.save(tmp_path / "coco.npy", coco)
    alone = "import sys\nfor name in ('torch', 'motionrep', 'onnx'): sys.modules[name] = None\n"
    documented = _documented(0).replace("fps = 1920, 1080, 30", "fps = 1920, 1080, 60")
    _run(alone + documented + 'np.save("position_m.npy", position_m)\n', tmp_path)

    clip = torch.from_numpy(coco).float()
    keypoints = encoder_input(Keypoints(clip[..., :2], clip[..., 2], COCO_17, 60.0, 1920, 1080), encoder)[::2]
    window = padded(keypoints, encoder.frames)[None]
    with torch.no_grad():
        expected = head(encoder(window), torch.ones(1, encoder.frames, dtype=torch.bool))["position_m"]
    np.testing.assert_allclose(np.load(tmp_path / "position_m.npy"), expected.numpy(), atol=1e-4)


@pytest.mark.slow
def test_the_documented_pt2_example_runs(tmp_path):
    head = head_class("pose3d")(channels=32).eval()
    export_encoder(build("mixste", depth=1), tmp_path / "pose3d.pt2", head)
    _run(_documented(1) + "assert outputs['position_m'].shape == (1, 9, 17, 3)\n", tmp_path)


def test_what_cannot_be_exported_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"e\.glb: encoders are exported to \.onnx or \.pt2"):
        export_encoder(build("mixste"), tmp_path / "e.glb")
    with pytest.raises(ValueError, match="Pose3DHead does not fit encoder 'mixste'"):
        export_encoder(build("mixste"), tmp_path / "e.onnx", head_class("pose3d")(channels=8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{encoder}", "--output", "e.glb"], "an encoder, which is exported to .onnx or .pt2, not to e.glb"),
        (["{walk}", "--output", "e.onnx"], "first_60.bvh: holds a motion (BVH); read it with motionrep.load_motion"),
        (["{encoder}", "--output", "e.onnx", "--unit", "cm"], "--unit is for motion"),
        (["{encoder}", "{encoder}", "--output", "e.pt2"], "holds one encoder, got 2"),
        (["walk.bvh", "--output", "e.glb", "--head", "x"], "--head belongs to an encoder"),
        (["ktpformer-s", "--output", "e.pt2", "--head", "{pose3d}"], "trained on encoder 'tiny', got 'ktpformer-s'"),
    ],
)
def test_wrong_combinations_are_refused_on_the_command_line(tiny, arguments, message, capsys):
    paths = {"encoder": tiny / "encoder", "pose3d": tiny / "pose3d", "walk": WALK_BVH}
    assert main(["export", *(argument.format(**paths) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_the_command_line_exports_an_encoder_with_its_head(tiny, tmp_path, capsys):
    arguments = ["export", tiny / "encoder", "--head", tiny / "pose3d", "--output", tmp_path / "e.pt2"]
    assert main([str(argument) for argument in arguments]) == 0
    assert "e.pt2: tiny with" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["e.pt2"]


@pytest.mark.slow
def test_a_head_alone_is_exported_with_the_names_of_its_outputs(tmp_path):
    """And of several hypotheses the likeliest."""
    encoder, head = build("mixste", depth=1), head_class("pose3d")(channels=32, hypotheses=3).eval()
    export_encoder(encoder, tmp_path / "e.onnx", head)
    keypoints = _keypoints(encoder, 5, 9)
    with torch.no_grad():
        expected = head(encoder(keypoints), torch.ones(5, 9, dtype=torch.bool))
    session = ort.InferenceSession(tmp_path / "e.onnx")
    assert [output.name for output in session.get_outputs()] == list(expected)
    (got,) = session.run(["position_m"], {"keypoints": keypoints.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), expected["position_m"], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_heads_of_published_checkpoints_are_exported(tmp_path):
    encoder, head = build("ktpformer", depth=1), pose3d_head(32).eval()
    export_encoder(encoder, tmp_path / "e.onnx", head)
    keypoints = _keypoints(encoder, 3, 9)
    with torch.no_grad():
        expected = head(encoder(keypoints))
    (got,) = ort.InferenceSession(tmp_path / "e.onnx").run(["output"], {"keypoints": keypoints.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_encoders_of_a_tiny_window_are_exported(tmp_path):
    encoder = build("ssr_stf", frames=1, depth=1)
    export_encoder(encoder, tmp_path / "e.onnx")
    (got,) = ort.InferenceSession(tmp_path / "e.onnx").run(None, {"keypoints": _keypoints(encoder, 3, 1).numpy()})
    assert got.shape == (3, 1, 17, 32)


def test_changed_weights_are_not_exported_with_a_head_of_the_old_ones(tmp_path):
    encoder, head = load_encoder("ktpformer-s"), load_head("pose3d-ktpformer-s")
    encoder.name, head.trained_on_digest = "ktpformer-s", "0" * 64
    with pytest.raises(ValueError, match="trained on other weights of encoder 'ktpformer-s'"):
        export_encoder(encoder, tmp_path / "e.pt2", head)
