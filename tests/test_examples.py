"""Every example script runs as a user would run it, on keypoints of the demo's clips."""

import json
import subprocess
import sys
from pathlib import Path

import filmed_people
import numpy as np
import pytest
import torch
from paths import ROOT
from PIL import Image

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17, HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.rendering.video.writing import write_video

EXAMPLES = ROOT / "examples"
OPEN_BODY = ROOT / "docs" / "open_body.png"
FLOOR = OPEN_BODY.with_name("floor.png")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of one second of two people who walk and one who waves, each from another side, 1280 x 720."""
    folder, body = tmp_path_factory.mktemp("clips"), load_body_model("open")
    paths = []
    for name, seed in (("walk", 0), ("walk", 1), ("wave", 0)):
        rng = np.random.default_rng(seed)
        motion = authored_motion(name, seed, seconds=1.0)
        camera = random_camera(motion, body, rng)
        paths.append(str(folder / f"{name}_{seed}.json"))
        save_keypoints([simulated_keypoints(in_camera(motion, body, camera), body, camera, HALPE_26, rng)], paths[-1])
    return paths


def run(script: str, *arguments: str, stdin: str | None = None) -> str:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=stdin).stdout


@pytest.mark.slow
def test_recover_mesh_writes_a_video(clips: list[str], tmp_path: Path) -> None:
    told = run("recover_mesh.py", clips[0], "1280x720", str(tmp_path / "walk.mp4")).splitlines()
    assert told == ["30 frames, 6999 vertices, 13994 faces, 24 joints", str(tmp_path / "walk.mp4")]
    assert (tmp_path / "walk.mp4").stat().st_size > 1000


def test_compare_clips_finds_two_walks_more_alike_than_a_walk_and_a_wave(clips: list[str]) -> None:
    lines = run("compare_clips.py", "1280x720", *clips).splitlines()
    walk, other_walk, _ = [[float(value) for value in line.split()[1:]] for line in lines]
    assert walk[0] == 1
    assert walk[1] > walk[2] + 0.1
    assert other_walk[0] > other_walk[2] + 0.1


@pytest.mark.slow
def test_live_poses_of_a_file(clips: list[str]) -> None:
    clip = motionrep.load_keypoints(clips[0], size_px=(1280, 720))[0]
    embedding = motionrep.embed_with_latency(clip, motionrep.load_encoder("ktpformer-s"), 3)
    expected = motionrep.load_head("pose3d-ktpformer-s").predict(embedding).position_m
    told = [json.loads(line) for line in run("live.py", "--size", "1280x720", "--keypoints", clips[0]).splitlines()]
    assert [line["frame"] for line in told] == list(range(clip.frame_count))
    torch.testing.assert_close(torch.tensor([line["position_m"] for line in told]), expected, atol=1e-3, rtol=0)


def test_live_poses_of_what_a_detector_writes() -> None:
    frame = [[600 + 10 * (joint % 2), 200 + 20 * joint, 0.9] for joint in range(17)]
    told = run("live.py", "--size", "1280x720", "--latency", "0", stdin=f"null\n{json.dumps(frame)}\n").splitlines()
    assert json.loads(told[0]) == {"frame": 0, "position_m": None}
    assert len(json.loads(told[1])["position_m"]) == 17


@pytest.mark.slow
def test_live_poses_of_a_video_in_real_time(tmp_path: Path) -> None:
    """However slow the machine: poses of as many pictures as there is time for, upright in axes whose y points down."""
    film = filmed_people.film(("wave",), seconds=6.0, fps=15.0)
    video = write_video(film.pictures, tmp_path / "wave.mp4", 15)
    command = [sys.executable, str(EXAMPLES / "live.py"), "--video", str(video)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(told) > 1
    assert [line["frame"] for line in told] == sorted({line["frame"] for line in told})
    assert all(0 < line["latency_ms"] < 5000 for line in told)
    position_m = torch.tensor([line["position_m"] for line in told if line["position_m"]])
    ankle = [H36M_17.index(f"{side}_ankle") for side in ("left", "right")]
    assert (position_m[:, ankle, 1].mean(1) - position_m[:, H36M_17.index("head"), 1] > 1.0).all()
    assert "ms of work each" in result.stderr


def test_a_camera_that_is_not_there_is_one_sentence() -> None:
    command = [sys.executable, str(EXAMPLES / "live.py"), "--camera", "97"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "camera 97: cannot be opened by" in result.stderr
    assert result.stderr.count("\n") == 1


def drawn_as_shown(script: str, folder: Path, picture: Path, most: float) -> np.ndarray:
    """What a script draws, after a comparison with the picture of the documentation."""
    run(script, str(folder / picture.name))
    drawn, shown = (np.asarray(Image.open(path), float) for path in (folder / picture.name, picture))
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < most
    return drawn


@pytest.mark.slow
def test_draw_open_body_draws_the_picture_of_the_documentation(tmp_path: Path) -> None:
    drawn = drawn_as_shown("draw_open_body.py", tmp_path, OPEN_BODY, 0.5)
    skin = drawn[..., 0] > drawn[..., 2] + 15
    for row, count in zip(np.split(skin, 3), (5, 6, 6), strict=True):
        assert all(body.sum() > 3000 for body in np.array_split(row, count, axis=1))


@pytest.mark.slow
def test_draw_floor_draws_the_picture_of_the_documentation(tmp_path: Path) -> None:
    """Networks and refinement round otherwise on other processors."""
    drawn_as_shown("draw_floor.py", tmp_path, FLOOR, 2)


@pytest.mark.slow
def test_the_gallery_is_what_its_script_makes(tmp_path: Path) -> None:
    """One of its pictures; the others take the same way."""
    run("gallery.py", str(tmp_path), "backgrounds")
    drawn, shown = (np.asarray(Image.open(folder / "backgrounds.png").convert("RGB"), float)
                    for folder in (tmp_path, OPEN_BODY.parent / "gallery"))  # fmt: skip
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 2


def test_the_page_of_the_gallery_shows_all_of_its_pictures_and_is_small() -> None:
    pictures = list((OPEN_BODY.parent / "gallery").glob("*.png"))
    page = (OPEN_BODY.parent / "gallery.md").read_text(encoding="utf-8")
    assert all(f"gallery/{path.name}" in page for path in pictures if path.stem != "strip")
    assert len(pictures) == 10
    assert sum(path.stat().st_size for path in pictures) < 1_500_000


def test_every_example_is_tested() -> None:
    tested = {"recover_mesh.py", "compare_clips.py", "live.py", "draw_open_body.py", "draw_floor.py", "gallery.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested
