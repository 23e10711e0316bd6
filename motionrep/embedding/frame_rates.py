"""Reads a clip at about the frame rate an encoder was trained on."""

import logging
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

logger = logging.getLogger(__name__)

# Encoders are trained on motion played 0.8 to 1.25 times as fast; 23.976 is called 24.
_TOLERATED_SPEED = 1.252
_MOST_FILLED_UP = 4


def readings(fps: float, encoder: nn.Module) -> tuple[int, int]:
    """How an encoder reads a clip at its own frame rate, or as near to that as whole numbers come.

    A warning says so where that is not near enough for motions to look about as fast as they are, or where most
    frames would be made up.

    Returns:
        How many frames to make of each frame of the clip (`filled_up`), and the n of every n-th frame to read; one of
        them is 1.
    """
    known = cast(float | None, encoder.fps)
    if not known:
        return 1, 1
    times, step = max(1, round(known / fps)), max(1, round(fps / known))
    speed = known * step / (fps * times)
    if not 1 / _TOLERATED_SPEED <= speed <= _TOLERATED_SPEED:
        logger.warning(
            "encoder %s reads %g frames per second, and a clip of %g as if it had %g: motion looks %.2g times as fast "
            "to it as it is; clips with a multiple or a whole part of %g are read better",
            encoder.name, known, fps, known * step / times, speed, known,
        )  # fmt: skip
    if times > _MOST_FILLED_UP:
        logger.warning(
            "encoder %s reads %g frames per second: of every %d that it is given of a clip of %g, %d are made up",
            encoder.name, known, times, fps, times - 1,
        )  # fmt: skip
    return times, step


def filled_up(inputs: Float[Tensor, "*batch frames 17 inputs"], times: int) -> Float[Tensor, "*batch more 17 inputs"]:
    """`times` - 1 frames more between each frame and the next, on the straight way.

    Of inputs with a confidence channel, joints are seen there if they are in both frames.
    """
    if times == 1:
        return inputs
    share = torch.arange(times).to(inputs)[:, None, None] / times
    before, after = inputs[..., :-1, None, :, :], inputs[..., 1:, None, :, :]
    between = before + share * (after - before)
    if inputs.shape[-1] == 3:
        seen = (before[..., 2:] > 0) & ((after[..., 2:] > 0) | (share == 0))
        between = between.where(seen, 0)
    return torch.cat([between.flatten(-4, -3), inputs[..., -1:, :, :]], -3)


def _moving_average(values: Float[Tensor, "frames joints channels"], width: int) -> Tensor:
    """Mean over `width` frames, centred (an even width counts its two outermost frames half); ends repeat."""
    if width == 1:
        return values
    reach = width // 2
    weights = values.new_ones(2 * reach + 1)
    weights[[0, -1]] = (width - (2 * reach - 1)) / 2
    frame = torch.arange(values.shape[0])[:, None] + torch.arange(-reach, reach + 1)
    frame = frame.clamp(0, values.shape[0] - 1)
    terms = (w * values[index] for w, index in zip((weights / width).tolist(), frame.T, strict=True))
    return sum(terms, torch.zeros_like(values))
