"""From the detections of a file to one clip per person."""

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from motionrep.files.limits import require_within
from motionrep.keypoints.records import Detections
from motionrep.keypoints.sides import exchanged_sides
from motionrep.keypoints.tracking import follow_people
from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

# Persons left out: hardly ever seen; or seen for a part of the time and with half the confidence of the main person.
_BRIEF_SHARE, _BRIEF_S = 0.05, 1.0
_FAINT_SHARE, _FAINT_S, _FAINT = 0.25, 3.0, 0.5


def person_clips(
    detections: Detections, fps: float, size_px: tuple[int, int], path: Path, all_persons: bool = False
) -> list[Keypoints]:
    """One clip per person, in order of first appearance; without ids in the file, people are tracked.

    A clip goes from its person's first detection to the last. Of two detections of a person in one frame the one with
    the higher score is kept. Points outside of the picture are unseen. Frames in which the detector exchanged left and
    right are put right (`sides.exchanged_sides`). People whom hardly anything was seen of are left out, unless
    `all_persons`. Warnings say what was changed or left out.

    Raises:
        ValueError: No joint lies in the picture.
    """
    detections = _in_the_picture(detections, size_px, path)
    flip = _flip(detections.layout)
    ids = detections.person or follow_people(detections.xyc, detections.frame, detections.score, fps, flip)
    code_of = {person: code for code, person in enumerate(dict.fromkeys(ids))}
    code = np.array([code_of[person] for person in ids])
    order = np.lexsort((detections.score, code))  # a later detection overwrites an earlier one of the same frame
    bounds = np.searchsorted(code[order], range(len(code_of) + 1))
    _require_within(path, detections, code, len(code_of))
    clips, exchanged = [], 0
    for person, (start, stop) in zip(code_of, pairwise(bounds), strict=True):
        rows = order[start:stop]
        first, last = detections.frame[rows].min(), detections.frame[rows].max()
        xyc = np.zeros((last - first + 1, detections.layout.joint_count, 3), dtype=np.float32)
        xyc[detections.frame[rows] - first] = detections.xyc[rows]
        if flip is not None and not detections.as_saved:
            exchanged += _put_right(xyc, fps, flip)
        tensors = torch.from_numpy(xyc[..., :2].copy()), torch.from_numpy(xyc[..., 2].copy())
        clips.append(Keypoints(*tensors, detections.layout, fps, *size_px, person, int(first)))
    seen = np.isfinite(detections.score)
    distinct = len(set(zip(code[seen].tolist(), detections.frame[seen].tolist(), strict=True)))
    if doubled := seen.sum() - distinct:
        logger.warning("%s: left out %d detections of persons of whom their frame has a better one", path, doubled)
    if exchanged:
        logger.warning(
            "%s: left and right were exchanged in %d of %d detections (%.0f%%) and are put right", path,
            exchanged, distinct, 100 * exchanged / distinct,
        )  # fmt: skip
    return clips if all_persons else _without_ghosts(clips, path)


def _require_within(path: Path, detections: Detections, code: Int[np.ndarray, " detections"], persons: int) -> None:
    """Checks the limits on persons, on the frames of each, and on what the clips of all of them take."""
    require_within(path, "persons", persons)
    first, last = np.full(persons, np.iinfo(np.int64).max), np.zeros(persons, np.int64)
    np.minimum.at(first, code, detections.frame)
    np.maximum.at(last, code, detections.frame)
    frames = last - first + 1
    require_within(path, "frames", int(frames.max()))
    require_within(path, "bytes", int(frames.sum()) * detections.layout.joint_count * 3 * 4)


def _in_the_picture(detections: Detections, size_px: tuple[int, int], path: Path) -> Detections:
    """The detections with points outside of the picture unseen; those without a person's id and any point left out."""
    xyc = detections.xyc
    xyc = np.where(unseen_points(xyc[..., :2], xyc[..., 2], size_px)[..., None], 0, xyc)
    seen = xyc[..., 2].any(1)
    if not seen.any():
        raise ValueError(
            f"{path}: no joint lies in a picture of {size_px[0]} x {size_px[1]} px; check size_px (--size)"
        )
    score = np.where(seen, detections.score, -np.inf)
    if detections.person is not None:
        return replace(detections, xyc=xyc, score=score)
    return replace(
        detections,
        xyc=xyc[seen],
        score=score[seen],
        frame=detections.frame[seen],
        video=[detections.video[i] for i in np.flatnonzero(seen)],
        size_px=None if detections.size_px is None else detections.size_px[seen],
    )


def _flip(layout: JointLayout) -> tuple[int, ...] | None:
    """The places of the mirrored joints; None where a joint has no partner."""
    try:
        return layout.flip_indices
    except ValueError:
        return None


def _put_right(xyc: Float[np.ndarray, "frames joints 3"], fps: float, flip: tuple[int, ...]) -> int:
    """Exchanges left and right, in place, in the frames where a detector had them exchanged; their number."""
    seen = np.flatnonzero(xyc[..., 2].any(1))
    wrong = seen[exchanged_sides(xyc[seen].astype(np.float64), seen / fps, flip)]
    xyc[wrong] = xyc[wrong][:, list(flip)]
    return len(wrong)


def _without_ghosts(clips: list[Keypoints], path: Path) -> list[Keypoints]:
    """The people who were seen for long, or surely, compared with the one who was seen most."""
    if len(clips) < 2:
        return clips
    frames = np.array([float((clip.confidence > 0).any(1).sum()) for clip in clips])
    sure = (
        np.array([float(clip.confidence.sum()) for clip in clips]) / np.maximum(frames, 1) / clips[0].layout.joint_count
    )
    most = int((frames * sure).argmax())
    fps = clips[0].fps
    brief = (frames < _BRIEF_SHARE * frames[most]) & (frames < _BRIEF_S * fps)
    faint = (frames < _FAINT_SHARE * frames[most]) & (frames < _FAINT_S * fps) & (sure < _FAINT * sure[most])
    ghost = brief | faint
    if ghost.any():
        logger.warning(
            "%s: left out %d of %d persons, who were seen in few frames or with little confidence; "
            "--all-persons (all_persons=True) keeps them", path, ghost.sum(), len(clips),
        )  # fmt: skip
    return [clip for clip, left_out in zip(clips, ghost, strict=True) if not left_out]
