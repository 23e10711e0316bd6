"""Fine-tuning: an encoder and a head on clips synthesised from motion files. Needs the extra `train`."""

import csv
import json
import logging
import math
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from motionrep.configuration import FinetuneConfig
from motionrep.datasets.cmu import MotionClip, load_motion_folder
from motionrep.datasets.synthesis import SynthesizedClips
from motionrep.embedding import as_declared
from motionrep.encoders import ENCODERS, Provenance, load_encoder, weights_digest
from motionrep.evaluation import Scores, require_trained_together
from motionrep.files import written_beside
from motionrep.head_api import head_class, head_entry_points, load_head, save_head, trained_head_name

logger = logging.getLogger(__name__)
VALIDATION_SEED = 2000
_MUON_FACTOR = 10
_SMALLEST_MATRIX = 32
# The first of these that a head is scored by decides which epoch is best: (metric, is more better).
_JUDGED_BY = (("pve", "min"), ("mpjpe", "min"), ("macro_accuracy", "max"), ("loss", "min"))


def finetune(config: FinetuneConfig, data: Path, output: Path, resume: bool = False) -> dict[str, float]:
    """Trains, keeps the best epoch, and writes its `head/`, and `encoder/` unless that is frozen, into the run folder.

    The run folder also holds config.yaml, versions.json, metrics.csv (every epoch), metrics.json (the best one) and the
    checkpoints to resume from.

    Args:
        config: What to train.
        data: Folder with an index.csv, or of .bvh and .npz motion files (see `datasets.cmu.load_motion_folder`).
        output: The run folder.
        resume: Goes on after the last finished epoch of the run in `output`.

    Returns:
        Validation metrics of the best epoch.

    Raises:
        ValueError: The folder holds another run, there is nothing to resume, or the configuration does not fit.
    """
    last = output / "checkpoints" / "last.ckpt"
    if resume and not last.is_file():
        raise ValueError(f"{output}: nothing to resume, {last} does not exist; leave out --resume to start")
    if not resume and last.is_file():
        raise ValueError(f"{output} already holds a run; pass --resume to go on with it, or another --output")
    lightning.seed_everything(config.seed, verbose=False)
    if resume:
        _require_same_settings(config, output / "config.yaml")
    labels, train, val = _datasets(config, data)
    encoder, head, head_name = _networks(config, labels)
    train_set = SynthesizedClips(
        train, config.window or encoder.frames, encoder.frames, config.fps, config.seed, config.clips_per_epoch,
        labels=labels,
    )  # fmt: skip
    val_window = config.window or encoder.frames
    val_set = SynthesizedClips(
        val, val_window, encoder.frames, config.fps, VALIDATION_SEED, stride=val_window // 2 if labels else None,
        views=config.validation_views, labels=labels,
    )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    _write_run_files(config, output)

    steps = config.clips_per_epoch // config.batch_size * config.epochs
    module = Tuning(encoder, head, config, steps)
    best = ModelCheckpoint(output / "checkpoints", "best", monitor="judged", mode="min", save_last=True)
    trainer = lightning.Trainer(
        max_epochs=config.epochs,
        accelerator="auto",
        devices=1,
        callbacks=[best, _EpochLines()],
        logger=_epoch_table(output, last if resume else None),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        DataLoader(train_set, config.batch_size, sampler=_EpochKeys(len(train_set)), collate_fn=_as_is, drop_last=True),
        DataLoader(val_set, config.batch_size, sampler=_EpochKeys(len(val_set), fixed=True), collate_fn=_as_is),
        ckpt_path=last if resume else None,
        weights_only=True,
    )
    checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(checkpoint["state_dict"])
    if config.tune == "full":
        encoder.provenance = _provenance(config, data, encoder)
        encoder.name = output.resolve().name
        encoder.save_pretrained(output / "encoder")
    save_head(head, output / "head", head_name, encoder.name, encoder_digest=weights_digest(encoder))
    with written_beside(output / "metrics.json") as beside:
        beside.write_text(json.dumps(checkpoint["scores"], indent=2) + "\n", encoding="utf-8")
    return checkpoint["scores"]


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
            return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))

        return optimizers, [torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in optimizers]

    def _encoded(self, batch: dict[str, Tensor]) -> Tensor:
        """Representation, float32."""
        keypoints = as_declared(batch["keypoints"], self.encoder)
        precision = self.config.precision
        with torch.autocast(keypoints.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return self.encoder(keypoints).float()


class _EpochKeys(Sampler[tuple[int, int]]):
    """`(epoch, index)` for every sample, so that each epoch draws new views; `fixed` repeats those of epoch 0."""

    def __init__(self, length: int, fixed: bool = False) -> None:
        self.length, self.fixed, self.epoch = length, fixed, 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter([(self.epoch, index) for index in range(self.length)])

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = 0 if self.fixed else epoch


class _EpochLines(Callback):
    """One line of validation scores per epoch in the log."""

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        scores = "  ".join(f"{name} {value:.4g}" for name, value in cast(Tuning, pl_module).scores.items())
        logger.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, scores)


def _epoch_table(output: Path, resumed: Path | None) -> CSVLogger:
    """Writes metrics.csv; Lightning starts the file anew, so it is handed the finished epochs of a resumed run."""
    rows: list[dict[str, Any]] = []
    path = output / "metrics.csv"
    if resumed is not None and path.is_file():
        epoch = torch.load(resumed, weights_only=True, map_location="cpu")["epoch"]
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= epoch]
    table = CSVLogger(output, name="", version="")
    table.experiment.metrics.extend(rows)
    return table


def _datasets(config: FinetuneConfig, data: Path) -> tuple[tuple[str, ...], list[MotionClip], list[MotionClip]]:
    """Class labels, training clips, validation clips."""
    clips = load_motion_folder(data)
    if config.classes == "none":
        labels: tuple[str, ...] = ()
    else:
        clips = [clip for clip in clips if clip.core]
        labels = tuple(sorted({clip.action for clip in clips if clip.action is not None}))
        if not labels:
            raise ValueError(f"{data}: no clip of a core class; classification needs an index.csv with labels")
    train, val = ([clip for clip in clips if clip.split == split] for split in ("train", "val"))
    if not train or not val:
        raise ValueError(f"{data}: {len(train)} training and {len(val)} validation clips; both must be there")
    return labels, train, val


def _networks(config: FinetuneConfig, labels: tuple[str, ...]) -> tuple[Any, Any, str]:
    """Encoder, head, and the name the head's class is registered under."""
    if config.new_encoder is not None:
        options = dict(config.new_encoder)
        architecture = options.pop("architecture", None)
        options.setdefault("fps", config.fps)
        if architecture not in ENCODERS:
            raise ValueError(f"new_encoder.architecture: unknown {architecture!r} (known: {', '.join(ENCODERS)})")
        try:
            encoder = ENCODERS[architecture](**options)
        except TypeError as error:
            raise ValueError(f"new_encoder does not fit architecture {architecture!r}: {error}") from error
    else:
        encoder = load_encoder(str(config.encoder))
    if encoder.fps not in (None, config.fps):
        raise ValueError(f"the encoder reads {encoder.fps:g} frames per second; set fps: {encoder.fps:g}")
    if config.head not in head_entry_points():
        try:
            head, name = load_head(config.head), trained_head_name(config.head)
        except FileNotFoundError as error:
            installed = ", ".join(sorted(head_entry_points()))
            raise ValueError(f"{error}, and not one of the installed heads ({installed})") from error
        require_trained_together(head, encoder)
        return encoder, head, name
    options = dict(config.head_config) | ({"labels": list(labels)} if labels else {})
    try:
        head = head_class(config.head)(channels=encoder.channels, **options)
    except TypeError as error:
        raise ValueError(f"head_config does not fit head {config.head!r}: {error}") from error
    return encoder, head, config.head


def _require_same_settings(config: FinetuneConfig, path: Path) -> None:
    """Raises ValueError when a run would be resumed with other settings than it was started with."""
    started = yaml.safe_load(path.read_text(encoding="utf-8"))
    changed = [f"{name} {started.get(name)!r} is now {value!r}" for name, value in asdict(config).items()
               if started.get(name) != value]  # fmt: skip
    if changed:
        raise ValueError(f"{path}: a run goes on as it was started, but {'; '.join(changed)}; use another --output")


def _write_run_files(config: FinetuneConfig, output: Path) -> None:
    packages = ("motionrep", "torch", "lightning", "numpy", "roma")
    versions = {name: version(name) for name in packages} | {"python": platform.python_version(), "commit": _commit()}
    for name, text in (
        ("config.yaml", yaml.safe_dump(asdict(config), sort_keys=False)),
        ("versions.json", json.dumps(versions, indent=2) + "\n"),
    ):
        with written_beside(output / name) as beside:
            beside.write_text(text, encoding="utf-8")


def _provenance(config: FinetuneConfig, data: Path, encoder: Any) -> Provenance:
    """That of an encoder after training; what was measured before, and the licence, are no longer known."""
    start = "new weights" if config.new_encoder is not None else f"the encoder {encoder.name!r}"
    earlier = f"; the encoder it went on from: {encoder.provenance.data}" if encoder.provenance.data else ""
    settings = yaml.safe_dump(asdict(config), sort_keys=False)
    return Provenance(
        data=f"motion files of the folder {data.resolve().name!r}{earlier}",
        recipe=f"`motionrep finetune` from {start}, motionrep {version('motionrep')}, commit {_commit()}, with\n\n"
        f"```yaml\n{settings}```",
    )


def _commit() -> str:
    """Commit of the source tree motionrep runs from; "not a checkout" for an installed package."""
    git = ["git", "-C", str(Path(__file__).parent)]
    tracked, described = ["ls-files", "--error-unmatch", Path(__file__).name], ["describe", "--always", "--dirty"]
    try:
        subprocess.run([*git, *tracked], capture_output=True, check=True)
        return subprocess.run(
            [*git, *described, "--abbrev=40"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"


def _as_list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]


def _as_is(batch: Any) -> Any:
    return batch
