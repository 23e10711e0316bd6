"""Weights: which ship with motionrep, how their folders are read, and whether they fit a model."""

from motionrep.weights.versions import (
    DEFAULT_ACTION_HEAD,
    DEFAULT_ENCODER,
    DEFAULT_GROUND_HEAD,
    DEFAULT_HEAD,
    find_shipped,
    shipped,
    shipped_versions,
)

__all__ = [
    "DEFAULT_ACTION_HEAD",
    "DEFAULT_ENCODER",
    "DEFAULT_GROUND_HEAD",
    "DEFAULT_HEAD",
    "find_shipped",
    "shipped",
    "shipped_versions",
]
