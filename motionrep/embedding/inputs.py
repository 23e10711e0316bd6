"""Keypoints as an encoder reads them: converted to its layout, normalised, unseen joints made harmless."""

import dataclasses

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from motionrep.encoders.base import Encoder
from motionrep.geometry.gaps import gaps_filled
from motionrep.layouts import H36M_17, flip_index_tensor
from motionrep.types import Keypoints


def encoder_input(keypoints: Keypoints, encoder: Encoder) -> Float[Tensor, "frames 17 inputs"]:
    """Keypoints as the encoder reads them: Human3.6M-17 order, normalised, unseen joints made harmless.

    With a confidence channel (at most 1), x, y and confidence of an unseen joint are 0. Without one, its x and y run
    on a straight line between the frames in which it was seen, and stand still before the first and after the last.
    A joint that was never seen lies in the middle of the image or box.
    An encoder that reads bones gets each joint's place from that of its parent, after that.

    Raises:
        ValueError: No conversion from the clip's layout, or the encoder reads a layout or normalisation that is not
            known.
    """
    if encoder.layout != H36M_17:
        raise ValueError(
            f"{encoder.name}: only layout 'h36m_17' is known, the encoder declares {encoder.layout.name!r}"
        )
    keypoints = keypoints.as_h36m_17(encoder.coco_recipe)
    xy = normalise(keypoints.xy_px, keypoints.width_px, keypoints.height_px)
    return normalised_for(torch.cat([xy, keypoints.confidence.clamp(max=1)[..., None]], -1), encoder)


def normalised_for(
    keypoints: Float[Tensor, "*batch frames joints 3"], encoder: Encoder
) -> Float[Tensor, "*batch frames joints inputs"]:
    """Keypoints in normalisation "width" as the encoder reads them; the last step of `encoder_input`.

    Args:
        keypoints: x, y (`normalise`) and confidence.

    Raises:
        ValueError: The encoder declares a normalisation that is not known.
    """
    if encoder.normalisation == "crop":
        keypoints = cropped(keypoints, encoder.crop_ratio)
    elif encoder.normalisation != "width":
        raise ValueError(
            f"{encoder.name}: only normalisations 'width' and 'crop' are known, it declares {encoder.normalisation!r}"
        )
    seen = keypoints[..., 2] > 0
    filled = (
        gaps_filled(keypoints[..., :2], seen) if encoder.input_channels == 2 else keypoints.where(seen[..., None], 0)
    )
    return _bones(filled) if encoder.reads == "bones" else filled


def _bones(joints: Float[Tensor, "*batch frames joints inputs"]) -> Float[Tensor, "*batch frames joints inputs"]:
    """Each joint's place from that of its parent, and the smaller confidence of both; the pelvis stays at 0."""
    parents = [max(parent, 0) for parent in H36M_17.parent_indices]
    before = joints[..., parents, :]
    xy = joints[..., :2] - before[..., :2]
    if joints.shape[-1] == 2:
        return xy
    confidence = torch.minimum(joints[..., 2:], before[..., 2:])
    return torch.cat([xy, confidence], -1).where(confidence > 0, 0)


def normalise(
    xy_px: Float[Tensor, "*batch joints 2"],
    width_px: int | float | Shaped[Tensor, "*#batch"],
    height_px: int | float | Shaped[Tensor, "*#batch"],
) -> Float[Tensor, "*batch joints 2"]:
    """Pixels to units of half the image width, origin in the middle: x runs from -1 to 1, y from -h/w to h/w.

    This is normalisation "width"; "crop" is `cropped`.
    """
    width, height = (torch.as_tensor(size).to(xy_px)[..., None, None] for size in (width_px, height_px))
    return (2 * xy_px - torch.cat([width, height], -1)) / width


def cropped(
    keypoints: Float[Tensor, "*batch frames joints 3"], ratio: float = 1.0
) -> Float[Tensor, "*batch frames joints 3"]:
    """Keypoints in one square box for the whole clip, x and y from -1 to 1 in it; 0 where unseen.

    The box is centred on the smallest box that holds all seen joints of all frames. Its side is `ratio` times the
    longer side of that one. A clip with fewer than four seen joints in all its frames becomes zeros.

    Args:
        keypoints: x, y (in any unit) and confidence.
    """
    xy, seen = keypoints[..., :2], keypoints[..., 2:] > 0
    low = xy.where(seen, torch.inf).amin((-3, -2), keepdim=True)
    high = xy.where(seen, -torch.inf).amax((-3, -2), keepdim=True)
    side = ratio * (high - low).amax(-1, keepdim=True)
    inside = ((2 * xy - low - high) / side).clamp(-1, 1)
    kept = seen & (seen.sum((-3, -2, -1), keepdim=True) >= 4) & (side > 0)
    return torch.cat([inside, keypoints[..., 2:]], -1).where(kept, 0)


def mirrored(keypoints: Keypoints) -> Keypoints:
    """The mirror image of the clip: x is mirrored in the image, and left and right joints change places."""
    index = flip_index_tensor(keypoints.layout, keypoints.xy_px.device)
    x, y = keypoints.xy_px[:, index].unbind(-1)
    xy_px = torch.stack([keypoints.width_px - x, y], -1)
    return dataclasses.replace(keypoints, xy_px=xy_px, confidence=keypoints.confidence[:, index])
