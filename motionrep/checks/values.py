"""Checks of the values of a dataclass; `name` and `owner` are what the error calls the field and its class."""

import math
from typing import Any

import torch
from torch import Tensor


def require_shape(name: str, tensor: Tensor | None, shape: tuple[int | None, ...]) -> None:
    if tensor is None:
        raise ValueError(f"{name}: expected an array, got None")
    if tensor.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, tensor.shape, strict=True)):
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected shape {wanted}, got {' x '.join(map(str, tensor.shape))}")


def require_finite(name: str, tensor: Tensor) -> None:
    bad = ~torch.isfinite(tensor)
    if bool(bad.any()):
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(
            f"{name}: {int(bad.sum())} values are NaN or infinite, the first at index {first}; drop or repair them "
            "(a joint that was not seen has 0, and confidence 0)"
        )


def number(value: Any) -> float:
    """The value as a float; NaN for what is no number."""
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return math.nan


def require_fps(owner: str, fps: float) -> None:
    if not 0 < number(fps) < math.inf:
        raise ValueError(f"{owner}.fps must be a positive number of frames per second, got {fps!r}")


def require_frame(owner: str, frame: str, known: tuple[str, ...]) -> None:
    if frame not in known:
        raise ValueError(f"{owner}.frame must be one of {', '.join(map(repr, known))}, got {frame!r}")
