"""The Python of docs/scale.md, run as it stands there."""

import ast
import re
from importlib.util import find_spec

import pytest
from clip_folders import write_clips
from paths import ROOT

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.DOTALL | re.M)


def _missing(block):
    imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import)]
    return [alias.name for node in imported for alias in node.names if find_spec(alias.name) is None]


@pytest.mark.slow
def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clips(tmp_path / "clips")
    names = {}
    for block in BLOCKS:
        if not _missing(block):
            exec(compile(block, "docs/scale.md", "exec"), names)
    assert len(BLOCKS) == 4
    assert (names["made"].parts_done, names["made"].errors) == (1, 1)
    assert names["motion"].frame_count == names["rows"][0]["frames"]
    assert names["seconds"][0][0] > 1
