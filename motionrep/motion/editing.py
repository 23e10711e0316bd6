"""Resamples motions, interpolates between frames, changes the body shape."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.translation import translation_for_betas
from motionrep.files.limits import require_within
from motionrep.motion.floor import floor_height_m, raised
from motionrep.types import BodyMotion


def resample(motion: BodyMotion, fps: float) -> BodyMotion:
    """The motion at another frame rate: rotations along the shortest arc, translation and expression linearly.

    The first frame stays. New frames follow every 1/fps seconds up to the end of the clip, so the duration between the
    first and the last frame shrinks by less than 1/fps. Nothing is smoothed when frames are dropped.

    Raises:
        ValueError: fps is not positive.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    if fps == motion.fps:
        return motion
    step = motion.fps / fps
    count = math.floor((motion.frame_count - 1) / step + 1e-6) + 1
    require_within(f"the motion at {fps:g} frames per second", "frames", count)
    place = (torch.arange(count, dtype=torch.float64) * step).clamp(max=motion.frame_count - 1)
    before = place.long()
    after = (before + 1).clamp(max=motion.frame_count - 1)
    weight = (place - before).to(motion.translation_m)
    return replace(between(motion, before, after, weight), fps=float(fps), first_frame=round(motion.first_frame / step))


def with_betas(motion: BodyMotion, body: BodyModel, betas: Float[Tensor, " betas"]) -> BodyMotion:
    """The same rotations on another shape of the same body; the path is scaled by the leg length.

    A world motion keeps the height of its soles above the floor (the lower sole's 5th percentile).

    Raises:
        ValueError: The motion was made for another body.
    """
    if motion.body_model != body.name:
        raise ValueError(f"the motion is for body {motion.body_model!r}, betas for {body.name!r} mean nothing on it")
    root_rotmat = motion.local_rotmat[:, 0]
    translation_m = translation_for_betas(motion.translation_m, root_rotmat, body, motion.betas, betas)
    shaped = replace(motion, translation_m=translation_m, betas=betas)
    if motion.frame == "camera":
        return shaped
    return raised(shaped, floor_height_m(motion, body) - floor_height_m(shaped, body))


def between(
    motion: BodyMotion, before: Int[Tensor, " new"], after: Int[Tensor, " new"], weight: Float[Tensor, " new"]
) -> BodyMotion:
    """New frames between two frames each: rotations along the shortest arc, the rest linearly; weight 1 is after."""
    import roma  # takes as long as torch to import

    start, end = motion.local_rotmat[before], motion.local_rotmat[after]
    turn = roma.rotmat_to_rotvec(start.mT @ end) * weight[:, None, None]
    moved = torch.lerp(motion.translation_m[before], motion.translation_m[after], weight[:, None])
    expression = motion.expression
    if expression is not None:
        expression = torch.lerp(expression[before], expression[after], weight[:, None])
    rotmat = start @ roma.rotvec_to_rotmat(turn)
    return replace(motion, local_rotmat=rotmat, translation_m=moved, expression=expression)


def without_gaps(motion: BodyMotion, frame_numbers: Int[Tensor, " frames"]) -> BodyMotion:
    """A frame for every number from the first to the last; where numbers are missing, frames are interpolated.

    Raises:
        ValueError: So many are missing that the numbers cannot count the frames of a recording.
    """
    require_gaps_within(frame_numbers)
    wanted = torch.arange(int(frame_numbers[0]), int(frame_numbers[-1]) + 1)
    if len(wanted) == len(frame_numbers):
        return motion
    after = torch.searchsorted(frame_numbers, wanted)
    before = torch.where(frame_numbers[after] == wanted, after, after - 1)
    span = (frame_numbers[after] - frame_numbers[before]).clamp(min=1)
    return between(motion, before, after, (wanted - frame_numbers[before]) / span)


def require_gaps_within(frame_numbers: Int[Tensor, " frames"]) -> None:
    """Raises ValueError where more frames are missing, or would be made, than the limits allow."""
    longest = int(frame_numbers.diff().max()) - 1 if len(frame_numbers) > 1 else 0
    require_within("frame numbers of a person", "frames in a gap", longest)
    require_within("frame numbers of a person", "frames", int(frame_numbers[-1]) - int(frame_numbers[0]) + 1)
