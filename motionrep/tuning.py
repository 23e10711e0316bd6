"""What is trained: an encoder and a head with their optimisers, as Lightning wants it."""

import math
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from motionrep.configuration import FinetuneConfig
from motionrep.embedding import as_declared
from motionrep.evaluation import Scores

_MUON_FACTOR = 10
_SMALLEST_MATRIX = 32
# The first of these that a head is scored by decides which epoch is best: (metric, is more better).
_JUDGED_BY = (("pve", "min"), ("mpjpe", "min"), ("macro_accuracy", "max"), ("loss", "min"))


class Tuning(lightning.LightningModule):
    """An encoder, a head, their optimiser, and the scores of the latest validation."""

    def __init__(self, encoder: Any, head: Any, config: FinetuneConfig, steps: int) -> None:
        super().__init__()
        self.encoder, self.head, self.config, self.steps = encoder, head, config, steps
        self.scores: dict[str, float] = {}
        self.automatic_optimization = False  # two optimisers
        if config.tune == "frozen":
            encoder.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        self.encoder.train(self.config.tune == "full")

    def training_step(self, batch: dict[str, Tensor], _: int) -> None:
        # Dropout then depends on the step alone, so a resumed run repeats what it would have done. Once per epoch is
        # not enough: data loaders draw from the same generator, before the epoch's start or after it.
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)
        output = self.head(self._encoded(batch), batch["valid"])
        terms = self.head.loss(output, batch)
        self.log_dict(
            {f"train_term_{name}": value.detach() for name, value in terms.items()}, on_step=False, on_epoch=True
        )
        total = torch.stack(list(terms.values())).sum()
        self.log("train_loss", total.detach(), on_step=False, on_epoch=True, prog_bar=True)
        self.manual_backward(total)
        torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        for optimizer, schedule in zip(_as_list(self.optimizers()), _as_list(self.lr_schedulers()), strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()

    def on_validation_epoch_start(self) -> None:
        self.collected = Scores(self.config.fps, vertex_step=9)
        self.losses: list[Tensor] = []

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        output = self.head(self._encoded(batch), batch["valid"])
        self.losses.append(torch.stack(list(self.head.loss(output, batch).values())).sum())
        self.collected.add(output, batch)

    def on_validation_epoch_end(self) -> None:
        self.scores = {"loss": float(torch.stack(self.losses).mean())} | self.collected.result()
        name, better = next(pair for pair in _JUDGED_BY if pair[0] in self.scores)
        self.log_dict({f"val_{key}": value for key, value in self.scores.items()})
        self.log("judged", self.scores[name] if better == "min" else -self.scores[name], logger=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["scores"] = self.scores

    def configure_optimizers(self) -> Any:
        config = self.config
        matrices: list[Tensor] = []
        rest = list(self.encoder.parameters()) if config.tune == "full" else []
        if config.tune == "full" and config.optimizer == "muon":
            linear = [module.weight for module in self.encoder.modules() if isinstance(module, nn.Linear)]
            matrices = [weight for weight in linear if min(weight.shape) >= _SMALLEST_MATRIX]
            rest = [parameter for parameter in rest if not any(parameter is weight for weight in matrices)]
        groups = [{"params": list(self.head.parameters()), "lr": config.head_lr}]
        if rest:
            groups.append({"params": rest, "lr": config.encoder_lr})
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, weight_decay=config.weight_decay, betas=(0.9, 0.98))
        ]
        if matrices:
            optimizers.append(
                torch.optim.Muon(
                    matrices,
                    lr=_MUON_FACTOR * config.encoder_lr,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        warm_up = max(1, min(50, self.steps // 10))

        def share(step: int) -> float:
            if config.lr_decay is None:
                falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
            else:
                falling = config.lr_decay ** (step * config.epochs // self.steps)
            return min(1.0, (step + 1) / warm_up) * falling

        return optimizers, [torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in optimizers]

    def _encoded(self, batch: dict[str, Tensor]) -> Tensor:
        """Representation, float32."""
        keypoints = as_declared(batch["keypoints"], self.encoder)
        precision = self.config.precision
        with torch.autocast(keypoints.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return self.encoder(keypoints).float()


def _as_list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]
