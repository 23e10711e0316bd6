"""The clips of a training run: which ones it uses, and the data sets that they become."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from motionrep.body import load_body_model
from motionrep.datasets.held_out import is_held_out, read_held_out
from motionrep.datasets.keypoint_folders import load_keypoint_folder
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


@dataclass(frozen=True)
class MotionClips:
    """Clips with known motion.

    Attributes:
        labels: Names of the classes, sorted; empty without classification.
        train: Clips to train on.
        val: Clips to validate on.
    """

    labels: tuple[str, ...]
    train: list[MotionClip]
    val: list[MotionClip]


def motion_clips(config: FinetuneConfig, data: Sequence[Path], strict: bool = False) -> MotionClips:
    """The clips of the motion folders that `config.classes` and `config.clips_share` leave.

    Raises:
        ValueError: No clip to train or to validate on, or none of a core class where classes are asked for.
    """
    body = body_name(config)
    patterns = () if config.held_out is None else read_held_out(config.held_out)
    clips = [clip for folder in data for clip in load_motion_folder(folder, strict=strict, body_model=body)]
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
    train = [clip for clip in train if not is_held_out(clip, patterns)]
    if not train or not val:
        raise ValueError(
            f"{named}: {len(train)} training and {len(val)} validation clips, but both are needed. An index.csv "
            "assigns clips to them (README). Without one, about one file in eight validates, and at least one of two"
        )
    return MotionClips(labels, share_of(train, config.clips_share, by_action=bool(labels)), val)


def told(clips: MotionClips, people: Sequence[Keypoints], data: Sequence[Path]) -> list[str]:
    """What was read and how it is split, in lines for the user."""
    folders = ", ".join(map(str, data))
    lines = [f"read {folders}: {_counted(clips.train)} to train on, {_counted(clips.val)} to validate on"]
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


def share_of(clips: list[MotionClip], share: float, by_action: bool) -> list[MotionClip]:
    """A share of all clips, or of the clips of every action, at least one; chosen by a hash of their names."""
    groups: dict[str | None, list[MotionClip]] = {}
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


def training_set(
    config: FinetuneConfig, clips: MotionClips, people: list[Keypoints], frames: int, fps: float
) -> Dataset:
    """Random windows of the training clips, mixed with keypoint clips if there are any.

    Args:
        frames: The encoder's window.
        fps: Frame rate of the samples.
    """
    window = config.window or frames
    body = load_body_model(body_name(config))
    made_up = procedural_clips(config.procedural_minutes, config.seed, clips.train) if config.procedural else []
    made_up = [replace(clip, motion=with_rotations(clip.motion, body)) for clip in made_up]
    windows = RandomWindows(config.clips_per_epoch, config.variety, config.clip_weights, made_up, config.procedural)
    synthesized = SynthesizedClips(
        clips.train, window, frames, fps, config.seed, windows,
        labels=clips.labels, unlabelled=config.classes == "core_and_rest", body=body,
    )  # fmt: skip
    if not people:
        return synthesized
    observed = KeypointClips(people, window, frames, fps, config.seed, config.variety)
    return MixedClips(synthesized, observed, config.observed_share)


def validation_set(config: FinetuneConfig, clips: MotionClips, frames: int, fps: float) -> Dataset:
    """Every window of the validation clips, from `config.validation_views` cameras each; arguments as above."""
    window = config.window or frames
    stride = window // 2 if config.classes == "core" else None
    windows = EveryWindow(stride, config.validation_views, own_betas=config.variety.own_betas > 0)
    return SynthesizedClips(
        clips.val, window, frames, fps, VALIDATION_SEED, windows,
        labels=clips.labels, unlabelled=config.classes == "core_and_rest", body=load_body_model(body_name(config)),
    )  # fmt: skip
