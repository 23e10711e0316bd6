"""Weights in float16 as files that compress well, without loss.

Compression finds nothing in the last bits of trained weights, and little in their exponents while these stand between
them. So the low bytes are stored apart from the high ones. What all weights of an output or of an input have in common
is taken from the exponents, and of sparse weights only those that are not 0 are stored. A wheel is a compressed
archive, so nothing is compressed here.
"""

import math

import numpy as np
from jaxtyping import Float16, Int, Int8

_SPARSE = 0.25  # share of zeros from which a weight is stored as sparse
_EXPONENTS = 32


def packed(weights: dict[str, Float16[np.ndarray, "..."]]) -> dict[str, np.ndarray]:
    """The arrays that stand for weights; each is named after its part and its weight, such as "low.t12"."""
    arrays: dict[str, np.ndarray] = {}
    for name, weight in weights.items():
        bits = np.ascontiguousarray(weight).view(np.uint16)
        exponent, rest = (bits >> 10 & 31).astype(np.int64), (bits >> 15 << 2 | bits >> 8 & 3).astype(np.int64)
        row, column = _in_common(exponent)
        high = ((exponent - _spread(row, column, weight.shape)) % _EXPONENTS << 3 | rest).astype(np.uint8)
        low = (bits & 255).astype(np.uint8)
        stored = bits != 0
        if stored.mean() < 1 - _SPARSE:
            arrays[f"stored.{name}"] = np.packbits(stored)
            high, low = high[stored], low[stored]
        arrays |= {f"high.{name}": high, f"low.{name}": low, f"row.{name}": row, f"column.{name}": column}
        arrays[f"shape.{name}"] = np.array(weight.shape, np.int32)
    return arrays


def unpacked(arrays: dict[str, np.ndarray]) -> dict[str, Float16[np.ndarray, "..."]]:
    """The weights that were packed, each bit of them. Raises KeyError if a part is missing."""
    weights = {}
    for name in (key.removeprefix("shape.") for key in arrays if key.startswith("shape.")):
        shape = tuple(arrays[f"shape.{name}"].tolist())
        high, low = arrays[f"high.{name}"], arrays[f"low.{name}"]
        common = _spread(arrays[f"row.{name}"], arrays[f"column.{name}"], shape)
        stored = arrays.get(f"stored.{name}")
        places = np.ones(shape, bool) if stored is None else np.unpackbits(stored, count=math.prod(shape)) > 0
        places = places.reshape(shape)
        exponent = ((high.ravel() >> 3) + common[places]).astype(np.uint16) % _EXPONENTS
        rest = high.ravel().astype(np.uint16)
        bits = np.zeros(shape, np.uint16)
        bits[places] = (rest & 4) << 13 | exponent << 10 | (rest & 3) << 8 | low.ravel()
        weights[name] = bits.view(np.float16)
    return weights


def _in_common(exponent: Int[np.ndarray, "..."]) -> tuple[Int8[np.ndarray, " rows"], Int8[np.ndarray, " columns"]]:
    """For each output (first axis) and each input (second axis), the exponent that its weights have in common."""
    if exponent.ndim < 2:
        return np.zeros(exponent.shape[:1], np.int8), np.zeros(1, np.int8)
    flat = exponent.reshape(*exponent.shape[:2], -1)
    column = np.rint((flat - flat.mean((1, 2), keepdims=True)).mean((0, 2)))
    row = np.rint((flat - column[:, None]).mean((1, 2)))
    return row.astype(np.int8), column.astype(np.int8)


def _spread(row: np.ndarray, column: np.ndarray, shape: tuple[int, ...]) -> Int[np.ndarray, "..."]:
    """What is in common, for each weight."""
    common = row.astype(np.int64)[:, None] + column
    common = common[:, 0] if len(shape) == 1 else common.reshape(*common.shape, *[1] * (len(shape) - 2))
    return np.broadcast_to(common, shape)
