"""Asks the keypoints in which order they are, where only their number is known and two orders have as many."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import COCO_17, H36M_17, OPENPOSE_25, OPENPOSE_25B, JointLayout

logger = logging.getLogger(__name__)

# The order that files of a format usually have, and the other one with as many joints.
_ALSO = {COCO_17: H36M_17, OPENPOSE_25: OPENPOSE_25B}
_WHOSE = {"coco_17": "COCO's", "openpose_25": "BODY_25's"}
_SURE = 0.3  # joints count from this share of their person's surest joint on; others lie anywhere
_SURE_JOINTS = 0.75  # of all, in detections that tell an order; close-ups do not
_CLEARLY = 0.75  # bones are this much shorter in the right order
_FAR = 1e6  # no picture has as many pixels
_LONGEST = 0.25  # mean length of bones; 0.11 to 0.19 in real clips, twice as much in the wrong order


def order_of(values: Float[np.ndarray, "detections joints 3"], usual: JointLayout, path: Path) -> JointLayout:
    """The usual layout, or the other one with as many joints where bones are clearly shorter in its order.

    The way from joint to joint along the bones is short in the right order, in any pose. A warning says when the other
    order is taken.
    """
    other = _ALSO.get(usual)
    if other is None or other.joint_count != values.shape[1]:
        return usual
    as_usual, as_other = (_bone_length(values, layout) for layout in (usual, other))
    if as_usual is None or as_other is None or as_other >= min(_CLEARLY * as_usual, _LONGEST):
        return usual
    logger.warning(
        "%s: its %d joints could be taken for %s, yet bones are only as short as a body's in the order of %s, in which "
        "they are read; if that is wrong, pass --layout %s (in Python layout=%r)", path, other.joint_count,
        _WHOSE[usual.name], other.name, usual.name, usual.name,
    )  # fmt: skip
    return other


def _bone_length(values: Float[np.ndarray, "detections joints 3"], layout: JointLayout) -> float | None:
    """Mean length of the bones in sizes of the person, the median over the whole bodies; None where nobody is whole."""
    xy = values[..., :2]
    lost = unseen_points(xy, values[..., 2]) | (np.abs(xy) > _FAR).any(-1)
    confidence = np.where(lost, 0, values[..., 2])
    sure = (confidence > 0) & (confidence >= _SURE * confidence.max(1, keepdims=True))
    whole = sure.mean(1) >= _SURE_JOINTS
    if not whole.any():
        return None
    xy = np.where(sure[whole][..., None], xy[whole], np.nan)
    size = np.nanmax(np.nanmax(xy, 1) - np.nanmin(xy, 1), -1)
    joints, parents = (list(ends) for ends in zip(*layout.bones, strict=True))
    length = np.nanmean(np.linalg.norm(xy[:, joints] - xy[:, parents], axis=-1), 1)
    return float(np.median(length / np.maximum(size, 1e-9)))
