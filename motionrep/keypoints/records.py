"""Checked detections of a file: frame numbers, person ids, joint layout and values."""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from motionrep.layouts import LAYOUTS, JointLayout

logger = logging.getLogger(__name__)

_LARGEST = 1e9


@dataclass(frozen=True)
class Detections:
    """Every detection of a file, by frame; those of one frame in the file's order.

    `xyc` is x and y in pixels and confidence in [0, 1], all 0 for a joint that was not seen. `frame` is the number in
    the file. `person` is None when the file does not tell who is who. A detection without a seen joint is there only
    of a person with an id, who was then followed but not seen; its score is -inf.
    """

    xyc: Float[np.ndarray, "detections joints 3"]
    frame: Int[np.ndarray, " detections"]
    score: Float[np.ndarray, " detections"]
    person: list[str] | None
    layout: JointLayout


class _Row(NamedTuple):
    """One detection; `values` is x, y, confidence of each joint, flat."""

    frame: int | str
    values: Sequence[float]
    score: float | None
    person: str | None


def _collect(
    rows: Iterable[_Row],
    frames: Iterable[Any] | None,
    known: dict[int, JointLayout],
    layout: JointLayout | None,
    path: Path,
) -> Detections:
    """Checks the detections; `frames` names all frames of the file if some may have no detection."""
    rows = list(rows)
    if not rows:
        raise ValueError(f"{path}: no person was detected in any frame")
    numbers = _frame_numbers([row.frame for row in rows] if frames is None else list(frames), path)
    rows = _with_id(rows, path)
    rows.sort(key=lambda row: numbers[row.frame])
    values = _number_array(rows, path)
    layout = _choose_layout(values.shape[1], known, layout, path)
    xyc = _checked(values[:, : layout.joint_count], rows, layout, path)

    seen = xyc[..., 2].any(1)
    if not seen.any():
        raise ValueError(f"{path}: no joint of any person was seen (every confidence is 0)")
    person = _person_ids(rows)
    ever_seen = {rows[i].person for i in np.flatnonzero(seen)}
    kept = np.flatnonzero(seen if person is None else [name in ever_seen for name in person])
    means = xyc[..., 2].mean(1)
    has_score = [isinstance(row.score, float | int) and abs(row.score) < _LARGEST for row in rows]
    scores = [row.score if has else mean for row, has, mean in zip(rows, has_score, means, strict=True)]
    return Detections(
        xyc=xyc[kept],
        frame=np.array([numbers[row.frame] for row in rows])[kept],
        score=np.where(seen, np.array(scores, dtype=float), -np.inf)[kept],
        person=None if person is None else [person[i] for i in kept],
        layout=layout,
    )


def _checked(
    xyc: Float[np.ndarray, "detections joints 3"], rows: list[_Row], layout: JointLayout, path: Path
) -> Float[np.ndarray, "detections joints 3"]:
    """The keypoints with 0, 0, 0 for every joint that was not seen, and confidence of at most 1.

    Heatmaps give scores a little below 0 to joints that are not there, and some tools write NaN or null for them.
    """
    bad = np.abs(xyc) >= _LARGEST
    if bad.any():
        i, joint, axis = (int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"{path}: frame {rows[i].frame!r}, joint {layout.joints[joint]!r}: {('x', 'y', 'confidence')[axis]} is "
            f"{xyc[i, joint, axis]:g}; a joint that was not seen has 0, 0, 0"
        )
    odd = np.isnan(xyc).any(-1) | (xyc[..., 2] < -0.01)
    if odd.any():
        logger.warning(
            "%s: %d of %d joints have a confidence below 0, or NaN, and are taken as not seen", path,
            odd.sum(), odd.size,
        )  # fmt: skip
    xyc = np.where((odd | (xyc[..., 2] <= 0))[..., None], 0, xyc)
    xyc[..., 2] = np.minimum(xyc[..., 2], 1)  # older AlphaPose goes up to 6, COCO's visibility up to 2
    return xyc


def _frame_numbers(keys: list[Any], path: Path) -> dict[int | str, int]:
    """A number is itself; a file name has the last of its integers in which all names differ, or else its place."""
    for key in keys:
        if not isinstance(key, int | str):
            raise ValueError(f"{path}: a frame must be an integer or a file name, got {key!r}")
    keys = list(dict.fromkeys(keys))
    found = [[int(digits) for digits in re.findall(r"\d+", re.sub(r"\.[A-Za-z]\w*$", "", str(key)))] for key in keys]
    columns = zip(*(reversed(integers) for integers in found), strict=False)
    numbers = next((column for column in columns if len(set(column)) == len(keys)), None)
    if numbers is None:
        numbers = range(len(keys))
        if any(found):
            logger.warning(
                "%s: no number in the frames' names (%r, ...) differs in all of them; they are counted in their order, "
                "and frames that are missing cannot be told", path, keys[0],
            )  # fmt: skip
    if max(numbers) - min(numbers) > 100 * len(keys) + 10_000 or max(numbers) >= 2**62:
        raise ValueError(
            f"{path}: frames run from {min(numbers)} to {max(numbers)}, yet only {len(keys)} are there; "
            "these image ids do not count the frames of a video: number them in order"
        )
    return dict(zip(keys, numbers, strict=True))


def _number_array(rows: list[_Row], path: Path) -> Float[np.ndarray, "detections joints 3"]:
    expected = next((len(row.values) for row in rows if isinstance(row.values, list)), 0)
    for row in rows:
        if isinstance(row.values, list) and expected % 3:
            raise ValueError(
                f"{path}: frame {row.frame!r}: {len(row.values)} numbers are not x, y, confidence of each joint; where "
                "the detector has no confidence, write 1 for a joint that was seen and 0 for one that was not"
            )
        if not isinstance(row.values, list) or len(row.values) != expected:
            got = f"{len(row.values)} numbers" if isinstance(row.values, list) else repr(row.values)
            raise ValueError(
                f"{path}: frame {row.frame!r}: keypoints must be a list of x, y, confidence for each joint, as many in "
                f"every frame (expected {expected} numbers, got {got})"
            )
    try:
        return np.array([row.values for row in rows], dtype=np.float64).reshape(len(rows), -1, 3)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: keypoints hold something that is not a number: {error}") from error


def _choose_layout(
    joint_count: int, known: dict[int, JointLayout], layout: JointLayout | None, path: Path
) -> JointLayout:
    chosen = known.get(joint_count) if layout is None else layout
    if chosen is None:
        fitting = [name for name, choice in LAYOUTS.items() if choice.joint_count == joint_count]
        choices = " or ".join(f"layout={name!r}" for name in fitting) or f"a JointLayout (known: {', '.join(LAYOUTS)})"
        raise ValueError(f"{path}: the order of its {joint_count} joints is not known; pass {choices}")
    if joint_count != chosen.joint_count and chosen != known.get(joint_count):
        raise ValueError(
            f"{path}: {joint_count} joints per person, layout {chosen.name!r} has {chosen.joint_count}; "
            f"pass layout= as the detector wrote it (known: {', '.join(LAYOUTS)})"
        )
    return chosen


def _with_id(rows: list[_Row], path: Path) -> list[_Row]:
    """All detections, or those with a person id if some have one: trackers leave unconfirmed detections without."""
    tracked = [row for row in rows if row.person is not None]
    if not tracked or len(tracked) == len(rows):
        return rows
    logger.warning(
        "%s: %d of %d detections have no person id, others have; they are left out", path,
        len(rows) - len(tracked), len(rows),
    )  # fmt: skip
    return tracked


def _person_ids(rows: list[_Row]) -> list[str] | None:
    """AlphaPose without tracking calls everybody 0: one id for several detections of one frame is none."""
    ids = [row.person for row in rows if row.person is not None]
    if not ids or (len(set(ids)) == 1 and len({row.frame for row in rows}) < len(rows)):
        return None
    return ids
