"""Training: an encoder and a head on clips synthesised from motion files. Needs the extra `train`."""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from motionrep.datasets.keypoint_folders import load_keypoint_folder
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.clips import SynthesizedClips
from motionrep.datasets.synthetic.keypoint_clips import ObservedClips, WithObserved
from motionrep.encoders import ENCODERS, Refinable, load_encoder, weights_digest
from motionrep.files.writing import written_beside
from motionrep.head_api.contract import require_trained_together
from motionrep.head_api.loading import head_class, head_entry_points, load_head, save_head, trained_head_name
from motionrep.training.config import FinetuneConfig
from motionrep.training.encoded_once import EncodedOnce
from motionrep.training.module import EpochKeys, Tuning, trainer_for
from motionrep.training.run_folder import (
    provenance_of,
    read_last,
    require_free,
    require_same_clips,
    require_same_settings,
    write_run_files,
)
from motionrep.training.trainable import finish
from motionrep.types import Keypoints

VALIDATION_SEED = 2000
USUAL_FPS = 30.0


def train(
    config: FinetuneConfig,
    data: Sequence[Path],
    output: Path,
    keypoints: Sequence[Path] = (),
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
) -> dict[str, float]:
    """Trains, keeps the best epoch, and writes its `head/`, and `encoder/` unless that is frozen, into the run folder.

    The run folder also holds config.yaml, versions.json, metrics.csv (every epoch), metrics.json (the best one), the
    checkpoints to resume from, and `head_NAME/` for each of `more_heads`.

    Args:
        config: What to train.
        data: Folders, each with an index.csv, or of motion files (see `datasets.cmu.load_motion_folder`).
        output: The run folder.
        keypoints: Folders of keypoint files without poses, for a head with a `reprojection` loss.
        resume: Goes on after the last finished epoch of the run in `output`.
        devices: Processes on this machine, each with a GPU if there are any; they share each step's samples.
        nodes: Machines, each of which runs this with the same arguments (docs/training.md).

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
    require_free(output)
    if config.batch_size % (devices * nodes):
        raise ValueError(f"batch_size {config.batch_size} cannot be shared evenly by {devices * nodes} processes")
    lightning.seed_everything(config.seed, verbose=False)
    if resume:
        require_same_settings(config, output / "config.yaml")
    labels, train_clips, val_clips = _clips(config, data)
    encoder, heads = _networks(config, labels)
    fps = config.fps or encoder.fps or USUAL_FPS
    if keypoints and not any("reprojection" in getattr(head, "losses", {}) for head in heads.values()):
        raise ValueError("keypoints without poses need a head with a loss 'reprojection', such as pose3d's")
    share = config.batch_size // (devices * nodes)
    if keypoints and not 0 < round(config.observed_share * share) < share:
        raise ValueError(
            f"observed_share {config.observed_share:g} of the {share} samples that a process has of a batch "
            f"rounds to {round(config.observed_share * share)}: at least one must be observed and one not; "
            "take a larger batch_size, another observed_share or fewer processes"
        )
    people = [person for folder in keypoints for person in load_keypoint_folder(folder)]
    if resume:
        require_same_clips([*train_clips, *val_clips], people, output / "versions.json")
    train_set = _training_clips(config, train_clips, people, encoder.frames, fps, labels)
    window = config.window or encoder.frames
    val_set: Dataset = SynthesizedClips(
        val_clips, window, encoder.frames, fps, VALIDATION_SEED,
        stride=window // 2 if config.classes == "core" else None, views=config.validation_views, labels=labels,
        unlabelled=config.classes == "core_and_rest",
    )  # fmt: skip
    val_count = len(val_set)
    module = Tuning(encoder, heads, config, fps, config.clips_per_epoch // config.batch_size * config.epochs)
    if config.tune == "frozen":
        encode = _encoding(module)
        val_set = EncodedOnce(val_set, encode)
        train_set = EncodedOnce(train_set, encode) if config.repeat_clips else train_set
    trainer, best = trainer_for(config, output, read_last(last) if resume else None, devices, nodes)
    if trainer.is_global_zero:
        output.mkdir(parents=True, exist_ok=True)
        write_run_files(replace(config, fps=fps), [*train_clips, *val_clips], people, output)
    processes = devices * nodes
    keys = EpochKeys(config.clips_per_epoch, config.batch_size, trainer, repeat=config.repeat_clips)
    all_keys = [(0, index) for index in range(val_count)]  # every process validates on all clips
    try:
        trainer.fit(
            module,
            DataLoader(train_set, config.batch_size // processes, sampler=keys, collate_fn=_as_is, drop_last=True),
            DataLoader(val_set, config.batch_size, sampler=all_keys, collate_fn=_as_is),
            ckpt_path=last if resume else None,
            weights_only=True,
        )
    except SystemExit as error:
        if trainer.interrupted:  # Lightning ends the process by itself
            raise KeyboardInterrupt from error
        raise
    checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(checkpoint["state_dict"])
    if trainer.is_global_zero:
        if config.tune != "frozen":
            module.encoder.provenance = provenance_of(config, data, keypoints, module.encoder)
        _save(module, config, output, checkpoint["scores"])
    trainer.strategy.barrier()
    return checkpoint["scores"]


def try_out(config: FinetuneConfig, data: Sequence[Path], keypoints: Sequence[Path] = ()) -> dict[str, float]:
    """Two steps of training and a validation, saved and thrown away: whether a run would go through at all."""
    short = replace(config, epochs=1, clips_per_epoch=2 * config.batch_size, validation_views=1)
    with TemporaryDirectory() as folder:
        return train(short, data, Path(folder) / "run", keypoints)


def _training_clips(
    config: FinetuneConfig,
    clips: list[MotionClip],
    people: list[Keypoints],
    frames: int,
    fps: float,
    labels: tuple[str, ...],
) -> Dataset:
    window = config.window or frames
    synthesized = SynthesizedClips(
        clips, window, frames, fps, config.seed, config.clips_per_epoch, labels=labels,
        unlabelled=config.classes == "core_and_rest", variety=config.variety,
    )  # fmt: skip
    if not people:
        return synthesized
    observed = ObservedClips(people, window, frames, fps, config.seed, config.variety)
    return WithObserved(synthesized, observed, config.observed_share)


def _encoding(module: Tuning) -> Callable[[dict[str, Tensor]], Tensor]:
    """The frozen encoder of a module on the batches of data sets, which are on the CPU."""

    def encode(batch: dict[str, Tensor]) -> Tensor:
        module.encoder.eval()
        with torch.no_grad():
            return module.encoded({"keypoints": batch["keypoints"].to(module.device)}).cpu()

    return encode


def _save(module: Tuning, config: FinetuneConfig, output: Path, scores: dict[str, float]) -> None:
    """The best epoch's encoder, unless it was frozen, its heads and its scores."""
    encoder = module.encoder
    finish(encoder, module.prepared[0])
    if config.tune != "frozen":
        encoder.name = output.resolve().name
        encoder.save_pretrained(output / "encoder")
    for number, (name, head) in enumerate(module.heads.items()):
        folder = output / (f"head_{name}" if number else "head")
        save_head(head, folder, name, encoder.name, encoder_digest=weights_digest(encoder))
    with written_beside(output / "metrics.json") as beside:
        beside.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


def _clips(config: FinetuneConfig, data: Sequence[Path]) -> tuple[tuple[str, ...], list[MotionClip], list[MotionClip]]:
    """Class labels, training clips, validation clips."""
    clips = [clip for folder in data for clip in load_motion_folder(folder)]
    named = ", ".join(map(str, data))
    if config.classes == "none":
        labels: tuple[str, ...] = ()
    else:
        core = [clip for clip in clips if clip.core]
        labels = tuple(sorted({clip.action for clip in core if clip.action is not None}))
        clips = core if config.classes == "core" else clips
        if not labels:
            raise ValueError(f"{named}: no clip of a core class; classification needs an index.csv with labels")
    train, val = ([clip for clip in clips if clip.split == split] for split in ("train", "val"))
    if not train or not val:
        raise ValueError(
            f"{named}: {len(train)} training and {len(val)} validation clips; both must be there. An index.csv says "
            "which is which (README); without one, about one file in eight is for validation, by a hash of its path"
        )
    return labels, _some_of(train, config.clips_share, by_action=bool(labels)), val


def _some_of(clips: list[MotionClip], share: float, by_action: bool) -> list[MotionClip]:
    """The share of all clips, or of those of every action, at least one; chosen by a hash of their names."""
    groups: dict[str | None, list[MotionClip]] = {}
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.name.encode()).digest()):
        groups.setdefault(clip.action if by_action else None, []).append(clip)
    kept = {clip.name for some in groups.values() for clip in some[: max(1, round(share * len(some)))]}
    return [clip for clip in clips if clip.name in kept]


def _networks(config: FinetuneConfig, labels: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """Encoder, and heads by the names their classes are registered under."""
    encoder = load_encoder(config.encoder) if config.encoder is not None else _new_encoder(config)
    wanted = {config.head: config.head_config} | config.more_heads
    heads = dict(_head(name, options, encoder, labels) for name, options in wanted.items())
    if len(heads) < len(wanted):
        raise ValueError(f"{', '.join(wanted)}: two heads of the same kind cannot be trained together")
    if config.fps is not None and encoder.fps not in (None, config.fps):
        # A new encoder has said its own rate beside the configuration's; a frozen one would not be saved with the head.
        if not isinstance(encoder, Refinable) or config.encoder is None or config.tune == "frozen":
            raise ValueError(f"the encoder reads {encoder.fps:g} frames per second; set fps: {encoder.fps:g}")
        encoder = encoder.with_frame_rate(config.fps)
    return encoder, heads


def _new_encoder(config: FinetuneConfig) -> Any:
    options = dict(config.new_encoder or {})
    architecture = options.pop("architecture", None)
    options.setdefault("fps", config.fps or USUAL_FPS)
    if architecture not in ENCODERS:
        raise ValueError(f"new_encoder.architecture: unknown {architecture!r} (known: {', '.join(ENCODERS)})")
    try:
        return ENCODERS[architecture](**options)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"new_encoder does not fit architecture {architecture!r}: {error}") from error


def _head(name: str, options: Mapping[str, Any], encoder: Any, labels: tuple[str, ...]) -> tuple[str, Any]:
    """The name under which its class is registered, and a head: a new one of that name, or a trained one."""
    if name not in head_entry_points():
        try:
            head, registered = load_head(name, **options), trained_head_name(name)
        except FileNotFoundError as error:
            installed = ", ".join(sorted(head_entry_points()))
            raise ValueError(f"{error}, and not one of the installed heads ({installed})") from error
        require_trained_together(head, encoder)
        if hasattr(head, "labels") and tuple(head.labels) != labels:
            raise ValueError(
                f"head {name!r} tells {', '.join(head.labels)} apart, the training clips are of "
                f"{', '.join(labels) or 'no classes'}; take data of just its classes with classes: core, or a new head"
            )
        return registered, head
    kind = head_class(name)
    parameters = inspect.signature(kind).parameters
    classifies = "labels" in parameters
    if classifies and not labels and ("labels" in options or parameters["labels"].default is inspect.Parameter.empty):
        raise ValueError(f"head {name!r} needs clips with classes: set classes: core")
    try:
        return name, kind(
            channels=encoder.channels, **options, **({"labels": list(labels)} if labels and classifies else {})
        )
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"head_config does not fit head {name!r}: {error}") from error


def _as_is(batch: Any) -> Any:
    return batch
