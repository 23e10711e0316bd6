"""What is trained: an encoder and heads with their optimisers, as Lightning wants them, and its trainer."""

import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Sampler

from motionrep.embedding.inputs import as_declared
from motionrep.evaluation.scores import Scores
from motionrep.files.writing import written_beside
from motionrep.training.config import FinetuneConfig
from motionrep.training.run_folder import epoch_table
from motionrep.training.trainable import optimizers, prepare

logger = logging.getLogger(__name__)

# The first of these that a head is scored by decides which epoch is best: (metric, is more better).
_JUDGED_BY = (("pve", "min"), ("mpjpe", "min"), ("macro_accuracy", "max"), ("loss", "min"))


class Tuning(lightning.LightningModule):
    """An encoder, heads by name, their optimisers, and the scores of the latest validation.

    Args:
        heads: All learn from one forward pass of the encoder; the first one's scores decide which epoch is best.
        fps: Frame rate of the clips.
        steps: Of the whole training, for the learning rate's schedule.
    """

    def __init__(self, encoder: Any, heads: Mapping[str, Any], config: FinetuneConfig, fps: float, steps: int) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.heads: Any = nn.ModuleDict(heads)
        self.config, self.fps, self.steps = config, fps, steps
        self.scores: dict[str, float] = {}
        self.automatic_optimization = False  # two optimisers
        self.prepared = [prepare(encoder, config)]  # in a list, or it would be a part of the module

    def on_train_epoch_start(self) -> None:
        self.heads.train()  # a trained head comes ready to predict, without dropout
        self.encoder.train(self.config.tune != "frozen")
        for module in self.encoder.modules():
            if isinstance(module, _BatchNorm) and not any(weight.requires_grad for weight in module.parameters()):
                module.eval()  # what does not learn keeps its statistics

    def training_step(self, batch: dict[str, Tensor], _: int) -> None:
        # Dropout then depends on the step alone, so a resumed run repeats what it would have done. Once per epoch is
        # not enough: data loaders draw from the same generator, before the epoch's start or after it.
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)
        terms = {}
        for name, (_output, losses) in self._results(batch).items():
            terms |= {self._title(name, term): value for term, value in losses.items()}
        self.log_dict(
            {f"train_term_{name}": value.detach() for name, value in terms.items()},
            on_step=False, on_epoch=True, sync_dist=True,
        )  # fmt: skip
        total = torch.stack(list(terms.values())).sum()
        self.log("train_loss", total.detach(), on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        self.manual_backward(total)
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.config.clip_norm)
        for optimizer, schedule in zip(_as_list(self.optimizers()), _as_list(self.lr_schedulers()), strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()

    def on_validation_epoch_start(self) -> None:
        self.collected = {name: Scores(self.fps, vertex_step=9) for name in self.heads}
        self.losses: dict[str, list[Tensor]] = {name: [] for name in self.heads}

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        for name, (output, losses) in self._results(batch).items():
            self.losses[name].append(torch.stack(list(losses.values())).sum())
            self.collected[name].add(output, batch)

    def on_validation_epoch_end(self) -> None:
        self.scores = {}
        for name, collected in self.collected.items():
            scores = {"loss": float(torch.stack(self.losses[name]).mean())} | collected.result()
            if not math.isfinite(scores["loss"]):
                raise ValueError(
                    f"epoch {self.current_epoch + 1}: the loss of head {name!r} is {scores['loss']}, so training has "
                    "diverged; start anew with a lower head_lr or encoder_lr"
                )
            if not self.scores:
                metric, better = next(pair for pair in _JUDGED_BY if pair[0] in scores)
                self.log("judged", scores[metric] if better == "min" else -scores[metric], logger=False)
            self.scores |= {self._title(name, metric): value for metric, value in scores.items()}
        self.log_dict({f"val_{key}": value for key, value in self.scores.items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["scores"] = self.scores

    def configure_optimizers(self) -> Any:
        config = self.config
        chosen = optimizers(self.encoder, list(self.heads.parameters()), config)
        warm_up = max(1, min(50, self.steps // 10))

        def share(step: int) -> float:
            if config.lr_decay is None:
                falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
            else:
                falling = config.lr_decay ** (step * config.epochs // self.steps)
            return min(1.0, (step + 1) / warm_up) * falling

        return chosen, [torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in chosen]

    def encoded(self, batch: dict[str, Tensor]) -> Tensor:
        """Representation, float32."""
        keypoints = as_declared(batch["keypoints"], self.encoder)
        precision = self.config.precision
        with torch.autocast(keypoints.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return self.encoder(keypoints).float()

    def _results(self, batch: dict[str, Tensor]) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """Output and terms of the loss of every head."""
        known = batch.get("representation")
        representation = self.encoded(batch) if known is None else known.float()
        results = {}
        for name, head in self.heads.items():
            output = head(representation, batch["valid"])
            results[name] = output, head.loss(output, batch)
        return results

    def _title(self, head: str, metric: str) -> str:
        """Metrics of the first head have their own names, those of further heads the head's before it."""
        return metric if head == next(iter(self.heads)) else f"{head}_{metric}"


class EpochKeys(Sampler[tuple[int, int]]):
    """`(epoch, index)` of this process's share of the samples, of every step the same number; `repeat`: epoch 0's."""

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


def trainer_for(
    config: FinetuneConfig, output: Path, resumed: Mapping[str, Any] | None, devices: int, nodes: int
) -> tuple[lightning.Trainer, ModelCheckpoint]:
    """Lightning's trainer, and the callback that knows the best epoch; `resumed` is the checkpoint to go on from."""
    finished = None if resumed is None else int(resumed["epoch"]) + 1
    best = _BestEpochs(
        output / "checkpoints",
        "best_{epoch}",
        monitor="judged",
        mode="min",
        save_last=True,
        save_top_k=config.keep_best,
    )
    callbacks: list[Callback] = [best, _EpochLines()]
    if config.patience is not None:
        callbacks.append(EarlyStopping("judged", patience=config.patience, mode="min"))
    loggers: list[Any] = [epoch_table(output, finished)]
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
        plugins=[_WholeCheckpoints()],
        log_every_n_steps=max(1, min(10, config.clips_per_epoch // config.batch_size)),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
    )
    return trainer, best


def _ran_out_of_patience(checkpoint: Mapping[str, Any]) -> bool:
    states = [state for key, state in checkpoint["callbacks"].items() if key.startswith("EarlyStopping")]
    return any(state["wait_count"] >= state["patience"] for state in states)


class _WholeCheckpoints(TorchCheckpointIO):
    """Lightning's are whole or not there only where the folder for temporary files is on the same disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with written_beside(Path(path)) as beside:
            torch.save(checkpoint, beside)


class _BestEpochs(ModelCheckpoint):
    """Lightning's forgets which epochs were best when their folder has moved since; the files have moved with it."""

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


class _EpochLines(Callback):
    """One line of validation scores per epoch in the log."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        scores = "  ".join(f"{name} {value:.4g}" for name, value in cast(Tuning, pl_module).scores.items())
        logger.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, scores)


def _as_list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]
