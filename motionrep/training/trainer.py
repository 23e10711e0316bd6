"""Lightning's trainer for a run: its epochs, checkpoints, logs and the order of the samples."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import Sampler

from motionrep.files.writing import written_beside
from motionrep.training.config import FinetuneConfig
from motionrep.training.run_folder import EpochTable
from motionrep.training.waiting import Waiting


def trainer_for(
    config: FinetuneConfig, output: Path, resumed: Mapping[str, Any] | None, devices: int, nodes: int
) -> tuple[lightning.Trainer, ModelCheckpoint]:
    """Lightning's trainer, and the callback that knows the best epoch.

    Args:
        output: The run folder.
        resumed: The checkpoint to go on from; None for a new run.
        devices: Processes on this machine.
        nodes: Machines.
    """
    finished = None if resumed is None else int(resumed["epoch"]) + 1
    best = _BestEpochs(
        output / "checkpoints",
        "best_{epoch}",
        monitor="judged",
        mode="min",
        save_last=True,
        save_top_k=config.keep_best,
    )
    callbacks: list[Callback] = [best, Waiting()]
    if config.patience is not None:
        callbacks.append(EarlyStopping("judged", patience=config.patience, mode="min"))
    loggers: list[Any] = [EpochTable(output, finished)]
    if config.tensorboard:
        loggers.append(TensorBoardLogger(output, name="", version="tensorboard"))
    trainer = lightning.Trainer(
        max_epochs=finished if resumed is not None and _ran_out_of_patience(resumed) else config.epochs,
        accelerator="auto",
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        sync_batchnorm=devices * nodes > 1 and torch.cuda.is_available(),  # torch has none for the CPU
        callbacks=callbacks,
        logger=loggers,
        plugins=[_AtomicCheckpoints()],
        log_every_n_steps=max(1, min(10, config.clips_per_epoch // config.batch_size)),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_progress_bar=False,  # `Waiting` has bars of its own
    )
    return trainer, best


class EpochKeys(Sampler[tuple[int, int]]):
    """The keys `(epoch, index)` of this process's samples, as many in every step.

    Args:
        length: Samples in an epoch, of all processes.
        batch_size: Samples in a step, of all processes.
        trainer: Knows how many processes there are, and which one this is.
        repeat: Every epoch has the keys of epoch 0.
    """

    def __init__(self, length: int, batch_size: int, trainer: lightning.Trainer, repeat: bool) -> None:
        self.length, self.batch_size, self.trainer, self.repeat, self.epoch = length, batch_size, trainer, repeat, 0

    def __len__(self) -> int:
        return self.length // self.trainer.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        share, rank = self.batch_size // self.trainer.world_size, self.trainer.global_rank
        return iter([(self.epoch, i) for i in range(self.length) if i % self.batch_size // share == rank])

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = 0 if self.repeat else epoch


def _ran_out_of_patience(checkpoint: Mapping[str, Any]) -> bool:
    states = [state for key, state in checkpoint["callbacks"].items() if key.startswith("EarlyStopping")]
    return any(state["wait_count"] >= state["patience"] for state in states)


class _AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints whole or not at all.

    Lightning does so only where the folder for temporary files is on the same disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with written_beside(Path(path), told=False) as beside:
            torch.save(checkpoint, beside)


class _BestEpochs(ModelCheckpoint):
    """Knows the best epochs also after the run folder has moved, which Lightning's own callback does not.

    The names of its files count epochs from 1.
    """

    def format_checkpoint_name(self, metrics: dict[str, Tensor], *args: Any, **options: Any) -> str:
        return super().format_checkpoint_name(metrics | {"epoch": metrics["epoch"] + 1}, *args, **options)

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__name__, "ModelCheckpoint")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(cast(str, self.dirpath)) / Path(path).name) if path else path

        moved = {"dirpath": self.dirpath, "best_k_models": {here(p): s for p, s in state_dict["best_k_models"].items()}}
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[name] = here(state_dict[name])
        super().load_state_dict(state_dict | moved)
