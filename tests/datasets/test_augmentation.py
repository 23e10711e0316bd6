"""What training clips vary in, and that nothing else changes with it."""

import functools

import numpy as np
import pytest
import roma
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clip_changes import LEGS, masked, random_camera_move, with_turned_limbs
from motionrep.datasets.synthetic.clips import EveryWindow, RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.detector_noise import DetectorNoise
from motionrep.evaluation.metrics import mpjpe_mm
from motionrep.layouts import H36M_17, SMPL_24
from motionrep_heads.losses import reprojection_error

EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)
KEYS = [(0, index) for index in range(24)]
STILL = Augmentation(speed=(1.0, 1.0), mirror=False)


@functools.cache
def _clip(name):
    motion = authored_motion(name, seconds=2.0)
    return MotionClip(name, motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")


def _batch(augmentation, names=("walk", "punch")):
    clips, windows = [_clip(name) for name in names], RandomWindows(24, augmentation)
    return SynthesizedClips(clips, 16, 16, 30.0, 3, windows, noise=EXACT, layout=H36M_17).__getitems__(KEYS)


def _rng():
    return np.random.default_rng(0)


def test_more_of_one_change_leaves_all_else_as_it_was():
    plain, hidden = _batch(STILL), _batch(Augmentation(speed=(1.0, 1.0), mirror=False, masked_joints=0.3))
    torch.testing.assert_close(hidden["position_m"], plain["position_m"])
    seen = hidden["keypoints"][..., 2] > 0
    assert 0.6 < float(seen.float().mean()) < 0.8
    assert torch.equal(hidden["keypoints"][seen], plain["keypoints"][seen])
    assert not hidden["keypoints"][~seen].any()


def test_legs_of_another_clip_go_with_the_body_above_of_this_one():
    plain, mixed = _batch(STILL), _batch(Augmentation(speed=(1.0, 1.0), mirror=False, other_legs=1.0))
    above = [joint for joint in range(24) if joint not in (0, *LEGS)]
    torch.testing.assert_close(mixed["local_rotmat"][:, :, above], plain["local_rotmat"][:, :, above])
    moved = (mixed["local_rotmat"][:, :, LEGS] - plain["local_rotmat"][:, :, LEGS]).abs().amax((1, 2, 3, 4)) > 0.05
    assert 0.5 < float(moved.float().mean()) <= 1


def test_keypoints_still_belong_to_the_pose_when_everything_varies():
    """Whatever is mixed, turned and moved, the exact detector sees the true points through the camera of the batch."""
    everything = Augmentation(
        (0.6, 1.6), True, 1.0, (-20, 50), 10.0, other_legs=0.5, limb_turn_deg=15.0, camera_moves=0.7
    )
    batch = _batch(everything)
    body = load_body_model("open")
    points = body.points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    image = points[..., :2] / points[..., 2:] * batch["focal"][:, None, None, None]
    torch.testing.assert_close(image, batch["keypoints"][..., :2], atol=2e-4, rtol=0)
    torch.testing.assert_close(points - points[:, :, :1], batch["position_m"], atol=1e-4, rtol=0)
    assert float(points[..., 2].min()) > 1 - 1e-3
    assert float(image[..., 0].abs().max()) <= 1


@pytest.fixture(scope="module")
def others():
    return _batch(Augmentation(speed=(1.0, 1.0), mirror=False, other_bones=1.0))


def test_keypoints_of_people_with_other_bones_are_theirs(others):
    assert float(reprojection_error(others["position_m"], others["keypoints"], others["focal"])) < 1e-3


def test_other_bones_are_alike_on_both_sides_and_as_long_in_every_frame(others):
    plain = _batch(STILL)
    torch.testing.assert_close(others["local_rotmat"], plain["local_rotmat"], atol=1e-5, rtol=0)
    for end, start in (("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        length_m = {
            (name, side): (joint(f"{side}_{end}") - joint(f"{side}_{start}")).norm(dim=-1)
            for name, batch in (("others", others), ("plain", plain))
            for side in ("left", "right")
            for joint in [lambda joint, batch=batch: batch["position_m"][:, :, H36M_17.index(joint)]]
        }
        longer = length_m["others", "left"] / length_m["plain", "left"]
        assert 0.07 < float(longer[:, 0].log().std()) < 0.3
        torch.testing.assert_close(longer, longer[:, :1].expand_as(longer), atol=1e-3, rtol=0)
        torch.testing.assert_close(*(length_m["others", side] for side in ("left", "right")), atol=2e-3, rtol=0)


def test_betas_of_people_with_other_bones_are_of_a_body_near_to_them(others):
    body, given = load_body_model("open"), _batch(STILL)["betas"]

    def error_mm(betas):
        still = others["local_rotmat"].new_zeros(*others["local_rotmat"].shape[:2], 3)
        points = body.points(H36M_17, others["local_rotmat"], betas[:, None], still)
        return float(mpjpe_mm(points - points[:, :, :1], others["position_m"]).mean())

    assert error_mm(others["betas"]) < 0.9 * error_mm(given)
    assert float(others["betas"].std()) < 1.5


def test_validation_clips_are_played_as_recorded():
    """Scores of trainings with different augmentation must be comparable: it does not reach these windows."""
    samples = SynthesizedClips([_clip("walk")], 16, 16, 30.0, 3, EveryWindow(views=4), noise=EXACT, layout=H36M_17)
    batch = samples.__getitems__([(0, index) for index in range(4)])
    recorded = _clip("walk").motion.local_rotmat[:16, 1:]
    torch.testing.assert_close(batch["local_rotmat"][:, :, 1:], recorded.expand(4, -1, -1, -1, -1), atol=1e-5, rtol=0)
    turned = batch["local_rotmat"][:, :, 0] @ _clip("walk").motion.local_rotmat[:16, 0].mT
    torch.testing.assert_close(turned, turned[:, :1].expand_as(turned), atol=1e-5, rtol=0)  # a tripod
    assert bool((batch["keypoints"][..., 2] > 0).all())
    assert torch.equal(
        batch["betas"], torch.from_numpy(np.stack([samples._draw(0, i).betas for i in range(4)])).float()
    )


def test_a_moving_camera_turns_the_root_and_a_tripod_does_not():
    def turning(augmentation):
        root = _batch(augmentation, names=("punch",))["local_rotmat"][:, :, 0]
        return roma.rotmat_geodesic_distance(root[:, 0], root[:, -1])

    still, moving = turning(STILL), turning(Augmentation(speed=(1.0, 1.0), mirror=False, camera_moves=1.0))
    assert float((moving - still).abs().mean()) > np.radians(2)
    move = random_camera_move(30, 30.0, _rng())
    assert move.turn_rad.shape == (30, 3)
    assert move.closer[0] == pytest.approx(-move.closer[-1])
    assert 0 <= move.follow <= 1
    assert float(np.abs(np.diff(move.turn_rad, axis=0)).max()) < np.radians(4)  # no jumps


def test_limbs_turn_slowly_and_by_the_angle_asked_for():
    still = torch.tensor([0.0, 0, 0, 1]).expand(60, 24, 4)
    angles = []
    for seed in range(40):
        turned = with_turned_limbs(still, 15.0, 30.0, np.random.default_rng(seed))
        vector = roma.unitquat_to_rotvec(turned)
        assert float(vector.diff(dim=0).norm(dim=-1).max()) < np.radians(12)
        angles.append(vector[:, SMPL_24.index("left_shoulder")])
    moved = torch.stack([angle for angle in angles if bool(angle.any())])
    assert 10 < len(moved) < 30
    assert float(moved.square().mean().sqrt()) == pytest.approx(np.radians(15), rel=0.3)
    untouched = [SMPL_24.index(name) for name in ("pelvis", "left_knee", "right_ankle", "left_wrist")]
    assert torch.equal(turned[:, untouched], still[:, untouched])


def test_whole_frames_are_hidden_as_often_as_asked():
    hidden = masked(torch.ones(2000, 17, 3), Augmentation(masked_frames=0.1), _rng())
    frames = (hidden == 0).all(-1).all(-1)
    assert 0.08 < float(frames.float().mean()) < 0.12
    assert bool(hidden[~frames].all())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": (0.0, 1.0)}, "variety.speed"),
        ({"speed": (1.5, 1.0)}, "variety.speed"),
        ({"pitch_deg": (-90, 10)}, "variety.pitch_deg"),
        ({"roll_deg": -1.0}, "variety.roll_deg"),
        ({"masked_frames": 1.5}, "variety.masked_frames"),
        ({"camera_moves": float("nan")}, "variety.camera_moves"),
    ],
)
def test_impossible_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**changes)
