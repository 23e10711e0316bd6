"""Exported encoders and heads do what they do in PyTorch."""

import json

import pytest
import torch
from test_encoders import build

from motionrep.encoders import ENCODERS
from motionrep.encoders.exporting import export_encoder
from motionrep.head_api import head_class

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
HEADS = {"pose3d": {"hidden": 16}, "mesh": {"hidden": 16}, "action": {"labels": ["walk", "jump"]}}


def _keypoints(encoder, batch, frames):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, frames, 17, encoder.input_channels, generator=generator)


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_onnx_and_pt2_have_the_outputs_of_pytorch(architecture, tmp_path):
    encoder = build(architecture, depth=1)
    export_encoder(encoder, tmp_path / "e.onnx")
    export_encoder(encoder, tmp_path / "e.pt2")
    session = ort.InferenceSession(tmp_path / "e.onnx")
    assert [axis.name for axis in (*session.get_inputs(), *session.get_outputs())] == ["keypoints", "embedding"]
    program = torch.export.load(tmp_path / "e.pt2").module()
    lengths = (9,) if encoder.fixed_window else (9, 8, 1)
    for batch, frames in [(batch, frames) for batch in (1, 3) for frames in lengths]:
        keypoints = _keypoints(encoder, batch, frames)
        with torch.no_grad():
            expected = encoder(keypoints)
        (got,) = session.run(None, {"keypoints": keypoints.numpy()})
        torch.testing.assert_close(torch.from_numpy(got), expected, atol=1e-4, rtol=0)
        if frames == 9:
            torch.testing.assert_close(program(keypoints)[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_exported_with_the_encoder(name, tmp_path):
    encoder, head = build("mixste", depth=1), head_class(name)(channels=32, **HEADS[name]).eval()
    export_encoder(encoder, tmp_path / "e.onnx", head)
    export_encoder(encoder, tmp_path / "e.pt2", head)
    session = ort.InferenceSession(tmp_path / "e.onnx")
    program = torch.export.load(tmp_path / "e.pt2").module()
    for batch in (1, 3):
        keypoints = _keypoints(encoder, batch, 9)
        with torch.no_grad():
            expected = head(encoder(keypoints), torch.ones(batch, 9, dtype=torch.bool))
        assert [output.name for output in session.get_outputs()] == list(expected)
        arrays = session.run(None, {"keypoints": keypoints.numpy()})
        for got, again, value in zip(arrays, program(keypoints), expected.values(), strict=True):
            torch.testing.assert_close(torch.from_numpy(got), value, atol=1e-4, rtol=0)
            torch.testing.assert_close(again, value, atol=1e-6, rtol=0)
    outputs = json.loads(session.get_modelmeta().custom_metadata_map["outputs"])
    assert list(outputs) == list(expected)
    assert "see" not in " ".join(outputs.values())
