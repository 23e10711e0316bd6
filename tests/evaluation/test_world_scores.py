from dataclasses import replace

import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.evaluation.synthetic_views import single_view
from motionrep.evaluation.world_metrics import WORLD_UNITS
from motionrep.evaluation.world_scores import WorldScores, true_motion
from motionrep.geometry.cameras import PinholeCamera


@pytest.fixture(scope="module")
def body():
    return load_body_model("open")


@pytest.fixture(scope="module")
def walk():
    return authored_motion("walk", seconds=2.0)


@pytest.fixture(scope="module")
def view(walk):
    """The walk, seen by a camera that moves."""
    usable = torch.ones(walk.frame_count, dtype=torch.bool)
    clip = MotionClip("walk", walk, usable, "walk", "train", True, "")
    moving = Augmentation(speed=(1.0, 1.0), mirror=False, camera_moves=1.0)
    return single_view(SynthesizedClips([clip], 40, 40, windows=RandomWindows(1, moving)), 0)


def _scores(body, found, truth):
    scores = WorldScores(body)
    scores.add(found, truth)
    return scores.result()


def test_the_truth_has_no_errors(body, walk):
    result = _scores(body, walk, walk)
    assert set(result) == set(WORLD_UNITS) - {"up_error"}
    assert max(result[name] for name in ("w_mpjpe", "wa_mpjpe", "rte")) < 0.1
    assert result["feet_on_floor"] > 90
    assert result["foot_sliding"] < 0.3


def test_each_error_is_where_it_was_put(body, walk):
    truth = _scores(body, walk, walk)
    sunk = _scores(body, replace(walk, translation_m=walk.translation_m - torch.tensor([0.0, 0.1, 0.0])), walk)
    assert sunk["penetration"] > truth["penetration"] + 80
    assert sunk["feet_on_floor"] < 5
    assert sunk["w_mpjpe"] < 0.1
    raised = _scores(body, replace(walk, translation_m=walk.translation_m + torch.tensor([0.0, 0.1, 0.0])), walk)
    assert raised["floating"] == pytest.approx(truth["floating"] + 100, abs=15)
    path_m = torch.arange(walk.frame_count)[:, None] / walk.fps * torch.tensor([0.0, 0.0, 0.4])
    sliding = _scores(body, replace(walk, translation_m=walk.translation_m + path_m), walk)
    assert sliding["foot_sliding"] > truth["foot_sliding"] + 0.2


def test_the_true_motion_of_a_sample_is_on_the_floor_whatever_its_camera_does(body, view):
    motion = true_motion(view, body, 30.0)
    assert motion.frame == "world"
    assert float(motion.mesh().vertex_m[..., 1].amin(-1).abs().max()) < 0.06
    turn = view["camera_from_world"][0, :, :, :3]
    assert float((turn[0] - turn[-1]).abs().max()) > 0.01


def test_up_is_compared_in_the_camera(body, view):
    scores, frame = WorldScores(body), view["camera_from_world"][0, 20]
    camera = PinholeCamera.from_hfov(1280, 720)
    right = replace(camera, camera_from_world=torch.cat([frame, torch.tensor([[0.0, 0, 0, 1]])]))
    scores.add_up(right, view)
    assert scores.result()["up_error"] < 8
    scores = WorldScores(body)
    scores.add_up(replace(camera, camera_from_world=torch.eye(4)), view)  # y down
    assert scores.result()["up_error"] > 60
