"""Training clips of labelled data sets: real or given keypoints, with the truth that the files hold.

Batches are those of `synthetic.clips`, with two more entries, as in `synthetic.keypoint_clips`: `has_pose`, False for
clips of which only the action is known, and `observed`, the keypoints before any of them was hidden.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.datasets.benchmarks.labelled import LabelledClip, ListedClip
from motionrep.datasets.synthetic.clip_changes import masked
from motionrep.datasets.synthetic.clips import RandomWindows
from motionrep.fitting.transfer import same_shape
from motionrep.geometry.cameras import PinholeCamera
from motionrep.geometry.rotations import mirror_rotmat
from motionrep.layouts import H36M_17, SMPL_24, flip_index_tensor, to_h36m_17
from motionrep.types import BodyMotion, JointMotion, Keypoints

_KEPT_BYTES = 2**29
_MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class _Made:
    """A clip as tensors: the persons' keypoints, the truth in each frame, and which frames count."""

    persons: list[Float[Tensor, "frames 17 3"]]
    position_m: Float[Tensor, "frames 17 3"]
    local_rotmat: Float[Tensor, "frames 24 3 3"]
    counted: Bool[Tensor, " frames"]
    betas: Float[Tensor, " betas"]
    has_pose: bool
    focal: float
    fps: float

    @property
    def bytes(self) -> int:
        tensors = (*self.persons, self.position_m, self.local_rotmat)
        return sum(t.untyped_storage().nbytes() for t in tensors)


class LabelledWindows(Dataset):
    """Windows of labelled clips; keys are `(epoch, index)`, whole batches through `__getitems__`.

    Clips are made when they are drawn; those drawn last stay in memory, up to half a GiB.

    Args:
        window: Frames in a sample, at `fps`. Clips of another rate are interpolated.
        padded_to: Frames of a sample after padding by its last frame; the encoder's window.
        windows: Which windows are drawn. None takes every window with a pose once, one behind the other, and of clips
            with an action alone the one in the middle.
        labels: Classes; other clips are left out. Empty for no classification.
        unlabelled: Keeps other clips, with label -1.
        body: The body that poses are given on. Motions of another body keep their rotations and get the betas
            whose rest pose is nearest.

    Raises:
        ValueError: The window is longer than `padded_to`, or no clip is left.
    """

    def __init__(
        self,
        clips: Sequence[ListedClip],
        window: int,
        padded_to: int,
        fps: float,
        seed: int = 0,
        windows: RandomWindows | None = None,
        *,
        labels: Sequence[str] = (),
        unlabelled: bool = False,
        body: BodyModel | None = None,
    ) -> None:
        if window > padded_to:
            raise ValueError(f"a window of {window} frames does not fit into {padded_to}, the encoder's")
        self.clips = [clip for clip in clips if unlabelled or not labels or clip.action in labels]
        if not self.clips:
            raise ValueError(f"none of the {len(clips)} labelled clips is of a class ({', '.join(labels)})")
        self.window, self.padded_to, self.fps, self.seed, self.windows = window, padded_to, fps, seed, windows
        self.labels, self.body = tuple(labels), load_body_model("open") if body is None else body
        self.kept, self.kept_bytes = OrderedDict[int, _Made](), 0
        self.chances = None if windows is None else _chances(self.clips, bool(labels), windows.weights)
        self.places = self._every_place() if windows is None else []

    def __len__(self) -> int:
        return len(self.places) if self.windows is None else self.windows.count

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs."""
        samples = [self._sample(epoch, index) for epoch, index in keys]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}

    def _every_place(self) -> list[tuple[int, int | None]]:
        """Clip and start of each window; None is the middle."""
        places: list[tuple[int, int | None]] = []
        for which, clip in enumerate(self.clips):
            frames = None if clip.frames is None else _count(clip.frames, clip.fps, self.fps)
            places += [(which, None)] if frames is None else [(which, s) for s in range(0, frames, self.window)]
        return places

    def _sample(self, epoch: int, index: int) -> dict[str, Tensor]:
        if self.windows is None:
            which, start = self.places[index]
            made = self._made(which)
            first = max(0, _count(len(made.counted), made.fps, self.fps) - self.window) // 2 if start is None else start
            return self._shown(which, made, 0, first)
        rng = np.random.default_rng((self.seed, epoch, index, 5))
        which = int(rng.choice(len(self.clips), p=self.chances))
        made = self._made(which)
        person = int(rng.integers(len(made.persons)))
        sample = self._shown(which, made, person, self._random_start(made, rng))
        if self.windows.augmentation.mirror and rng.random() < 0.5:
            sample = _mirrored(sample)
        return sample | {"keypoints": masked(sample["keypoints"], self.windows.augmentation, rng)}

    def _random_start(self, made: _Made, rng: np.random.Generator) -> int:
        """The start of a window that has a frame that counts."""
        last = max(0, _count(len(made.counted), made.fps, self.fps) - self.window)
        if bool(made.counted.all()):
            return int(rng.integers(last + 1))
        wanted = int(rng.choice(made.counted.nonzero()[:, 0].numpy()) * self.fps / made.fps)
        return int(np.clip(wanted - rng.integers(self.window), 0, last))

    def _shown(self, which: int, made: _Made, person: int, start: int) -> dict[str, Tensor]:
        """The sample of a window that begins at a frame, counted at `fps`."""
        count = min(self.window, _count(len(made.counted), made.fps, self.fps) - start)
        at = (start + np.arange(count)) * made.fps / self.fps
        before = torch.from_numpy(np.minimum(at.astype(int), len(made.counted) - 1))
        after = (before + 1).clamp(max=len(made.counted) - 1)
        share = torch.from_numpy(at - at.astype(int)).float()[:, None, None]
        seen = made.persons[person]
        keypoints = torch.lerp(seen[before], seen[after], share)
        keypoints = keypoints.where(((seen[before] * seen[after])[..., 2:] > 0) | (share == 0), 0)
        nearest = before.where(share[:, 0, 0] < 0.5, after)
        position_m = torch.lerp(made.position_m[before], made.position_m[after], share)
        source = torch.arange(self.padded_to).clamp(max=count - 1)
        frames = {
            "keypoints": keypoints,
            "valid": made.counted[nearest],
            "position_m": position_m,
            "local_rotmat": made.local_rotmat[nearest],
            "translation_m": torch.zeros(count, 3),
            "camera_from_world": torch.eye(3, 4).expand(count, 3, 4),
        }
        sample = {name: values[source] for name, values in frames.items()}
        action, inside = self.clips[which].action, torch.arange(self.padded_to) < count
        counted = sample["valid"] & inside
        return sample | {
            "valid": counted if bool(counted.any()) else inside,  # heads need a frame
            "observed": sample["keypoints"],
            "has_pose": torch.tensor(made.has_pose and bool(counted.any())),
            "betas": made.betas,
            "focal": torch.tensor(made.focal),
            "label": torch.tensor(self.labels.index(action) if action in self.labels else -1),
        }

    def _made(self, which: int) -> _Made:
        if which in self.kept:
            self.kept.move_to_end(which)
            return self.kept[which]
        made = self.kept[which] = _made_of(self.clips[which].read(), self.body)
        self.kept_bytes += made.bytes
        while len(self.kept) > 1 and self.kept_bytes > _KEPT_BYTES:
            self.kept_bytes -= self.kept.popitem(last=False)[1].bytes
        return made


def with_pose_known(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch of simulated clips with the entries that batches of labelled clips have besides."""
    known = torch.ones(len(batch["label"]), dtype=torch.bool)
    return {"has_pose": known, "observed": batch["keypoints"]} | batch


class Together(Dataset):
    """Several data sets of clips: a share of each in every batch, or, without shares, one after the other.

    Args:
        shares: Of the first data set, and so on; as many as data sets, and their sum is 1.
    """

    def __init__(self, parts: Sequence[Any], shares: Sequence[float] | None = None) -> None:
        self.parts, self.shares = parts, shares
        self.starts = [sum(len(part) for part in parts[:n]) for n in range(len(parts) + 1)]

    def __len__(self) -> int:
        return self.starts[-1] if self.shares is None else len(self.parts[0])

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs."""
        if self.shares is None:
            owner = [bisect_right(self.starts, index) - 1 for _, index in keys]
            own = [[(e, i - self.starts[n]) for (e, i), o in zip(keys, owner, strict=True) if o == n]
                   for n in range(len(self.parts))]  # fmt: skip
        else:
            ends = [round(sum(self.shares[: n + 1]) * len(keys)) for n in range(len(self.parts))]
            own = [keys[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        batches = [with_pose_known(part.__getitems__(some)) for part, some in zip(self.parts, own, strict=True) if some]
        return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def _made_of(clip: LabelledClip, body: BodyModel) -> _Made:
    frames, target = clip.keypoints.frame_count, clip.target
    camera = clip.camera or PinholeCamera.from_hfov(clip.keypoints.width_px, clip.keypoints.height_px)
    persons = clip.persons if target is None else (clip.keypoints,)
    seen = [person for person in persons if bool((person.confidence > 0).any())] or [clip.keypoints]
    position_m, rotmat, betas = _pose(target, frames, body)
    return _Made(
        [_normalised(person) for person in seen],
        position_m - position_m[:, :1],
        rotmat,
        torch.ones(frames, dtype=torch.bool) if clip.counted is None else clip.counted,
        betas,
        has_pose=target is not None,
        focal=2 * camera.focal_px / camera.width_px,
        fps=clip.keypoints.fps,
    )


def _pose(target: JointMotion | BodyMotion | None, frames: int, body: BodyModel) -> tuple[Tensor, Tensor, Tensor]:
    """Human3.6M's points, rotations on the body and its betas; rest where nothing is known."""
    rest, betas = torch.eye(3).expand(frames, SMPL_24.joint_count, 3, 3), torch.zeros(body.beta_count)
    if target is None:
        return torch.zeros(()).expand(frames, H36M_17.joint_count, 3), rest, betas
    if isinstance(target, JointMotion):
        seen = torch.ones_like(target.position_m[..., 0])
        return to_h36m_17(target.position_m, seen, target.layout)[0], rest, betas
    own = body if target.body_model == body.name else load_body_model(target.body_model, len(target.betas))
    rotmat = target.local_rotmat[:, : SMPL_24.joint_count]
    position_m = own.points(H36M_17, target.local_rotmat, target.betas, target.translation_m)
    return position_m, rotmat, target.betas if own is body else same_shape(own, target.betas, body)


def _normalised(person: Keypoints) -> Float[Tensor, "frames 17 3"]:
    """x and y in units of half the width of the picture, from its middle, and confidence; 0 where unseen."""
    person = person.as_h36m_17()
    xy = (2 * person.xy_px - torch.tensor([person.width_px, person.height_px])) / person.width_px
    confidence = person.confidence.clamp(max=1)[..., None]
    return torch.cat([xy, confidence], -1).where(confidence > 0, 0)


def _mirrored(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sample in a mirror, left and right exchanged."""
    joints, limbs = flip_index_tensor(H36M_17), flip_index_tensor(SMPL_24)
    turned = {name: sample[name][:, joints] * _MIRROR for name in ("keypoints", "observed", "position_m")}
    return sample | turned | {"local_rotmat": mirror_rotmat(sample["local_rotmat"][:, limbs])}


def _count(frames: int, fps: float, wanted_fps: float) -> int:
    """How many frames a clip has at another rate."""
    return int((frames - 1) * wanted_fps / fps + 1e-6) + 1


def _chances(clips: Sequence[ListedClip], by_class: bool, weights: Mapping[str, float]) -> np.ndarray:
    """Probability of each clip: proportional to its length; by class, equal for all classes and all clips of one."""
    weight = [next((w for pattern, w in weights.items() if fnmatchcase(clip.name, pattern)), 1.0) for clip in clips]
    size = np.array(weight) * (1.0 if by_class else np.array([clip.frames or 1 for clip in clips]))
    if not size.any():
        raise ValueError("clip_weights leave no labelled clip")
    if by_class:
        _, own, count = np.unique([clip.action for clip in clips], return_inverse=True, return_counts=True)
        size = size / count[own]
    return size / size.sum()
