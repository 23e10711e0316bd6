"""Builds networks of sizes that a file says, and stops where the file has not the weights for them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# A network may make its tensors several times while it is built, and keep some that are in no file, such as a body's.
_TIMES, _MORE_NUMBERS = 4, 50_000_000
_STEPS_FOR_A_TENSOR, _MORE_STEPS = 50, 10_000
_LARGEST_OPTION = 10_000
_MAKERS = {
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye, torch.arange, torch.linspace,
}  # fmt: skip


class _Budget(TorchFunctionMode):
    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.numbers = _MORE_NUMBERS + _TIMES * sum(tensor.numel() for tensor in weights.values())
        self.steps = _MORE_STEPS + _STEPS_FOR_A_TENSOR * len(weights)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.steps -= 1
        if func in _MAKERS:
            self.numbers -= _size(args) if args else _size([(kwargs or {}).get("size", 0)])
        if self.steps < 0 or self.numbers < 0:
            raise ValueError("its sizes make a network larger than the weights beside it; one of them was altered")
        return func(*args, **(kwargs or {}))


def _size(args: Any) -> int:
    """How many numbers a function that makes a tensor is asked for, by the sizes that come first."""
    lengths = args[0] if isinstance(args[0], list | tuple) else args
    count = 1
    for length in lengths:
        count *= max(length, 1) if isinstance(length, int) else 1
    return count


@contextmanager
def within(weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> Iterator[None]:
    """Lets a network be built that is hardly larger than the weights for it.

    Args:
        options: What it is built with.

    Raises:
        ValueError: It would be larger, or one of its options is a larger number than any size of the weights.
    """
    largest = max(_LARGEST_OPTION, len(weights), *(length for it in weights.values() for length in it.shape), 0)
    for name, value in options.items():
        if isinstance(value, int) and abs(value) > largest:
            raise ValueError(f"{name!r} is {value:.3g}, and no size of the weights beside it is above {largest}")
    with _Budget(weights):
        yield
