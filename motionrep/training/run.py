"""Training: an encoder and heads on clips synthesised from motion files. Needs the extra `train`."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.encoders import weights_digest
from motionrep.files.stopping import Stopped
from motionrep.files.units import today
from motionrep.files.writing import write_json
from motionrep.head_api.loading import save_head
from motionrep.pipeline.run_folders import write_encoder_reference
from motionrep.training.clips import (
    keypoint_clips,
    require_truth,
    told,
    training_clips,
    training_set,
    validation_set,
)
from motionrep.training.config import FinetuneConfig
from motionrep.training.encoded_once import EncodedOnce
from motionrep.training.module import TrainingModule
from motionrep.training.networks import USUAL_FPS, build_networks
from motionrep.training.protocols import write_protocols
from motionrep.training.run_folder import (
    last_checkpoint,
    may_resume,
    provenance_of,
    read_last,
    require_free,
    require_same_clips,
    require_same_settings,
    settled_precision,
    write_run_files,
)
from motionrep.training.run_lock import held
from motionrep.training.sample_loading import sample_loader, usual_workers
from motionrep.training.trainable import finish
from motionrep.training.trainer import EpochKeys, trainer_for

logger = logging.getLogger(__name__)


def train(
    config: FinetuneConfig,
    data: Sequence[Path],
    output: Path,
    keypoints: Sequence[Path] = (),
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
    strict: bool = False,
    tables: bool = True,
    workers: int | None = None,
) -> dict[str, float]:
    """Trains, and writes the best epoch's `head/` and `encoder/` into the run folder.

    The run folder also holds config.yaml, versions.json, metrics.csv (every epoch), metrics.json (the best one), the
    checkpoints to resume from, and `head_NAME/` for each of `more_heads`. Of a frozen encoder it holds `encoder.json`,
    which says which one it is.

    Args:
        data: Folders, each with an index.csv, or of motion files (`datasets.motion_folders.load_motion_folder`), and
            labelled data sets (`datasets.benchmarks.training_sets.labelled_set`).
        output: The run folder.
        keypoints: Folders of keypoint files without poses, for a head with a `reprojection` loss.
        resume: Goes on after the last finished epoch of the run in `output`; with its first epoch if none is finished.
        devices: Processes on this machine, each with a GPU if there are any; they share each step's samples.
        nodes: Machines, each of which runs this with the same arguments (docs/training.md).
        tables: Scores what was trained by the protocols of the labelled data sets in the end, in protocol_NAME.json.
        strict: Refuses a folder in which a motion file cannot be read, instead of leaving the file out.
        workers: Processes that make the samples of each training process; 0 makes them in itself. None is
            `sample_loading.usual_workers`. Samples are the same for any number.

    Returns:
        Validation metrics of the best epoch.

    Raises:
        ValueError: The folder holds another run, or another process trains into it, there is nothing to resume, or the
            configuration does not fit.
    """
    with held(output) as was_killed:
        resume = resume and may_resume(output, was_killed)
        return _train(config, data, output, keypoints, resume, devices, nodes, strict, tables, workers)


def _train(
    config: FinetuneConfig,
    data: Sequence[Path],
    output: Path,
    keypoints: Sequence[Path],
    resume: bool,
    devices: int,
    nodes: int,
    strict: bool,
    tables: bool,
    workers: int | None,
) -> dict[str, float]:
    """`train`, in a run folder that no other process trains into."""
    processes, last = devices * nodes, last_checkpoint(output, resume)
    _require_startable(config, output, processes, resume)
    lightning.seed_everything(config.seed, verbose=False)
    clips = training_clips(config, data, strict)
    encoder, heads = build_networks(config, clips.labels)
    require_truth(clips, heads)
    people = keypoint_clips(config, keypoints, heads, processes)
    used = clips.lines()
    if resume:
        require_same_clips(used, people, output / "versions.json")
    precision, reason = settled_precision(config, output, resume)
    config, fps = replace(config, precision=precision), config.fps or encoder.fps or USUAL_FPS
    train_set = training_set(config, clips, people, encoder.frames, fps)
    val_set = validation_set(config, clips, encoder.frames, fps)
    module = TrainingModule(encoder, heads, config, fps, config.clips_per_epoch // config.batch_size * config.epochs)
    if config.tune == "frozen":
        train_set, val_set = _encoded_once(module, train_set, val_set)
    trainer, best = trainer_for(config, output, None if last is None else read_last(last), devices, nodes)
    if trainer.is_global_zero:
        for line in (*told(clips, people, data), reason):
            logger.info(line)
        write_run_files(replace(config, fps=fps), used, people, output)
    _fit(trainer, module, train_set, val_set, last, usual_workers(devices) if workers is None else workers)
    scores = _take_best(module, best.best_model_path)
    if trainer.is_global_zero:
        if config.tune != "frozen":
            module.encoder.provenance = provenance_of(config, data, keypoints, module.encoder)
        _save(module, output, scores)
        if tables:
            write_protocols(config, clips, module, output)
    trainer.strategy.barrier()
    return scores


def _require_startable(config: FinetuneConfig, output: Path, processes: int, resume: bool) -> None:
    require_free(output)
    if config.batch_size % processes:
        raise ValueError(f"batch_size {config.batch_size} cannot be shared evenly by {processes} processes")
    if resume:
        require_same_settings(config, output / "config.yaml")


def _take_best(module: TrainingModule, path: str) -> dict[str, float]:
    """Loads the best epoch's weights into the module; returns its scores."""
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    module.load_state_dict(checkpoint["state_dict"])
    return checkpoint["scores"] if "units" in checkpoint else today(checkpoint["scores"])


def try_out(config: FinetuneConfig, data: Sequence[Path], keypoints: Sequence[Path] = ()) -> dict[str, float]:
    """Validation metrics after two steps of a run in a temporary folder: tells whether a run would go through."""
    short = replace(config, epochs=1, clips_per_epoch=2 * config.batch_size, validation_views=1)
    with TemporaryDirectory() as folder:
        return train(short, data, Path(folder) / "run", keypoints, tables=False)


def _encoded_once(module: TrainingModule, train_set: Dataset, val_set: Dataset) -> tuple[Dataset, Dataset]:
    """Data sets that hold the frozen encoder's representations of the clips that are the same in every epoch."""

    def encode(batch: dict[str, Tensor]) -> Tensor:
        module.encoder.eval()
        with torch.no_grad():
            return module.encoded({"keypoints": batch["keypoints"].to(module.device)}).cpu()

    repeats = module.config.repeat_clips
    return EncodedOnce(train_set, encode) if repeats else train_set, EncodedOnce(val_set, encode)


def _fit(
    trainer: lightning.Trainer,
    module: TrainingModule,
    train_set: Dataset,
    val_set: Any,
    resume_from: Path | None,
    workers: int,
) -> None:
    """Trains until the last epoch; KeyboardInterrupt where somebody interrupts it."""
    config = module.config
    keys = EpochKeys(config.clips_per_epoch, config.batch_size, trainer, repeat=config.repeat_clips)
    all_keys = [(0, index) for index in range(len(val_set))]  # every process validates on all clips
    share = config.batch_size // trainer.world_size
    try:
        trainer.fit(
            module,
            sample_loader(train_set, share, keys, workers, drop_last=True),
            sample_loader(val_set, config.batch_size, all_keys, workers),
            ckpt_path=resume_from,
            weights_only=True,
        )
    except Stopped:
        raise
    except SystemExit as error:
        if trainer.interrupted:  # Lightning ends the process by itself
            raise KeyboardInterrupt from error
        raise


def _save(module: TrainingModule, output: Path, scores: dict[str, float]) -> None:
    """Writes the best epoch's encoder, unless it was frozen, its heads and its scores."""
    encoder = module.encoder
    finish(encoder, module.prepared[0])
    digest = weights_digest(encoder)
    if module.config.tune == "frozen":
        write_encoder_reference(encoder, str(module.config.encoder), digest, output)
    else:
        encoder.name = output.resolve().name
        encoder.save_pretrained(output / "encoder")
    for number, (name, head) in enumerate(module.heads.items()):
        folder = output / (f"head_{name}" if number else "head")
        save_head(head, folder, name, encoder.name, encoder_digest=digest)
    write_json(scores, output / "metrics.json")
