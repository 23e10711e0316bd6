"""Training: an encoder and a head on clips synthesised from motion files. Needs the extra `train`."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader, Dataset, Sampler

from motionrep.configuration import FinetuneConfig
from motionrep.datasets.cmu import MotionClip, load_motion_folder
from motionrep.datasets.observed import ObservedClips, WithObserved, load_keypoint_folder
from motionrep.datasets.synthesis import SynthesizedClips
from motionrep.encoders import ENCODERS, load_encoder, weights_digest
from motionrep.evaluation import require_trained_together
from motionrep.files import written_beside
from motionrep.head_api import head_class, head_entry_points, load_head, save_head, trained_head_name
from motionrep.run_folder import epoch_table, provenance_of, require_same_settings, write_run_files
from motionrep.tuning import Tuning

logger = logging.getLogger(__name__)
VALIDATION_SEED = 2000


def train(
    config: FinetuneConfig, data: Sequence[Path], output: Path, keypoints: Sequence[Path] = (), resume: bool = False
) -> dict[str, float]:
    """Trains, keeps the best epoch, and writes its `head/`, and `encoder/` unless that is frozen, into the run folder.

    The run folder also holds config.yaml, versions.json, metrics.csv (every epoch), metrics.json (the best one) and the
    checkpoints to resume from.

    Args:
        config: What to train.
        data: Folders, each with an index.csv, or of motion files (see `datasets.cmu.load_motion_folder`).
        output: The run folder.
        keypoints: Folders of keypoint files without poses, for a head with a `reprojection` loss.
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
        require_same_settings(config, output / "config.yaml")
    labels, train_clips, val_clips = _clips(config, data)
    encoder, head, head_name = _networks(config, labels)
    window = config.window or encoder.frames
    train_set: Dataset = SynthesizedClips(
        train_clips, window, encoder.frames, config.fps, config.seed, config.clips_per_epoch, labels=labels,
        variety=config.variety,
    )  # fmt: skip
    if keypoints:
        if "reprojection" not in getattr(head, "losses", {}):
            raise ValueError("keypoints without poses need a head with a loss 'reprojection', such as pose3d's")
        people = [person for folder in keypoints for person in load_keypoint_folder(folder)]
        observed = ObservedClips(people, window, encoder.frames, config.fps, config.seed, config.variety)
        train_set = WithObserved(cast(SynthesizedClips, train_set), observed, config.observed_share)
    val_set = SynthesizedClips(
        val_clips, window, encoder.frames, config.fps, VALIDATION_SEED, stride=window // 2 if labels else None,
        views=config.validation_views, labels=labels,
    )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    write_run_files(config, output)

    steps = config.clips_per_epoch // config.batch_size * config.epochs
    module = Tuning(encoder, head, config, steps)
    best = ModelCheckpoint(output / "checkpoints", "best", monitor="judged", mode="min", save_last=True)
    trainer = lightning.Trainer(
        max_epochs=config.epochs,
        accelerator="auto",
        devices=1,
        callbacks=[best, _EpochLines()],
        logger=epoch_table(output, last if resume else None),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        DataLoader(
            train_set, config.batch_size, sampler=_EpochKeys(config.clips_per_epoch), collate_fn=_as_is, drop_last=True
        ),
        DataLoader(val_set, config.batch_size, sampler=_EpochKeys(len(val_set), fixed=True), collate_fn=_as_is),
        ckpt_path=last if resume else None,
        weights_only=True,
    )
    checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(checkpoint["state_dict"])
    if config.tune == "full":
        encoder.provenance = provenance_of(config, data, encoder)
        encoder.name = output.resolve().name
        encoder.save_pretrained(output / "encoder")
    save_head(head, output / "head", head_name, encoder.name, encoder_digest=weights_digest(encoder))
    with written_beside(output / "metrics.json") as beside:
        beside.write_text(json.dumps(checkpoint["scores"], indent=2) + "\n", encoding="utf-8")
    return checkpoint["scores"]


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


def _clips(config: FinetuneConfig, data: Sequence[Path]) -> tuple[tuple[str, ...], list[MotionClip], list[MotionClip]]:
    """Class labels, training clips, validation clips."""
    clips = [clip for folder in data for clip in load_motion_folder(folder)]
    named = ", ".join(map(str, data))
    if config.classes == "none":
        labels: tuple[str, ...] = ()
    else:
        clips = [clip for clip in clips if clip.core]
        labels = tuple(sorted({clip.action for clip in clips if clip.action is not None}))
        if not labels:
            raise ValueError(f"{named}: no clip of a core class; classification needs an index.csv with labels")
    train, val = ([clip for clip in clips if clip.split == split] for split in ("train", "val"))
    if not train or not val:
        raise ValueError(f"{named}: {len(train)} training and {len(val)} validation clips; both must be there")
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


def _as_is(batch: Any) -> Any:
    return batch
