"""The commands and the Python of docs/from_amass_to_a_mesh_head.md, run as they stand there on small files."""

import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
import torch
from paths import ROOT
from smpl_containers import write_smpl

import motionrep
from motionrep.body.finding import body_folder
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import COCO_17
from motionrep.motion.axes import in_camera
from motionrep.motion.exporting import export_motion
from motionrep.motion.other_bodies import with_rotations

PAGE = (ROOT / "docs" / "from_amass_to_a_mesh_head.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", PAGE, re.DOTALL | re.M)
# So that a run takes seconds.
SMALL = ("--epochs", "1", "--clips-per-epoch", "8", "--batch-size", "4", "--precision", "float32")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Bodies of both genders that AMASS means and the neutral one, motions of a woman, and someone's keypoints."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    body_folder().mkdir(parents=True)
    write_smpl(body_folder() / "SMPL_NEUTRAL.pkl", "smpl")
    write_smpl(body_folder() / "SMPLH_FEMALE.npz", "smplh", seed=1)
    female = motionrep.load_body_model("smplh-female")
    for name, action in (("CMU/02_01", "walk"), ("CMU/unseen", "walk"), ("wave", "wave"), ("clap", "wave")):
        path = tmp_path / "AMASS" / f"{name}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        motion = with_rotations(authored_motion(action, seconds=2), female)
        export_motion(replace(motion, betas=torch.linspace(1, -1, 10)), path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    motion, body = authored_motion("walk", seconds=1), motionrep.load_body_model("open")
    rng = np.random.default_rng(0)
    camera = random_camera(motion, body, rng)
    seen = simulated_keypoints(in_camera(motion, body, camera), body, camera, COCO_17, rng)
    save_keypoints([seen], tmp_path / "dance.npz")
    return tmp_path


@pytest.mark.slow
def test_the_page_runs(place):
    pytest.importorskip("smplx", reason="smplx, an optional extra, is not installed")
    pytest.importorskip("trimesh", reason="trimesh, an optional extra, is not installed")
    names = {"BODY": str(body_folder() / "SMPL_NEUTRAL.pkl")}
    ran = []
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "docs/from_amass_to_a_mesh_head.md", "exec"), names)
            continue
        for line in block.splitlines():
            program, command, *arguments = shlex.split(line, comments=True)
            if program != "motionrep" or command == "doctor":
                continue
            small = {"finetune": SMALL, "evaluate": ("--views", "1")}.get(command, ())
            assert not cli.main([command, *arguments, *small]), line
            ran.append(command)
    assert ran == ["finetune", "evaluate", "predict", "export"]
    assert names["motion"].body_model == "smpl-neutral"
    assert names["motion"].betas.abs().max() > 0.1
    assert float((names["vertex_m"] - names["person"].motion.mesh().vertex_m).abs().max()) < 1e-5
    for file in ("amass.gif", "results/dance_0.npz", "results/dance_smplx.npz", "frame.ply"):
        assert (place / file).stat().st_size > 1000
    assert not list((place / "runs").rglob("*SMPL*")), "bodies under a licence are not copied"
