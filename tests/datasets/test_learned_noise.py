"""Errors of measured detectors: what training sees is what the parameter file says."""

import functools
import math

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.learned_noise import (
    STATES,
    LearnedNoise,
    facing_rad,
    half_box,
    learned_noises,
    states,
    with_learned_noise,
)
from motionrep.datasets.synthetic.self_occlusion import hidden_by_body
from motionrep.layouts import COCO_17, H36M_17, MEDIAPIPE_33, JointLayout

NOSE, LEFT_WRIST, RIGHT_WRIST = (MEDIAPIPE_33.index(name) for name in ("nose", "left_wrist", "right_wrist"))
VISIBLE, COVERED = STATES.index("visible"), STATES.index("covered")


@functools.cache
def _points_m(turn_deg: float = 0.0, layout: JointLayout = MEDIAPIPE_33) -> torch.Tensor:
    """Somebody who walks, in camera axes 4 m away, turned so much to his left from facing the camera."""
    body, motion = load_body_model("open"), authored_motion("walk", seconds=2.0)
    point_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
    hips = body.points(MEDIAPIPE_33, motion.local_rotmat, motion.betas, motion.translation_m)[:, [23, 24]]
    across = (hips[:, 0] - hips[:, 1]).mean(0)
    angle = math.atan2(float(across[2]), float(across[0])) + math.radians(turn_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    turned = (point_m - hips.mean((0, 1))) @ torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]).T
    return turned * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor([0.0, 0.0, 4.0])


def _xy(point_m):
    return 1.5 * point_m[..., :2] / point_m[..., 2:]


def _many(noise, state, seeds=150):
    point_m = _points_m()
    true_xy = _xy(point_m)
    drawn = [
        noise.detections(
            true_xy, np.full(true_xy.shape[:2], state), facing_rad(point_m), 30.0, np.random.default_rng(s)
        )
        for s in range(seeds)
    ]
    error = torch.stack([(xy - true_xy) / half_box(true_xy) for xy, _ in drawn])
    return error, torch.stack([confidence for _, confidence in drawn])


def test_the_direction_a_body_faces():
    assert np.abs(facing_rad(_points_m())).max() < 0.5
    assert abs(np.median(facing_rad(_points_m(90.0)))) == pytest.approx(math.pi / 2, abs=0.3)
    assert np.median(np.abs(facing_rad(_points_m(180.0)))) == pytest.approx(math.pi, abs=0.3)


@pytest.mark.parametrize("number", range(2))
def test_errors_are_as_large_as_the_file_says_and_last(number):
    noise = learned_noises()[number]
    error, confidence = _many(noise, VISIBLE)
    rows = error[confidence[..., NOSE] > 0][:, NOSE]
    assert float((rows - rows.mean(0)).square().mean().sqrt()) == pytest.approx(noise.sd[NOSE, VISIBLE], rel=0.3)
    nose = error[(confidence[..., NOSE] > 0).all(1)][..., NOSE, 0]  # which exchanged sides leave in place
    nose = nose - nose.mean(0)
    following = (nose[:, 1:] * nose[:, :-1]).mean() / nose.square().mean()
    assert float(following) == pytest.approx(noise.slow * noise.lasts, abs=0.1)


def test_covered_joints_err_more_and_are_trusted_less():
    noise = learned_noises()[0]
    seen, covered = _many(noise, VISIBLE), _many(noise, COVERED)
    assert float(covered[0][..., LEFT_WRIST, :].abs().mean()) > 2 * float(seen[0][..., LEFT_WRIST, :].abs().mean())
    assert float(covered[1][..., LEFT_WRIST].median()) < float(seen[1][..., LEFT_WRIST].median()) - 0.1


def test_left_and_right_err_as_in_a_mirror():
    noise = learned_noises()[0]
    np.testing.assert_allclose(noise.bias[LEFT_WRIST, 1, :2], noise.bias[RIGHT_WRIST, 1, :2])
    np.testing.assert_allclose(noise.bias[LEFT_WRIST, 0, :2], -noise.bias[RIGHT_WRIST, 0, :2])
    np.testing.assert_allclose(noise.bias[LEFT_WRIST, 0, 2], noise.bias[RIGHT_WRIST, 0, 2])


def test_the_same_seed_gives_the_same_keypoints():
    point_m = _points_m()
    made = [
        with_learned_noise(_xy(point_m), point_m, None, 1.0, True, 30.0, np.random.default_rng(4)) for _ in range(2)
    ]
    assert torch.equal(made[0][0], made[1][0])
    assert torch.equal(made[0][1], made[1][1])


def test_points_outside_are_not_told_unless_the_detector_guesses():
    point_m = _points_m()
    xy = _xy(point_m) + torch.tensor([0.0, 0.5])
    hidden = ~(xy.abs() < 0.9).all(-1)
    told, guessed = (
        torch.stack([
            with_learned_noise(xy, point_m, hidden, 0.9, guesses, 30.0, np.random.default_rng(seed))[1][hidden]
            for seed in range(30)
        ])
        for guesses in (False, True)
    )  # fmt: skip
    assert float((told > 0).float().mean()) < 0.6
    assert float((guessed > 0).float().mean()) > 0.7
    assert set(states(xy, point_m, hidden, 0.9)[hidden.numpy()].tolist()) == {STATES.index("outside")}


@pytest.mark.parametrize(("turn_deg", "hides"), [(0.0, ()), (180.0, ("nose", "left_mouth")), (90.0, ("left_wrist",))])
def test_a_body_hides_what_is_behind_it(turn_deg, hides):
    """A quarter turn leaves one arm behind the trunk: whichever, the other one is seen."""
    hidden = hidden_by_body(_points_m(turn_deg), MEDIAPIPE_33).float().mean(0)
    for joint in hides:
        other = MEDIAPIPE_33.index(joint.replace("left_", "right_"))
        assert float(torch.maximum(hidden[MEDIAPIPE_33.index(joint)], hidden[other])) > 0.3
    if not hides:
        for joint in ("nose", "left_knee", "right_shoulder", "left_hip"):
            assert float(hidden[MEDIAPIPE_33.index(joint)]) < 0.1, joint


@pytest.mark.parametrize(("layout", "width_m"), [(H36M_17, 0.266), (COCO_17, 0.222), (MEDIAPIPE_33, 0.192)])
def test_hips_lie_where_who_reports_them_puts_them(layout, width_m):
    body = load_body_model("open")
    still = torch.eye(3).repeat(1, 24, 1, 1)
    point_m = body.points(layout, still, torch.zeros(10), torch.zeros(1, 3))[0]
    names = ("LHip", "RHip") if "LHip" in layout.joints else ("left_hip", "right_hip")
    assert float((point_m[layout.index(names[0])] - point_m[layout.index(names[1])]).norm()) == pytest.approx(
        width_m, abs=0.001
    )


def test_a_noise_of_ones_own_file():
    joint = {"bias": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "sd": [0.01] * 4, "trust": [[3, 0, 0.1]] * 4}
    names = {name.removeprefix("left_").removeprefix("right_") for name in MEDIAPIPE_33.joints}
    described = {
        "slow": 0.9, "lasts": 0.9, "people": 0.0, "unseen": [0.0] * 4, "lost": [0.0] * 4, "swapped": 0.0, "swap_s": 0.1,
        "joints": dict.fromkeys(names, joint),
    }  # fmt: skip
    error, confidence = _many(LearnedNoise.of(described), VISIBLE, seeds=60)
    assert float(error.square().mean().sqrt()) == pytest.approx(0.01, rel=0.1)
    assert 0.9 < float(confidence.min()) < float(confidence.max()) < 1
