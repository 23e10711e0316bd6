"""Tracks people in keypoint files whose detections have no ids, by where they are."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Complex, Float, Int

# Distances are in sizes of the person, the longer side of the box.
_STEP = 0.3
_STEP_PER_S = 3.0  # a runner's 5 m/s
_LONGEST_STEP = 1.0
_LONGEST_GAP_S = 1.0
_SAME = 0.1
_STANDING_COSTS = 0.1  # without it, two who meet would each seem to stand where the other arrives
_MIRRORED_COSTS = 1.2  # times the distance, so that sides as detected go first
_SURE = 0.3  # joints count for the size from this share of the best joint's confidence on


@dataclass(frozen=True)
class _People:
    """Detections with what following them needs; a point is x + iy in pixels, the weight is confidence squared."""

    point_px: Complex[np.ndarray, "people joints"]
    weight: Float[np.ndarray, "people joints"]
    size_px: Float[np.ndarray, " people"]
    flip: tuple[int, ...]

    def __getitem__(self, rows: list[int]) -> "_People":
        return _People(self.point_px[rows], self.weight[rows], self.size_px[rows], self.flip)


@dataclass(eq=False)
class _Track:
    """A person: the detection last seen, and the mean step of its joints from frame to frame."""

    name: str
    row: int
    frame: int
    step_px: complex = 0j


def follow_people(
    xyc: Float[np.ndarray, "detections joints 3"],
    frame: Int[np.ndarray, " detections"],
    score: Float[np.ndarray, " detections"],
    fps: float,
    flip: tuple[int, ...] | None = None,
) -> list[str]:
    """A name for each detection: of the person that it belongs to, counted from "0" in order of appearance.

    A detection goes to the nearest person. Nearest means to where that person was last seen, or would be at an even
    speed. Distances are means over the joints, weighted by the square of their confidence, in sizes of the person;
    the smaller one counts of those with left and right as detected and exchanged, the latter times 1.2. A detection
    starts a new person when it is farther than 0.3 sizes from everybody (at 30 frames per second; 3 more for each
    second that the other was not seen, 1 at most), or when nobody was there for a second. A new detection within 0.1 of
    another one of its frame is treated as its duplicate. It gets the same name; the one with the highest score says
    where the person is.

    Args:
        xyc: x and y in pixels and confidence, 0 for a joint that was not seen; ordered by frame.
        flip: `layout.flip_indices`; None never compares with exchanged sides.
    """
    point_px = xyc[..., 0] + 1j * xyc[..., 1]
    people = _People(point_px, xyc[..., 2] ** 2, _sizes_px(xyc), flip or tuple(range(xyc.shape[1])))
    names = [""] * len(xyc)
    tracks: list[_Track] = []
    created = 0
    for start, stop in pairwise(np.flatnonzero(np.diff(frame, prepend=-1, append=-1)).tolist()):
        now = int(frame[start])
        rows = sorted(range(start, stop), key=lambda row: -score[row])
        tracks = [track for track in tracks if now - track.frame <= max(_LONGEST_GAP_S * fps, 1)]
        track_of = _known(people, rows, tracks, now, fps)
        for row in rows:
            if row not in track_of and (twin := _twin(people, row, list(track_of))) is not None:
                track_of[row] = track_of[twin]
            elif row not in track_of:
                track_of[row] = _Track(str(created), row, now)
                tracks.append(track_of[row])
                created += 1
            names[row] = track_of[row].name
            if track_of[row].frame < now:
                _move(track_of[row], row, now, people)
    return names


def _known(people: _People, rows: list[int], tracks: list[_Track], now: int, fps: float) -> dict[int, _Track]:
    """Which detections are of whom: the smallest sum of distances, none longer than the time since allows."""
    if not tracks:
        return {}
    frames = np.array([now - track.frame for track in tracks])
    shift_px = np.array([0] * len(tracks) + [track.step_px * (now - track.frame) for track in tracks])
    last = people[[track.row for track in tracks] * 2]
    expected = _People(last.point_px + shift_px[:, None], last.weight, last.size_px, last.flip)
    standing, moving = np.split(_distances(people[rows], expected), 2, axis=1)
    allowed = np.clip(_STEP + _STEP_PER_S * (frames / fps - 1 / 30), _STEP, _LONGEST_STEP)
    possible = np.minimum(moving, standing) <= allowed
    cost = np.where(possible, np.minimum(moving, standing + _STANDING_COSTS), allowed + _STANDING_COSTS)
    from scipy.optimize import linear_sum_assignment  # scipy takes a third as long to import as torch

    pairs = zip(*linear_sum_assignment(np.sqrt(cost)), strict=True)  # roots: rather one who stays than two who move
    return {rows[i]: tracks[k] for i, k in pairs if possible[i, k]}


def _twin(people: _People, row: int, others: list[int]) -> int | None:
    """Which other detection of the frame is of the same person."""
    if not others:
        return None
    distance = _distances(people[[row]], people[others])[0]
    nearest = int(distance.argmin())
    return others[nearest] if distance[nearest] < _SAME else None


def _move(track: _Track, row: int, now: int, people: _People) -> None:
    weight = people.weight[row] * people.weight[track.row]
    if weight.any():
        offset_px = weight @ (people.point_px[row] - people.point_px[track.row]) / weight.sum()
        track.step_px = (track.step_px + offset_px / (now - track.frame)) / 2
    track.row, track.frame = row, now


def _distances(some: _People, others: _People) -> Float[np.ndarray, "some others"]:
    """`_mean_distances`, also with left and right exchanged."""
    flip = list(some.flip)
    exchanged = _People(some.point_px[:, flip], some.weight[:, flip], some.size_px, some.flip)
    return np.minimum(_mean_distances(some, others), _MIRRORED_COSTS * _mean_distances(exchanged, others))


def _mean_distances(some: _People, others: _People) -> Float[np.ndarray, "some others"]:
    """Mean distance of the joints in sizes of the larger person; joints count by the product of both weights."""
    weight = some.weight[:, None] * others.weight
    distance_px = np.abs(some.point_px[:, None] - others.point_px)  # some others joints
    total = weight.sum(-1)
    mean_px = np.where(total > 0, (weight * distance_px).sum(-1), np.inf) / np.where(total > 0, total, 1)
    return mean_px / np.maximum(some.size_px[:, None], others.size_px)


def _sizes_px(xyc: Float[np.ndarray, "detections joints 3"]) -> Float[np.ndarray, " detections"]:
    """Longer side of the box, at least 1; misplaced joints, which have little confidence, do not count."""
    confidence = xyc[..., 2:]
    sure = (confidence > 0) & (confidence >= _SURE * confidence.max(1, keepdims=True))
    low, high = (np.where(sure, xyc[..., :2], missing) for missing in (np.inf, -np.inf))
    return np.maximum((high.max(1) - low.min(1)).max(-1), 1)
