"""Errors collected over batches."""

import pytest
import torch

from motionrep.evaluation.scores import Scores


def _batch(valid: list[list[bool]]) -> dict[str, torch.Tensor]:
    shape = (len(valid), len(valid[0]), 17, 3)
    return {"valid": torch.tensor(valid), "position_m": torch.rand(shape, generator=torch.Generator().manual_seed(0))}


def test_only_valid_frames_count():
    batch = _batch([[True] * 4, [True, True, True, False]])
    moved = torch.zeros_like(batch["position_m"])
    moved[:, :, 1:, 0] = 0.017
    moved[1, 3] = 9.0 * torch.rand(17, 3)
    scores = Scores(30.0)
    scores.add({"position_m": batch["position_m"] + moved}, batch)
    result = scores.result()
    assert result["mpjpe"] == pytest.approx(16, rel=1e-4)
    assert result["accel_error"] == pytest.approx(0, abs=5e-4)


def test_what_nothing_was_added_for_is_left_out():
    """It was NaN, which no JSON file may hold."""
    batch = _batch([[True, True, False, False]])
    scores = Scores(30.0)
    scores.add({"position_m": batch["position_m"]}, batch)
    assert set(scores.result()) == {"mpjpe", "pa_mpjpe"}
    scores.add({"logit": torch.zeros(1, 3)}, {"label": torch.tensor([-1])})
    assert set(scores.result()) == {"mpjpe", "pa_mpjpe"}
