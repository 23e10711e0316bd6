"""A noise model of 2D detectors: turns true image points into keypoints with confidences.

The model is that of MotionBERT (Zhu et al., ICCV 2023, section 3.3). Each joint has a mixture of a Gaussian and of
outliers. It is drawn at key frames, interpolated in time, and has jitter added. Confidence follows from the size of the
error. The widths follow the published table. Runs of missing joints, missing frames and swapped limbs are added here.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.layouts import JointLayout

# Standard deviation of a good detection and probability of an outlier, by joint. The unit of length is half the longer
# side of the person's box. Joints of the face, hands and feet that are not named take "other".
_JOINT_NOISE = {
    "pelvis": (0.0037, 0.001), "hip": (0.0045, 0.03), "spine": (0.0045, 0.04), "thorax": (0.005, 0.08),
    "neck": (0.005, 0.08), "nose": (0.0035, 0.03), "head": (0.0034, 0.02), "shoulder": (0.0075, 0.12),
    "elbow": (0.0055, 0.19), "wrist": (0.0055, 0.28),
    "knee": (0.006, 0.12), "ankle": (0.009, 0.14), "other": (0.005, 0.05),
}  # fmt: skip
_OUTLIER_RANGE = 0.03
_JITTER = 0.002
_KEY_FRAME_STEP = 9
_SWAPPED_TOGETHER = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


@dataclass(frozen=True)
class DetectorNoise:
    """How large the errors are; the defaults are those of a decent detector that sees the whole person."""

    strength: tuple[float, float] = (0.7, 2.0)
    """Range of the factor on all widths of the noise, drawn once per clip."""
    missing_joint: float = 0.02
    """Share of joints that are missing, in runs of about a third of a second."""
    missing_frame: float = 0.01
    """Share of frames without any detection, in short runs."""
    swap: float = 0.01
    """Share of frames in which the left and right of the legs, or of the arms, are exchanged, in short runs."""

    def __post_init__(self) -> None:
        if not 0 < self.strength[0] <= self.strength[1]:
            raise ValueError(f"strength must be a range of positive factors, low to high, got {self.strength}")
        for name in ("missing_joint", "missing_frame", "swap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {getattr(self, name)}")


def with_detector_noise(
    true_xy: Float[Tensor, "frames joints 2"],
    layout: JointLayout,
    noise: DetectorNoise,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "frames joints 2"], Float[Tensor, "frames joints"]]:
    """Keypoints as a detector would report them, in the unit of the input, with confidences from 0 (missing) to 1.

    The number of random draws depends on the shape only. The same seed therefore gives the same errors with other
    settings.
    """
    frames, joints = true_xy.shape[:2]
    box = true_xy.numpy().max(1) - true_xy.numpy().min(1)
    half_box = np.maximum(np.median(box.max(-1)) / 2, 1e-6)
    width, outlier = np.array([_noise_of(joint) for joint in layout.joints]).T
    strength = np.exp(rng.uniform(*np.log(noise.strength)))

    keys = 2 + (frames - 1) // _KEY_FRAME_STEP
    gaussian = rng.standard_normal((keys, joints, 2)) * width[:, None]
    uniform = rng.uniform(-_OUTLIER_RANGE, _OUTLIER_RANGE, (keys, joints, 2))
    is_outlier = rng.random((keys, joints)) < outlier * min(strength, 2.0)
    key_error = np.where(is_outlier[..., None], uniform + gaussian, gaussian)
    at = (np.arange(frames) + rng.uniform(0, _KEY_FRAME_STEP)) / _KEY_FRAME_STEP
    at = np.minimum(at, keys - 1 - 1e-6)
    before = at.astype(int)
    share = (at - before)[:, None, None]
    error = (1 - share) * key_error[before] + share * key_error[before + 1]
    error = strength * (error + _JITTER * rng.standard_normal((frames, joints, 2)))

    distance = np.linalg.norm(error, axis=-1)
    confidence = 0.028 / (distance + 0.028) + 1.1 * distance - 0.0046 + 0.143 * rng.standard_normal((frames, joints))
    confidence = np.clip(confidence, 0.05, 1.0)
    xy = true_xy.numpy() + error * half_box

    for names in _SWAPPED_TOGETHER:
        swapped = _runs(rng, frames, 1, noise.swap, mean_length=4)[:, 0]
        for name in names:
            pair = np.array([layout.index(f"left_{name}"), layout.index(f"right_{name}")])
            xy[np.ix_(swapped, pair)] = xy[np.ix_(swapped, pair[::-1])]
            confidence[np.ix_(swapped, pair)] *= 0.8
    missing = _runs(rng, frames, joints, noise.missing_joint, mean_length=10)
    missing |= _runs(rng, frames, 1, noise.missing_frame, mean_length=3)
    confidence[missing] = 0
    xy[missing] = 0
    return torch.from_numpy(xy).float(), torch.from_numpy(confidence).float()


def _noise_of(joint: str) -> tuple[float, float]:
    return _JOINT_NOISE.get(joint.removeprefix("left_").removeprefix("right_"), _JOINT_NOISE["other"])


def _runs(rng: np.random.Generator, frames: int, columns: int, share: float, mean_length: int) -> np.ndarray:
    """Booleans (frames, columns) of which about `share` are True, in runs of about `mean_length` frames."""
    starts = rng.random((frames, columns)) < share / mean_length
    lengths = rng.geometric(1 / mean_length, (frames, columns))
    frame = np.arange(frames)[:, None]
    ends = np.where(starts, frame + lengths, 0)
    return np.maximum.accumulate(ends, axis=0) > frame
