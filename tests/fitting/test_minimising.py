"""The optimiser that the solvers share."""

import pytest
import torch

from motionrep.fitting.minimising import minimise


def _curved(place: torch.Tensor) -> torch.Tensor:
    """Unequally curved, coupled and robust; of each row."""
    squared = (place - torch.linspace(-2, 2, place.shape[1])).square() * torch.logspace(-1, 1, place.shape[1])
    return (squared / (1 + squared / 9)).sum(1) + place.diff(dim=1).square().sum(1)


def test_it_comes_as_near_as_a_line_search():
    start = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    place, searched = start.clone().requires_grad_(), start.clone().requires_grad_()
    minimise(lambda: _curved(place), [place], 60)
    search = torch.optim.LBFGS([searched], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        search.zero_grad()
        value = _curved(searched).sum()
        value.backward()
        return value

    search.step(closure)
    reached, searched_to = (float(_curved(it.detach()).sum()) for it in (place, searched))
    assert reached < 1.02 * searched_to


def test_problems_side_by_side_are_solved_as_alone():
    start = torch.randn(4, 12, generator=torch.Generator().manual_seed(1))
    together = start.clone().requires_grad_()
    minimise(lambda: _curved(together), [together], 12)
    for row in range(4):
        alone = start[row : row + 1].clone().requires_grad_()
        minimise(lambda alone=alone: _curved(alone), [alone], 12)
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_step_never_makes_it_worse(scale):
    """Neither where the cost is much more curved than expected, nor where it is undefined beyond a wall."""
    place = torch.full((1, 3), 0.9).requires_grad_()

    def cost() -> torch.Tensor:
        return (scale * (place - 2).square() - (1 - place).log()).sum()[None]

    before = float(cost().detach())
    minimise(cost, [place], 15)
    assert float(cost().detach()) <= before
    assert place.isfinite().all()


def test_it_may_change_several_tensors_of_any_shape():
    one, other = torch.zeros(2, 3, 4, requires_grad=True), torch.zeros(2, 5, requires_grad=True)
    minimise(lambda: (one - 1).square().sum((1, 2)) + (other + 2).square().sum(1), [one, other], 4)
    torch.testing.assert_close(one.detach(), torch.ones(2, 3, 4))
    torch.testing.assert_close(other.detach(), torch.full((2, 5), -2.0))


def test_no_number_is_read_back(monkeypatch):
    """Reading one makes a GPU wait in every step."""
    place = torch.ones(2, 6, requires_grad=True)
    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "numpy", "cpu", "nonzero"):
        monkeypatch.setattr(torch.Tensor, name, lambda *_, name=name: pytest.fail(f"read back by {name}"))
    minimise(lambda: _curved(place), [place], 6)
