"""The Lightning module of a run: an encoder and heads, their losses, optimisers and validation scores."""

import math
from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from motionrep.embedding.inputs import normalised_for
from motionrep.encoders import Encoder
from motionrep.evaluation.scores import Scores
from motionrep.files.units import UNITS
from motionrep.training.config import FinetuneConfig
from motionrep.training.trainable import optimizers, prepare

# (metric, which end of it is better). The first one that a head is scored by decides which epoch is best.
_JUDGED_BY = (("pve", "min"), ("mpjpe", "min"), ("macro_accuracy", "max"), ("loss", "min"))


class TrainingModule(lightning.LightningModule):
    """An encoder, heads by name, their optimisers, and the scores of the latest validation.

    Args:
        heads: All learn from one forward pass of the encoder. The first one's scores decide which epoch is best.
        fps: Frame rate of the clips.
        steps: How many steps the whole training has, for the schedule of the learning rates.
    """

    def __init__(
        self, encoder: Encoder, heads: Mapping[str, Any], config: FinetuneConfig, fps: float, steps: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads: Any = nn.ModuleDict(heads)
        self.config, self.fps, self.steps = config, fps, steps
        self.scores: dict[str, float] = {}
        self.automatic_optimization = False  # two optimisers
        self.prepared = [prepare(encoder, config)]  # in a list, so that it is no part of the module

    def on_train_epoch_start(self) -> None:
        self.heads.train()  # a trained head comes ready to predict, without dropout
        self.encoder.train(self.config.tune != "frozen")
        for module in self.encoder.modules():
            if isinstance(module, _BatchNorm) and not any(weight.requires_grad for weight in module.parameters()):
                module.eval()  # what does not learn keeps its statistics

    def training_step(self, batch: dict[str, Tensor], _: int) -> None:
        # Makes dropout depend on the step alone, so that a resumed run repeats the original. Seeding once per epoch is
        # not enough: data loaders draw from the same generator, before the epoch starts or after.
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
        self.collected = {
            name: Scores(self.fps, vertex_step=9, body=getattr(head, "body", None)) for name, head in self.heads.items()
        }
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
                    "diverged; start again with a lower head_lr or encoder_lr"
                )
            if not self.scores:
                metric, better = next(pair for pair in _JUDGED_BY if pair[0] in scores)
                self.log("judged", scores[metric] if better == "min" else -scores[metric], logger=False)
            self.scores |= {self._title(name, metric): value for metric, value in scores.items()}
        self.log_dict({f"val_{key}": value for key, value in self.scores.items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["scores"], checkpoint["units"] = self.scores, UNITS

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
        """The encoder's representation (batch frames joints channels), float32."""
        keypoints = normalised_for(batch["keypoints"], self.encoder)
        precision = self.config.precision
        with torch.autocast(keypoints.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return self.encoder(keypoints).float()

    def _results(self, batch: dict[str, Tensor]) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
        """Output and loss terms of every head."""
        known = batch.get("representation")
        representation = self.encoded(batch) if known is None else known.float()
        results = {}
        for name, head in self.heads.items():
            output = head(representation, batch["valid"])
            results[name] = output, head.loss(output, batch)
        return results

    def _title(self, head: str, metric: str) -> str:
        """The metric's own name for the first head; prefixed with the head's name for the others."""
        return metric if head == next(iter(self.heads)) else f"{head}_{metric}"


def _as_list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]
