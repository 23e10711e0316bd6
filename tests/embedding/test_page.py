"""The Python of docs/embeddings.md, run as it stands there."""

import ast
import re
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from paths import ROOT

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.layouts import COCO_17
from motionrep.motion.axes import in_camera

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "embeddings.md").read_text("utf-8"), re.DOTALL | re.M)


def _missing(block: str) -> list[str]:
    imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [alias.name if isinstance(node, ast.Import) else node.module for node in imported for alias in node.names]
    return [name for name in {str(name).partition(".")[0] for name in names} if find_spec(name) is None]


@pytest.fixture(scope="module")
def clips() -> list[motionrep.Keypoints]:
    body, made = load_body_model("open"), []
    for name in ("walk", "wave"):
        rng = np.random.default_rng(0)
        motion = authored_motion(name, 0, seconds=0.5)
        camera = random_camera(motion, body, rng)
        made.append(simulated_keypoints(in_camera(motion, body, camera), body, camera, COCO_17, rng))
    return made


def test_the_python_of_the_page_runs(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder = motionrep.load_encoder("ktpformer-s")
    walk, wave = (motionrep.embed(clip, encoder) for clip in clips)
    names = {"clips": clips, "labels": ["walk", "wave"], "walk": walk, "wave": wave}
    ran = [block for block in BLOCKS if not _missing(block)]
    for block in ran:
        exec(compile(block, "docs/embeddings.md", "exec"), names)
    assert len(BLOCKS) == 5
    assert any("read_embeddings" in block for block in ran)

    expected = torch.cat([walk.per_frame(), wave.per_frame()]).numpy()
    values, columns = names["values"], names["columns"]
    assert values.dtype == np.float32
    assert np.array_equal(values, expected)
    assert {len(column) for column in columns.values()} == {len(expected)}
    assert columns["action"] == ["walk"] * walk.keypoints.frame_count + ["wave"] * wave.keypoints.frame_count
    assert np.array_equal(names["walking"], walk.per_frame().numpy())
    assert names["probe"].predict(clips).tolist() == ["walk", "wave"]
    if "table" in names:
        assert np.allclose(np.stack(names["table"]["embedding"]), expected)
    if "counts" in names:
        assert names["counts"] == [("walk_1", walk.keypoints.frame_count), ("wave_1", wave.keypoints.frame_count)]
