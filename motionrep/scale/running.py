"""Makes the parts of a data set: in this process, in several, or on a cluster."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import wait as wait_for_end

import torch

from motionrep.scale.folder import DataSetFolder
from motionrep.scale.reading import Reading, read_ahead
from motionrep.scale.tasks import Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartMaker:
    """Makes parts of a data set; one in each process, whose networks stay loaded."""

    task: Task
    reading: Reading
    folder: DataSetFolder
    strict: bool = False

    def __call__(self, part: int) -> int:
        """Makes a part, whatever was there of it before, and returns its number.

        Raises:
            ValueError: With `strict`, an input that cannot be used.
        """
        errors: list[tuple[str, str]] = []

        def refuse(file: str, sentence: str) -> None:
            if self.strict:
                raise BadInputError(sentence if file in sentence else f"{file}: {sentence}")
            errors.append((file, sentence))

        def files() -> Iterator:
            for file in read_ahead(self.folder.inputs_of(part), self.reading):
                if file.fault is None:
                    yield file
                else:
                    refuse(file.path, file.fault)

        self.folder.write_part(part, self.task.tables(files(), refuse), self.task.schema, errors)
        return part

    def without_networks(self) -> "PartMaker":
        """The same to be sent to another process, which loads the networks itself."""
        return replace(self, task=replace(self.task))


class BadInputError(ValueError):
    """What is wrong with an input, where `strict` stops at it."""


def in_this_process(maker: PartMaker, parts: Iterable[int]) -> Iterator[int]:
    """Makes the parts one after the other; yields the number of each when it is done."""
    for part in parts:
        yield maker(part)


def in_processes(maker: PartMaker, parts: Iterable[int], workers: int) -> Iterator[int]:
    """The same in several processes of this machine, which share its cores.

    Raises:
        RuntimeError: A process died; the parts that were done stay.
    """
    threads = max(1, (os.cpu_count() or 1) // workers)
    context, coming = multiprocessing.get_context("spawn"), iter(parts)
    with ProcessPoolExecutor(workers, context, _start, (maker.without_networks(), threads)) as pool:
        running = {pool.submit(_make, part) for part in islice(coming, 2 * workers)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(_make, part) for part in islice(coming, len(done))}
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker died: memory ran out, and fewer workers go on where it stopped; or your own script lacks "
                "`if __name__ == '__main__':` around the call"
            ) from error
        finally:
            for future in running:
                future.cancel()


_maker: PartMaker | None = None


def _start(maker: PartMaker, threads: int) -> None:
    """Prepares a process; it ends when the one that started it does."""
    global _maker
    _maker = maker
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_end([sentinel])
    os._exit(1)


def _make(part: int) -> int:
    assert _maker is not None
    return _maker(part)
