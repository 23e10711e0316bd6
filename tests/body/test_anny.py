"""Anny, where the package `anny` is installed: its body, and a mesh head that is trained, used and exported on it."""

import json
import struct
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from training_config import CONFIG

import motionrep
from motionrep.body.anny_parameters import anny_parameters
from motionrep.body.points import LANDMARKS
from motionrep.cli import main as cli
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.fitting.transfer import transfer
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import H36M_17, HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.motion.saving import save_motion
from motionrep.training.run import train
from motionrep.types import Keypoints

pytestmark = [
    pytest.mark.skipif(find_spec("anny") is None, reason='needs pip install "motionrep[anny]"'),
    pytest.mark.slow,  # reading it for the first time takes seconds
]


@pytest.fixture(scope="module")
def body():
    return motionrep.load_body_model("anny")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A mesh head for Anny after a few seconds of training on motions of the open body."""
    folder, output = tmp_path_factory.mktemp("motions"), tmp_path_factory.mktemp("runs") / "anny"
    for name, action in (("walk", "walk"), ("unseen", "walk")):
        save_motion(authored_motion(action, seconds=0.8), folder / f"{name}.npz")
    config = replace(CONFIG, head="mesh", body="anny", variety=replace(CONFIG.variety, own_betas=0.5))
    return output, folder, train(config, [folder], output)


def test_it_stands_upright_and_symmetric_with_parameters_that_do_what_they_say(body):
    rest_m = body.template_vertex_m
    assert (len(rest_m), len(body.own_joints.names), body.beta_count) == (13718, 104, 6)
    left, right = (body.landmark_ids[[LANDMARKS.index(f"{s}_{it}") for it in ("eye", "ear", "hand_tip", "heel")]]
                   for s in ("left", "right"))  # fmt: skip
    torch.testing.assert_close(rest_m[left] * torch.tensor([-1.0, 1, 1]), rest_m[right], atol=2e-3, rtol=0)
    assert float(rest_m[left[2], 0]) > 0.8, "arms are stretched out"
    edges = torch.cat([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    assert len(edges.unique(dim=0)) == len(edges), "two neighbours are wound in opposite ways"

    def stature_m(name: str, beta: float) -> float:
        betas = torch.zeros(6)
        betas[body.own_joints.shape.names.index(name)] = beta
        height_m = body.rest_vertices(betas)[:, 1]
        return float(height_m.max() - height_m.min())

    assert 1.4 < stature_m("height", -2) < 1.6 < stature_m("height", 0) < 1.8 < stature_m("height", 2) < 2.0
    assert stature_m("gender", -2) > stature_m("gender", 2) + 0.05


def test_the_package_gives_the_same_surface_from_our_parameters(body):
    import anny

    motion = transfer(authored_motion("walk", seconds=0.2), body).motion
    model = anny.Anny(skinning_method="lbs", phenotype_blendshapes="original")
    with torch.no_grad():
        vertex_m = model(**anny_parameters(motion, model))["vertices"].float()
    torch.testing.assert_close(vertex_m, motion.mesh().vertex_m, atol=1e-5, rtol=0)


def test_a_head_learns_it_and_its_motions_are_carried_over(run):
    output, folder, scores = run
    assert 0 < scores["pve"] < 2000
    told = json.loads((output / "head" / "config.json").read_text())["config"]
    assert (told["body"], told["betas"]) == ("anny", 6)
    for clip in load_motion_folder(folder, body_model="anny"):
        assert clip.motion.body_model == "anny"
        assert 0 < clip.moved_mm < 30


def test_its_motions_are_predicted_drawn_and_exported_in_its_own_joints(run, body, tmp_path):
    output, _, _ = run
    xy_px = 300 + 20 * torch.randn(6, 17, 2, generator=torch.Generator().manual_seed(0))
    save_keypoints([Keypoints(xy_px, torch.ones(6, 17), H36M_17, 30.0, 640, 480)], tmp_path / "clip.npz")
    command = ["predict", str(tmp_path / "clip.npz"), "--run", str(output)]
    assert not cli.main([*command, "--output", str(tmp_path / "results")])
    (result,) = (tmp_path / "results").glob("*.npz")
    with np.load(result) as file:
        assert (str(file["body_model"]), file["betas"].shape) == ("anny", (6,))
    assert not cli.main(["render", str(result), "--output", str(tmp_path / "clip.gif"), "--height", "64"])
    for suffix in ("glb", "bvh", "ply"):
        assert not cli.main(["export", str(result), "--output", str(tmp_path / f"clip.{suffix}")])
    written = (tmp_path / "clip.glb").read_bytes()
    (length,) = struct.unpack("<I", written[12:16])
    nodes = json.loads(written[20 : 20 + length])["nodes"]
    assert [node["name"] for node in nodes[1:]] == list(body.own_joints.names)
    lines = (tmp_path / "clip.bvh").read_text().splitlines()
    assert {line.split()[1] for line in lines if "JOINT" in line} == set(body.own_joints.names[1:])
    assert cli.main(["export", str(result), "--format", "smplx", "--output", str(tmp_path / "smplx.npz")]) == 2


def test_its_motions_are_refined_to_keypoints(body):
    rng = np.random.default_rng(0)
    truth = transfer(authored_motion("walk", seconds=0.2), body).motion
    camera = random_camera(truth, body, rng)
    truth = in_camera(truth, body, camera)
    keypoints = simulated_keypoints(truth, body, camera, HALPE_26, rng)
    start = replace(truth, translation_m=truth.translation_m + torch.tensor([0.08, 0.0, 0.0]))
    refined = motionrep.refine(start, keypoints, camera)
    aside_m = (refined.joints().position_m - truth.joints().position_m)[..., 0].abs().mean()
    assert (refined.body_model, refined.betas.shape) == ("anny", (6,))
    assert aside_m < 0.03
