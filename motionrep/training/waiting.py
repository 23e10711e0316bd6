"""What a run tells while one waits: a bar, how long the whole takes, and a line of scores for every epoch."""

import logging
import sys
import time
from typing import Any, cast

import lightning
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from motionrep.files.progress import duration, progress_bar
from motionrep.files.units import scores_line
from motionrep.training.module import TrainingModule

logger = logging.getLogger(__name__)

_FEWEST_STEPS, _FIRST_S = 3, 5.0


class Waiting(Callback):
    """Epochs count from 1 to that many. In a run of several processes only the first one tells anything.

    Everything that is logged stands on a line of its own, above the bar.
    """

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.told, self.line = False, ""
        self.step_s: list[float] = []
        self.epoch_s: list[float] = []
        self.began_s = self.stepped_s = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._tell_epoch(trainer)
        self.began_s = self.stepped_s = time.monotonic()
        self._open(trainer, "", int(trainer.num_training_batches))

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        now_s = time.monotonic()
        self.step_s.append(now_s - self.stepped_s)
        self.stepped_s = now_s
        self._advance()
        after_first = self.step_s[1:]  # the first step also prepares
        known = len(after_first) >= _FEWEST_STEPS and sum(after_first) >= _FIRST_S
        if known and trainer.is_global_zero and not self.told and not self.epoch_s:
            self._tell_total(trainer, sum(after_first) / len(after_first))

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._open(trainer, ", validation", int(sum(trainer.num_val_batches)))

    def on_validation_batch_end(self, *_: Any) -> None:
        self._advance()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._close()
        number = trainer.current_epoch + 1
        left = cast(int, trainer.max_epochs) - number
        self.epoch_s.append(time.monotonic() - self.began_s)
        left_s = left * sum(self.epoch_s) / len(self.epoch_s)
        ending = f"; about {duration(left_s)} left" if left else ""
        self.line = f"{_epoch(trainer)}: {scores_line(cast(TrainingModule, pl_module).scores)}{ending}"

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._tell_epoch(trainer)

    def on_exception(self, *_: Any) -> None:
        self._close()

    def _tell_epoch(self, trainer: lightning.Trainer) -> None:
        """Tells of an epoch when its checkpoint is there, so that what was told of is kept."""
        if self.line and trainer.is_global_zero:
            logger.info(self.line)
        self.line = ""

    def _tell_total(self, trainer: lightning.Trainer, step_s: float) -> None:
        steps, val_steps = int(trainer.num_training_batches), int(sum(trainer.num_val_batches))
        epochs = cast(int, trainer.max_epochs) - trainer.current_epoch
        whole_s = epochs * (steps + val_steps) * step_s  # a step of validation synthesises and scores, and costs alike
        with tqdm.external_write_mode(sys.stderr):
            logger.info(
                "%d epochs of %d steps, %.2g s each, and %d of validation: about %s in all",
                epochs, steps, step_s, val_steps, duration(whole_s),
            )  # fmt: skip
        self.told = True

    def _open(self, trainer: lightning.Trainer, what: str, total: int) -> None:
        self._close()
        self.bar = progress_bar(None, _epoch(trainer) + what, "step", trainer.is_global_zero, total)

    def _advance(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _epoch(trainer: lightning.Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
