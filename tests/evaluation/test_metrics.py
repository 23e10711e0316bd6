import numpy as np
import pytest
import roma
import scipy.spatial
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from motionrep.evaluation.metrics import (
    accel_error_m_per_s2,
    auc,
    inner_frames,
    joint_error_mm,
    macro_accuracy,
    mpjpe_mm,
    mpjve_mm_per_frame,
    n_mpjpe_mm,
    pa_mpjpe_mm,
    pck,
    pve_mm,
    top1,
    topk,
)
from motionrep.layouts import H36M_17

SEEDS = st.integers(0, 1000)


def _poses(seed: int, *shape: int) -> torch.Tensor:
    return 0.4 * torch.randn(*shape, 17, 3, generator=torch.Generator().manual_seed(seed))


def _turn(seed: int) -> torch.Tensor:
    return roma.unitquat_to_rotmat(
        torch.nn.functional.normalize(torch.randn(4, generator=torch.Generator().manual_seed(seed)), dim=0)
    )


def _procrustes_error_mm(predicted_m: np.ndarray, target_m: np.ndarray) -> float:
    """Best proper similarity by SVD (Umeyama 1991), one pose, float64."""
    predicted_m, target_m = predicted_m.astype(np.float64), target_m.astype(np.float64)
    a, b = predicted_m - predicted_m.mean(0), target_m - target_m.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation, scale = u @ np.diag(sign) @ vt, (s * sign).sum() / (a**2).sum()
    return float(1000 * np.linalg.norm(scale * a @ rotation.T - b, axis=-1).mean())


def test_mpjpe_by_hand():
    target = torch.zeros(2, 17, 3)
    predicted = target.clone()
    predicted[0, 5, 1] = 0.17  # one of 17 joints off by 17 cm
    predicted[1, 0] = torch.tensor([0.03, 0.0, 0.04])  # the root off by 5 cm moves 16 joints the other way
    torch.testing.assert_close(mpjpe_mm(predicted, target), torch.tensor([10.0, 50.0 * 16 / 17]))


def test_pve_by_hand_is_relative_to_the_roots():
    target = torch.zeros(1, 4, 3)
    predicted = target + torch.tensor([1.0, 0.0, 0.0])
    predicted[0, 2, 2] = 0.04
    error = pve_mm(predicted, target, torch.tensor([[1.0, 0.0, 0.0]]), torch.zeros(1, 3))
    torch.testing.assert_close(error, torch.tensor([10.0]))


@given(SEEDS)
def test_mpjpe_ignores_the_place_and_sees_rotation(seed):
    predicted, target = _poses(seed, 3), _poses(seed + 1, 3)
    moved = predicted + torch.tensor([1.0, -2.0, 5.0])
    torch.testing.assert_close(mpjpe_mm(moved, target), mpjpe_mm(predicted, target), rtol=1e-4, atol=1e-2)
    half_turn = torch.tensor([-1.0, -1.0, 1.0])
    assert bool((mpjpe_mm(target * half_turn, target) > 100).all())


@given(SEEDS, st.floats(0.2, 5.0))
def test_pa_mpjpe_does_not_see_rotation_scale_and_place(seed, scale):
    predicted, target = _poses(seed, 2), _poses(seed + 1, 2)
    changed = scale * predicted @ _turn(seed).T + torch.tensor([0.3, -1.0, 4.0])
    torch.testing.assert_close(pa_mpjpe_mm(changed, target), pa_mpjpe_mm(predicted, target), rtol=1e-3, atol=0.1)
    assert bool((pa_mpjpe_mm(scale * target @ _turn(seed).T + 1, target) < 0.1).all())


@given(SEEDS)
def test_pa_mpjpe_agrees_with_procrustes_by_svd(seed):
    predicted, target = _poses(seed, 4), _poses(seed + 1, 4)
    predicted[0] = target[0] + 0.05 * predicted[0]  # near the truth as well as far from it
    expected = [_procrustes_error_mm(p.numpy(), t.numpy()) for p, t in zip(predicted, target, strict=True)]
    torch.testing.assert_close(pa_mpjpe_mm(predicted, target), torch.tensor(expected), rtol=1e-4, atol=0.02)


@given(SEEDS)
def test_a_mirrored_pose_does_not_become_right(seed):
    target = _poses(seed, 1)
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    assert float(pa_mpjpe_mm(mirrored, target)) > 20
    expected = _procrustes_error_mm(mirrored[0].numpy(), target[0].numpy())
    assert float(pa_mpjpe_mm(mirrored, target)) == pytest.approx(expected, rel=1e-3)


def test_a_pose_without_extent_is_scored_like_its_best_fit():
    """All joints in one point: the best fit is the middle of the target, and no scale can change that."""
    target = _poses(0, 1)
    expected = 1000 * (target - target.mean(-2, keepdim=True)).norm(dim=-1).mean(-1)
    torch.testing.assert_close(pa_mpjpe_mm(torch.zeros_like(target), target), expected, rtol=1e-4, atol=0.01)


@given(SEEDS)
def test_pa_mpjpe_is_never_worse_than_what_scipy_finds(seed):
    """scipy.spatial.procrustes may mirror, and weighs squares: of unit size, its disparity bounds ours from below."""
    predicted, target = _poses(seed, 1), _poses(seed + 1, 1)
    centred = (target[0] - target[0].mean(0)).double()
    _, _, disparity = scipy.spatial.procrustes(target[0].numpy(), predicted[0].numpy())
    squares = disparity * float(centred.square().sum())  # sum of squared distances, metres squared
    rotation, _, scale = roma.rigid_points_registration(predicted, target, compute_scaling=True)
    aligned = scale[..., None, None] * (predicted - predicted.mean(-2, keepdim=True)) @ rotation.mT
    ours = float((aligned - (target - target.mean(-2, keepdim=True))).square().sum())
    assert squares <= ours * (1 + 1e-4)
    # A mean of distances is at most the root of the mean of their squares.
    assert float(pa_mpjpe_mm(predicted, target)) <= 1000 * (ours / 17) ** 0.5 * (1 + 1e-4)


@given(SEEDS)
def test_the_pose_errors_agree_with_loops(seed):
    predicted, target = _poses(seed, 3).double().numpy(), _poses(seed + 1, 3).double().numpy()
    mpjpe, n_mpjpe, mpjve = [], [], []
    for p, t in zip(predicted, target, strict=True):
        p, t = p - p[0], t - t[0]
        scale = sum(float(a @ b) for a, b in zip(p, t, strict=True)) / sum(float(a @ a) for a in p)
        mpjpe.append(sum(1000 * np.linalg.norm(a - b) for a, b in zip(p, t, strict=True)) / 17)
        n_mpjpe.append(sum(1000 * np.linalg.norm(scale * a - b) for a, b in zip(p, t, strict=True)) / 17)
    for i in range(2):
        steps = [(x[i + 1] - x[i + 1][0]) - (x[i] - x[i][0]) for x in (predicted, target)]
        mpjve.append(sum(1000 * np.linalg.norm(a - b) for a, b in zip(*steps, strict=True)) / 17)
    p, t = torch.from_numpy(predicted), torch.from_numpy(target)
    np.testing.assert_allclose(mpjpe_mm(p, t), mpjpe, rtol=1e-9)
    np.testing.assert_allclose(n_mpjpe_mm(p, t), n_mpjpe, rtol=1e-9)
    np.testing.assert_allclose(mpjve_mm_per_frame(p, t), mpjve, rtol=1e-9)


@given(SEEDS, st.floats(0.2, 5.0))
def test_n_mpjpe_does_not_see_scale_and_place_but_rotation(seed, scale):
    predicted, target = _poses(seed, 2), _poses(seed + 1, 2)
    changed = scale * predicted + torch.tensor([0.3, -1.0, 4.0])
    torch.testing.assert_close(n_mpjpe_mm(changed, target), n_mpjpe_mm(predicted, target), rtol=1e-3, atol=0.1)
    assert bool((n_mpjpe_mm(scale * target, target) < 0.1).all())
    assert bool((n_mpjpe_mm(target * torch.tensor([-1.0, -1.0, 1.0]), target) > 50).all())
    # No scale at all does worse than the best one, in squares; a prediction in one point stays what it is.
    still = torch.zeros_like(target)
    torch.testing.assert_close(n_mpjpe_mm(still, target), mpjpe_mm(still, target))


def test_velocity_by_hand():
    """One joint of 17 moves 34 mm per frame more than it should; the whole body drifts, which does not count."""
    target = _poses(0, 1).expand(4, 17, 3)
    predicted = target + torch.arange(4)[:, None, None] * torch.tensor([0.5, 0.0, 0.0])
    torch.testing.assert_close(mpjve_mm_per_frame(predicted, target), torch.zeros(3), atol=1e-3, rtol=0)
    predicted = target.clone()
    predicted[:, 4, 1] += 0.034 * torch.arange(4)
    torch.testing.assert_close(mpjve_mm_per_frame(predicted, target), torch.full((3,), 2.0), rtol=1e-3, atol=0)
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        mpjve_mm_per_frame(target[:1], target[:1])


def test_pck_and_auc_by_hand():
    """Exactly the threshold is too far, as in the strict comparison of the published test code."""
    error_mm = torch.tensor([[0.0, 149.9], [150.0, 400.0]])
    assert pck(error_mm) == 0.5
    assert pck(error_mm, 5.0) == 0.25
    # The first counts from 5 mm on: 30 of 31 thresholds; 149.9 mm from 150 mm on: 1; the others never.
    assert auc(error_mm) == pytest.approx((30 + 1) / 31 / 4)
    assert auc(torch.zeros(3)) == pytest.approx(30 / 31)


@given(SEEDS)
def test_pck_and_auc_agree_with_loops(seed):
    error_mm = np.random.default_rng(seed).gamma(2, 60, (5, 14))
    shares = []
    for threshold in np.arange(0, 151, 5):
        shares.append(sum(1 for value in error_mm.flat if value < threshold) / error_mm.size)
    assert len(shares) == 31
    assert auc(torch.from_numpy(error_mm)) == pytest.approx(sum(shares) / 31)
    assert pck(torch.from_numpy(error_mm)) == pytest.approx(shares[-1])


def test_joint_error_aligns_nothing():
    target = _poses(0, 2)
    moved = target + torch.tensor([0.0, 0.003, 0.004])
    torch.testing.assert_close(joint_error_mm(moved, target), torch.full((2, 17), 5.0), rtol=1e-3, atol=0)


@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
def test_acceleration_is_in_physical_units(fps):
    """Free fall against standing still differs by g, at any frame rate."""
    time_s = torch.arange(20) / fps
    falling = torch.zeros(20, 17, 3)
    falling[..., 1] = (9.81 / 2 * time_s**2)[:, None]
    error = accel_error_m_per_s2(falling, torch.zeros(20, 17, 3), fps)
    assert error.shape == (18,)
    torch.testing.assert_close(error, torch.full((18,), 9.81), rtol=0.01, atol=0)


def test_acceleration_of_a_steady_drift_is_nothing_and_batches_agree():
    drift = _poses(0, 1).expand(6, 17, 3) + torch.arange(6)[:, None, None] * 0.1
    assert float(accel_error_m_per_s2(drift, torch.zeros(6, 17, 3), 30.0).max()) < 1e-3
    a, b = _poses(1, 2, 6), _poses(2, 2, 6)
    singly = torch.stack([accel_error_m_per_s2(x, y, 30.0) for x, y in zip(a, b, strict=True)])
    torch.testing.assert_close(accel_error_m_per_s2(a, b, 30.0), singly)


def test_acceleration_of_two_frames_is_refused():
    with pytest.raises(ValueError, match="at least 3 frames, got 2"):
        accel_error_m_per_s2(_poses(0, 2), _poses(1, 2), 30.0)


def test_inner_frames_have_both_neighbours():
    valid = torch.tensor([[True, True, True, True, False], [True, True, False, False, False]])
    assert inner_frames(valid).tolist() == [[True, True, False], [False, False, False]]


@pytest.mark.parametrize("accuracy", [top1, macro_accuracy])
def test_accuracy_of_no_clip_is_refused(accuracy):
    with pytest.raises(ValueError, match="at least one clip with a label"):
        accuracy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))


def test_top1_by_hand():
    logit = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [5.0, 4.0]])
    assert top1(logit, torch.tensor([0, 1, 1, 0])) == 0.75


@given(SEEDS, st.integers(1, 6))
def test_topk_is_that_of_scikit_learn(seed, k):
    rng = np.random.default_rng(seed)
    label, logit = rng.integers(0, 6, 30), rng.normal(size=(30, 6))
    expected = top_k_accuracy_score(label, logit, k=k, labels=range(6)) if k < 6 else 1.0
    assert topk(torch.from_numpy(logit), torch.from_numpy(label), k) == pytest.approx(expected)
    with pytest.raises(ValueError, match="between 1 and the number of classes, 6, got 7"):
        topk(torch.from_numpy(logit), torch.from_numpy(label), 7)


@given(SEEDS)
def test_macro_accuracy_is_balanced_accuracy(seed):
    rng = np.random.default_rng(seed)
    label = rng.choice(5, 40, p=[0.6, 0.3, 0.05, 0.05, 0.0])  # one class never occurs
    logit = rng.normal(size=(40, 5)) + 2 * np.eye(5)[label]
    ours = macro_accuracy(torch.from_numpy(logit), torch.from_numpy(label))
    predicted = logit.argmax(1)
    known = np.isin(predicted, label)  # sklearn warns of predicted classes that never occur
    assert ours == pytest.approx(balanced_accuracy_score(label, np.where(known, predicted, (label + 1) % 2)), abs=1e-6)


def test_left_and_right_matter():
    target = _poses(3, 2)
    assert float(mpjpe_mm(target[:, list(H36M_17.flip_indices)], target).min()) > 100
