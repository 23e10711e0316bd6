"""Settings of a training run, read from YAML files and the command line."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.files.naming import did_you_mean
from motionrep.files.reading import reading
from motionrep.files.settings import read_settings, require_plain

_COUNTS = (
    "epochs", "clips_per_epoch", "batch_size", "validation_views", "lora_rank", "patience", "keep_best",
    "procedural_minutes",
)  # fmt: skip


@dataclass(frozen=True)
class FinetuneConfig:
    """What to train and how long. Every setting can stand in the YAML file and on the command line.

    Attributes:
        head: An installed head (`motionrep list`) to train from scratch, or a trained head to train further.
        head_config: Options of the head's class besides `channels`; of a trained head, those that replace its own, such
            as `losses`.
        body: What `load_body_model` takes: the body of training clips, heads and scores. null takes that of a trained
            head, or the open body.
        encoder: A shipped name, a folder or a published checkpoint to start from; null for `new_encoder`.
        new_encoder: `architecture` and options of an encoder to train from scratch; only when `encoder` is null.
        more_heads: Heads to train jointly with `head` on the same encoder: name and options of each.
        tune: What of the encoder learns: `full` all of it, `last-2` (or another number) its last layers, `lora`
            low-rank additions to its matrices that are merged in the end, `frozen` nothing.
        lora_rank: Rank of the low-rank additions.
        layer_decay: Factor on the encoder's learning rate from each layer to the one before it.
        classes: `core` trains on the clips of the data set's core classes and gives the head their names as `labels`.
            `core_and_rest` adds the other clips, without a label, for heads that are not classifiers.
        held_out: People who take no part in training, but for validation clips: a list that ships (`people-1`), or a
            text file with a pattern for the names of clips in each line (`datasets.held_out`).
        protocol: Which published protocol's training part a labelled data set has, where it has several (NTU RGB+D:
            `ntu60-xsub` and others). Every other set has the split of its own protocol. A run on labelled data ends
            with the protocol's table.
        protocol_options: Options of that protocol, as `motionrep evaluate --protocol` takes them, such as
            {detector: gt}.
        labelled_share: Share of the samples of a step that come from labelled data sets, where there are motion files
            too.
        clip_weights: Factors on the chance of training clips, by patterns for their names, such as {"idle/*": 0.3}; the
            first pattern that matches counts.
        procedural: Share of the training samples whose motion is made up (`datasets.procedural`).
        procedural_minutes: Length of the made-up motion, which is made anew from the seed at the start of a run.
        clips_share: Share of the training clips to use; with `classes`, of every class at least one clip.
        window: Frames of motion in a sample; null for the encoder's window. Shorter samples are padded to it.
        fps: Frame rate of the samples; null for the encoder's, or 30 where it declares none. A multiple of the
            encoder's rate makes its windows finer, as long in seconds as before (KTPFormer and SSR-STF; not with
            `tune: frozen`).
        epochs: Number of epochs.
        clips_per_epoch: Samples in an epoch.
        repeat_clips: Uses the same samples in every epoch; a frozen encoder then encodes them only once.
        batch_size: Samples in a step.
        variety: Augmentation of the training clips, see `datasets.synthetic.augmentation.Augmentation`.
        observed_share: Share of the samples of a step that are 2D keypoints without a pose, if such clips are given.
        head_lr: Peak learning rate of the head (AdamW), reached after a short linear warm-up.
        encoder_lr: Peak learning rate of the encoder.
        lr_decay: Factor on the learning rates after every epoch; null lets them fall to zero along a cosine.
        weight_decay: Weight decay.
        optimizer: Optimiser of the encoder. `muon` orthogonalises the steps of its weight matrices, at ten times
            `encoder_lr`, and leaves the other weights to AdamW. From scratch it was well ahead of `adamw` after three
            minutes.
        precision: Arithmetic of the encoder. bfloat16 is faster on processors that multiply it, such as those with AMX,
            and many times slower on others. `auto` measures which is faster here.
        clip_norm: Largest norm of the gradients; larger ones are scaled down.
        validation_views: Random cameras for each validation window.
        patience: Epochs without improvement after which training stops; null for never.
        keep_best: How many of the best epochs' checkpoints to keep.
        tensorboard: Also writes event files for TensorBoard.
        seed: Seed of everything random.
    """

    head: str
    head_config: dict[str, Any] = field(default_factory=dict)
    body: str | None = None
    encoder: str | None = None
    new_encoder: dict[str, Any] | None = None
    more_heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    tune: str = "full"
    lora_rank: int = 8
    layer_decay: float = 1.0
    classes: Literal["none", "core", "core_and_rest"] = "none"
    held_out: str | None = None
    protocol: str | None = None
    protocol_options: dict[str, str] = field(default_factory=dict)
    labelled_share: float = 0.5
    clip_weights: dict[str, float] = field(default_factory=dict)
    procedural: float = 0.0
    procedural_minutes: int = 60
    clips_share: float = 1.0
    window: int | None = None
    fps: float | None = None
    epochs: int = 30
    clips_per_epoch: int = 1024
    repeat_clips: bool = False
    batch_size: int = 32
    variety: Augmentation = field(default_factory=Augmentation)
    observed_share: float = 0.25
    head_lr: float = 1e-3
    encoder_lr: float = 1e-3
    lr_decay: float | None = None
    weight_decay: float = 0.01
    optimizer: Literal["muon", "adamw"] = "muon"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    clip_norm: float = 1.0
    validation_views: int = 1
    patience: int | None = None
    keep_best: int = 1
    tensorboard: bool = False
    seed: int = 0

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "FinetuneConfig":
        """The settings of a YAML file, in which `variety` is a dictionary.

        Raises:
            ValueError: A setting that is not known, or a value that cannot be.
        """
        require_plain(settings)
        given = dict(settings.get("variety") or {})
        variety: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        for kind, names, within in ((cls, settings, ""), (Augmentation, variety, "variety.")):
            known = [within + setting.name for setting in fields(kind)]
            if unknown := [within + name for name in names if within + name not in known]:
                hint = did_you_mean(unknown[0], known) or f" (known: {', '.join(known)})"
                raise ValueError(f"unknown setting {unknown[0]!r}{hint}")
        try:
            return cls(**{**settings, "variety": Augmentation(**variety)})
        except TypeError as error:
            raise ValueError(f"a setting has a value of another type than it takes ({error})") from error

    @classmethod
    def from_file(cls, path: Path) -> "FinetuneConfig":
        """The settings of a YAML file. Raises ValueError as `from_dict`, with the file's name."""
        with reading(path, "settings"):
            return cls.from_dict(read_settings(path))

    def __post_init__(self) -> None:
        if (self.encoder is None) == (self.new_encoder is None):
            raise ValueError("give either 'encoder' (to start from) or 'new_encoder' (to train from scratch)")
        if self.tune not in ("full", "frozen", "lora") and last_layers(self.tune) is None:
            raise ValueError(f"tune must be full, frozen, lora or last-N such as last-2, got {self.tune!r}")
        if self.tune != "full" and self.new_encoder is not None:
            raise ValueError(f"tune: {self.tune} needs a trained encoder; give 'encoder' instead of 'new_encoder'")
        for name in _COUNTS:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.head in self.more_heads:
            raise ValueError(f"more_heads: {self.head!r} is already the 'head'")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay must be above 0 and at most 1, got {self.layer_decay}")
        for name in ("head_lr", "encoder_lr", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number that is not negative, got {getattr(self, name)}")
        if not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive, got {self.clip_norm}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}; null takes the encoder's")
        if not 0 < self.clips_share <= 1:
            raise ValueError(f"clips_share must be above 0 and at most 1, got {self.clips_share}")
        if not 0 <= self.procedural < 1:
            raise ValueError(f"procedural is a share from 0 to below 1, got {self.procedural}")
        if wrong := [pattern for pattern, weight in self.clip_weights.items() if not 0 <= weight < math.inf]:
            raise ValueError(f"clip_weights: {wrong[0]!r} must have a number that is not negative")
        if self.procedural and self.classes == "core":
            raise ValueError("procedural motion has no class; train with classes: core_and_rest or none")
        if not 0 < self.labelled_share < 1:
            raise ValueError(f"labelled_share must be between 0 and 1, got {self.labelled_share}")
        if not 0 < self.observed_share < 1:
            raise ValueError(f"observed_share must be between 0 and 1, got {self.observed_share}")
        if self.lr_decay is not None and not 0 < self.lr_decay <= 1:
            raise ValueError(f"lr_decay must be above 0 and at most 1, got {self.lr_decay}; null for a cosine")
        if self.fps is not None and not self.fps > 0:
            raise ValueError(f"fps must be positive, got {self.fps}")
        if self.clips_per_epoch < self.batch_size:
            raise ValueError(f"clips_per_epoch {self.clips_per_epoch} is less than batch_size {self.batch_size}")


def last_layers(tune: str) -> int | None:
    """The number in "last-2"; None when it is not of that form."""
    match = re.fullmatch(r"last-([1-9]\d*)", tune)
    return int(match[1]) if match else None
