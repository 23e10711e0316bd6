"""Made-up motion: natural joints, feet that hold, accelerations like those of people."""

import functools

import numpy as np
import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.procedural.clips import FPS, SECONDS, procedural_clips
from motionrep.datasets.procedural.joining import ARMS, between, held_by_floor, key_times, settled
from motionrep.datasets.procedural.poses import ON_FEET, ON_FLOOR, arms, on_floor
from motionrep.fitting.joint_limits import joint_limits, limit_axes
from motionrep.layouts import SMPL_24
from motionrep.motion.floor import sole_height_m


@functools.cache
def _clips(minutes=3.0, seed=5):
    motion = authored_motion("punch", seconds=3.0)
    recorded = MotionClip("punch", motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")
    return procedural_clips(minutes, seed, [recorded])


def _of_kind(kind):
    return [clip.motion for clip in _clips() if f"/{kind}_" in clip.name]


@functools.cache
def _body():
    return load_body_model("open")


def _joints_m(motion):
    return _body().joints(motion.local_rotmat, motion.betas, motion.translation_m)


def test_it_is_as_long_as_asked_and_the_same_for_the_same_seed():
    clips = procedural_clips(0.7, 3)
    assert [clip.motion.frame_count for clip in clips] == [round(SECONDS * FPS)] * 2
    again, other = procedural_clips(0.7, 3), procedural_clips(0.7, 4)
    assert torch.equal(clips[1].motion.local_rotmat, again[1].motion.local_rotmat)
    assert not torch.equal(clips[1].motion.local_rotmat, other[1].motion.local_rotmat)


def test_rotations_are_proper_and_no_joint_jumps():
    for clip in _clips():
        assert roma.is_rotation_matrix(clip.motion.local_rotmat, epsilon=1e-3), clip.name
        turn = clip.motion.local_rotmat[1:] @ clip.motion.local_rotmat[:-1].mT
        speed = roma.rotmat_to_rotvec(turn).norm(dim=-1).amax(1) * FPS
        assert float(speed[clip.usable[1:] & clip.usable[:-1]].max()) < np.radians(701), clip.name
        assert float(clip.usable.float().mean()) > 0.9, clip.name


def test_accelerations_are_those_of_people():
    """People who walk, box and dance have a mean joint acceleration of 2 to 6 m/s^2; one who stands has near 0.5."""
    for clip in _clips():
        second = torch.diff(_joints_m(clip.motion), n=2, dim=0).norm(dim=-1) * FPS**2
        assert 0.2 < float(second.mean()) < 7, clip.name
        assert float(second.quantile(0.999)) < 90, clip.name


def test_trunk_and_legs_keep_to_their_limits():
    """Arms are drawn from angles of their own, which rotation vectors do not tell apart."""
    low, _, high = joint_limits()
    body = [joint for joint in range(1, 24) if joint not in ARMS]
    for kind in ("feet", "floor", "crawl"):
        for motion in _of_kind(kind):
            vector = (limit_axes() @ roma.rotmat_to_rotvec(motion.local_rotmat)[..., None])[..., 0]
            beyond = torch.maximum(low - vector, vector - high).clamp(min=0)[:, body]
            assert float((beyond.amax((1, 2)) > np.radians(30)).float().mean()) < 0.2, kind


def test_planted_feet_stand_on_the_floor_and_hold():
    for motion in _of_kind("feet"):
        lowest = sole_height_m(motion, _body())
        assert abs(float(lowest.amin(1).median())) < 0.02
        ankle = _joints_m(motion)[:, [SMPL_24.index("left_ankle"), SMPL_24.index("right_ankle")]]
        standing = (lowest[1:] < 0.01) & (lowest[:-1] < 0.01)
        speed = ankle.diff(dim=0).norm(dim=-1) * FPS
        assert float(speed[standing].median()) < 0.02
        assert float((speed[standing] > 0.25).float().mean()) < 0.12


def test_nobody_sinks_into_the_floor_or_floats():
    for clip in _clips():
        motion = clip.motion
        some = slice(None, None, 15)
        vertex_m = _body().vertices(motion.local_rotmat[some], motion.betas, motion.translation_m[some])
        lowest = vertex_m[..., 1].amin(1)
        assert -0.12 < float(lowest.median()) < 0.06, clip.name
        assert float(lowest.min()) > -0.3, clip.name


@pytest.mark.parametrize("kind", ON_FLOOR)
def test_poses_on_the_floor_lie_low_or_stand(kind):
    keys = torch.stack([on_floor(kind, np.random.default_rng(seed)) for seed in range(4)])
    if kind not in ON_FEET:
        keys = settled(keys, torch.zeros(4), _body())
    rotmat = roma.unitquat_to_rotmat(keys)
    pelvis_m = []
    for one in rotmat:
        motion = one.repeat(2, 1, 1, 1)
        moved_m = held_by_floor(motion, torch.zeros(2), _body(), FPS)
        pelvis_m.append(float(_body().joints(motion, torch.zeros(10), moved_m)[0, SMPL_24.index("pelvis"), 1]))
    height_m = float(np.median(pelvis_m))
    lying = kind in ("prone", "supine", "supine, knees up", "on the side")
    sitting = kind.startswith("sit")
    assert height_m < 0.3 if lying else height_m < 0.45 if sitting else 0.2 < height_m < 1.1


def test_hands_keep_out_of_the_trunk():
    whole = torch.eye(3).repeat(200, 24, 1, 1)
    whole[:, ARMS] = roma.unitquat_to_rotmat(arms(200, np.random.default_rng(0)))
    joint_m = _body().joints(whole, torch.zeros(10), torch.zeros(200, 3))
    hand = joint_m[:, [SMPL_24.index("left_wrist"), SMPL_24.index("right_wrist")]]
    near = (hand - joint_m[:, [SMPL_24.index("spine2")]]).norm(dim=-1)
    assert float(near.min()) > 0.11


def test_a_larger_angle_takes_longer():
    at = key_times(20, [10.0, 170.0], (0.0, 1e-9), np.random.default_rng(0))
    assert np.diff(at) == pytest.approx([10 / 220, 170 / 220], rel=1e-3)


def test_between_two_rotations_lies_the_middle():
    half = roma.rotvec_to_unitquat(torch.tensor([[[0.6, 0.0, 0.0]]]))
    whole = roma.rotvec_to_unitquat(torch.tensor([[[1.2, 0.0, 0.0]]]))
    start = torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    torch.testing.assert_close(between(start, -whole, torch.tensor([0.5])), half, atol=1e-5, rtol=0)
