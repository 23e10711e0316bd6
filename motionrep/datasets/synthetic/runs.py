"""Runs: stretches of usable motion that training clips are cut from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.motion_folders import MotionClip
from motionrep.layouts import SMPL_24

_LONGEST_BRIDGED_GAP_S = 0.1
_SHORTEST_RUN_S = 0.5


@dataclass(frozen=True)
class Run:
    """Motion without a gap, in world axes at the frame rate of its file.

    Attributes:
        quaternion: Local rotations, xyzw, with signs that make neighbouring frames close.
        label: Index of the clip's class, -1 for none.
        name: Name of the clip.
        first_frame: Number of the run's first frame in the clip.
    """

    quaternion: Float[Tensor, "frames 24 4"]
    translation_m: Float[Tensor, "frames 3"]
    betas: Float[Tensor, " betas"]
    fps: float
    label: int
    name: str
    first_frame: int

    @property
    def seconds(self) -> float:
        return (self.quaternion.shape[0] - 1) / self.fps


def usable_runs(clips: Sequence[MotionClip], labels: tuple[str, ...], unlabelled: bool) -> list[Run]:
    """The runs of all clips.

    Gaps of up to a tenth of a second, such as a single frame at which a joint jumps, are interpolated. Runs of less
    than half a second are left out.

    Args:
        labels: Classes. Other clips, and clips that are not `core`, have no class and are left out. Empty: no clip has
            a class, and all stay.
        unlabelled: Keeps the clips without a class.

    Raises:
        ValueError: No run is left, or none has a class though there are labels.
    """
    runs = [run for clip in clips for run in _runs_of(clip, labels, unlabelled)]
    if not runs:
        raise ValueError(
            f"none of the {len(clips)} motion clips ({', '.join(clip.name for clip in clips[:3])}"
            f"{', ...' if len(clips) > 3 else ''}) holds a usable run of {_SHORTEST_RUN_S} s"
            + (f" with an action among {', '.join(labels)}" if labels else "")
        )
    if labels and all(run.label < 0 for run in runs):
        split = " and ".join(sorted({clip.split or "none" for clip in clips}))
        raise ValueError(
            f"none of the {len(runs)} usable runs of {_SHORTEST_RUN_S} s or more of split {split} is of a "
            f"class ({', '.join(labels)}): put core clips of these actions into that split in the index.csv, "
            "or train without classes"
        )
    return runs


def chances(runs: list[Run], by_class: bool, weights: Mapping[str, float] = MappingProxyType({})) -> np.ndarray:
    """Probability with which each run is drawn.

    Proportional to its duration, or, by class, equal for all classes and proportional to duration within each. Where
    some runs have no class, the mean of the two. Durations count times the weight of the first pattern that the name of
    the clip matches.
    """
    weight = [next((w for pattern, w in weights.items() if fnmatchcase(run.name, pattern)), 1.0) for run in runs]
    seconds = np.array([run.seconds for run in runs]) * weight
    by_time = seconds / seconds.sum()
    if not by_class:
        return by_time
    label = np.array([run.label for run in runs])
    known = label >= 0
    of_class = np.bincount(label[known], weights=seconds[known])
    by_class_alike = np.where(known, seconds / of_class[label], 0) / (of_class > 0).sum()
    return by_class_alike if known.all() else (by_time + by_class_alike) / 2


def every_place(runs: list[Run], window_s: float, stride_s: float) -> list[tuple[Run, float]]:
    """Run and start, in seconds, of every window in order; the rest of a run counts if it fills half a window."""
    places = []
    for run in runs:
        count = max(1, int((run.seconds - window_s / 2) / stride_s) + 1)
        places += [(run, k * stride_s) for k in range(count)]
    return places


def _runs_of(clip: MotionClip, labels: tuple[str, ...], unlabelled: bool) -> list[Run]:
    label = labels.index(clip.action) if clip.core and clip.action in labels else -1
    if labels and label < 0 and not unlabelled:
        return []
    motion = clip.motion
    quaternion = _continuous(roma.rotmat_to_unitquat(motion.local_rotmat[:, : SMPL_24.joint_count]))  # without fingers
    runs = []
    for frames in _stretches(clip.usable.nonzero()[:, 0].tolist(), max(1, int(_LONGEST_BRIDGED_GAP_S * motion.fps))):
        if (frames[-1] - frames[0]) / motion.fps < _SHORTEST_RUN_S:
            continue
        wanted = np.arange(frames[0], frames[-1] + 1)
        place = np.searchsorted(frames, wanted, side="right") - 1
        before = np.array(frames)[place]
        after = np.array(frames)[np.minimum(place + 1, len(frames) - 1)]
        share = torch.from_numpy((wanted - before) / np.maximum(after - before, 1)).float()
        a, b = quaternion[before], quaternion[after]
        bridged = torch.nn.functional.normalize(a + share[:, None, None] * (b - a), dim=-1)
        moved = torch.lerp(motion.translation_m[before], motion.translation_m[after], share[:, None])
        runs.append(Run(bridged, moved, motion.betas, motion.fps, label, clip.name, frames[0]))
    return runs


def _stretches(good: list[int], longest_gap: int) -> list[list[int]]:
    """Usable frame numbers, split where two neighbours are more than `longest_gap` apart."""
    stretches, start = [], 0
    for k in range(1, len(good) + 1):
        if k == len(good) or good[k] - good[k - 1] > longest_gap:
            stretches.append(good[start:k])
            start = k
    return stretches


def _continuous(quaternion: Float[Tensor, "frames joints 4"]) -> Float[Tensor, "frames joints 4"]:
    """The same rotations with signs chosen so that neighbouring frames are close."""
    flips = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    sign = torch.cat([torch.ones_like(quaternion[:1, :, 0]), torch.where(flips, -1.0, 1.0)]).cumprod(0)
    return quaternion * sign[..., None]
