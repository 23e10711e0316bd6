"""Joints that a detector cannot see: beyond the picture's edge, or behind something. It guesses, or does not tell."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.datasets.synthetic.clip_changes import slow_noise
from motionrep.datasets.synthetic.filming import Filming, covered

# Standard deviation of a guess, in halves of the longer side of the person's box, and how fast guesses change.
_GUESS, _GUESS_S = 0.09, 0.4
_BEYOND_EDGE = 0.06  # how far outside of the picture guesses lie at most, in halves of its width
_CONFIDENCE = (0.03, 0.5)
_FEWEST_SEEN = 4


def hidden_joints(
    xy: Float[Tensor, "frames joints 2"], filming: Filming, aspect: float
) -> Bool[Tensor, "frames joints"] | None:
    """Which joints the detector cannot see; None where all of them can be.

    Args:
        xy: True image points in halves of the picture's width, from its middle.
        aspect: Height of the picture over its width.
    """
    if filming.cut is None and not filming.covers:
        return None
    hidden = covered(xy, filming.covers)
    if filming.cut is not None:
        hidden |= ~(xy.abs() < torch.tensor([1.0, aspect])).all(-1)
    return hidden


def with_hidden_joints(
    true_xy: Float[Tensor, "frames joints 2"],
    xy: Float[Tensor, "frames joints 2"],
    confidence: Float[Tensor, "frames joints"],
    hidden: Bool[Tensor, "frames joints"],
    guesses: bool,
    aspect: float,
    fps: float,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "frames joints 2"], Float[Tensor, "frames joints"]]:
    """The detections with guesses of low confidence in the place of hidden joints, or without these joints.

    In frames in which fewer than four joints are seen, nothing is detected.
    """
    frames, joints = confidence.shape
    detected = confidence > 0
    size = (true_xy.amax(1) - true_xy.amin(1)).amax(-1).median() / 2
    guess = true_xy + _GUESS * size * torch.from_numpy(slow_noise(frames, fps, _GUESS_S, (joints, 2), rng)).float()
    edge = torch.tensor([1.0, aspect]) + _BEYOND_EDGE
    guess = torch.where(hidden[..., None], guess.clamp(-edge, edge), xy)
    low = rng.uniform(*_CONFIDENCE, joints) * np.exp(0.3 * slow_noise(frames, fps, _GUESS_S, (joints,), rng))
    trust = torch.where(hidden, torch.from_numpy(low).float().clamp(0.01, 0.7), confidence) * detected
    if not guesses:
        trust = trust.masked_fill(hidden, 0)
    lost = ((~hidden & detected).sum(1) < _FEWEST_SEEN)[:, None]
    trust = trust.masked_fill(lost, 0)
    return guess.masked_fill((trust == 0)[..., None], 0), trust
