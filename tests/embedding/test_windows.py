"""Windows cover a clip, and their weights blend without a seam."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrep.windows import blend_weights, padded, window_starts

CLIPS = {"frames": st.integers(1, 400), "window": st.integers(1, 81), "overlap": st.floats(0, 0.95)}


def _total(starts, weights):
    total = torch.zeros(max(starts) + weights.shape[1])
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return total


@given(**CLIPS)
def test_weights_of_every_frame_sum_to_one(frames, window, overlap):
    starts = window_starts(frames, window, overlap)
    total = _total(starts, blend_weights(starts, window))
    assert len(total) == max(frames, window)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-6, rtol=0)


@given(**CLIPS)
def test_starts_increase_and_stay_inside_the_clip(frames, window, overlap):
    starts = window_starts(frames, window, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, frames - window)
    assert sorted(set(starts)) == list(starts)


@given(frames=st.integers(82, 400), overlap=st.floats(0.25, 0.9))
def test_windows_fade_in_and_out(frames, overlap):
    """A window that starts or ends inside the clip has almost no weight there, so no seam can show.

    Windows one frame apart at the end of a clip (82 frames) once met where the first had faded in hardly more itself.
    """
    starts = window_starts(frames, 81, overlap)
    weights = blend_weights(starts, 81)
    assert weights[1:, 0].max() < 0.03
    assert weights[:-1, -1].max() < 0.03


def test_a_clip_as_long_as_the_window_has_one_window():
    assert window_starts(81, 81) == (0,)
    assert torch.equal(blend_weights((0,), 81), torch.ones(1, 81))


def test_the_last_window_is_moved_back_to_the_end():
    assert window_starts(100, 40, 0.5) == (0, 20, 40, 60)
    assert window_starts(101, 40, 0.5) == (0, 20, 40, 60, 61)


def test_short_clips_repeat_their_last_frame():
    values = torch.arange(6.0).reshape(3, 2, 1)
    assert torch.equal(padded(values, 5)[3:], values[[2, 2]])
    assert padded(values, 3) is values


@pytest.mark.parametrize(
    ("frames", "overlap", "message"), [(0, 0.5, "at least 1"), (9, 1.0, "overlap"), (9, -0.1, "overlap")]
)
def test_impossible_windows_are_refused(frames, overlap, message):
    with pytest.raises(ValueError, match=message):
        window_starts(frames, 9, overlap)
