"""From what was found in frames to one clip for each person."""

from bisect import bisect
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from motionrep.detection.blazepose.following import SURE_SHARE, Track, sure_share
from motionrep.keypoints.sides import exchanged_sides
from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import MEDIAPIPE_33
from motionrep.types import Keypoints

_SHORTEST_S = 0.1
_LONGEST_GAP_S = 1.0
_STEP = 0.3  # how far someone may be from the place where it was expected, in its sizes
_STEP_PER_S = 1.0
_SPEED_S = 0.2  # time from which the speed is taken


@dataclass(frozen=True)
class _Person:
    """Where a person was found: numbers of frames, ascending, x, y and confidence, and scores as of `Track`."""

    frame: Int[np.ndarray, " frames"]
    xyc: Float[np.ndarray, "frames 33 3"]
    score: Float[np.ndarray, " parts"]

    @property
    def size_px(self) -> float:
        return max(float(np.median(np.ptp(self.xyc[..., :2], axis=1).max(-1))), 1.0)

    def speed_px(self, seconds: float, fps: float, last: bool) -> Float[np.ndarray, "2"]:
        """Pixels in a frame at the end or at the beginning."""
        edge = self.frame[-1] if last else self.frame[0]
        near = np.abs(self.frame - edge) <= max(seconds * fps, 1)
        if near.sum() < 3:
            return np.zeros(2)
        middle_px, frame = self.xyc[near, :, :2].mean(1), self.frame[near]
        return np.polyfit(frame, middle_px, 1)[0]


def clips_of(tracks: list[Track], fps: float, size_px: tuple[int, int]) -> list[Keypoints]:
    """One clip for each person who was seen for more than a moment, in order of appearance."""
    found = [
        _Person(np.array(track.frames), torch.cat(track.xyc).double().numpy(), np.array(track.score))
        for track in tracks
        if track.frames
    ]
    if not found:
        return []
    frames = [person.frame for person in found]
    span = 1 + max(int(frame[-1]) for frame in frames) - min(int(frame[0]) for frame in frames)
    shortest = min(_SHORTEST_S * fps, span)
    people = [one for one in joined(found, fps) if len(one.frame) >= shortest and sure_share(one.score) >= SURE_SHARE]
    return [_clip(one, str(number), fps, size_px) for number, one in enumerate(people)]


def joined(people: list[_Person], fps: float) -> list[_Person]:
    """Who was lost and found again near the place where it was expected is one person, nearest first."""
    people = sorted(people, key=lambda one: (int(one.frame[0]), -len(one.frame)))
    begins = [int(one.frame[0]) for one in people]
    pairs = []
    for i, some in enumerate(people):
        last = int(some.frame[-1])
        for k in range(bisect(begins, last), bisect(begins, last + max(_LONGEST_GAP_S * fps, 1))):
            if (away := _away(some, people[k], fps)) is not None:
                pairs.append((away, i, k))
    following, later = dict[int, int](), set[int]()
    for _, i, k in sorted(pairs):
        if i not in following and k not in later:
            following[i] = k
            later.add(k)
    found = []
    for first in sorted(set(range(len(people))) - later):
        chain = [first]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        parts = ([getattr(people[i], name) for i in chain] for name in ("frame", "xyc", "score"))
        found.append(_Person(*map(np.concatenate, parts)))
    return found


def _away(some: _Person, other: _Person, fps: float) -> float | None:
    """How far from its place another person begins after one ends, in sizes, and more the later; None if it is not it.

    Without the time, a person who moves evenly would seem as near to who begins after the next one.
    """
    gap = int(other.frame[0] - some.frame[-1])
    weight = some.xyc[-1, :, 2] * other.xyc[0, :, 2]
    if not weight.any():
        return None
    size_px = max(some.size_px, other.size_px)
    if min(some.size_px, other.size_px) < size_px / 2:
        return None
    speeds = (np.zeros(2), some.speed_px(_SPEED_S, fps, last=True), other.speed_px(_SPEED_S, fps, last=False))
    offset_px = other.xyc[0, :, :2] - some.xyc[-1, :, :2]
    distances = [weight @ np.linalg.norm(offset_px - gap * speed, axis=-1) / weight.sum() for speed in speeds]
    away, later = min(distances) / size_px, _STEP_PER_S * gap / fps
    return away + later if away <= _STEP + later else None


def _clip(person: _Person, name: str, fps: float, size_px: tuple[int, int]) -> Keypoints:
    first, flip = int(person.frame[0]), MEDIAPIPE_33.flip_indices
    exchanged = exchanged_sides(person.xyc, person.frame / fps, flip)
    xyc = np.where(exchanged[:, None, None], person.xyc[:, list(flip)], person.xyc)
    clip = np.zeros((int(np.ptp(person.frame)) + 1, MEDIAPIPE_33.joint_count, 3))
    clip[person.frame - first] = xyc
    clip[unseen_points(clip[..., :2], clip[..., 2], size_px)] = 0
    tensors = torch.from_numpy(clip[..., :2]), torch.from_numpy(clip[..., 2])
    return Keypoints(*tensors, MEDIAPIPE_33, fps, *size_px, name, first)
