"""Samples for training, made in processes beside the one that trains."""

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from motionrep.training.encoded_once import EncodedOnce

_MOST_WORKERS = 16


def usual_workers(devices: int) -> int:
    """Processes that make the samples of one training process.

    Without an accelerator training takes the cores itself, so there are none. With one they are this machine's cores
    but one, shared by the devices, at most 16.

    Args:
        devices: Training processes on this machine.
    """
    if not torch.accelerator.is_available():
        return 0
    return min(_MOST_WORKERS, max(1, _cores() // devices - 1))


def sample_loader(
    samples: Dataset, batch_size: int, keys: Iterable[tuple[int, int]], workers: int, *, drop_last: bool = False
) -> DataLoader:
    """Batches of a data set with keys `(epoch, index)`; they do not depend on the number of workers.

    Args:
        workers: Processes that make them; 0 makes them in this one. Clips that are encoded once are always made here,
            where the encoder is.
    """
    workers = 0 if isinstance(samples, EncodedOnce) else workers
    return DataLoader(
        samples,
        batch_size,
        sampler=keys,
        collate_fn=_as_is,
        drop_last=drop_last,
        num_workers=workers,
        persistent_workers=workers > 0,  # a worker of a platform without fork reads all clips when it starts
        pin_memory=torch.cuda.is_available(),  # only such memory is copied to a GPU without waiting
    )


def _cores() -> int:
    """Cores that this process may use: a job of a cluster has some of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_is(batch: Any) -> Any:
    return batch
