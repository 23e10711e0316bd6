"""What the solvers of body motion share: an optimiser, a robust distance, and roughness over time."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def minimise(cost: Callable[[], Tensor], free: Sequence[Tensor], iterations: int) -> None:
    """Moves the free tensors, in place, to where the cost is least, by L-BFGS with a line search."""
    optimizer = torch.optim.LBFGS(list(free), max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = cost()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)


def geman_mcclure(squared_m: Float[Tensor, "*batch"], outlier_m: float) -> Float[Tensor, "*batch"]:
    """Geman and McClure's function of a squared distance: itself where small, never above `outlier_m` squared."""
    return squared_m / (1 + squared_m / outlier_m**2)


def second_difference(frames: int) -> Float[Tensor, "inner frames"]:
    """The matrix that takes each second difference of a column of frames."""
    eye = torch.eye(frames)
    return eye[2:] - 2 * eye[1:-1] + eye[:-2]
