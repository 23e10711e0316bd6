"""The detections of a file, checked: frame numbers, person ids, joint layout and values."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from motionrep.keypoints.frames import FrameOrder, place_frames
from motionrep.keypoints.naming import BODY_LAYOUTS as BODY_LAYOUTS
from motionrep.keypoints.naming import layout_from_names
from motionrep.keypoints.orders import order_of
from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import LAYOUTS, JointLayout

logger = logging.getLogger(__name__)

_LARGEST = 1e9
_OTHER_PARTS = {21: "a hand", 42: "two hands", 468: "a face", 478: "a face"}


@dataclass(frozen=True)
class KeypointOptions:
    """What the user says about a keypoint file; None where the file, or a default, counts.

    `size_px` is width and height. `frame_order` "file" counts frames in the file's order instead of by their numbers.
    """

    layout: JointLayout | None = None
    fps: float | None = None
    size_px: tuple[int, int] | None = None
    frame_order: FrameOrder = "number"


@dataclass(frozen=True)
class Detections:
    """Every detection of a file, by frame; those of one frame in the file's order.

    `xyc` is x and y in pixels and confidence in [0, 1], all 0 for a joint that was not seen. `frame` is the number in
    the file. `person` is None when the file has no person ids. A detection without any seen joint is kept only when it
    has a person id: the person was tracked but not seen. Its score is -inf. `video` is "" where a file holds one video.
    `size_px` (width and height) and `fps` are None where the file does not say them. `as_saved`: motionrep wrote the
    file, so left and right are as they should be.
    """

    xyc: Float[np.ndarray, "detections joints 3"]
    frame: Int[np.ndarray, " detections"]
    score: Float[np.ndarray, " detections"]
    person: list[str] | None
    layout: JointLayout
    video: list[str]
    size_px: Int[np.ndarray, "detections 2"] | None = None
    fps: float | None = None
    as_saved: bool = False


class Row(NamedTuple):
    """One detection as a format's reader finds it.

    `frame` is the number or name of its frame, or one `frames.InVideo`. `values` is x, y, confidence of each joint.
    `score` and `person` are None where the file has none.
    """

    frame: Any
    values: Sequence[float]
    score: float | None
    person: str | None


def checked_detections(
    rows: Iterable[Row],
    frames: Iterable[Any] | None,
    known: dict[int, JointLayout],
    options: KeypointOptions,
    path: Path,
    sizes: Mapping[Any, tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
) -> Detections:
    """Checks the detections of a file and puts them in the order of their frames.

    Args:
        frames: All frames of the file, if some may have no detection.
        known: The format's layouts by number of joints.
        options: What the user says; its layout goes before `known`.
        sizes: Width and height of the picture in pixels by frame, where the file says them.
        names: Of the joints, where the file has them (`naming.layout_from_names`); they go before the number of joints.

    Raises:
        ValueError: No detection, no joint seen, an unknown layout, or a value that cannot be right; names the file and,
            where there is one, the frame.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f"{path}: no person was detected in any frame")
    keys = [row.frame for row in rows] if frames is None else frames
    places = place_frames(keys, options.frame_order, path)
    turn = {key: i for i, key in enumerate(sorted(places, key=places.__getitem__))}
    rows = _with_id(rows, path)
    rows.sort(key=lambda row: turn[row.frame])
    values = _number_array(rows, path)
    layout, values = _in_layout(values, known, names, options.layout, path)
    xyc = _checked(values, rows, layout, path)

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
        frame=np.array([places[row.frame].number for row in rows])[kept],
        score=np.where(seen, np.array(scores, dtype=float), -np.inf)[kept],
        person=None if person is None else [person[i] for i in kept],
        layout=layout,
        video=[places[rows[i].frame].video for i in kept],
        size_px=None if sizes is None else np.array([sizes[rows[i].frame] for i in kept], dtype=int),
    )


def _checked(
    xyc: Float[np.ndarray, "detections joints 3"], rows: list[Row], layout: JointLayout, path: Path
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
    unseen = unseen_points(xyc[..., :2], xyc[..., 2])
    odd = np.isnan(xyc).any(-1) | (xyc[..., 2] < -0.01)
    if odd.any():
        logger.warning(
            "%s: %d of %d joints have a confidence below 0, or NaN, and are taken as not seen", path,
            odd.sum(), odd.size,
        )  # fmt: skip
    xyc = np.where(unseen[..., None], 0, xyc)
    xyc[..., 2] = np.minimum(xyc[..., 2], 1)  # older AlphaPose goes up to 6, COCO's visibility up to 2
    return xyc


def _number_array(rows: list[Row], path: Path) -> Float[np.ndarray, "detections joints 3"]:
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


def _in_layout(
    values: Float[np.ndarray, "detections points 3"],
    known: dict[int, JointLayout],
    names: Sequence[str] | None,
    asked: JointLayout | None,
    path: Path,
) -> tuple[JointLayout, Float[np.ndarray, "detections joints 3"]]:
    """The layout, and the values of its joints, 0 for those that the file lacks."""
    named = layout_from_names(names, path, asked) if names else None
    if named is None:
        layout = _choose_layout(values.shape[1], known, asked, path)
        layout = order_of(values, layout, path, asked is not None)
        return layout, values[:, : layout.joint_count]
    if len(names or ()) != values.shape[1]:
        raise ValueError(
            f"{path}: names {len(names or ())} joints, but has {values.shape[1]} per person; "
            "the names should be those of its keypoints"
        )
    columns = np.array(named.columns)
    return named.layout, np.where((columns >= 0)[:, None], values[:, columns], 0)


def _choose_layout(
    joint_count: int, known: dict[int, JointLayout], layout: JointLayout | None, path: Path
) -> JointLayout:
    chosen = known.get(joint_count) if layout is None else layout
    starts_with_it = chosen in (known.get(joint_count), BODY_LAYOUTS.get(joint_count))
    if chosen is None and joint_count in _OTHER_PARTS:
        raise ValueError(
            f"{path}: its {joint_count} points are those of {_OTHER_PARTS[joint_count]}; keypoints of whole bodies are "
            "wanted"
        )
    if chosen is None:
        fitting = [name for name, choice in LAYOUTS.items() if choice.joint_count == joint_count]
        choices = " or ".join(f"layout={name!r}" for name in fitting)
        own = f"{choices}, or layout='my.json'" if choices else "layout='my.json'"
        raise ValueError(
            f"{path}: the order of its {joint_count} joints is not known; pass {own}, a file that names them "
            f"(on the command line --layout; known layouts: {', '.join(LAYOUTS)})"
        )
    if joint_count != chosen.joint_count and not starts_with_it:
        raise ValueError(
            f"{path}: {joint_count} joints per person, layout {chosen.name!r} has {chosen.joint_count}; "
            f"pass layout= as the detector wrote it (known: {', '.join(LAYOUTS)})"
        )
    return chosen


def _with_id(rows: list[Row], path: Path) -> list[Row]:
    """All detections, or those with a person id if some have one: trackers leave unconfirmed detections without."""
    tracked = [row for row in rows if row.person is not None]
    if not tracked or len(tracked) == len(rows):
        return rows
    logger.warning(
        "%s: %d of %d detections have no person id, others have; they are left out", path,
        len(rows) - len(tracked), len(rows),
    )  # fmt: skip
    return tracked


def _person_ids(rows: list[Row]) -> list[str] | None:
    """AlphaPose without tracking gives everybody the id 0, so one id for several detections of a frame is no id."""
    ids = [row.person for row in rows if row.person is not None]
    if not ids or (len(set(ids)) == 1 and len({row.frame for row in rows}) < len(rows)):
        return None
    return ids
