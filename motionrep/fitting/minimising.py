"""What the solvers of body motion share: windows, an optimiser, a robust distance, and second differences."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.progress import progress_bar

_WINDOW_FRAMES, _OVERLAP_FRAMES = 512, 48
_PAIRS = 10  # of a step and the turn of the gradient, which L-BFGS remembers


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
    whole = [values.clone() for values in start]
    for window in progress_bar(windows_of(len(start[0])), "fit", "window", progress):
        blend_into(whole, window, solve(window))
    return whole


def windows_of(frames: int) -> list[slice]:
    """Windows of 512 frames that overlap by 48."""
    firsts = range(0, max(1, frames - _OVERLAP_FRAMES), _WINDOW_FRAMES - _OVERLAP_FRAMES)
    return [slice(first, min(frames, first + _WINDOW_FRAMES)) for first in firsts]


def blend_into(whole: Sequence[Tensor], window: slice, solved: Sequence[Tensor]) -> None:
    """Puts the solution of a window, which comes after those before it, into the values of all frames."""
    for values, some in zip(whole, solved, strict=True):
        share = torch.ones(len(some), *(1 for _ in some.shape[1:])).to(some)
        if window.start:
            share[:_OVERLAP_FRAMES] = _ramp(_OVERLAP_FRAMES).to(some).view(-1, *share.shape[1:])
        values[window] = torch.lerp(values[window], some, share)


@torch.enable_grad()
def minimise(cost: Callable[[], Tensor], free: Sequence[Tensor], evaluations: int) -> None:
    """Changes the free tensors, in place, so that the cost is least, by L-BFGS.

    Several problems are solved side by side, each as if it were alone. The cost is computed a fixed number of times and
    no number is read back, so that a GPU never waits. A step that raises a problem's cost is taken back and
    shortened.

    Args:
        cost: Of each problem, or one number. It should be about as curved as x^2 in every free number.
        free: Problems first where there are several.
        evaluations: Of the cost and its gradient.
    """
    place, value, slope = _evaluated(cost, free)
    step, pairs, curvature = -0.5 * slope, [], torch.full_like(value, 2.0)
    for _ in range(evaluations - 1):
        _put(free, place + step)
        tried, tried_value, tried_slope = _evaluated(cost, free)
        better = tried_slope.isfinite().all(-1) & (tried_value < value)
        turn = torch.where(better[:, None], tried_slope - slope, 0)
        along, squared = (step * turn).sum(-1), turn.square().sum(-1)
        curved = better & (along > 1e-9 * squared)
        inverse = torch.where(curved, along, 1).reciprocal() * curved
        pairs = [*pairs[1 - _PAIRS :], (step, turn, inverse)]
        curvature = torch.where(curved, squared * inverse, curvature)
        shorter = _share_of_step(value, tried_value, (slope * step).sum(-1))[:, None] * step
        place, slope = (torch.where(better[:, None], *both) for both in ((tried, place), (tried_slope, slope)))
        value = torch.where(better, tried_value, value)
        step = torch.where(better[:, None], -_times_inverse_curvature(slope, pairs, curvature), shorter)
    _put(free, place)


def _share_of_step(value: Tensor, tried_value: Tensor, along: Tensor) -> Tensor:
    """Where the parabola through a step that raised the cost is lowest, between a tenth and a half of the step."""
    share = -along / (2 * (tried_value - value - along)).clamp(min=1e-20)
    return share.nan_to_num(0.1, 0.1, 0.1).clamp(0.1, 0.5)


def _times_inverse_curvature(slope: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]], curvature: Tensor) -> Tensor:
    """The two loops of L-BFGS (Nocedal 1980), for each problem; pairs with an inverse of 0 have no influence."""
    shares = []
    for step, turn, inverse in reversed(pairs):
        share = inverse * (step * slope).sum(-1)
        slope = slope - share[:, None] * turn
        shares.append(share)
    slope = slope / curvature[:, None]
    for (step, turn, inverse), share in zip(pairs, reversed(shares), strict=True):
        slope = slope + (share - inverse * (turn * slope).sum(-1))[:, None] * step
    return slope


def _evaluated(cost: Callable[[], Tensor], free: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The free numbers of each problem, its cost and its gradient."""
    value = cost()
    slopes = torch.autograd.grad(value.sum(), list(free))
    problems = value.numel()
    place, slope = (torch.cat([it.detach().reshape(problems, -1) for it in some], 1) for some in (free, slopes))
    return place, value.detach().reshape(problems), slope


@torch.no_grad()
def _put(free: Sequence[Tensor], place: Tensor) -> None:
    parts = place.split([tensor.numel() // len(place) for tensor in free], 1)
    for tensor, part in zip(free, parts, strict=True):
        tensor.copy_(part.reshape(tensor.shape))


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
