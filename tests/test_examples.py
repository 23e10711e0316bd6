"""Every example script runs as a user would run it, on keypoints of the demo's clips."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from motionrep.body import load_body_model
from motionrep.datasets.authored import authored_motion
from motionrep.datasets.filming import film, in_camera, random_camera
from motionrep.keypoint_io import save_keypoints
from motionrep.layouts import HALPE_26

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of two filmed motions of half a second, 1280 x 720."""
    folder, body = tmp_path_factory.mktemp("clips"), load_body_model("open")
    for name in ("walk", "wave"):
        rng = np.random.default_rng(0)
        motion = authored_motion(name, seconds=0.5)
        camera = random_camera(motion, body, rng)
        save_keypoints([film(in_camera(motion, body, camera), body, camera, HALPE_26, rng)], folder / f"{name}.json")
    return [str(folder / "walk.json"), str(folder / "wave.json")]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_recover_mesh_writes_a_video(clips: list[str], tmp_path: Path) -> None:
    run("recover_mesh.py", clips[0], "1280x720", str(tmp_path / "walk.mp4"))
    assert (tmp_path / "walk.mp4").stat().st_size > 1000


def test_compare_clips_finds_a_clip_like_itself(clips: list[str]) -> None:
    rows = [line.split()[1:] for line in run("compare_clips.py", "1280x720", *clips).splitlines()]
    assert [rows[0][0], rows[1][1]] == ["1.00", "1.00"]
    assert float(rows[0][1]) < 0.9


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"recover_mesh.py", "compare_clips.py"}
