"""Training clips with 2D keypoints but no pose, and batches that mix them with simulated clips.

Their batches have the entries of `synthetic.clips`, with zeros for the pose, and two more:

    has_pose  (batch) bool               False for these clips
    observed  (batch frames 17 3)        the keypoints before any of them was hidden
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clip_changes import masked
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import H36M_17, flip_index_tensor
from motionrep.types import Keypoints
from motionrep.windows import padded


class KeypointClips(Dataset):
    """Windows of real keypoints, for losses that need no pose; keys as those of `SynthesizedClips`.

    Cameras are assumed to have a horizontal field of view of 50 degrees. Clips with a higher frame rate than `fps` are
    read with a stride.

    Args:
        clips: Keypoints in any layout that converts to Human3.6M-17.
        window: Frames in a sample.
        padded_to: Frames of a sample after padding by its last frame.
        fps: Frame rate of the samples.
        augmentation: Of which mirroring and masking apply here.

    Raises:
        ValueError: A clip of less than 0.8 times `fps`, or none in which anybody is seen.
    """

    def __init__(
        self,
        clips: Sequence[Keypoints],
        window: int,
        padded_to: int,
        fps: float,
        seed: int,
        augmentation: Augmentation,
    ) -> None:
        self.window, self.padded_to, self.seed, self.augmentation = window, padded_to, seed, augmentation
        self.clips, self.focal = [], []
        for clip in clips:
            if (
                clip.fps < fps / Augmentation.speed[1]
            ):  # played at `fps`, it would be faster than simulated clips ever are
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
            raise ValueError(f"nobody is seen in any of the {len(clips)} keypoint clips")
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
            "camera_from_world": torch.eye(3, 4).repeat(batch, frames, 1, 1),
            "betas": torch.zeros(batch, 10),
            "focal": torch.tensor([focal for _, _, focal in drawn]),
            "label": torch.full((batch,), -1),
        }

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Float[Tensor, "frames 17 3"], float]:
        """The keypoints of a window, the same with some hidden, and the focal length."""
        which = int(rng.choice(len(self.clips), p=self.chances))
        start = int(rng.integers(max(1, len(self.clips[which]) - self.window + 1)))
        clip = self.clips[which][start : start + self.window]
        if self.augmentation.mirror and rng.random() < 0.5:
            clip = clip[:, flip_index_tensor(H36M_17)] * torch.tensor([-1.0, 1.0, 1.0])
        return clip, masked(clip, self.augmentation, rng), self.focal[which]


class MixedClips(Dataset):
    """Batches of which a share are keypoint clips and the rest known clips, as long as an epoch of the latter."""

    def __init__(self, synthesized: Any, keypoint_clips: KeypointClips, share: float) -> None:
        self.synthesized, self.keypoint_clips, self.share = synthesized, keypoint_clips, share

    def __len__(self) -> int:
        return len(self.synthesized)

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """A batch for the given `(epoch, index)` pairs."""
        count = round(self.share * len(keys))
        posed = self.synthesized.__getitems__(keys[count:])
        if "has_pose" not in posed:
            posed["has_pose"], posed["observed"] = torch.ones(len(keys) - count, dtype=torch.bool), posed["keypoints"]
        if not count:
            return posed
        unposed = self.keypoint_clips.__getitems__(keys[:count])
        unposed["betas"] = posed["betas"].new_zeros(count, posed["betas"].shape[1])  # as many as the body has
        return {name: torch.cat([posed[name], unposed[name]]) for name in posed}
