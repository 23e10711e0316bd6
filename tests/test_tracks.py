"""People whom nobody numbered keep one id each."""

import numpy as np
import pytest
import torch
from keypoint_files import coco, load, mmpose_frame, person, seen, written


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
    assert [seen(clip) for clip in jump] == [[True, True, False, False], [False, False, True, True]]
    assert len(load(written(tmp_path, [at(0, 100), at(30, 100)]))) == 1
    assert len(load(written(tmp_path, [at(0, 100), at(31, 100)]))) == 2
