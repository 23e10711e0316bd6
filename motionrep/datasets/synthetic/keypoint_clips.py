"""Training clips of which only 2D keypoints are known, beside those synthesised from motion.

Their batches have the entries of `datasets.synthesis`, the pose's all zero, and two more:

    has_pose  (batch) bool               False for these clips
    observed  (batch frames 17 3)        the keypoints before any of them was hidden
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.datasets.synthetic.augmentation import Variety, masked
from motionrep.datasets.synthetic.clips import SynthesizedClips
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import H36M_17, flip_index_tensor
from motionrep.types import Keypoints
from motionrep.windows import padded


class ObservedClips(Dataset):
    """Windows of real keypoints, for losses that need no pose; keys as those of `SynthesizedClips`.

    Cameras are taken to be 50 degrees wide. Faster clips lose frames until they have about `fps`.

    Raises:
        ValueError: A clip of less than 0.8 times `fps`, or none in which anybody is seen.
    """

    def __init__(
        self, clips: Sequence[Keypoints], window: int, padded_to: int, fps: float, seed: int, variety: Variety
    ) -> None:
        self.window, self.padded_to, self.seed, self.variety = window, padded_to, seed, variety
        self.clips, self.focal = [], []
        for clip in clips:
            if clip.fps < fps / Variety.speed[1]:  # it would look faster than synthesised ones ever do
                raise ValueError(
                    f"a keypoint clip of {clip.frame_count} frames has {clip.fps:g} frames per second, too few for the "
                    f"{fps:g} to train on; leave it out"
                )
            camera = PinholeCamera.from_hfov(clip.width_px, clip.height_px)
            xy = 2 * (clip.as_h36m_17().xy_px - torch.tensor(camera.center_px)) / clip.width_px
            confidence = clip.as_h36m_17().confidence.clamp(max=1)[..., None]
            seen = torch.cat([xy, confidence], -1).where(confidence > 0, 0)[:: max(1, round(clip.fps / fps))]
            if bool((seen[..., 2] > 0).any()):
                self.clips.append(seen)
                self.focal.append(2 * camera.focal_px / clip.width_px)
        if not self.clips:
            raise ValueError(f"in none of {len(clips)} keypoint clips anybody is seen")
        frames = np.array([len(clip) for clip in self.clips])
        self.chances = frames / frames.sum()

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs."""
        drawn = [self._draw(np.random.default_rng((self.seed, epoch, index, 2))) for epoch, index in keys]
        observed = torch.stack([padded(clip, self.padded_to) for clip, _, _ in drawn])
        count = torch.tensor([len(clip) for clip, _, _ in drawn])
        batch, frames = observed.shape[:2]
        return {
            "keypoints": torch.stack([padded(hidden, self.padded_to) for _, hidden, _ in drawn]),
            "observed": observed,
            "valid": torch.arange(frames) < count[:, None],
            "has_pose": torch.zeros(batch, dtype=torch.bool),
            "position_m": torch.zeros(batch, frames, 17, 3),
            "local_rotmat": torch.eye(3).repeat(batch, frames, 24, 1, 1),
            "translation_m": torch.zeros(batch, frames, 3),
            "betas": torch.zeros(batch, 10),
            "focal": torch.tensor([focal for _, _, focal in drawn]),
            "label": torch.full((batch,), -1),
        }

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Float[Tensor, "frames 17 3"], float]:
        """The keypoints of a window, the same with some hidden, and the focal length."""
        which = int(rng.choice(len(self.clips), p=self.chances))
        start = int(rng.integers(max(1, len(self.clips[which]) - self.window + 1)))
        clip = self.clips[which][start : start + self.window]
        if self.variety.mirror and rng.random() < 0.5:
            clip = clip[:, flip_index_tensor(H36M_17)] * torch.tensor([-1.0, 1.0, 1.0])
        return clip, masked(clip, self.variety, rng), self.focal[which]


class WithObserved(Dataset):
    """Batches of which the given share are observed clips, the rest synthesised ones."""

    def __init__(self, synthesized: SynthesizedClips, observed: ObservedClips, share: float) -> None:
        self.synthesized, self.observed, self.share = synthesized, observed, share

    def __len__(self) -> int:
        return len(self.synthesized)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs."""
        count = round(self.share * len(keys))
        known = self.synthesized.__getitems__(keys[count:])
        known["has_pose"], known["observed"] = torch.ones(len(keys) - count, dtype=torch.bool), known["keypoints"]
        if not count:
            return known
        other = self.observed.__getitems__(keys[:count])
        return {name: torch.cat([known[name], other[name]]) for name in known}
