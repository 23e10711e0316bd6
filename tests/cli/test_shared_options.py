"""Options that several commands share mean the same in all of them."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import motionrep
from motionrep.cli.main import main
from motionrep.cli.motions import Recovery, viewed_motions
from motionrep.layouts import H36M_17

SIZE = (1920, 1080)


@pytest.fixture
def duo(tiny, tmp_path) -> Path:
    """A file of two persons, the second with four frames."""
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=SIZE)[0]
    short = replace(clip, xy_px=clip.xy_px[:4], confidence=clip.confidence[:4], person="1")
    motionrep.save_keypoints([clip, short], tmp_path / "duo.npz")
    return tmp_path / "duo.npz"


def recovery(tiny: Path, *heads: str, camera: str | None = None) -> Recovery:
    names = [str(tiny / head) for head in heads]
    return Recovery(names, str(tiny / "encoder"), camera, None, None, None, "cpu", "float32")


def test_view_shows_what_each_head_makes_of_each_person(tiny, duo):
    shown = viewed_motions([duo], recovery(tiny, "mesh", "pose3d"), None, None)
    assert [one.label for one in shown] == [
        "duo, person 0, mesh", "duo, person 0, pose3d", "duo, person 1, mesh", "duo, person 1, pose3d",
    ]  # fmt: skip
    (one,) = viewed_motions([duo], recovery(tiny, "mesh"), 1, None)
    assert (one.label, one.motion.frame_count) == ("duo, person 1", 4)


def test_view_places_people_in_the_camera_that_is_given(tiny, duo):
    near, far = (
        viewed_motions([duo], recovery(tiny, "mesh", camera=camera), 0, None)[0].motion for camera in (None, "weak")
    )
    assert isinstance(near, motionrep.BodyMotion)
    assert isinstance(far, motionrep.BodyMotion)
    assert float(far.translation_m[:, 2].mean()) > 2 * float(near.translation_m[:, 2].mean())


def test_embed_takes_one_person(tiny, duo, tmp_path):
    output = tmp_path / "e.parquet"
    given = ["embed", str(duo), "--encoder", str(tiny / "encoder"), "--person", "1", "--output", str(output)]
    assert main(given) == 0
    assert pq.read_table(output).num_rows == 4


@pytest.mark.parametrize("command", [["embed"], ["predict"], ["view", "--save", "page.html"], ["report"]])
def test_a_person_who_is_not_there_is_refused(tiny, duo, tmp_path, capsys, command):
    output = {"embed": ["--output", "e.parquet"], "predict": ["--output", "out"], "report": ["--output", "r.html"]}
    given = [*command, str(duo), "--encoder", str(tiny / "encoder"), "--person", "2", *output.get(command[0], [])]
    heads = [] if command[0] == "embed" else ["--head", str(tiny / "mesh")]
    assert main([*given, *heads, *(["--action", "none"] if command[0] == "report" else [])]) == 2
    assert "person must be 0 to 1" in capsys.readouterr().err


def test_options_for_keypoints_are_refused_with_motions_alone(tmp_path, capsys):
    motion = motionrep.JointMotion(torch.rand(2, 17, 3), H36M_17, 30.0, "root")
    motionrep.save_motion(motion, tmp_path / "joints.npz")
    of_keypoints = (
        ["--head", "mesh-ktpformer-s"], ["--camera", "fit"], ["--size", "64x64"], ["--run", "runs/mine"],
        ["--all-persons"], ["--frame-order", "file"],
    )  # fmt: skip
    for option in of_keypoints:
        assert main(["view", str(tmp_path / "joints.npz"), *option, "--save", str(tmp_path / "page.html")]) == 2
        assert f"holds no keypoints, and {option[0]} is for keypoints; remove it" in capsys.readouterr().err
