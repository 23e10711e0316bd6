import dataclasses
import functools

import numpy as np
import pytest
import roma
import torch
from paths import CMU_BVH
from torch.utils.data import DataLoader

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.clips import PER_FRAME, EveryWindow, RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.detector_noise import DetectorNoise
from motionrep.layouts import COCO_17, H36M_17
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.readers.bvh import motion_from_bvh

EXACT = DetectorNoise(strength=(1e-6, 1e-6), missing_joint=0.0, missing_frame=0.0, swap=0.0)
KEYS = [(0, index) for index in range(12)]


@functools.cache
def _body():
    return load_body_model("open")


_motion = functools.cache(authored_motion)


def _clip(name="walk", seconds=3.0, fps=30.0, seed=0, action=None, bad=()):
    motion = _motion(name, seed, seconds, fps)
    usable = torch.ones(motion.frame_count, dtype=torch.bool)
    usable[list(bad)] = False
    return MotionClip(f"{name}_{seed}", motion, usable, action, "train", True, "")


def _samples(clips=None, window=16, padded_to=16, count=12, **options):
    options = {"windows": RandomWindows(count), "seed": 3} | options
    return SynthesizedClips(clips or [_clip(), _clip("punch")], window, padded_to, **options)


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_sample_is_the_same_in_every_batch():
    samples = _samples()
    batch = samples.__getitems__(KEYS)
    for row, key in enumerate(KEYS):
        alone = samples[key]
        for name, tensor in batch.items():
            torch.testing.assert_close(tensor[row], alone[name], atol=1e-5, rtol=0, msg=f"{name} of {key}")


def test_a_second_data_set_gives_the_same_samples_and_other_seeds_and_epochs_others():
    batch = _samples().__getitems__(KEYS)
    assert _equal(batch, _samples().__getitems__(KEYS))
    assert not torch.equal(batch["position_m"], _samples(seed=4).__getitems__(KEYS)["position_m"])
    assert not torch.equal(batch["position_m"], _samples().__getitems__([(1, i) for _, i in KEYS])["position_m"])
    assert len({float(focal) for focal in batch["focal"]}) == len(KEYS)


def test_workers_do_not_change_the_samples():
    samples = _samples()
    loaders = [
        DataLoader(samples, 4, sampler=KEYS, collate_fn=lambda batch: batch, num_workers=workers) for workers in (0, 2)
    ]
    for alone, shared in zip(*loaders, strict=True):
        assert _equal(alone, shared)


def test_shapes_are_those_of_the_module_documentation():
    batch = _samples(window=16, padded_to=20).__getitems__(KEYS[:3])
    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "keypoints": (3, 20, 17, 3),
        "valid": (3, 20),
        "position_m": (3, 20, 17, 3),
        "local_rotmat": (3, 20, 24, 3, 3),
        "camera_from_world": (3, 20, 3, 4),
        "betas": (3, 10),
        "translation_m": (3, 20, 3),
        "focal": (3,),
        "label": (3,),
    }
    assert all(bool(torch.isfinite(tensor.float()).all()) for tensor in batch.values())
    assert set(PER_FRAME) == {name for name, tensor in batch.items() if tensor.ndim > 1 and tensor.shape[1] == 20}


def test_the_true_pose_played_in_the_camera_is_where_the_keypoints_are():
    """Keypoints, points, pose, shape, place and focal length of a sample tell one story."""
    batch = _samples(noise=EXACT, layout=H36M_17).__getitems__(KEYS)
    point_m = _body().points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    xy = point_m[..., :2] / point_m[..., 2:] * batch["focal"][:, None, None, None]
    torch.testing.assert_close(xy, batch["keypoints"][..., :2], atol=2e-4, rtol=0)
    torch.testing.assert_close(point_m - point_m[:, :, :1], batch["position_m"], atol=1e-4, rtol=0)
    assert float(batch["keypoints"][..., 2].min()) > 0


def test_everybody_is_in_the_picture_and_further_than_a_metre():
    """Normalised x runs from -1 to 1 and y to the picture's shape, which is 16:9 upright at most."""
    samples = _samples(noise=EXACT, layout=H36M_17, count=64)
    batch = samples.__getitems__([(0, index) for index in range(64)])
    height = torch.tensor([view.size_px[1] / view.size_px[0] for view in map(samples._draw, [0] * 64, range(64))])
    assert float(batch["keypoints"][..., 0].abs().max()) < 1
    assert bool((batch["keypoints"][..., 1].abs() < height[:, None, None]).all())
    point_m = _body().points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    assert float(point_m[..., 2].min()) > 1


def test_people_stand_upright_in_camera_axes():
    position_m = _samples(count=32).__getitems__([(0, index) for index in range(32)])["position_m"]
    assert float(position_m[:, :, H36M_17.index("head"), 1].max()) < -0.2  # y points down


def test_rotations_are_proper():
    rotmat = _samples().__getitems__(KEYS)["local_rotmat"]
    assert roma.is_rotation_matrix(rotmat, epsilon=1e-4)


def test_unseen_joints_are_zeros_and_seen_ones_are_not_far_from_the_truth():
    samples = _samples(noise=DetectorNoise(missing_joint=0.3, missing_frame=0.1), layout=H36M_17)
    batch, truth = samples.__getitems__(KEYS), _samples(noise=EXACT, layout=H36M_17).__getitems__(KEYS)
    unseen = batch["keypoints"][..., 2] == 0
    assert 0.1 < float(unseen.float().mean()) < 0.6
    assert not batch["keypoints"][unseen].any()
    torch.testing.assert_close(batch["position_m"], truth["position_m"])
    error = (batch["keypoints"] - truth["keypoints"])[..., :2].norm(dim=-1)[~unseen]
    assert float(error.median()) < 0.02


def test_layouts_are_mixed_unless_one_is_asked_for():
    truth = _samples(noise=EXACT, layout=H36M_17).__getitems__(KEYS)["keypoints"]
    spine = H36M_17.index("spine")

    def differing(batch):  # COCO's spine is the middle of the trunk, not on the spine
        return [bool(d > 1e-3) for d in (batch["keypoints"] - truth)[:, :, spine, :2].norm(dim=-1).amax(1)]

    mixed = differing(_samples(noise=EXACT).__getitems__(KEYS))
    assert any(mixed)
    assert not all(mixed)
    assert all(differing(_samples(noise=EXACT, layout=COCO_17).__getitems__(KEYS)))


def test_short_clips_are_padded_by_their_last_frame():
    samples = _samples([_clip(seconds=1.0)], window=48, padded_to=60, count=4)
    batch = samples.__getitems__(KEYS[:4])
    for row in range(4):
        count = int(batch["valid"][row].sum())
        assert 20 < count < 40  # 29 thirtieths of a second at 0.8 to 1.25 times the speed
        assert bool(batch["valid"][row, :count].all())
        for name in ("keypoints", "position_m", "local_rotmat", "translation_m"):
            last = batch[name][row, count - 1 : count]
            torch.testing.assert_close(
                batch[name][row, count:], last.expand_as(batch[name][row, count:]), atol=0, rtol=0
            )
        assert not torch.equal(batch["position_m"][row, count - 2], batch["position_m"][row, count - 1])


def test_long_clips_are_padded_only_from_the_window_to_the_encoder():
    valid = _samples(window=16, padded_to=20).__getitems__(KEYS)["valid"]
    assert torch.equal(valid, (torch.arange(20) < 16).expand(12, 20))


def test_a_window_longer_than_the_sample_is_refused():
    with pytest.raises(ValueError, match="window of 30 frames does not fit into 20"):
        _samples(window=30, padded_to=20)


def test_mirrored_views_show_the_mirrored_person():
    """The mirror acts on the pose: left and right change names, and nothing else changes."""
    samples = _samples()
    view = dataclasses.replace(samples._draw(0, 0), mirror=False, speed=1.0)
    shown = []
    for each in (view, dataclasses.replace(view, mirror=True)):
        rotmat, translation_m, _ = samples._play([each])
        shown.append(_body().points(H36M_17, rotmat, torch.zeros(1, 1, 10), translation_m))
    expected = shown[0][:, :, list(H36M_17.flip_indices)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(shown[1], expected, atol=2e-3, rtol=0)
    assert float((shown[1] - shown[0]).abs().max()) > 0.05
    drawn = [samples._draw(0, index).mirror for index in range(100)]
    assert 30 < sum(drawn) < 70


def test_speed_is_applied():
    samples = _samples()
    view = dataclasses.replace(samples._draw(0, 0), start_s=0.0, mirror=False, speed=1.25)
    _, translation_m, _ = samples._play([view])
    motion = view.run
    at = torch.arange(16) * 1.25
    share = (at - at.floor())[:, None]
    expected = torch.lerp(motion.translation_m[at.long()], motion.translation_m[at.long() + 1], share)
    torch.testing.assert_close(translation_m[0], expected, atol=1e-5, rtol=0)


def test_the_frame_rate_of_the_file_does_not_matter():
    """The same walk sampled at 30 and at 120 frames per second gives the same training clips."""
    options = {"window": 16, "padded_to": 16, "windows": EveryWindow(), "noise": EXACT, "layout": H36M_17}
    slow, fast = (_samples([_clip(seconds=3.0, fps=fps)], **options) for fps in (30.0, 120.0))
    keys = [(0, index) for index in range(4)]
    for name in ("position_m", "translation_m", "keypoints"):
        torch.testing.assert_close(slow.__getitems__(keys)[name], fast.__getitems__(keys)[name], atol=0.02, rtol=0)


def test_walking_through_every_window_once():
    samples = _samples([_clip(seconds=3.0)], window=30, padded_to=30, windows=EveryWindow(views=2))
    assert len(samples) == 3 * 2
    views = [samples._draw(0, index) for index in range(6)]
    assert [view.start_s for view in views] == [0, 0, 1, 1, 2, 2]
    assert {(view.speed, view.mirror) for view in views} == {(1.0, False)}
    assert len({view.yaw_rad for view in views}) == 6
    left_over = _samples([_clip(seconds=2.4)], window=30, padded_to=30, windows=EveryWindow())
    assert len(left_over) == 2  # 0.4 s are less than half a window
    overlapping = _samples([_clip(seconds=3.0)], window=30, padded_to=30, windows=EveryWindow(15))
    assert [overlapping._draw(0, i).start_s for i in range(len(overlapping))] == [0, 0.5, 1, 1.5, 2]


def test_labels_are_indices_of_the_classes_and_other_clips_are_left_out():
    clips = [_clip("walk", action="walk"), _clip("punch", action="box"), _clip("bow", action="bow"), _clip("jump")]
    samples = _samples(clips, labels=("box", "walk"), count=40)
    assert {run.name: run.label for run in samples.runs} == {"walk_0": 1, "punch_0": 0}
    labels = samples.__getitems__([(0, index) for index in range(40)])["label"]
    assert labels.dtype == torch.int64
    assert set(labels.tolist()) == {0, 1}
    assert set(_samples(clips).__getitems__(KEYS)["label"].tolist()) == {-1}


def test_rare_classes_are_shown_as_often_as_frequent_ones():
    clips = [_clip("walk", seconds=9.0, action="walk"), _clip("punch", seconds=1.0, action="box")]
    samples = _samples(clips, labels=("box", "walk"), count=200)
    drawn = [samples._draw(0, index).run.label for index in range(200)]
    assert 70 < sum(drawn) < 130
    by_time = _samples(clips, count=200)
    drawn = [by_time._draw(0, index).run.name for index in range(200)]
    assert drawn.count("walk_0") > 160


def test_clips_without_a_class_stay_beside_the_others_when_asked_for():
    clips = [_clip("walk", seconds=9.0, action="walk"), _clip("punch", seconds=1.0, action="box"), _clip("bow", 10.0)]
    samples = _samples(clips, labels=("box", "walk"), count=400, unlabelled=True)
    assert {run.name: run.label for run in samples.runs} == {"walk_0": 1, "punch_0": 0, "bow_0": -1}
    # Half by time (9, 1 and 10 of 20 seconds), half by class (walk and box alike).
    assert samples.chances == pytest.approx([0.475, 0.275, 0.25], abs=0.01)
    assert set(samples.__getitems__([(0, index) for index in range(40)])["label"].tolist()) == {-1, 0, 1}


def test_a_clip_that_is_not_core_has_no_label_whatever_its_action_is_called():
    """It was labelled by the name of its action alone."""
    clips = [_clip("walk", action="walk"), dataclasses.replace(_clip("jump", action="walk"), core=False)]
    samples = _samples(clips, labels=("walk",), unlabelled=True)
    assert {run.name: run.label for run in samples.runs} == {"walk_0": 0, "jump_0": -1}
    assert {run.name for run in _samples(clips, labels=("walk",)).runs} == {"walk_0"}


def test_clips_of_which_none_has_a_class_are_refused_in_a_sentence():
    """It ended in "IndexError: index -1 is out of bounds"."""
    clips = [dataclasses.replace(_clip(action="walk"), core=False, split="val"), _clip("bow", action="bow")]
    clips[1] = dataclasses.replace(clips[1], split="val")
    message = r"none of the 2 usable runs .* of split val is of a class \(box, walk\): put core clips .* index\.csv"
    with pytest.raises(ValueError, match=message):
        _samples(clips, labels=("box", "walk"), unlabelled=True, windows=EveryWindow())


def test_no_usable_clip_is_an_error_that_says_why():
    with pytest.raises(
        ValueError,
        match=r"none of the 1 motion clips \(walk_0\) holds a usable run of 0.5 s with an action among box, walk",
    ):
        _samples([_clip(action="bow")], labels=("box", "walk"))
    with pytest.raises(ValueError, match=r"a usable run of 0.5 s$"):
        _samples([_clip(seconds=0.4)])
    with pytest.raises(ValueError, match="a usable run"):
        _samples([_clip(bad=range(90))])


@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_motion_without_gaps_is_one_run_at_any_frame_rate(fps):
    """At less than 10 frames per second two neighbouring frames are more than 0.1 s apart, which is no gap."""
    (run,) = _samples([_clip(seconds=3.0, fps=fps)]).runs
    assert run.quaternion.shape[0] == 3 * fps


def test_long_gaps_split_runs_and_short_ones_are_bridged():
    clip = _clip(seconds=4.0, bad=[20, 21, *range(50, 60)])
    broken = clip.motion.translation_m.clone()
    broken[~clip.usable] = 100.0  # would be seen at once
    clip = dataclasses.replace(clip, motion=dataclasses.replace(clip.motion, translation_m=broken))
    samples = _samples([clip], count=64)
    assert [run.quaternion.shape[0] for run in samples.runs] == [50, 60]
    assert max(float(run.translation_m.abs().max()) for run in samples.runs) < 10
    first = samples.runs[0].translation_m
    torch.testing.assert_close(first[20], torch.lerp(first[19], first[22], 1 / 3))
    torch.testing.assert_close(first[21], torch.lerp(first[19], first[22], 2 / 3))
    rotmat = roma.unitquat_to_rotmat(samples.runs[1].quaternion)
    torch.testing.assert_close(rotmat, clip.motion.local_rotmat[60:], atol=1e-5, rtol=0)
    batch = samples.__getitems__([(0, index) for index in range(64)])
    jumps = (batch["translation_m"][:, 1:] - batch["translation_m"][:, :-1]).norm(dim=-1)
    assert float(jumps.max()) < 0.3


def test_runs_shorter_than_half_a_second_are_left_out():
    samples = _samples([_clip(seconds=3.0, bad=[*range(10, 20), *range(60, 65)])])
    assert [run.quaternion.shape[0] for run in samples.runs] == [40, 25]


def test_bodies_differ_in_shape_and_move_alike():
    samples = _samples(count=64)
    view = samples._draw(0, 0)
    same, other = (
        samples._show([dataclasses.replace(view, betas=betas, rng=np.random.default_rng(0))])
        for betas in (view.betas, -view.betas)
    )
    torch.testing.assert_close(other["betas"], -same["betas"])
    assert torch.equal(same["local_rotmat"], other["local_rotmat"])
    shin = [H36M_17.index("left_knee"), H36M_17.index("left_ankle")]
    lengths_m = [batch["position_m"][0, :, shin].diff(dim=1).norm(dim=-1).mean() for batch in (same, other)]
    assert abs(float(lengths_m[0] - lengths_m[1])) > 0.005
    drawn = np.concatenate([samples._draw(0, index).betas for index in range(64)])
    assert (drawn.mean(), drawn.std()) == (pytest.approx(0, abs=0.15), pytest.approx(1, abs=0.15))


@pytest.mark.skipif(not CMU_BVH.is_dir(), reason="no CMU_BVH clips; name their folder in MOTIONREP_CMU_BVH")
def test_a_recorded_clip_gives_consistent_samples():
    path = min(CMU_BVH.rglob("*.bvh"), key=lambda path: path.stat().st_size)
    motion = motion_from_bvh(read_bvh(path), _body())
    usable = torch.ones(motion.frame_count, dtype=torch.bool)
    usable[:10] = False
    clip = MotionClip(path.stem, motion, usable, None, "train", True, "")
    batch = _samples([clip], window=27, padded_to=27, noise=EXACT, layout=H36M_17).__getitems__(KEYS)
    point_m = _body().points(H36M_17, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    xy = point_m[..., :2] / point_m[..., 2:] * batch["focal"][:, None, None, None]
    torch.testing.assert_close(xy, batch["keypoints"][..., :2], atol=5e-4, rtol=0)
    assert float(batch["keypoints"][..., 0].abs().max()) < 1
