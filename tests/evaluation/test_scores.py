"""Errors collected over batches."""

import math

import pytest
import torch

from motionrep.body import load_body_model
from motionrep.evaluation.scores import Scores
from motionrep.motion.contacts import PARTS


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


def test_the_ground_has_the_median_of_up_and_the_shares_of_contacts():
    """Somebody stands still on both feet, seen by a camera that is rolled; up is found 3 degrees off, and one heel."""
    body, frames = load_body_model("open"), 5
    soles_m = -body.template_vertex_m[:, 1].amin()
    roll, off = math.radians(20), math.radians(3)
    turn = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # of a level camera
    turn = torch.tensor([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]) @ turn
    place_m = torch.tensor([0.0, 0.3, 4.0])
    shift_m = place_m - turn @ torch.tensor([0.0, float(soles_m), 0.0])
    batch = {
        "valid": torch.ones(1, frames, dtype=torch.bool),
        "camera_from_world": torch.cat([turn, shift_m[:, None]], 1).expand(1, frames, 3, 4),
        "local_rotmat": torch.eye(3).repeat(1, frames, 24, 1, 1),
        "translation_m": place_m.expand(1, frames, 3),
        "betas": torch.zeros(1, 10),
    }
    batch["local_rotmat"][:, :, 0] = turn
    contact = torch.full((1, frames, len(PARTS)), -1.0)
    contact[..., [PARTS.index("left_heel"), PARTS.index("seat")]] = 1
    up = torch.tensor([math.sin(roll + off), -math.cos(roll + off), 0.0]).expand(1, frames, 3)
    scores = Scores(30.0)
    scores.add({"up": up, "contact": contact}, batch)
    result = scores.result()
    assert result["up_error"] == pytest.approx(3, abs=1e-3)
    assert result["contact_precision"] == 0.5
    assert result["contact_recall"] == 0.25
