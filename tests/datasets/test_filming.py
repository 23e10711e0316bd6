"""Views as people film: what the settings ask for is what the pictures show."""

import functools

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.detector_noise import DetectorNoise
from motionrep.datasets.synthetic.filming import Cover, covered, distorted, draw_filming
from motionrep.datasets.synthetic.hidden_joints import with_hidden_joints
from motionrep.layouts import H36M_17

EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)
COUNT, FRAMES = 96, 16
STILL = {"speed": (1.0, 1.0), "mirror": False}


@functools.cache
def _clips():
    motions = [(name, authored_motion(name, seconds=3.0)) for name in ("walk", "punch", "sit_down")]
    return [
        MotionClip(name, motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")
        for name, motion in motions
    ]


def _samples(**settings):
    windows = RandomWindows(COUNT, Augmentation(**STILL | settings))
    return SynthesizedClips(_clips(), FRAMES, FRAMES, 30.0, 3, windows, noise=EXACT, layout=H36M_17)


def _views(samples):
    return [samples._draw(0, index) for index in range(COUNT)]


def _batch(samples):
    return samples.__getitems__([(0, index) for index in range(COUNT)])


def _true_xy(batch):
    body = load_body_model("open")
    point_m = body.points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    return point_m[..., :2] / point_m[..., 2:] * batch["focal"][:, None, None, None], point_m


def _aspect(samples):
    return torch.tensor([view.size_px[1] / view.size_px[0] for view in _views(samples)])[:, None, None]


def test_what_is_switched_off_leaves_all_draws_as_they_were():
    plain, more = _views(_samples()), _views(_samples(cut_off=0.5, hidden=0.5, portrait=0.0, distortion=0.1))
    for name in ("start_s", "yaw_rad", "pitch_rad", "roll_rad", "distance_m", "hfov_rad", "size_px"):
        assert [getattr(view, name) for view in plain] == [getattr(view, name) for view in more]


def test_as_many_people_are_cut_off_as_the_setting_says():
    samples = _samples(cut_off=0.5)
    batch, cut = _batch(samples), torch.tensor([view.filming.cut is not None for view in _views(samples)])
    xy, _ = _true_xy(batch)
    beyond = (xy[..., 0].abs() > 1) | (xy[..., 1].abs() > _aspect(samples))
    assert 0.38 < float(cut.float().mean()) < 0.62
    assert not bool(beyond[~cut].any())
    assert float(beyond[cut].any(-1).any(-1).float().mean()) > 0.95
    assert 0.1 < float(beyond[cut].float().mean()) < 0.7  # much of a person stays in the picture


def test_what_is_beyond_the_edge_is_not_told_or_guessed_with_little_confidence():
    samples = _samples(cut_off=1.0)
    batch, guesses = _batch(samples), torch.tensor([view.filming.guesses for view in _views(samples)])
    xy, _ = _true_xy(batch)
    confidence = batch["keypoints"][..., 2]
    beyond = (xy[..., 0].abs() > 1) | (xy[..., 1].abs() > _aspect(samples))
    assert not confidence[~guesses][beyond[~guesses]].any()
    assert float(confidence[guesses][beyond[guesses]].mean()) < 0.35
    inside = (
        batch["keypoints"][..., :2].abs()
        <= torch.cat([torch.ones_like(a := _aspect(samples)[..., None]), a], -1) + 0.07
    )
    assert bool(inside.all())
    near = ~beyond & (confidence > 0)
    torch.testing.assert_close(batch["keypoints"][..., :2][near], xy[near], atol=2e-4, rtol=0)


def test_things_in_front_hide_as_much_as_they_cover():
    samples = _samples(hidden=1.0)
    trust, plain = _batch(samples)["keypoints"][..., 2], _batch(_samples())["keypoints"][..., 2]
    worse = trust < plain - 0.05
    assert 0.15 < float(worse.float().mean()) < 0.6
    runs = worse.float().diff(dim=1).abs().sum(1).mean()  # a joint is hidden in runs, not in single frames
    assert float(runs) < 1.0


def test_a_cover_hides_the_points_behind_it():
    xy = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.9]]])
    below = Cover(np.array([[0.5, 1.0]]), (0.6, 0.2))
    assert covered(xy, (below,)).tolist() == [[False, True, True]]


def test_nothing_is_detected_where_hardly_anything_is_seen():
    xy = torch.rand(2, 17, 2)
    hidden = torch.ones(2, 17, dtype=torch.bool)
    hidden[0, :8] = False
    _, trust = with_hidden_joints(xy, xy, torch.ones(2, 17), hidden, True, 1.0, 30.0, np.random.default_rng(0))
    assert bool((trust[0] > 0).all())
    assert not trust[1].any()


@pytest.mark.parametrize(("roll_deg", "fewest", "most"), [(3.0, 0.0, 0.0), (10.0, 0.02, 0.25)])
def test_cameras_are_rolled_as_the_setting_says(roll_deg, fewest, most):
    roll_deg_drawn = np.degrees([view.roll_rad for view in _views(_samples(roll_deg=roll_deg))])
    assert np.std(roll_deg_drawn) == pytest.approx(roll_deg, rel=0.25)
    assert fewest <= np.mean(np.abs(roll_deg_drawn) > 15) <= most


def test_distances_and_fields_of_view_keep_to_their_ranges():
    samples = _samples(distance_m=(1.0, 15.0), hfov_deg=(25.0, 100.0), height_in_picture=(0.1, 0.9))
    views = _views(samples)
    assert min(view.distance_m for view in views) >= 1.0
    assert max(view.distance_m for view in views) <= 15.0
    assert np.degrees(min(view.hfov_rad for view in views)) < 32 < 90 < np.degrees(max(view.hfov_rad for view in views))
    free = [view for view in views if 1.01 < view.distance_m < 14.99]
    height = [
        1.7 / (2 * view.distance_m * np.tan(view.hfov_rad / 2) * view.size_px[1] / view.size_px[0]) for view in free
    ]
    assert 0.099 < min(height) < max(height) < 0.901


def test_a_share_of_the_clips_keeps_the_default_cameras():
    hard = {"pitch_deg": (50.0, 60.0), "hfov_deg": (80.0, 90.0), "cut_off": 1.0, "hidden": 1.0, "other_bones": 1.0}
    views, all_hard = _views(_samples(**hard, usual_views=0.4)), _views(_samples(**hard))
    usual = [view.pitch_rad < np.radians(36) for view in views]
    assert 0.25 < np.mean(usual) < 0.55
    for view, other, plain in zip(views, all_hard, usual, strict=True):
        assert (view.filming.cut is None) == (not view.filming.covers) == (view.hfov_rad < np.radians(66)) == plain
        assert plain or view.pitch_rad == other.pitch_rad
        assert (view.bones_m == other.bones_m).all()
        assert view.yaw_rad == other.yaw_rad


def test_as_many_pictures_stand_upright_as_the_setting_says():
    size_px = [view.size_px for view in _views(_samples(portrait=1.0))]
    assert all(width <= height for width, height in size_px)


def test_a_panning_camera_stays_where_it_is_and_follows():
    samples, still = _samples(pans=1.0), _samples()
    batch, plain = _batch(samples), _batch(still)
    walking = [row for row, view in enumerate(_views(samples)) if view.run.name == "walk"]
    motion = _clips()[0].motion
    for row in walking[:8]:
        turn = batch["local_rotmat"][row, :, 0] @ plain["local_rotmat"][row, :, 0].mT  # panned from still camera axes
        assert float((turn[len(turn) // 2] - torch.eye(3)).abs().max()) < 0.5
        eye_m = -(turn.mT @ _pelvis_m(batch, row)[..., None])[..., 0] + _pelvis_m(plain, row)
        assert float((eye_m - eye_m.mean(0)).abs().max()) < 1e-3
    assert motion.frame_count > FRAMES


def _pelvis_m(batch, row):
    body = load_body_model("open")
    return body.points(H36M_17, batch["local_rotmat"][row], batch["betas"][row, None], batch["translation_m"][row])[
        :, 0
    ]


def test_a_lens_bends_the_edge_and_not_the_middle():
    xy = torch.tensor([[0.0, 0.0], [0.1, 0.0], [1.0, 0.5]])
    bent = distorted(xy, -0.1, 1.0)
    torch.testing.assert_close(bent[:2], xy[:2], atol=2e-4, rtol=0)
    torch.testing.assert_close(bent[2], xy[2] * (1 - 0.1 * 1.25))
    assert torch.equal(distorted(xy, 0.0, 1.0), xy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cut_off": 1.5}, "variety.cut_off is a share"),
        ({"distance_m": (5.0, 1.0)}, "variety.distance_m must be a range"),
        ({"hfov_deg": (1.0, 50.0)}, "variety.hfov_deg must be a range"),
        ({"distortion": 0.9}, "variety.distortion must be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)


def test_filming_is_plain_by_default():
    filming = draw_filming(Augmentation(), 10, 30.0, np.random.default_rng(0))
    assert (filming.cut, filming.covers, filming.pans, filming.upright, filming.learned) == (
        None,
        (),
        False,
        False,
        False,
    )
    assert filming.distortion == 0
