"""Strides and upsampling, by which an encoder reads a clip at about the frame rate it was trained on."""

import logging

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.encoders.base import Encoder
from motionrep.files.limits import require_within

logger = logging.getLogger(__name__)

# Motion played up to 1.25 times as fast or slow needs no warning: encoders are trained on it. 23.976 is called 24.
_TOLERATED_SPEED = 1.252
_MOST_UPSAMPLING = 4


def frame_stride(fps: float, encoder: Encoder) -> tuple[int, int]:
    """How an encoder reads a clip at its own frame rate, as nearly as whole numbers allow.

    It logs a warning if motion then looks too fast or too slow, or if most frames are interpolated.

    Returns:
        The factor by which to upsample the clip (see `upsampled`), and the stride at which to read it. One of them
        is 1.
    """
    known = encoder.fps
    if not known:
        return 1, 1
    times, stride = max(1, round(known / fps)), max(1, round(fps / known))
    speed = known * stride / (fps * times)
    if not 1 / _TOLERATED_SPEED <= speed <= _TOLERATED_SPEED:
        logger.warning(
            "encoder %s was trained on %g frames per second; it reads this clip of %g as if it had %g, so motion looks "
            "%.2g times as fast; clips with a multiple or a whole part of %g frames per second are read better",
            encoder.name, known, fps, known * stride / times, speed, known,
        )  # fmt: skip
    if times > _MOST_UPSAMPLING:
        logger.warning(
            "encoder %s was trained on %g frames per second; of every %d frames it reads of this clip of %g, %d are "
            "interpolated", encoder.name, known, times, fps, times - 1,
        )  # fmt: skip
    return times, stride


def upsampled(inputs: Float[Tensor, "*batch frames 17 inputs"], times: int) -> Float[Tensor, "*batch more 17 inputs"]:
    """The clip with `times` - 1 linearly interpolated frames between each frame and the next.

    With a confidence channel, a joint is seen in such a frame if both its neighbours saw it.
    """
    if times == 1:
        return inputs
    require_within(f"a clip with {times - 1} frames added after each", "frames", times * inputs.shape[-3])
    share = torch.arange(times).to(inputs)[:, None, None] / times
    before, after = inputs[..., :-1, None, :, :], inputs[..., 1:, None, :, :]
    between = before + share * (after - before)
    if inputs.shape[-1] == 3:
        seen = (before[..., 2:] > 0) & ((after[..., 2:] > 0) | (share == 0))
        between = between.where(seen, 0)
    return torch.cat([between.flatten(-4, -3), inputs[..., -1:, :, :]], -3)


def moving_average(values: Float[Tensor, "frames joints channels"], width: int) -> Tensor:
    """Centred mean over `width` frames. The first and last frame repeat beyond the ends.

    An even width takes `width` + 1 frames and counts the two outermost half.
    """
    if width == 1:
        return values
    reach = width // 2
    weights = torch.ones(2 * reach + 1)
    weights[[0, -1]] = (width - (2 * reach - 1)) / 2
    around = torch.arange(-reach, reach + 1, device=values.device)
    frame = torch.arange(values.shape[0], device=values.device)[:, None] + around
    frame = frame.clamp(0, values.shape[0] - 1)
    terms = (w * values[index] for w, index in zip((weights / width).tolist(), frame.T, strict=True))
    return sum(terms, torch.zeros_like(values))
