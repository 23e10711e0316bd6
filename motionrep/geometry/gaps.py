"""Fills gaps in tracks of points."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def gaps_filled(
    point: Float[Tensor, "*batch frames joints dim"], seen: Bool[Tensor, "*batch frames joints"]
) -> Float[Tensor, "*batch frames joints dim"]:
    """Points with the unseen ones interpolated linearly in time between the nearest frames that saw the joint.

    Before the first and after the last of these frames a joint stays where it was seen; a joint never seen is 0.
    """
    frames = point.shape[-3]
    time = torch.arange(frames, device=point.device)[:, None].expand_as(seen)
    before = time.where(seen, -1).cummax(-2).values
    after = time.where(seen, frames).flip(-2).cummin(-2).values.flip(-2)
    before, after = before.where(before >= 0, after), after.where(after < frames, before)
    share = ((time - before) / (after - before).clamp(min=1))[..., None].to(point)
    start, end = (point.gather(-3, index.clamp(0, frames - 1)[..., None].expand_as(point)) for index in (before, after))
    return (start + share * (end - start)).where(seen.any(-2)[..., None, :, None], 0)
