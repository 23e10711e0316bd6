"""Unseen points between seen ones."""

import torch

from motionrep.geometry.gaps import gaps_filled


def test_gaps_are_linear_ends_stand_still_and_what_was_never_seen_is_zero():
    point = torch.tensor([9.0, 1.0, 9.0, 9.0, 4.0, 9.0]).view(6, 1, 1).repeat(1, 2, 3)
    seen = torch.zeros(6, 2, dtype=torch.bool)
    seen[[1, 4], 0] = True
    filled = gaps_filled(point, seen)
    torch.testing.assert_close(filled[:, 0, 0], torch.tensor([1.0, 1.0, 2.0, 3.0, 4.0, 4.0]))
    torch.testing.assert_close(filled[:, 0], filled[:, 0, :1].expand(6, 3))
    assert not filled[:, 1].any()


def test_a_batch_is_filled_clip_by_clip_and_seen_points_stay():
    generator = torch.Generator().manual_seed(0)
    point, seen = torch.randn(3, 8, 4, 2, generator=generator), torch.rand(3, 8, 4, generator=generator) > 0.4
    filled = gaps_filled(point, seen)
    for clip in range(3):
        assert torch.equal(filled[clip], gaps_filled(point[clip], seen[clip]))
    assert torch.equal(filled[seen], point[seen])
