"""The clips of a training run: which ones it uses, and the data sets that they become."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from torch.utils.data import Dataset

from motionrep.body import load_body_model
from motionrep.datasets.benchmarks.labelled import ListedClip
from motionrep.datasets.benchmarks.training_sets import LabelledSet, labelled_set
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.keypoint_folders import load_keypoint_folder
from motionrep.datasets.labelled_windows import LabelledWindows, Together
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.procedural.clips import procedural_clips
from motionrep.datasets.synthetic.clips import EveryWindow, RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.keypoint_clips import KeypointClips, MixedClips
from motionrep.files.progress import duration
from motionrep.motion.other_bodies import with_rotations
from motionrep.training.config import FinetuneConfig
from motionrep.training.networks import body_name
from motionrep.types import Keypoints

VALIDATION_SEED = 2000
C = TypeVar("C", MotionClip, ListedClip)


@dataclass(frozen=True)
class TrainingClips:
    """What a run learns from, besides keypoints without poses.

    Attributes:
        labels: Names of the classes, sorted; empty without classification.
        train: Motions to train on, seen by simulated cameras.
        val: Motions to validate on.
        labelled: Data sets of keypoints with their truth, split as their protocols have it.
    """

    labels: tuple[str, ...]
    train: list[MotionClip]
    val: list[MotionClip]
    labelled: tuple[LabelledSet, ...] = ()

    def listed(self, part: Literal["train", "val"]) -> list[ListedClip]:
        """The clips of all labelled data sets."""
        return [clip for of in self.labelled for clip in getattr(of, part)]

    def lines(self) -> list[str]:
        """A line for each clip, by which runs tell whether they have the same ones."""
        motions = [f"{clip.name} {clip.split} {clip.motion.frame_count}" for clip in (*self.train, *self.val)]
        return motions + [f"{c.name} {part} {c.frames}" for part in ("train", "val") for c in self.listed(part)]


def training_clips(config: FinetuneConfig, data: Sequence[Path], strict: bool = False) -> TrainingClips:
    """The clips of motion folders and labelled data sets that `config.classes` and `config.clips_share` leave.

    Raises:
        ValueError: No clip to train or to validate on, or none of a class where classes are asked for.
    """
    body, named = body_name(config), ", ".join(map(str, data))
    patterns = () if config.held_out is None else read_held_out(config.held_out)
    found = {path: labelled_set(path, config.protocol, config.protocol_options, body) for path in data}
    labelled = tuple(of for of in found.values() if of is not None)
    folders = [path for path, of in found.items() if of is None]
    clips = [clip for folder in folders for clip in load_motion_folder(folder, strict=strict, body_model=body)]
    labels: tuple[str, ...] = ()
    if config.classes != "none":
        core = [clip for clip in clips if clip.core]
        known = (*core, *(clip for of in labelled for clip in (*of.train, *of.val)))
        labels = tuple(sorted({clip.action for clip in known if clip.action}))
        clips = core if config.classes == "core" else clips
        if not labels:
            raise ValueError(f"{named}: no clip of a core class; classification needs an index.csv with labels")
    train, val = ([clip for clip in clips if clip.split == split] for split in ("train", "val"))
    train = [clip for clip in train if not is_held_out(clip, patterns)]
    train = share_of(train, config.clips_share, by_action=bool(labels)) if train else train
    labelled = tuple(replace(of, train=share_of(of.train, config.clips_share, bool(labels))) for of in labelled)
    wanted = TrainingClips(labels, train, val, labelled)
    counts = len(train) + len(wanted.listed("train")), len(val) + len(wanted.listed("val"))
    if not all(counts) or (folders and not (train and val)):
        raise ValueError(
            f"{named}: {counts[0]} training and {counts[1]} validation clips, but both are needed. An index.csv "
            "assigns clips to them (README). Without one, about one file in eight validates, and at least one of two"
        )
    return wanted


def told(clips: TrainingClips, people: Sequence[Keypoints], data: Sequence[Path]) -> list[str]:
    """What was read and how it is split, in lines for the user."""
    folders = ", ".join(map(str, data))
    motions = f"{_counted(clips.train)} to train on, {_counted(clips.val)} to validate on"
    lines = [f"read {folders}: {motions}"] if clips.train else []
    lines += [f"{of.name}: {_listed(of.train)} to train on, {_listed(of.val)} to validate on" for of in clips.labelled]
    moved = {clip.name: clip.moved_mm for clip in (*clips.train, *clips.val) if clip.moved_mm is not None}
    if moved:
        worst, mean_mm = max(moved, key=moved.__getitem__), sum(moved.values()) / len(moved)
        lines.append(
            f"{len(moved)} clips of other bodies were carried over: their joints and landmarks are {mean_mm:.1f} mm "
            f"off on average, at most {moved[worst]:.1f} mm ({worst})"
        )
    if clips.labels:
        lines.append(f"{len(clips.labels)} classes: {', '.join(clips.labels)}")
    if people:
        length = duration(sum(person.frame_count / person.fps for person in people))
        lines.append(f"{len(people)} keypoint clips without poses ({length}) to train on")
    return lines


def _counted(clips: Sequence[MotionClip]) -> str:
    length = duration(sum(clip.motion.frame_count / clip.motion.fps for clip in clips))
    subjects = {clip.subject for clip in clips} - {""}
    of = f" of {len(subjects)} subject{'s' * (len(subjects) > 1)}" if subjects else ""
    return f"{len(clips)} clip{'s' * (len(clips) > 1)}{of} ({length})"


def _listed(clips: Sequence[ListedClip]) -> str:
    subjects = {clip.subject for clip in clips} - {""}
    of = f" of {len(subjects)} subject{'s' * (len(subjects) > 1)}" if subjects else ""
    seconds = sum((clip.frames or 0) / clip.fps for clip in clips)
    length = f" ({duration(seconds)})" if seconds else ""
    return f"{len(clips)} clip{'s' * (len(clips) > 1)}{of}{length}"


def share_of(clips: list[C], share: float, by_action: bool) -> list[C]:
    """A share of all clips, or of the clips of every action, at least one; chosen by a hash of their names."""
    groups: dict[str | None, list[C]] = {}
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.name.encode()).digest()):
        groups.setdefault(clip.action if by_action else None, []).append(clip)
    kept = {clip.name for some in groups.values() for clip in some[: max(1, round(share * len(some)))]}
    return [clip for clip in clips if clip.name in kept]


def keypoint_clips(
    config: FinetuneConfig, folders: Sequence[Path], heads: Mapping[str, Any], processes: int
) -> list[Keypoints]:
    """The persons of the keypoint folders, of whom no pose is known.

    Args:
        heads: Those to be trained, by name.
        processes: How many share a batch.

    Raises:
        ValueError: No head has a `reprojection` loss, or `config.observed_share` of a process's samples is none or all.
    """
    if not folders:
        return []
    if not any("reprojection" in getattr(head, "losses", {}) for head in heads.values()):
        raise ValueError("keypoints without poses need a head with a loss 'reprojection', such as pose3d's")
    samples = config.batch_size // processes
    observed = round(config.observed_share * samples)
    if not 0 < observed < samples:
        raise ValueError(
            f"observed_share {config.observed_share:g} of the {samples} samples that a process has of a batch rounds "
            f"to {observed}: at least one must be observed and one not; take a larger batch_size, another "
            "observed_share or fewer processes"
        )
    return [person for folder in folders for person in load_keypoint_folder(folder)]


def require_truth(clips: TrainingClips, heads: Mapping[str, Any]) -> None:
    """Raises ValueError for a head that learns what none of the clips, or not all with a pose, tell."""
    gives = {of.gives for of in clips.labelled} | ({"body"} if clips.train else set())
    for name, head in heads.items():
        classifies = hasattr(head, "labels")
        recovers = getattr(head, "body", None) is not None
        if recovers and "joints" in gives:
            lacking = next(of.name for of in clips.labelled if of.gives == "joints")
            raise ValueError(f"head {name!r} learns a body, and {lacking} has only joints; train pose3d on it")
        if not classifies and gives == {"action"}:
            raise ValueError(f"head {name!r} learns poses, and the clips have only actions; train the head action")


def training_set(
    config: FinetuneConfig, clips: TrainingClips, people: list[Keypoints], frames: int, fps: float
) -> Dataset:
    """Random windows of the training clips, labelled and simulated ones mixed, with keypoint clips if there are any.

    Args:
        frames: The encoder's window.
        fps: Frame rate of the samples.
    """
    window = config.window or frames
    known: Any = _simulated(config, clips, window, frames, fps) if clips.train else None
    if clips.labelled:
        drawn = RandomWindows(config.clips_per_epoch, config.variety, config.clip_weights)
        labelled = _labelled(config, clips, "train", window, frames, fps, drawn)
        parts, share = ([labelled], [1.0]) if known is None else ([labelled, known], [config.labelled_share])
        known = Together(parts, [*share, 1 - share[0]][: len(parts)])
    if not people:
        return known
    observed = KeypointClips(people, window, frames, fps, config.seed, config.variety)
    return MixedClips(known, observed, config.observed_share)


def validation_set(config: FinetuneConfig, clips: TrainingClips, frames: int, fps: float) -> Dataset:
    """Every window of the validation clips, of motions from `config.validation_views` cameras; arguments as above."""
    window = config.window or frames
    stride = window // 2 if config.classes == "core" else None
    parts: list[Any] = []
    if clips.val:
        windows = EveryWindow(stride, config.validation_views, own_betas=config.variety.own_betas > 0)
        parts.append(SynthesizedClips(
            clips.val, window, frames, fps, VALIDATION_SEED, windows, labels=clips.labels,
            unlabelled=config.classes == "core_and_rest", body=load_body_model(body_name(config)),
        ))  # fmt: skip
    if clips.labelled:
        parts.append(_labelled(config, clips, "val", window, frames, fps, None))
    return Together(parts) if clips.labelled else parts[0]


def _simulated(config: FinetuneConfig, clips: TrainingClips, window: int, frames: int, fps: float) -> SynthesizedClips:
    body = load_body_model(body_name(config))
    made_up = procedural_clips(config.procedural_minutes, config.seed, clips.train) if config.procedural else []
    made_up = [replace(clip, motion=with_rotations(clip.motion, body)) for clip in made_up]
    windows = RandomWindows(config.clips_per_epoch, config.variety, config.clip_weights, made_up, config.procedural)
    return SynthesizedClips(
        clips.train, window, frames, fps, config.seed, windows,
        labels=clips.labels, unlabelled=config.classes == "core_and_rest", body=body,
    )  # fmt: skip


def _labelled(
    config: FinetuneConfig, clips: TrainingClips, part: Literal["train", "val"], window: int, frames: int, fps: float,
    windows: RandomWindows | None,
) -> LabelledWindows:  # fmt: skip
    body, unlabelled = load_body_model(body_name(config)), config.classes == "core_and_rest"
    return LabelledWindows(
        clips.listed(part), window, frames, fps, config.seed, windows,
        labels=clips.labels, unlabelled=unlabelled, body=body,
    )  # fmt: skip
