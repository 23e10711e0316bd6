import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrep.evaluation.world_metrics import (
    feet_on_floor_percent,
    floating_mm,
    foot_sliding_m_per_s,
    jitter_10_m_per_s3,
    penetration_mm,
    rte_percent,
    up_error_deg,
    w_mpjpe_mm,
    wa_mpjpe_mm,
)

SEEDS = st.integers(0, 1000)


def _walk(seed: int, frames: int = 230) -> torch.Tensor:
    """Joints around a root that walks along a curve, metres."""
    generator = torch.Generator().manual_seed(seed)
    joint_m = 0.4 * torch.randn(1, 24, 3, generator=generator) + 0.02 * torch.randn(frames, 24, 3, generator=generator)
    at = torch.linspace(0, 6, frames)
    return joint_m + torch.stack([at, torch.zeros_like(at), at.sin()], -1)[:, None]


def _moved(point_m: torch.Tensor, seed: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    quaternion = torch.nn.functional.normalize(torch.randn(4, generator=generator), dim=0)
    return scale * point_m @ roma.unitquat_to_rotmat(quaternion).T + torch.randn(3, generator=generator)


@given(SEEDS)
def test_where_the_world_lies_does_not_matter(seed):
    walk_m = _walk(seed)
    assert w_mpjpe_mm(_moved(walk_m, seed, 1.3), walk_m).max() < 0.1
    assert wa_mpjpe_mm(_moved(walk_m, seed, 0.7), walk_m).max() < 0.1
    assert rte_percent(_moved(walk_m[:, 0], seed), walk_m[:, 0]).max() < 0.01


def test_every_hundred_frames_are_aligned_by_themselves():
    """A path that drifts only from frame 100 to 101 has no error but in the step between the chunks."""
    walk_m = _walk(0)
    broken_m = walk_m.clone()
    broken_m[100:] += torch.tensor([5.0, 0.0, 0.0])
    assert w_mpjpe_mm(broken_m, walk_m).max() < 0.1
    assert wa_mpjpe_mm(broken_m, walk_m).max() < 0.1
    assert rte_percent(broken_m[:, 0], walk_m[:, 0]).mean() > 10


def test_drift_counts_from_the_first_two_frames():
    """A root that drifts by 1 mm a frame is k mm off in the k-th frame of a chunk; the best fit halves that at most."""
    walk_m, frame = _walk(1, 100), torch.arange(100.0)
    drifting_m = walk_m + 0.001 * (frame - 0.5)[:, None, None] * torch.tensor([0.0, 1.0, 0.0])
    error_mm = w_mpjpe_mm(drifting_m, walk_m)
    torch.testing.assert_close(error_mm[10:], frame[10:] - 0.5, atol=3.0, rtol=0.05)
    assert wa_mpjpe_mm(drifting_m, walk_m).mean() < 0.6 * error_mm.mean()


def test_rte_is_a_share_of_the_path_and_unknown_for_who_stands():
    at = torch.linspace(0, 4, 50)
    path_m = torch.stack([at, torch.zeros(50), torch.zeros(50)], -1)
    swaying_m = path_m + torch.tensor([0.0, 0.04, 0.0]) * torch.tensor([1.0, -1.0]).repeat(25)[:, None]
    torch.testing.assert_close(rte_percent(swaying_m, path_m), torch.ones(50), atol=0.1, rtol=0)
    assert rte_percent(path_m, 0.01 * path_m).isnan().all()


def test_feet_slide_where_the_true_ones_stand():
    true_m, predicted_m = torch.zeros(3, 2, 3), torch.zeros(3, 2, 3)
    true_m[2, 1, 0] = 0.02  # 0.6 m/s: this foot does not stand
    predicted_m[:, :, 2] = torch.tensor([0.0, 0.01, 0.02])[:, None]
    torch.testing.assert_close(foot_sliding_m_per_s(predicted_m, true_m, 30.0), torch.full((3,), 0.3))


def test_jitter_is_the_third_difference():
    at = torch.arange(8.0) / 30
    cubic_m = (at**3)[:, None, None] * torch.tensor([0.0, 5.0, 0.0])
    torch.testing.assert_close(
        jitter_10_m_per_s3(cubic_m.double(), 30.0), torch.full((5,), 3.0).double(), rtol=1e-3, atol=0
    )


def test_up_error_is_an_angle():
    up = torch.tensor([[0.0, -1, 0], [0, -2, 0], [1, 0, 0], [0, 3, 0]])
    torch.testing.assert_close(
        up_error_deg(up, torch.tensor([0.0, -1, 0]).expand(4, 3)), torch.tensor([0.0, 0, 90, 180])
    )


def test_gaps_to_the_floor():
    gap_m = torch.tensor([[0.02, 0.5], [-0.05, 0.3], [0.2, 0.4]])
    contact = torch.tensor([[True, False], [True, False], [False, False]])
    torch.testing.assert_close(feet_on_floor_percent(gap_m, contact), torch.tensor([100.0, 0.0]))
    torch.testing.assert_close(penetration_mm(gap_m), torch.tensor([0.0, 50.0, 0.0]))
    torch.testing.assert_close(floating_mm(gap_m, contact), torch.tensor([20.0, 0.0]))
