"""Makes the parts of a data set on Ray: the cores of a machine, or the CPUs and GPUs of a cluster. Extra `scale`."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from motionrep.scale.running import PartMaker

# Actors leave a share of each core to Ray's own tasks, which starve otherwise.
_CPUS = 0.9


def on_ray(maker: PartMaker, parts: Iterable[int], address: str | None) -> Iterator[int]:
    """Makes the parts in actors of Ray Data, one for each core, or for each GPU where the task runs on GPUs.

    Actors start and stop as there is work. Ray Data makes the part of one that dies in another one.

    Args:
        address: Of a running cluster, as "auto" or "ray://head:10001"; None starts Ray on this machine.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: No cluster at that address.
        ValueError: What ended a part: with `strict` an input that cannot be used, or a file that cannot be written.
    """
    ray = _ray()
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    on_gpu = maker.task.device.startswith("cuda")
    resources = ray.cluster_resources()
    most = max(1, int(resources.get("GPU" if on_gpu else "CPU", 1)))
    todo = list(parts)
    rows = ray.data.from_items([{"part": part} for part in todo], override_num_blocks=max(1, len(todo)))
    made = rows.map_batches(
        _Actor,
        fn_constructor_args=(maker.without_networks(),),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(most, max(1, len(todo)))),
        num_cpus=_CPUS,
        num_gpus=1 if on_gpu else None,
    )
    for row in made.iter_rows():
        if row["fault"]:
            raise ValueError(row["fault"])
        yield int(row["part"])


class _Actor:
    def __init__(self, maker: PartMaker) -> None:
        self.maker = maker

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The part's number, and what ended it; an exception would reach the user as pages of Ray's own."""
        (part,) = batch["part"]
        try:
            return {"part": [self.maker(int(part))], "fault": [""]}
        except (ValueError, OSError, ImportError) as error:
            return {"part": [int(part)], "fault": [str(error) or type(error).__name__]}


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError('Ray is not installed: pip install "motionrep[scale]"') from error
    return ray
