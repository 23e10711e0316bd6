"""A detector that exchanges left and right splits nobody, and is put right; people who turn round stay as they are."""

import numpy as np
import pytest
from keypoint_files import coco, load, written

from motionrep.layouts import COCO_17

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


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
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


LIMBS = {
    "legs": [i for i, joint in enumerate(COCO_17.joints) if joint.endswith(("hip", "knee", "ankle"))],
    "arms": [i for i, joint in enumerate(COCO_17.joints) if joint.endswith(("shoulder", "elbow", "wrist"))],
}


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("run", [1, 4, 9])
@pytest.mark.parametrize("turned_rad", [0.3, 1.2])
def test_arms_or_legs_exchanged_alone_are_put_right(tmp_path, caplog, limb, run, turned_rad):
    rng = np.random.default_rng(run)
    joints = LIMBS[limb]
    true = np.array([noisy(body(t / 30, turned_rad=turned_rad), rng) for t in range(120)])
    wrong = np.repeat(rng.random(-(-120 // run)) < 0.3, run)[:120]
    wrong[:10] = wrong[-10:] = False
    detected = true.copy()
    detected[np.ix_(wrong, joints)] = true[wrong][:, [FLIP[joint] for joint in joints]]
    (clip,) = clip_of([[xyc] for xyc in detected])(tmp_path)
    off_px = np.abs(clip.xy_px.numpy() - true[..., :2])
    before_px = np.abs(detected - true)[..., :2]
    # where both sides are at one place, nobody can say which is which, and it matters little
    assert off_px.mean() < 0.4 * before_px.mean()
    assert "only of the arms or the legs" in caplog.text


@pytest.mark.parametrize("facing_rad", [np.pi / 2, -np.pi / 2])
def test_sides_exchanged_in_a_long_run_that_begins_in_profile(tmp_path, facing_rad):
    """Legs tell the sides of somebody who is seen from the side and walks, unless they pass each other just then."""
    rng = np.random.default_rng(3)
    true = np.array([noisy(body(t / 30, turned_rad=facing_rad + 0.3 * np.sin(t / 20)), rng) for t in range(150)])
    detected = true.copy()
    detected[66:98] = true[66:98][:, FLIP]
    (clip,) = clip_of([[xyc] for xyc in detected])(tmp_path)
    assert np.abs(clip.xy_px.numpy() - true[..., :2]).mean() < 0.2 * np.abs(detected - true)[..., :2].mean()
