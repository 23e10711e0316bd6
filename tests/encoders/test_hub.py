"""Encoders and heads go to the Hub and come back, by huggingface_hub as it is, over HTTP; only the server is ours."""

import os
import subprocess
import sys

import pytest
from hub_server import COMMIT, hub

from motionrep.encoders import load_encoder
from motionrep.head_api.loading import head_class, load_head, save_head

pytestmark = pytest.mark.slow
# Several in one process, since each takes seconds to import torch.
LOADS = """
import logging, sys, traceback
import motionrep

logging.basicConfig(level=logging.INFO)
for name in sys.argv[1:]:
    try:
        encoder = motionrep.load_encoder(name)
        print(encoder.name, encoder.digest)
    except Exception:
        print(traceback.format_exc().replace("\\n", " "))
"""


def _python(code, endpoint, cache, *arguments, **environment):
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment | {"HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _loaded(endpoint, cache, *names, **environment):
    """What loading each gave, a line each, and what was logged."""
    done = _python(LOADS, endpoint, cache, *names, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_encoders_go_to_the_hub_and_come_back(saved, tmp_path):
    expected, cache = f"mine {load_encoder(saved).digest}", tmp_path / "cache"
    with hub() as (endpoint, files):
        push = f"import motionrep\nmotionrep.load_encoder({str(saved)!r}).push_to_hub('me/mine', token='t')"
        done = _python(push, endpoint, tmp_path / "pusher")
        assert done.returncode == 0, done.stderr
        assert files["me/mine"].keys() >= {"README.md", "config.json", "model.safetensors"}
        assert files["me/mine"]["model.safetensors"] == (saved / "model.safetensors").read_bytes()
        (told, absent, missing), logged = _loaded(endpoint, cache, "me/mine", "me/mine@v9", "me/other")
        assert told == expected
        assert COMMIT in {path.name for path in cache.rglob("*")}
        assert f"pin it as me/mine@{COMMIT}" in logged
        assert "RevisionNotFoundError" in absent
        assert "no encoder 'me/other'" in missing
        assert "RepositoryNotFoundError" in missing
        pinned, logged = _loaded(endpoint, tmp_path / "pinned", f"me/mine@{COMMIT}")
        assert pinned == [expected]
        assert "pin it as" not in logged
    assert _loaded(endpoint, cache, "me/mine", HF_HUB_OFFLINE="1")[0] == [expected]
    (away,), _ = _loaded(endpoint, tmp_path / "empty", "me/mine")  # nobody answers any more
    assert "ValueError: no encoder 'me/mine'" in away
    assert "Hub could not be read" in away
    assert "without a connection download the folder elsewhere and pass its path" in away


def test_heads_go_to_the_hub_and_come_back(saved, tmp_path):
    """Sent as any folder is."""
    head = head_class("pose3d")(channels=32)
    save_head(head, tmp_path / "head", "pose3d", "mine", encoder_digest=load_encoder(saved).digest)
    push = (
        "from huggingface_hub import HfApi\n"
        "api = HfApi(token='t')\n"
        "api.create_repo('me/head', exist_ok=True)\n"
        f"api.upload_folder(repo_id='me/head', folder_path={str(tmp_path / 'head')!r})"
    )
    load = (
        "import motionrep\n"
        "head = motionrep.load_head('me/head', revision='main')\n"
        "print(head.trained_on_digest, type(head).__name__)\n"
        "motionrep.load_head('me/other', revision='main')"
    )
    with hub() as (endpoint, files):
        done = _python(push, endpoint, tmp_path / "pusher")
        assert done.returncode == 0, done.stderr
        assert files["me/head"].keys() >= {"config.json", "model.safetensors"}
        done = _python(load, endpoint, tmp_path / "cache")
        assert done.stdout.split() == [load_encoder(saved).digest, "Pose3DHead"], done.stderr
        assert "ValueError: no head 'me/other': not a shipped name or folder here" in done.stderr
    with pytest.raises(ValueError, match="revision 'main' is for the Hub"):
        load_head(tmp_path / "head", revision="main")
