"""What the solvers of body motion share: windows, an optimiser, a robust distance, and second differences."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.progress import progress_bar

_WINDOW_FRAMES, _OVERLAP_FRAMES = 512, 48


def solve_in_windows(
    start: Sequence[Tensor], solve: Callable[[slice], Sequence[Tensor]], progress: bool = False
) -> list[Tensor]:
    """Solves a clip of any length in windows of 512 frames, so that memory is bounded.

    Windows overlap by 48 frames, in which their solutions are blended. These differ little there, so rotation vectors
    can be blended too.

    Args:
        start: Values of all frames, frames first.
        solve: Solution of the frames of a window, in the order of `start`.
        progress: Whether to show a progress bar on a terminal.
    """
    frames, whole = len(start[0]), [values.clone() for values in start]
    firsts = range(0, max(1, frames - _OVERLAP_FRAMES), _WINDOW_FRAMES - _OVERLAP_FRAMES)
    for first in progress_bar(firsts, "fit", "window", progress):
        window = slice(first, min(frames, first + _WINDOW_FRAMES))
        for values, solved in zip(whole, solve(window), strict=True):
            share = torch.ones(len(solved), *(1 for _ in solved.shape[1:])).to(solved)
            if first:
                share[:_OVERLAP_FRAMES] = _ramp(_OVERLAP_FRAMES).to(solved).view(-1, *share.shape[1:])
            values[window] = torch.lerp(values[window], solved, share)
    return whole


def minimise(cost: Callable[[], Tensor], free: Sequence[Tensor], iterations: int) -> None:
    """Changes the free tensors, in place, so that the cost is least, by L-BFGS with a line search."""
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
    """The matrix that takes the second differences of a column of frames."""
    eye = torch.eye(frames)
    return eye[2:] - 2 * eye[1:-1] + eye[:-2]


def _ramp(frames: int) -> Float[Tensor, " frames"]:
    """From above 0 to below 1 in equal steps."""
    return torch.linspace(0, 1, frames + 2)[1:-1]
