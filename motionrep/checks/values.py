"""Checks of the values of a dataclass; `name` and `owner` are what the error calls the field and its class.

The bounds are far outside of what people and cameras do. Inside of them, float32 arithmetic gives finite results.
"""

import math
from typing import Any

import torch
from torch import Tensor

LARGEST_PX = 1e9  # of a coordinate
LARGEST_M = 1e6
LARGEST_SHAPE = 1e4  # coefficient of shape or expression
LARGEST_CONFIDENCE = 1e4
_FPS = (0.1, 100_000.0)
_LARGEST_PICTURE_PX = 65_536
_LAST_FRAME = 2**31
_RIGID_WITHIN = 0.02


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


def require_within(name: str, tensor: Tensor, largest: float) -> None:
    """Raises ValueError unless all values are finite and none is larger than `largest`, or smaller than -`largest`."""
    require_finite(name, tensor)
    if tensor.numel() and float(tensor.abs().max()) > largest:
        first = tuple(int(i) for i in (tensor.abs() > largest).nonzero()[0])
        raise ValueError(f"{name}: expected numbers up to {largest:g}, got {float(tensor[first]):g} at index {first}")


def require_clip(name: str, tensor: Tensor | None, shape: tuple[int | None, ...], largest: float) -> None:
    """Checks the values of a clip, whose first axis is its frames, as `require_shape` and `require_within` do.

    Raises:
        ValueError: There is no frame, another shape, or a value that cannot be.
    """
    require_shape(name, tensor, shape)
    assert tensor is not None, "it has a shape"
    if tensor.shape[0] == 0:
        raise ValueError(f"{name} has no frames; a clip needs at least one")
    require_within(name, tensor, largest)


def require_rotations(name: str, rotmat: Tensor) -> None:
    """Raises ValueError unless all are rotation matrices (..., 3, 3): they neither stretch nor mirror."""
    with torch.no_grad():
        rotmat = rotmat.detach().float()
        stretch = (rotmat.mT @ rotmat - torch.eye(3, device=rotmat.device)).abs().amax((-2, -1))
        x, y, z = rotmat.unbind(-1)
        determinant = (torch.linalg.cross(x, y) * z).sum(-1)  # torch.linalg.det takes three times as long
        wrong = (stretch > _RIGID_WITHIN) | (determinant < 0)
    if bool(wrong.any()):
        first = tuple(int(i) for i in wrong.nonzero()[0]) if wrong.ndim else ()
        raise ValueError(
            f"{name}: expected rotation matrices, that at index {first} stretches or mirrors; a joint without motion "
            "has the identity"
        )


def whole(name: str, value: Any, largest: int = _LAST_FRAME) -> int:
    """The value as an int. Raises ValueError unless it is a whole number from 0 to `largest`."""
    if isinstance(value, bool) or not (0 <= number(value) <= largest and number(value).is_integer()):
        raise ValueError(f"{name} must be a whole number from 0 to {largest}, got {value!r}")
    return int(value)


def picture_size(owner: str, width_px: Any, height_px: Any) -> tuple[int, int]:
    """The size of a picture as ints. Raises ValueError unless both are whole numbers of pixels."""
    for name, size in (("width_px", width_px), ("height_px", height_px)):
        if isinstance(size, bool) or not (1 <= number(size) <= _LARGEST_PICTURE_PX and number(size).is_integer()):
            raise ValueError(
                f"{owner}.{name} must be the image's size, a whole number of pixels, got {size!r}; it is 1 to "
                f"{_LARGEST_PICTURE_PX}"
            )
    return int(width_px), int(height_px)


def require_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {value!r}")


def labels(name: str, value: Any) -> tuple[str, ...]:
    """The names of classes as a tuple. Raises ValueError unless all are texts."""
    if not isinstance(value, list | tuple) or not all(isinstance(label, str) for label in value):
        raise ValueError(f"{name} must be texts, one for each class, got {value!r}")
    return tuple(value)


def number(value: Any) -> float:
    """The value as a float; NaN for what is no number."""
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def require_fps(owner: str, fps: Any) -> None:
    if isinstance(fps, bool) or not _FPS[0] <= number(fps) <= _FPS[1]:
        raise ValueError(
            f"{owner}.fps must be a positive number of frames per second, {_FPS[0]:g} to {_FPS[1]:g}, got {fps!r}"
        )


def require_frame(owner: str, frame: str, known: tuple[str, ...]) -> None:
    if frame not in known:
        raise ValueError(f"{owner}.frame must be one of {', '.join(map(repr, known))}, got {frame!r}")
