"""A detector that exchanges left and right splits nobody, and is put right; people who turn round stay as they are."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from keypoint_files import coco, load, written
from paths import CMU_BVH

from motionrep.keypoints import load_keypoints, save_keypoints
from motionrep.keypoints.sides import exchanged_sides
from motionrep.layouts import COCO_17
from motionrep.motion.bvh_files import read_bvh
from motionrep.types import Keypoints

FLIP = list(COCO_17.flip_indices)
WIDE = (1920, 1080)
# A standing person seen from the front, the left side at larger x, in metres from the middle of the hips, y down.
PLACES_M = {
    "nose": (0, -0.7, 0.1), "eye": (0.03, -0.73, 0.08), "ear": (0.07, -0.72, 0), "shoulder": (0.18, -0.5, 0),
    "elbow": (0.25, -0.22, 0), "wrist": (0.27, 0.03, 0.05), "hip": (0.12, 0, 0), "knee": (0.12, 0.43, 0),
    "ankle": (0.12, 0.85, 0),
}  # fmt: skip
PX_PER_M = 300.0


def body(t_s: float, x_m: float = 3.0, turned_rad: float = 0.0, stride: bool = True) -> np.ndarray:
    """x, y, confidence of somebody who walks, turned about the upright axis."""
    swing_m = 0.2 * np.sin(2 * np.pi * t_s) if stride else 0.0
    rows = []
    for joint in COCO_17.joints:
        side = -1 if joint.startswith("right_") else 1
        x, y, depth = PLACES_M[joint.removeprefix("left_").removeprefix("right_")]
        swings = {"wrist": -1, "elbow": -0.5, "ankle": 1, "knee": 0.5}.get(joint.rpartition("_")[2], 0)
        depth = depth + side * swings * swing_m
        across = side * x * np.cos(turned_rad) + depth * np.sin(turned_rad)
        rows.append((PX_PER_M * (x_m + across), PX_PER_M * (1.2 + y), 0.9))
    return np.array(rows)


def clip_of(frames, fps=30.0, **options):
    """Clips of a COCO file of these detections, a list of people for each frame."""
    return lambda tmp_path: load(
        written(tmp_path, [coco(t, xyc) for t, people in enumerate(frames) for xyc in people]),
        fps=fps, size_px=WIDE, **options,
    )  # fmt: skip


def noisy(xyc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return xyc + np.append(rng.normal(0, 3, (len(xyc), 2)), np.zeros((len(xyc), 1)), 1)


@pytest.mark.parametrize("run", [1, 4, 9])
@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_sides_exchanged_in_a_third_of_the_frames_are_put_right(tmp_path, caplog, run, fps):
    rng = np.random.default_rng(run)
    true = [noisy(body(t / fps, turned_rad=0.3), rng) for t in range(120)]
    wrong = np.repeat(rng.random(-(-120 // run)) < 0.3, run)[:120]
    wrong[:10] = wrong[-10:] = False
    (clip,) = clip_of([[xyc[FLIP] if bad else xyc] for xyc, bad in zip(true, wrong, strict=True)], fps)(tmp_path)
    np.testing.assert_allclose(clip.xy_px.numpy(), np.array(true)[..., :2], atol=1e-3)
    share = f"{wrong.sum()} of 120 detections ({100 * wrong.sum() / 120:.0f}%)"
    assert f"left and right were exchanged in {share}" in caplog.text


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("turns_per_s", [0.25, 0.7])
def test_who_turns_round_stays_as_detected(tmp_path, caplog, fps, turns_per_s):
    rng = np.random.default_rng(0)
    true = [noisy(body(t / fps, turned_rad=2 * np.pi * turns_per_s * t / fps), rng) for t in range(int(4 * fps))]
    (clip,) = clip_of([[xyc] for xyc in true], fps)(tmp_path)
    np.testing.assert_allclose(clip.xy_px.numpy(), np.array(true)[..., :2], atol=1e-3)
    assert "exchanged" not in caplog.text


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0, 60.0])
def test_who_walks_across_the_picture_stays_as_detected(tmp_path, caplog, fps):
    """Seen from the side, legs pass each other at every step."""
    rng = np.random.default_rng(0)
    true = [noisy(body(t / fps, 0.6 + 1.2 * t / fps, np.pi / 2), rng) for t in range(int(4 * fps))]
    (clip,) = clip_of([[xyc] for xyc in true], fps)(tmp_path)
    np.testing.assert_allclose(clip.xy_px.numpy(), np.array(true)[..., :2], atol=1e-3)
    assert "exchanged" not in caplog.text


def test_a_clip_with_the_sides_exchanged_throughout_cannot_be_told(tmp_path, caplog):
    true = [body(t / 30)[FLIP] for t in range(60)]
    (clip,) = clip_of([[xyc] for xyc in true])(tmp_path)
    np.testing.assert_allclose(clip.xy_px.numpy(), np.array(true)[..., :2], atol=1e-3)
    assert "exchanged" not in caplog.text


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fps", [15.0, 30.0])
def test_two_people_cross_while_the_detector_exchanges_sides_and_misses_frames(tmp_path, seed, fps):
    """Nobody is split and nobody merged: each goes on in one direction."""
    rng = np.random.default_rng(seed)
    frames = []
    for t in range(int(4 * fps)):
        pair = [body(t / fps, 0.8 + t / fps), body(t / fps + 0.3, 5.2 - 1.1 * t / fps)]
        pair = [noisy(xyc[FLIP] if rng.random() < 0.3 else xyc, rng) for xyc in pair]
        frames.append([xyc for xyc in pair if rng.random() > 0.1][:: rng.choice([-1, 1])])
    clips = clip_of(frames, fps)(tmp_path)
    assert len(clips) == 2
    for clip in clips:
        seen = (clip.confidence > 0).any(1)
        x_px = clip.xy_px[seen].mean(1)[:, 0].numpy()
        assert np.abs(np.diff(x_px)).max() < PX_PER_M * 1.5 * 6 / fps
        assert abs(x_px[-1] - x_px[0]) > 2.5 * PX_PER_M


def test_people_side_by_side_stay_apart_while_sides_are_exchanged(tmp_path):
    rng = np.random.default_rng(1)
    frames = [
        [noisy(body(t / 30, x)[FLIP] if rng.random() < 0.3 else body(t / 30, x), rng) for x in (2.0, 2.7, 3.4)]
        for t in range(90)
    ]
    clips = clip_of(frames)(tmp_path)
    assert [round(float(clip.xy_px.mean(dim=(0, 1))[0]) / PX_PER_M, 1) for clip in clips] == [2.0, 2.7, 3.4]
    assert all(clip.frame_count == 90 for clip in clips)


def ghostly(count=90, ghost_frames=12, confidence=0.15):
    frames = [[body(t / 30)] for t in range(count)]
    for t in range(30, 30 + ghost_frames):
        frames[t].append(body(0, 5.2, stride=False) * [1, 1, confidence / 0.9])
    return frames


def test_a_ghost_is_left_out_with_one_warning(tmp_path, caplog):
    (clip,) = clip_of(ghostly())(tmp_path)
    assert clip.frame_count == 90
    assert "left out 1 of 2 persons" in caplog.text
    assert caplog.text.count("--all-persons") == 1


def test_all_persons_keeps_ghosts(tmp_path, caplog):
    assert [clip.frame_count for clip in clip_of(ghostly(), all_persons=True)(tmp_path)] == [90, 12]
    assert "left out" not in caplog.text


@pytest.mark.parametrize(("frames", "confidence"), [(12, 0.8), (60, 0.15)])
def test_who_is_seen_surely_or_for_long_is_no_ghost(tmp_path, frames, confidence):
    assert [clip.frame_count for clip in clip_of(ghostly(90, frames, confidence))(tmp_path)] == [90, frames]


@pytest.mark.parametrize("confidence", [0, 0.05, 0.2])
@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
def test_who_hides_one_side_stays_as_detected(tmp_path, caplog, fps, confidence):
    """Where hardly a joint of the right side was seen, its places were taken for those of the left, at no distance."""
    rng = np.random.default_rng(0)
    true = np.array([noisy(body(t / fps, 1 + 0.5 * t / fps, np.pi / 2), rng) for t in range(int(4 * fps))])
    right = [i for i, joint in enumerate(COCO_17.joints) if joint.startswith("right_")]
    true[int(fps) : int(3 * fps), right, 2] = confidence
    (clip,) = clip_of([[xyc] for xyc in true], fps)(tmp_path)
    np.testing.assert_allclose(clip.confidence.numpy(), true[..., 2], atol=1e-6)
    assert "exchanged" not in caplog.text


@pytest.mark.parametrize("wrong", [[0], [0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1, 1, 1], [1, 0] * 10])
def test_few_frames_and_as_many_either_way_stay_as_detected(tmp_path, caplog, wrong):
    detected = [body(t / 30)[FLIP] if bad else body(t / 30) for t, bad in enumerate(wrong)]
    (clip,) = clip_of([[xyc] for xyc in detected])(tmp_path)
    np.testing.assert_allclose(clip.xy_px.numpy(), np.array(detected)[..., :2], atol=1e-3)
    assert "exchanged" not in caplog.text


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_nothing_is_exchanged_in_what_motionrep_wrote(tmp_path, caplog, suffix):
    detected = np.array([body(t / 30)[FLIP] if 20 <= t < 30 else body(t / 30) for t in range(60)])
    xy_px, confidence = torch.tensor(detected[..., :2]).float(), torch.tensor(detected[..., 2]).float()
    path = tmp_path / f"clip{suffix}"
    save_keypoints([Keypoints(xy_px, confidence, COCO_17, 30.0, *WIDE)], path)
    (clip,) = load_keypoints(path, fps=30.0, size_px=WIDE)
    assert clip.xy_px.equal(xy_px)
    assert "exchanged" not in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(not CMU_BVH.is_dir(), reason="CMU's motion files are not there")
@pytest.mark.parametrize("fps", [10, 30, 60])
def test_nothing_is_exchanged_in_motions_without_a_detector(fps):
    """Jumps, dances, cartwheels and fights, seen from eight sides."""
    paths = sorted(CMU_BVH.glob("*/*.bvh"))
    assert paths
    for path in paths:
        place = limb_places(path)[10 :: 120 // fps]
        place = (place - (place.min((0, 1)) + place.max((0, 1))) / 2) / np.ptp(place[0], axis=0).max()
        for turn_rad in np.arange(8) * np.pi / 4:
            across = place[..., 0] * np.cos(turn_rad) - place[..., 2] * np.sin(turn_rad)
            depth = place[..., 0] * np.sin(turn_rad) + place[..., 2] * np.cos(turn_rad)
            xy_px = 1000 / (depth - depth.min() + 3)[..., None] * np.stack([across, -place[..., 1]], -1)
            xyc = np.concatenate([xy_px, np.full((*xy_px.shape[:2], 1), 0.9)], -1)
            assert not exchanged_sides(xyc, np.arange(len(xyc)) / fps, (*range(6, 12), *range(6))).any(), path


@cache
def limb_places(path: Path) -> np.ndarray:
    """Joints of the left arm and leg, then of the right ones."""
    bvh = read_bvh(path)
    place, turn = [], []
    for joint, parent in enumerate(bvh.parents):
        here, turned = bvh.local_position[:, joint].double(), bvh.local_rotmat[:, joint].double()
        place.append(here if parent < 0 else place[parent] + (turn[parent] @ here[..., None])[..., 0])
        turn.append(turned if parent < 0 else turn[parent] @ turned)
    names = [side + part for side in "lr" for part in ("Shldr", "ForeArm", "Hand", "Thigh", "Shin", "Foot")]
    return torch.stack([place[bvh.joints.index(name)] for name in names], 1).numpy()
