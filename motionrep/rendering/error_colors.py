"""Colours that show how far a motion is from a reference, and the scale of these colours."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.rendering.drawables import Drawable

_RAMP = ((0.46, 0.60, 0.78), (0.55, 0.77, 0.66), (0.97, 0.86, 0.42), (0.93, 0.52, 0.24), (0.70, 0.09, 0.17))
_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_SHARE_ON_SCALE = 0.95


def point_error_mm(drawable: Drawable, reference: Drawable, frames: Sequence[int]) -> Float[Tensor, "frames points"]:
    """Distance of each vertex (or joint) from that of the reference, with both pelvises (meshes: middles) in one place.

    Its mean over a surface is the PVE (per-vertex error), over joints the MPJPE.
    """
    return 1000 * (_about_pelvis(drawable, frames) - _about_pelvis(reference, frames)).norm(dim=-1)


def require_comparable(drawable: Drawable, reference: Drawable) -> None:
    """Raises ValueError unless both have the same faces, so that their points correspond one to one."""
    if drawable.faces.shape != reference.faces.shape or not torch.equal(drawable.faces, reference.faces):
        raise ValueError(
            f"the motion to compare with has {len(reference.color)} vertices and other faces than the motion "
            f"({len(drawable.color)}); give both the same body model or joint layout"
        )


def error_color(error_mm: Float[Tensor, "*batch"], top_mm: float) -> Float[Tensor, "*batch 3"]:
    """Blue for 0 over green, yellow and orange to dark red for `top_mm` and more."""
    ramp = error_mm.new_tensor(_RAMP)
    place = (error_mm / top_mm).clamp(0, 1) * (len(_RAMP) - 1)
    below = place.floor().long().clamp(max=len(_RAMP) - 2)
    return torch.lerp(ramp[below], ramp[below + 1], (place - below)[..., None])


def scale_top_mm(drawables: Sequence[Drawable], reference: Drawable, sampled: Sequence[int]) -> float:
    """A round number of millimetres that 95 % of the errors in the sampled frames do not exceed."""
    errors_mm = [point_error_mm(drawable, reference, [at]).cpu() for drawable in drawables for at in sampled]
    worst = float(np.quantile(torch.cat(errors_mm).numpy(), _SHARE_ON_SCALE))  # torch's takes 16 million at most
    power = 1.0
    while 10 * power < worst:
        power *= 10
    return next((power * step for step in _STEPS if power * step >= worst), 10 * power)


def _about_pelvis(drawable: Drawable, frames: Sequence[int]) -> Tensor:
    point_m = drawable.points(frames)
    return point_m - drawable.pelvis_m[frames].to(point_m)[:, None]
