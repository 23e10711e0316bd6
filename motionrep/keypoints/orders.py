"""Asks the keypoints in which order they are, where only their number is known and several orders have as many."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import COCO_17, LAYOUTS, JointLayout

logger = logging.getLogger(__name__)

_WHOSE = {"coco_17": "COCO's", "openpose_25": "BODY_25's"}
_SURE = 0.3  # joints count from this share of their person's surest joint on; others lie anywhere
_SURE_JOINTS = 0.75  # of all, in detections that tell an order; close-ups do not
_CLEARLY = 0.75  # bones are this much shorter in the right order
_FAR = 1e6  # no picture has as many pixels
_LONGEST = 0.25  # mean length of bones; 0.11 to 0.2 in real clips, twice as much in the wrong order
_TOO_LONG = 0.31  # people who crouch stay below; any order of COCO's joints by chance is above
_HEAD = 0.3  # a head is 0.35 to 0.8 times as high as the nose is above the shoulders, eyes are 0.25 apart
_POSETRACK_17 = LAYOUTS["posetrack_17"]


def order_of(
    values: Float[np.ndarray, "detections joints 3"], usual: JointLayout, path: Path, asked: bool = False
) -> JointLayout:
    """The usual layout, or another one with as many joints where bones are clearly shorter in its order.

    The way from joint to joint along the bones is short in the right order, in any pose. COCO's and PoseTrack's order
    differ in two joints only, which tell them apart. A warning says when another order is taken, or when bones are too
    long in every known order.

    Args:
        asked: The user named the layout; it is kept, and a warning says if it can hardly be right.
    """
    others = [it for it in LAYOUTS.values() if it.joint_count == values.shape[1] == usual.joint_count and it != usual]
    whole = _whole_bodies(values)
    if not len(whole) or usual.joint_count != values.shape[1] or not usual.bones:
        return usual
    as_usual = _bone_length(whole, usual)
    lengths = {it.name: _bone_length(whole, it) for it in others if it.joints != usual.joints}
    best = LAYOUTS[min(lengths, key=lengths.__getitem__)] if lengths else usual
    if usual == COCO_17 and as_usual < _LONGEST and _neck_in_the_place_of_an_eye(values):
        best = _POSETRACK_17
    elif best == usual or lengths[best.name] >= min(_CLEARLY * as_usual, _LONGEST):
        if as_usual > _TOO_LONG:
            logger.warning(
                "%s: its bones are %.1f times as long as a body's in the order of %s, and no other known order of %d "
                "joints fits better; check the joints' order, and pass --layout (in Python layout=)", path,
                as_usual / 0.17, usual.name, usual.joint_count,
            )  # fmt: skip
        return usual
    if asked:
        logger.warning(
            "%s: bones are only as short as a body's in the order of %s, not in that of %s, which was given and used",
            path, best.name, usual.name,
        )  # fmt: skip
        return usual
    logger.warning(
        "%s: its %d joints could be taken for %s, yet bones are only as short as a body's in the order of %s, in which "
        "they are read; if that is wrong, pass --layout %s (in Python layout=%r)", path, best.joint_count,
        _WHOSE.get(usual.name, f"those of {usual.name}"), best.name, usual.name, usual.name,
    )  # fmt: skip
    return best


def _sure_points(values: Float[np.ndarray, "detections joints 3"]) -> Float[np.ndarray, "detections joints 2"]:
    """x and y, NaN for joints that were not seen or are much less sure than others of their person."""
    xy = values[..., :2]
    lost = unseen_points(xy, values[..., 2]) | (np.abs(xy) > _FAR).any(-1)
    confidence = np.where(lost, 0, values[..., 2])
    sure = (confidence > 0) & (confidence >= _SURE * confidence.max(1, keepdims=True))
    return np.where(sure[..., None], xy, np.nan)


def _whole_bodies(values: Float[np.ndarray, "detections joints 3"]) -> Float[np.ndarray, "bodies joints 2"]:
    """Points of the detections of which most joints were seen."""
    xy = _sure_points(values)
    return xy[np.isfinite(xy[..., 0]).mean(1) >= _SURE_JOINTS]


def _bone_length(xy: Float[np.ndarray, "bodies joints 2"], layout: JointLayout) -> float:
    """Mean length of the bones in sizes of the person, the median over the bodies."""
    size = np.nanmax(np.nanmax(xy, 1) - np.nanmin(xy, 1), -1)
    joints, parents = (list(ends) for ends in zip(*layout.bones, strict=True))
    length = np.nanmean(np.linalg.norm(xy[:, joints] - xy[:, parents], axis=-1), 1)
    return float(np.median(length / np.maximum(size, 1e-9)))


def _neck_in_the_place_of_an_eye(values: Float[np.ndarray, "detections joints 3"]) -> bool:
    """Whether what would be COCO's eyes lies one far above the other, in distances from the nose to the shoulders."""
    xy = _sure_points(values)
    shoulders = (xy[:, COCO_17.index("left_shoulder")] + xy[:, COCO_17.index("right_shoulder")]) / 2
    nose, below, above = (xy[:, COCO_17.index(joint)] for joint in ("nose", "left_eye", "right_eye"))
    down = shoulders - nose
    length = np.maximum((down**2).sum(-1), 1e-9)
    lower = (down * (below - above)).sum(-1) / length
    told = np.isfinite(lower)
    return bool(told.any()) and float(np.median(lower[told])) > _HEAD
