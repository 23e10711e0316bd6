"""What is told while one waits: a progress bar, and durations in words."""

import weakref
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
_bars: "weakref.WeakSet[tqdm]" = weakref.WeakSet()


def progress_bar(
    items: Iterable[T] | None, what: str, unit: str, shown: bool = True, total: int | None = None
) -> "tqdm[T]":
    """A bar on the standard error that tells the time left and disappears in the end; nothing unless on a terminal.

    Args:
        items: What to go through; None where the caller says how far it is, by `update`.
        shown: False for no bar at all.
        total: How many items, if they do not tell.
    """
    counted: Any = items  # tqdm's types know no bar without items
    bar = tqdm(counted, desc=what, unit=unit, total=total, leave=False, disable=None if shown else True)
    _bars.add(bar)
    return bar


def close_bars() -> None:
    """Takes bars off the terminal that an error or Ctrl-C left there."""
    for bar in list(_bars):
        bar.close()


def duration(seconds: float) -> str:
    """As "40 s", "12 min" or "3 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
