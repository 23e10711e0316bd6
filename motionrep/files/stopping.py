"""Ends a program that it is asked to end as Ctrl-C does: what was begun is cleaned up first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What shells, job queues and containers send, and terminals that are closed. Windows has no SIGHUP.
ASKED = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(SystemExit):
    """A signal asked the program to end. Its `code` is the status that shells expect: 143 of SIGTERM."""

    def __init__(self, number: int, why: str = "") -> None:
        super().__init__(128 + number)
        self.number = number
        self.why = why or f"stopped by {signal.Signals(number).name}"

    def __str__(self) -> str:
        return self.why


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises `Stopped` in the block where a signal asks the program to end.

    A signal that is ignored stays ignored, as after `nohup`. Outside the main thread of Python this does nothing.
    """
    earlier = {}
    if threading.current_thread() is threading.main_thread():
        for number in ASKED:
            if signal.getsignal(number) == signal.SIG_DFL:
                earlier[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
