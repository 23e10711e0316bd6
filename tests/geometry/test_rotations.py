import math

import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrep.geometry.rotations import mirror_rotmat, rotmat_from_sixd, sixd_from_rotmat


def random_rotmats(seed: int, *shape: int) -> torch.Tensor:
    vectors = torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return roma.rotvec_to_rotmat(vectors * 2)


def test_the_six_numbers_are_two_columns_one_after_the_other():
    """By hand: (0, 2, 0) normalised is the first column, (3, 1, 0) without its part along y the second."""
    expected = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    torch.testing.assert_close(rotmat_from_sixd(torch.tensor([0.0, 2.0, 0.0, 3.0, 1.0, 0.0])), expected)
    quarter_turn_about_z = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert sixd_from_rotmat(quarter_turn_about_z).tolist() == [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]


@given(st.integers(0, 10_000))
def test_rotation_to_sixd_and_back_is_the_same_rotation(seed):
    rotmat = random_rotmats(seed, 2, 3)
    torch.testing.assert_close(rotmat_from_sixd(sixd_from_rotmat(rotmat)), rotmat)


def test_zero_and_half_turns_survive_the_round_trip():
    vectors = torch.tensor([[0.0, 0, 0], [math.pi, 0, 0], [0, math.pi, 0], [0, 0, math.pi]], dtype=torch.float64)
    rotmat = roma.rotvec_to_rotmat(vectors)
    torch.testing.assert_close(rotmat_from_sixd(sixd_from_rotmat(rotmat)), rotmat)


@given(st.integers(0, 10_000))
def test_any_six_numbers_give_a_rotation_and_a_batch_is_one_by_one(seed):
    sixd = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rotmat = rotmat_from_sixd(sixd)
    identity = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    torch.testing.assert_close(rotmat @ rotmat.mT, identity)
    torch.testing.assert_close(torch.linalg.det(rotmat), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(torch.stack([rotmat_from_sixd(one) for one in sixd]), rotmat)


def test_gradients_of_both_directions():
    sixd = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rotmat_from_sixd, sixd)
    assert torch.autograd.gradcheck(sixd_from_rotmat, random_rotmats(1, 3).requires_grad_())


def test_mirroring_reverses_turns_about_y_and_z_and_keeps_those_about_x():
    vector = torch.tensor([0.3, -0.5, 0.7])
    mirrored = roma.rotmat_to_rotvec(mirror_rotmat(roma.rotvec_to_rotmat(vector)))
    torch.testing.assert_close(mirrored, torch.tensor([0.3, 0.5, -0.7]))


@given(st.integers(0, 10_000))
def test_mirroring_twice_changes_nothing_and_products_mirror_factor_by_factor(seed):
    a, b = random_rotmats(seed, 2)
    torch.testing.assert_close(mirror_rotmat(mirror_rotmat(a)), a)
    torch.testing.assert_close(mirror_rotmat(a @ b), mirror_rotmat(a) @ mirror_rotmat(b))
