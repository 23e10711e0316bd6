"""Scores of action heads for whole clips, and over the time of long ones."""

from collections.abc import Sequence
from typing import Any

import torch

from motionrep.embedding.pooling import side_by_side
from motionrep.head_api.contract import require_same_encoder
from motionrep.types import ActionScores, ActionTimeline, MotionEmbedding
from motionrep.windows import blend_weights, window_starts

_WINDOWS_AT_A_TIME = 64


@torch.no_grad()
def scores_of_clip(head: Any, persons: MotionEmbedding | Sequence[MotionEmbedding]) -> ActionScores:
    """Scores of a whole clip of one person, or of all the persons of one clip together.

    Frames in which a person was not seen do not count.

    Args:
        head: As in `scores_over_time`.

    Raises:
        ValueError: Nobody was seen, or an embedding comes from another encoder than the head was trained on.
    """
    values, valid = side_by_side(persons)
    require_same_encoder(head, persons if isinstance(persons, MotionEmbedding) else persons[0])
    return ActionScores(head(values, valid)["logit"][0], head.labels)


@torch.no_grad()
def scores_over_time(
    head: Any, persons: MotionEmbedding | Sequence[MotionEmbedding], window_s: float = 2.0, step_s: float = 0.5
) -> ActionTimeline:
    """Probabilities of actions in every frame of a clip of one or several persons.

    A window slides over the clip. A frame's probabilities are a weighted mean of those of the windows around it, in
    which windows whose middle is nearer count more. Windows in which nobody was seen do not count. A clip shorter than
    the window is one window.

    Args:
        head: A head with `labels` and an output `logit` that takes several persons, as motionrep's action heads do.
        window_s: Length of a window. Heads do best at the length they were trained on.
        step_s: Time from one window's start to the next one's, at most the window's length.

    Raises:
        ValueError: The window is shorter than a frame, the step longer than the window or not positive, nobody was
            seen, or an embedding comes from another encoder than the head was trained on.
    """
    values, valid = side_by_side(persons)
    one = persons if isinstance(persons, MotionEmbedding) else persons[0]
    require_same_encoder(head, one)
    fps, frames = one.fps, valid.shape[-1]
    window = min(round(window_s * fps), frames)
    if window < 1 or not 0 < step_s <= window_s:
        raise ValueError(
            f"the window must hold a frame and the step be positive and no longer than the window, got window_s "
            f"{window_s:g} and step_s {step_s:g} at {fps:g} fps"
        )
    starts = window_starts(frames, window, 1 - step_s / window_s)
    probability = values.new_zeros(frames, len(head.labels))
    weight_sum = values.new_zeros(frames, 1)
    weights = blend_weights(starts, window).to(values.device)
    for first in range(0, len(starts), _WINDOWS_AT_A_TIME):
        some = starts[first : first + _WINDOWS_AT_A_TIME]
        there = torch.stack([valid[0, :, s : s + window] for s in some])
        of_window = head(torch.stack([values[0, :, s : s + window] for s in some]), there)["logit"].softmax(-1)
        for start, p, weight, seen in zip(some, of_window, weights[first:], there.any((1, 2)).tolist(), strict=False):
            if seen:
                probability[start : start + window] += weight[:, None] * p
                weight_sum[start : start + window] += weight[:, None]
    return ActionTimeline(probability / weight_sum.where(weight_sum > 0, 1), tuple(head.labels), fps)
