"""Uses the cores of a CPU: one thread for each, and one that reads pictures ahead."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """Shares work out to threads. Each runs torch on one core.

    Torch's own threads wait for each other at every operation. That is slow for small networks, and many times slower
    where other programs use the cores.
    """

    def __init__(self, pool: ThreadPoolExecutor | None = None, count: int = 1) -> None:
        self.pool, self.count = pool, count

    def parts(self, function: Callable[[list[T]], R], items: list[T], most: int) -> list[R]:
        """What the function makes of parts of a list, in its order; at most so many items are in a part."""
        count = max(min(self.count, len(items)), -(-len(items) // most))
        bounds = [round(i * len(items) / count) for i in range(count + 1)] if count else []
        parts = [items[start:stop] for start, stop in pairwise(bounds)]
        return list((self.pool.map if self.pool else map)(function, parts))


@contextmanager
def workers_for(device: torch.device) -> Iterator[Workers]:
    """As many workers as torch has threads, if the device is the CPU. Meanwhile torch has one thread in each."""
    count = torch.get_num_threads()
    if device.type != "cpu" or count == 1:
        yield Workers()
        return
    torch.set_num_threads(1)  # threads that begin now have as many
    try:
        with ThreadPoolExecutor(count) as pool:
            yield Workers(pool, count)
    finally:
        torch.set_num_threads(count)


def read_ahead(items: Iterable[T], count: int) -> Generator[T]:
    """The same items, read by another thread, which is at most `count` items ahead."""
    waiting: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(count)
    stopped = threading.Event()

    def put(more: bool, item: T | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put((more, item), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:  # it is raised where the items are used
            put(False, error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while True:
            more, item = waiting.get()
            if isinstance(item, BaseException):
                raise item
            if not more:
                return
            yield item  # pyright: ignore[reportReturnType]
    finally:
        stopped.set()
        reader.join()
