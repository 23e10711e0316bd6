"""Files of a training run beside its weights: settings, versions, metrics of every epoch, provenance."""

import csv
import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from motionrep.encoders import Encoder, Provenance
from motionrep.files.reading import BROKEN, reading
from motionrep.files.texts import read_index, read_json
from motionrep.files.units import today
from motionrep.files.writing import write_json, written_beside
from motionrep.training.config import FinetuneConfig
from motionrep.training.precision import Precision, measured_choice
from motionrep.types import Keypoints


def may_resume(output: Path, was_killed: bool) -> bool:
    """Whether there are settings to go on with. Without them a run that was killed at its start begins again.

    Args:
        was_killed: A run was killed in the folder.

    Raises:
        ValueError: No run began in the folder, or one has ended without leaving a checkpoint.
    """
    if (output / "config.yaml").is_file():
        if (output / "metrics.json").is_file() and not _last(output).is_file():
            raise ValueError(f"{output}: nothing to resume, the run has ended and {_last(output)} is gone")
        return True
    if not was_killed:
        raise ValueError(f"{output}: nothing to resume, there is no config.yaml; leave out --resume to start")
    return False


def last_checkpoint(output: Path, resume: bool) -> Path | None:
    """The checkpoint to go on from.

    Returns:
        None for a new run, and for one that ended before its first epoch did, which begins again.

    Raises:
        ValueError: A new run would overwrite another one.
    """
    last = _last(output)
    if not resume and (last.is_file() or (output / "metrics.json").is_file()):
        raise ValueError(f"{output} already holds a run; pass --resume to go on with it, or another --output")
    return last if last.is_file() else None


def _last(output: Path) -> Path:
    return output / "checkpoints" / "last.ckpt"


def settled_precision(config: FinetuneConfig, output: Path, resume: bool) -> tuple[Precision, str]:
    """The precision that a run takes, and a line that says why.

    A resumed run keeps its precision, also on a machine where the other one would be faster.
    """
    if config.precision != "auto":
        return config.precision, f"precision {config.precision}: as the settings say"
    if not resume:
        choice = measured_choice()
        return choice.precision, choice.sentence
    path = output / "config.yaml"
    started = FinetuneConfig.from_file(path)
    assert started.precision != "auto", "a run folder holds what was taken"
    return started.precision, f"precision {started.precision}: the run was started with it ({path})"


def require_same_settings(config: FinetuneConfig, path: Path) -> None:
    """Raises ValueError when a run would be resumed with settings that differ from config.yaml.

    The file holds the frame rate and the precision that the run uses, also where the settings leave them open.
    """
    try:
        started = asdict(FinetuneConfig.from_file(path))
    except ValueError as error:
        raise ValueError(f"{path}: settings of another version of motionrep ({error}); use another --output") from error
    changed = [f"{name} {started[name]!r} is now {value!r}" for name, value in asdict(config).items()
               if started[name] != value and (name, value) not in (("fps", None), ("precision", "auto"))]  # fmt: skip
    if changed:
        raise ValueError(f"{path}: a run goes on as it was started, but {'; '.join(changed)}; use another --output")


def read_last(path: Path) -> dict[str, Any]:
    """The checkpoint that a run goes on from. Raises ValueError if it is damaged."""
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except BROKEN as error:
        raise ValueError(
            f"{path}: damaged or not whole ({type(error).__name__}); replace it with a copy of a best_*.ckpt beside it "
            "to go on from there, or start again with another --output"
        ) from error


def require_same_clips(clips: Sequence[str], people: Sequence[Keypoints], path: Path) -> None:
    """Raises ValueError when a run would be resumed with clips that differ from those versions.json tells of."""
    started_with, now = read_json(path), _digests(clips, people)
    if not isinstance(started_with, dict):
        raise ValueError(f"{path}: damaged, it holds no names; start again with another --output")
    for name, what, option in (("clips", "motion", "--data"), ("keypoints", "keypoint", "--keypoints")):
        if started_with.get(name, now[name]) != now[name]:  # runs of older versions do not tell
            raise ValueError(
                f"{path}: the run was started with other {what} clips than {option} holds now; give the same clips, "
                "or another --output"
            )


def require_free(output: Path) -> None:
    """Raises ValueError when a folder that the run will replace holds something else than an encoder or a head."""
    for folder in (output / "encoder", output / "head", *output.glob("head_*")):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
            raise ValueError(f"{folder}: is no encoder or head, and would be replaced; choose another --output")


def _digests(clips: Sequence[str], people: Sequence[Keypoints]) -> dict[str, str]:
    """Digests by which sets of clips are compared: of names and frame counts."""
    persons = [f"{clip.person} {clip.frame_count} {clip.fps} {float(clip.xy_px.mean()):.3f}" for clip in people]
    return {
        name: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
        for name, lines in (("clips", clips), ("keypoints", persons))
    }


def write_run_files(config: FinetuneConfig, clips: Sequence[str], people: Sequence[Keypoints], output: Path) -> None:
    """Writes config.yaml, and versions.json with the versions of libraries and digests of the clips."""
    packages = ("motionrep", "torch", "lightning", "numpy", "roma")
    versions = {name: version(name) for name in packages} | {"python": platform.python_version(), "commit": _commit()}
    versions |= _digests(clips, people)
    write_json(versions, output / "versions.json", told=False)
    with written_beside(output / "config.yaml", told=False) as beside:  # the last: a run with settings can be resumed
        beside.write_text(yaml.safe_dump(asdict(config), sort_keys=False), encoding="utf-8")


def provenance_of(
    config: FinetuneConfig, data: Sequence[Path], keypoints: Sequence[Path], encoder: Encoder
) -> Provenance:
    """The provenance of an encoder after training, without measurements and licence, which no longer hold."""
    sources = [
        f"{kind} files of {', '.join(repr(folder.resolve().name) for folder in folders)}"
        for kind, folders in (("motion", data), ("keypoint", keypoints))
        if folders
    ]
    start = "new weights" if config.new_encoder is not None else f"the encoder {encoder.name!r}"
    earlier = f"; the encoder it went on from: {encoder.provenance.data}" if encoder.provenance.data else ""
    settings = yaml.safe_dump(asdict(config), sort_keys=False)
    command = "finetune" if config.new_encoder is None else "pretrain"
    return Provenance(
        data=" and ".join(sources) + earlier,
        recipe=f"`motionrep {command}` from {start}, motionrep {version('motionrep')}, commit {_commit()}, with\n\n"
        f"```yaml\n{settings}```",
    )


def _commit() -> str:
    """The commit that motionrep runs from; "not a checkout" for an installed package."""
    git = ["git", "-C", str(Path(__file__).parent)]
    tracked, described = ["ls-files", "--error-unmatch", Path(__file__).name], ["describe", "--always", "--dirty"]
    try:
        subprocess.run([*git, *tracked], capture_output=True, check=True)
        return subprocess.run(
            [*git, *described, "--abbrev=40"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"


class EpochTable(Logger):
    """The logger that writes metrics.csv. It counts epochs from 1, where Lightning counts from 0.

    The table is written whole each time, so that a killed run keeps the rows of its finished epochs.

    Args:
        output: The run folder.
        finished: Epochs of a resumed run whose rows are kept; None for a new run.
    """

    def __init__(self, output: Path, finished: int | None) -> None:
        super().__init__()
        self.path = output / "metrics.csv"
        self.rows: list[dict[str, Any]] = []
        if finished is not None and self.path.is_file():
            with reading(self.path, "metrics.csv"):
                _, rows = read_index(self.path)
                if any(row["epoch"] == "0" for row in rows):  # motionrep 0.1.0 counted from 0
                    rows = [_of_today(row) for row in rows]
                self.rows = [row for row in rows if int(row["epoch"]) <= finished]

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *_args: Any, **_options: Any) -> None:
        """They are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds a row and writes the table."""
        row: dict[str, Any] = dict(metrics) | ({} if step is None else {"step": step})
        self.rows.append(row | ({"epoch": int(row["epoch"]) + 1} if "epoch" in row else {}))
        with written_beside(self.path, told=False) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, sorted({name for row in self.rows for name in row}))
            table.writeheader()
            table.writerows(self.rows)


def _of_today(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of metrics.csv of motionrep 0.1.0, which counted from 0 and had accelerations in mm/s^2."""
    scores = today({name: float(value) for name, value in row.items() if value and name.endswith("accel_error")})
    return {**row, **scores, "epoch": str(int(row["epoch"]) + 1)}
