"""Finds the landmarks of each person in a few frames at once, and hands people on to the next frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from motionrep.detection.blazepose.disputes import BEFORE, Run, expected, jumps, losers, made_of
from motionrep.detection.blazepose.landmarks import LandmarkFinder, Landmarks
from motionrep.detection.blazepose.people import Found, PersonFinder, same_person
from motionrep.detection.blazepose.regions import between, differ, smoothed
from motionrep.detection.blazepose.tiles import around, coarse_places, fine_places

_SURE = 0.97  # people have 0.99 and more; things that look like people have so much in up to half of the time
SURE_SHARE = 2 / 3  # of the time, in which the network must be sure of a person; until then it looks less often
_NEW = 0.9  # score from which someone may be a new person
_PASSES = 6  # of a person who is quick, the region reaches the true one from frame to frame

_STANDING_COSTS = 0.1  # so that two who meet do not each seem to stand where the other one arrives
_TURNS = 12  # calls in which small people are looked for once everywhere

Pictures = list[UInt8[Tensor, "height width 3"]]


@dataclass
class Track:
    """A person: what was found in the frames so far, and its regions in the last few of them.

    `score` has the median of each few frames that were looked at together.
    """

    last: Float[Tensor, "known 4"]
    frames: list[int] = field(default_factory=list)
    xyc: list[Float[Tensor, "frames 33 3"]] = field(default_factory=list)
    score: list[float] = field(default_factory=list)


def sure_share(score: Sequence[float] | Float[np.ndarray, " parts"]) -> float:
    """In which share of the time the network is sure of a person, given the scores of `Track`."""
    return float((np.asarray(score) >= _SURE).mean())


class Follower:
    """Follows people through a video, which it is given a few frames at a time.

    The person detector looks at the last of the frames that come together, at the very first one, and around where a
    person was lost. In between, regions move evenly. A frame is looked at again if its landmarks imply another region.
    Small people are looked for everywhere at first, then in a part of the picture at a time. Who is doubtful is looked
    at in two of the frames.
    """

    def __init__(self, people: PersonFinder, landmarks: LandmarkFinder) -> None:
        self.people, self.landmarks = people, landmarks
        self.tracks: list[Track] = []
        self.ended: list[Track] = []
        self.frame = self.turn = 0

    def follow(self, pictures: Pictures) -> None:
        """Looks at the next frames."""
        height, width = pictures[0].shape[:2]
        last = len(pictures) - 1
        coarse, fine = coarse_places(height, width), fine_places(height, width)
        small = [around(track.last[-1]) for track in self.tracks if track.last[-1, 2] < min(height, width) / 2]
        places = {last: [*coarse, *small, *(fine if self.frame == 0 else fine[self.turn :: _TURNS])]}
        if self.frame == 0 and last:
            places[0] = coarse
        self.turn = (self.turn + 1) % _TURNS
        looked = dict(zip(places, self.people.find([pictures[i] for i in places], list(places.values())), strict=True))
        runs = self._expected(looked[last], len(pictures))
        self._look(pictures, runs)
        self._settle(pictures, runs)
        fresh: list[Run] = []
        for frame in sorted(looked, reverse=True):
            known = [run.implied[frame] for run in runs + fresh if run.seen[frame]]
            others = [one for one in looked[frame].region if not any(same_person(one, other) for other in known)]
            more = self._new(pictures, frame, others, known)
            self._look(pictures, more)
            fresh += more
        self._settle(pictures, runs + fresh)
        self._keep(runs, fresh)
        self.frame += len(pictures)

    def _expected(self, end: Found, count: int) -> list[Run]:
        """The known persons on their way to where the person detector sees them at last."""
        share, nothing = (torch.arange(count) + 1) / count, torch.zeros(count, dtype=torch.bool)
        runs = [Run(track.last[-1].repeat(count, 1), track.last) for track in self.tracks]
        for run, track in zip(runs, self.tracks, strict=True):
            run.region = expected(run, nothing)
            if len(track.score) > 1 and sure_share(track.score) < SURE_SHARE:
                run.wanted[:-1] = False
                run.wanted[(count - 1) // 2] = True
        for i, k in _pairs(runs, end):
            runs[i].region = between(runs[i].before[-1], end.region[k], share)
        return runs

    def _new(self, pictures: Pictures, frame: int, regions: list[Tensor], known: list[Tensor]) -> list[Run]:
        """Persons who are looked at in all frames, since their landmarks are found in one."""
        if not regions:
            return []
        found = self.landmarks.find([pictures[frame]], [torch.stack(regions)])
        new: list[Tensor] = []
        for region, score in zip(found.region, found.score, strict=True):
            if score >= _NEW and not any(same_person(region, other) for other in [*known, *new]):
                new.append(region)
        return [Run(region.repeat(len(pictures), 1)) for region in new]

    def _look(self, pictures: Pictures, runs: list[Run]) -> None:
        """Landmarks of all persons in all frames; at last once more where somebody was lost."""
        pending = [run.wanted for run in runs]
        for first in (True, *[False] * (_PASSES - 1)):
            if not any(bool(some.any()) for some in pending):
                return
            self._landmarks(pictures, runs, pending)
            pending = [_improved(run, jumps(run) if first else run.seen & False) for run in runs]
        lost = [(run, frame) for run in runs for frame in (run.wanted & ~run.seen).nonzero()[:, 0].tolist()]
        again = {id(run): torch.zeros(len(pictures), dtype=torch.bool) for run in runs}
        looked = self.people.find([pictures[i] for _, i in lost], [[around(run.region[i])] for run, i in lost])
        for (run, frame), found in zip(lost, looked, strict=True):
            match = _nearest(run.region[frame], found)
            if match is not None:
                run.region[frame], again[id(run)][frame] = found.region[match], True
        self._landmarks(pictures, runs, list(again.values()))

    def _settle(self, pictures: Pictures, runs: list[Run]) -> None:
        """Where two have the same landmarks, the other one is looked for once more where it was expected."""
        lost = losers(runs)
        if not any(bool(some.any()) for some in lost):
            return
        for run, some in zip(runs, lost, strict=True):
            run.region[some] = expected(run, run.seen & ~some)[some]
            run.score[some] = 0
        self._landmarks(pictures, runs, lost)
        for run, some in zip(runs, losers(runs), strict=True):
            run.score[some] = 0

    def _landmarks(self, pictures: Pictures, runs: list[Run], wanted: list[Bool[Tensor, " frames"]]) -> None:
        regions, places = [], []
        for frame in range(len(pictures)):
            here = [run for run, some in zip(runs, wanted, strict=True) if some[frame]]
            regions.append(torch.stack([run.region[frame] for run in here]) if here else torch.zeros(0, 4))
            places += [(run, frame) for run in here]
        if not places:
            return
        found: Landmarks = self.landmarks.find(pictures, regions)
        xyc = torch.cat([found.xy_px, found.confidence[..., None]], -1)
        for i, (run, frame) in enumerate(places):
            run.xyc[frame], run.score[frame], run.implied[frame] = xyc[i], found.score[i], found.region[i]

    def _keep(self, runs: list[Run], fresh: list[Run]) -> None:
        """Adds what was found to the persons; ends those who were not seen, or were another one all along."""
        tracks = [*self.tracks, *(Track(run.region[-1:]) for run in fresh)]
        alive: list[tuple[Track, Run]] = []
        for track, run in zip(tracks, runs + fresh, strict=True):
            if bool(run.seen.any()) and not made_of(run, [other for _, other in alive]):
                alive.append((track, run))
            else:
                self.ended.append(track)
        for track, run in alive:
            seen = run.seen.nonzero()[:, 0]
            track.frames += (seen + self.frame).tolist()
            track.xyc.append(run.xyc[seen])
            track.score.append(float(run.score[seen].median()))
            track.last = torch.cat([track.last, expected(run, run.seen)])[-BEFORE:]
        self.tracks = [track for track, _ in alive]


def _improved(run: Run, doubted: Bool[Tensor, " frames"]) -> Bool[Tensor, " frames"]:
    """Moves regions to where the landmarks imply them; says which frames are to be looked at again.

    Args:
        doubted: Frames whose landmarks do not count; they are looked at again where the others expect the person.
    """
    known = run.seen & ~doubted
    if not bool(known.any()):
        return known
    better = smoothed(expected(run, known))
    change = run.wanted & differ(run.region, better)
    run.region[change] = better[change]
    return change


def _pairs(runs: list[Run], end: Found) -> list[tuple[int, int]]:
    """Which of the people found in the last frame are which known persons: where they were, or would be by now."""
    costs = []
    for i, run in enumerate(runs):
        for k, region in enumerate(end.region):
            for place, more in ((run.region[-1], 0.0), (run.before[-1], _STANDING_COSTS)):
                if same_person(region, place):
                    costs.append((float((region[:2] - place[:2]).norm() / place[2]) + more, i, k))
    pairs: dict[int, int] = {}
    for _, i, k in sorted(costs):
        if i not in pairs and k not in pairs.values():
            pairs[i] = k
    return list(pairs.items())


def _nearest(region: Float[Tensor, " 4"], found: Found) -> int | None:
    """Which of the people found in a picture has this region."""
    close = [i for i in range(len(found.score)) if same_person(found.region[i], region)]
    return min(close, key=lambda i: float((found.region[i, :2] - region[:2]).norm()), default=None)
