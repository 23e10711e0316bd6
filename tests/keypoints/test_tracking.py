"""People whom nobody numbered keep one id each."""

import numpy as np
import pytest
import torch
from keypoint_files import coco, load, mmpose_frame, moved, person, seen, written

WIDE = (1920, 1080)
PX_PER_M = 100 / 1.7  # of `person`


def walkers(count=60, seed=0):
    """Two people in the same pose who walk through each other, a little detector noise, listed in changing order."""
    rng = np.random.default_rng(seed)
    for t in range(count):
        pair = [person(17, x=100 + 5 * t), person(17, x=420 - 6 * t, y=203)]
        yield t, [(xyc + np.append(rng.normal(0, 1, 2), 0)) for xyc in (pair if t % 3 else pair[::-1])]


def directions(clips):
    return [torch.sign(clip.xy_px[-1] - clip.xy_px[0]).mean(0)[0].item() for clip in clips]


@pytest.mark.parametrize("seed", range(5))
def test_people_who_walk_past_each_other_keep_their_ids(tmp_path, seed):
    entries = [coco(t, xyc) for t, people in walkers(seed=seed) for xyc in people]
    clips = load(written(tmp_path, entries), size_px=(800, 480))
    assert [seen(clip) for clip in clips] == [[True] * 60] * 2
    assert sorted(directions(clips)) == [-1, 1]
    for clip in clips:
        assert float(clip.xy_px.diff(dim=0).norm(dim=-1).max()) < 12


def test_people_keep_their_ids_while_one_hides_the_other(tmp_path):
    frames = [mmpose_frame(t, *(people[t % 3 == 0 :][:1] if 28 <= t < 33 else people)) for t, people in walkers()]
    clips = load(written(tmp_path, frames), size_px=(800, 480))
    assert sorted(directions(clips)) == [-1, 1]
    assert sorted(sum(seen(clip)) for clip in clips) == [55, 60]


def test_someone_far_away_or_after_a_long_gap_is_new(tmp_path):
    def at(image_id, x):
        return coco(image_id, person(17, x=x))

    jump = load(written(tmp_path, [at(0, 100), at(1, 100), at(2, 300), at(3, 300)]))
    assert [(clip.first_frame, seen(clip)) for clip in jump] == [(0, [True] * 2), (2, [True] * 2)]
    for fps in (30.0, 60.0):
        assert len(load(written(tmp_path, [at(0, 100), at(round(fps), 100)]), fps=fps)) == 1
        assert len(load(written(tmp_path, [at(0, 100), at(round(fps) + 1, 100)]), fps=fps)) == 2


def test_one_who_stands_is_the_same_in_pictures_seconds_apart(tmp_path):
    frames = [coco(t, person(17)) for t in range(5)]
    assert len(load(written(tmp_path, frames), fps=0.2)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_second_box_of_a_person_is_not_somebody_else(tmp_path, seed, caplog):
    """One in ten frames had a lower-scored box 3 px off, which became a person, and the real one moved between both."""
    rng = np.random.default_rng(seed)
    entries, doubled = [], 0
    for t in range(150):
        xyc = moved(person(17), t / 2)
        entries.append(coco(t, xyc, 0.9))
        if rng.random() < 0.1:
            entries.insert(len(entries) - int(rng.integers(2)), coco(t, moved(xyc, 3), 0.5))
            doubled += 1
    (clip,) = load(written(tmp_path, entries), fps=30.0)
    torch.testing.assert_close(clip.xy_px.diff(dim=0)[..., 0], torch.full((149, 17), 0.5), atol=1e-3, rtol=0)
    assert f"left out {doubled} detections of persons of whom their frame has a better one" in caplog.text


@pytest.mark.parametrize("seed", range(3))
def test_misplaced_joints_of_little_confidence_make_nobody_new(tmp_path, seed):
    rng = np.random.default_rng(seed)
    entries = []
    for t in range(100):
        xyc = moved(person(17, x=600, y=500), 50 * np.sin(t / 20)) * [1, 1, 0] + [0, 0, 0.9]
        bad = rng.random(17) < 0.3
        xyc[bad] += np.column_stack([rng.normal(0, 150, (bad.sum(), 2)), np.full(bad.sum(), -0.85)])
        entries.append(coco(t, xyc))
    assert len(load(written(tmp_path, entries), fps=30.0, size_px=WIDE)) == 1


@pytest.mark.parametrize("gap_frames", [5, 10, 25])
@pytest.mark.parametrize("speed_after_m_per_s", [1.5, 0.0, -1.5])
def test_one_who_stops_or_turns_unseen_is_the_same(tmp_path, gap_frames, speed_after_m_per_s):
    speed = np.where(np.arange(90) < 45, 1.5, speed_after_m_per_s)
    x_px = 100 + np.cumsum(speed) / 30 * PX_PER_M
    frames = [t for t in range(90) if not 45 <= t < 45 + gap_frames]
    clips = load(written(tmp_path, [coco(t, person(17, x=x_px[t])) for t in frames]), fps=30.0)
    assert [sum(seen(clip)) for clip in clips] == [90 - gap_frames]


@pytest.mark.parametrize(("speed_m_per_s", "fps"), [(3.0, 5.0), (5.0, 7.5), (1.4, 3.0)])
def test_fast_people_at_low_frame_rates_stay_the_same(tmp_path, speed_m_per_s, fps):
    """Steps were limited per frame, not per second: a runner was somebody new in every frame."""
    rng = np.random.default_rng(0)
    entries = []
    for t in range(20):
        swing_px = 10 * np.sin(2 * np.pi * 1.4 * t / fps) * rng.choice([-1, 1], (17, 1)) * [1, 0, 0]
        entries.append(coco(t, moved(person(17), speed_m_per_s * t / fps * PX_PER_M) + swing_px))
    assert len(load(written(tmp_path, entries), fps=fps, size_px=WIDE)) == 1


def test_a_jump_in_place_at_five_frames_per_second(tmp_path):
    entries = []
    for t in range(25):
        phase = t / 5 * 1.1 % 1
        height_m = 0.5 * np.sin(np.pi * phase / 0.5) if phase < 0.5 else -0.2 * np.sin(np.pi * (phase - 0.5) / 0.5)
        entries.append(coco(t, person(17, y=200 - height_m * PX_PER_M)))
    assert len(load(written(tmp_path, entries), fps=5.0)) == 1


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_people_walk_past_each_other_at_any_frame_rate(tmp_path, fps):
    rng = np.random.default_rng(fps)
    entries = []
    for t in range(4 * fps):
        pair = moved(person(17, x=100), 1.2 * t / fps * PX_PER_M), moved(person(17, x=400, y=203), -80 * t / fps)
        entries += [coco(t, xyc + rng.normal(0, 2, (17, 3)) * [1, 1, 0]) for xyc in pair]
    clips = load(written(tmp_path, entries), fps=float(fps))
    assert sorted(directions(clips)) == [-1, 1]
    assert [sum(seen(clip)) for clip in clips] == [4 * fps] * 2


def test_who_stays_is_not_taken_for_a_newcomer(tmp_path):
    """One stands still; a neighbour on one side goes and somebody appears on the other, as near."""
    xyc = person(17)
    places = [(0, 25)] * 5 + [(0, -25)] * 3
    entries = [coco(t, xyc + np.array([x, 0, 0])) for t, pair in enumerate(places) for x in pair]
    clips = load(written(tmp_path, entries), size_px=(800, 480))
    assert [seen(clip) for clip in clips] == [[True] * 8, [True] * 5, [True] * 3]
    assert not clips[0].xy_px.diff(dim=0).any()
