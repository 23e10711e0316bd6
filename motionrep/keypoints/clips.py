"""From the detections of a file to one clip per person; doubts whether layout and image size can be right."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from motionrep.keypoints.records import Detections
from motionrep.keypoints.tracking import follow_people
from motionrep.layouts import COCO_17
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

_LARGEST_FACE = 0.3  # of whole people at most 0.2; joints in Human3.6M order look like 0.33 to 0.55


def person_clips(detections: Detections, fps: float, size_px: tuple[int, int], path: Path) -> list[Keypoints]:
    """One clip per person, in order of first appearance; without ids in the file, people are tracked.

    A clip goes from its person's first detection to the last. Of two detections of a person in one frame the one with
    the higher score is kept.
    """
    ids = detections.person or follow_people(detections.xyc, detections.frame, detections.score, fps)
    code_of = {person: code for code, person in enumerate(dict.fromkeys(ids))}
    code = np.array([code_of[person] for person in ids])
    order = np.lexsort((detections.score, code))  # a later detection overwrites an earlier one of the same frame
    bounds = np.searchsorted(code[order], range(len(code_of) + 1))
    clips = []
    for person, (start, stop) in zip(code_of, pairwise(bounds), strict=True):
        rows = order[start:stop]
        first, last = detections.frame[rows].min(), detections.frame[rows].max()
        xyc = np.zeros((last - first + 1, detections.layout.joint_count, 3), dtype=np.float32)
        xyc[detections.frame[rows] - first] = detections.xyc[rows]
        tensors = torch.from_numpy(xyc[..., :2].copy()), torch.from_numpy(xyc[..., 2].copy())
        clips.append(Keypoints(*tensors, detections.layout, fps, *size_px, person, int(first)))
    seen = np.isfinite(detections.score)
    if doubled := seen.sum() - len(set(zip(code[seen].tolist(), detections.frame[seen].tolist(), strict=True))):
        logger.warning("%s: left out %d detections of persons of whom their frame has a better one", path, doubled)
    return clips


def warn_of_another_order(detections: Detections, path: Path) -> None:
    """Warns where 17 joints were taken for COCO's but look as if they were in Human3.6M's order."""
    if detections.layout == COCO_17 and _face_size(detections) > _LARGEST_FACE:
        logger.warning(
            "%s: its 17 joints were taken for COCO's, yet what would be eyes, ears and nose lie far apart; if their "
            "order is another, such as h36m_17, pass it as layout", path,
        )  # fmt: skip


def _face_size(detections: Detections) -> float:
    """Longer side of the box of COCO's five points of the face over that of all points; the median over detections."""
    xy_px = np.where(detections.xyc[..., 2:] > 0, detections.xyc[..., :2], np.nan)
    whole = np.isfinite(xy_px).all((1, 2))
    if not whole.any():
        return 0.0
    face, body = (np.ptp(points, axis=1).max(1) for points in (xy_px[whole, :5], xy_px[whole]))
    return float(np.median(face / np.maximum(body, 1)))
