"""Finds the landmarks of each person in a few frames at once, and hands people on to the next frames."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from motionrep.detection.blazepose.landmarks import LANDMARKS, LandmarkFinder, Landmarks
from motionrep.detection.blazepose.people import Found, PersonFinder, same_person
from motionrep.detection.blazepose.regions import between, differ, smoothed
from motionrep.detection.blazepose.tiles import around, coarse_places, fine_places

_SURE = 0.5
_PASSES = 3
_SAME = 0.1  # distance between a landmark of one person found twice, in sides of the region
_TOGETHER = 0.45  # who has as many landmarks of others is no person of its own

_TURNS = 8  # calls in which small people are looked for once everywhere

Pictures = list[UInt8[Tensor, "height width 3"]]


@dataclass
class Track:
    """A person: where it was in the frames so far, and its region in the last of them."""

    number: int
    region: Float[Tensor, " 4"]
    frames: list[int] = field(default_factory=list)
    xyc: list[Float[Tensor, "frames 33 3"]] = field(default_factory=list)
    score: list[Float[Tensor, " frames"]] = field(default_factory=list)


@dataclass
class _Run:
    """One person in the frames that are looked at together."""

    region: Float[Tensor, "frames 4"]
    implied: Float[Tensor, "frames 4"]
    xyc: Float[Tensor, "frames 33 3"]
    score: Float[Tensor, " frames"]

    @classmethod
    def along(cls, region: Float[Tensor, "frames 4"]) -> "_Run":
        count = len(region)
        return cls(region, region.clone(), torch.zeros(count, LANDMARKS, 3), torch.zeros(count))

    @property
    def seen(self) -> Bool[Tensor, " frames"]:
        return self.score >= _SURE


class Follower:
    """Follows people through a video, which it is given a few frames at a time.

    The person detector looks at the last of the frames that come together, at the very first one, and around where a
    person was lost. In between, regions move evenly. A frame is looked at again if its landmarks imply another region.
    Small people are looked for everywhere at first, then in a part of the picture at a time.
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
        small = [around(track.region) for track in self.tracks if track.region[2] < min(height, width) / 2]
        places = {last: [*coarse, *small, *(fine if self.frame == 0 else fine[self.turn :: _TURNS])]}
        if self.frame == 0 and last:
            places[0] = coarse
        self.turn = (self.turn + 1) % _TURNS
        looked = dict(zip(places, self.people.find([pictures[i] for i in places], list(places.values())), strict=True))
        runs = self._expected(looked[last], len(pictures))
        self._look(pictures, runs)
        fresh: list[_Run] = []
        for frame in sorted(looked, reverse=True):
            known = [run.implied[frame] for run in runs + fresh if run.seen[frame]]
            others = [one for one in looked[frame].region if not any(same_person(one, other) for other in known)]
            more = self._new(pictures, frame, others, known)
            self._look(pictures, more)
            fresh += more
        self._keep(runs, fresh)
        self.frame += len(pictures)

    def _expected(self, end: Found, count: int) -> list[_Run]:
        """The known persons on their way to where the person detector sees them at last."""
        share = (torch.arange(count) + 1) / count
        runs = []
        for track in self.tracks:
            match = _nearest(track.region, end)
            goal = track.region if match is None else end.region[match]
            runs.append(_Run.along(between(track.region, goal, share)))
        return runs

    def _new(self, pictures: Pictures, frame: int, regions: list[Tensor], known: list[Tensor]) -> list[_Run]:
        """Persons who are looked at in all frames, since their landmarks are found in one."""
        if not regions:
            return []
        found = self.landmarks.find([pictures[frame]], [torch.stack(regions)])
        new: list[Tensor] = []
        for region, score in zip(found.region, found.score, strict=True):
            if score >= _SURE and not any(same_person(region, other) for other in [*known, *new]):
                new.append(region)
        return [_Run.along(region.repeat(len(pictures), 1)) for region in new]

    def _look(self, pictures: Pictures, runs: list[_Run]) -> None:
        """Landmarks of all persons in all frames; at last once more where somebody was lost."""
        pending = [torch.ones(len(pictures), dtype=torch.bool) for _ in runs]
        for _ in range(_PASSES):
            if not any(bool(some.any()) for some in pending):
                return
            self._landmarks(pictures, runs, pending)
            pending = [_improved(run) for run in runs]
        lost = [(run, frame) for run in runs for frame in (~run.seen).nonzero()[:, 0].tolist()]
        again = {id(run): torch.zeros(len(pictures), dtype=torch.bool) for run in runs}
        looked = self.people.find([pictures[i] for _, i in lost], [[around(run.region[i])] for run, i in lost])
        for (run, frame), found in zip(lost, looked, strict=True):
            match = _nearest(run.region[frame], found)
            if match is not None:
                run.region[frame], again[id(run)][frame] = found.region[match], True
        self._landmarks(pictures, runs, list(again.values()))

    def _landmarks(self, pictures: Pictures, runs: list[_Run], wanted: list[Bool[Tensor, " frames"]]) -> None:
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

    def _keep(self, runs: list[_Run], fresh: list[_Run]) -> None:
        """Adds what was found to the persons; ends those who were not seen, or were another one all along."""
        old = list(zip(self.tracks, runs, strict=True))
        number = len(self.tracks) + len(self.ended)
        new = [(Track(number + i, run.region[-1]), run) for i, run in enumerate(fresh)]
        alive: list[tuple[Track, _Run]] = []
        for track, run in old + new:
            if bool(run.seen.any()) and not _made_of(run, [other for _, other in alive]):
                alive.append((track, run))
            else:
                self.ended.append(track)
        for track, run in alive:
            seen = run.seen.nonzero()[:, 0]
            track.frames += (seen + self.frame).tolist()
            track.xyc.append(run.xyc[seen])
            track.score.append(run.score[seen])
            track.region = run.implied[seen[-1]]
        self.tracks = [track for track, _ in alive]


def _improved(run: _Run) -> Bool[Tensor, " frames"]:
    """Moves regions to where the landmarks imply them; says which frames are to be looked at again."""
    seen = run.seen
    if not bool(seen.any()):
        return torch.zeros_like(seen)
    frames = torch.arange(len(seen))
    known = seen.nonzero()[:, 0]
    nearest = known[(frames[:, None] - known).abs().argmin(-1)]
    better = smoothed(run.implied[nearest])
    change = differ(run.region, better)
    run.region[change] = better[change]
    return change


def _nearest(region: Float[Tensor, " 4"], found: Found) -> int | None:
    """Which of the people found in a picture has this region."""
    close = [i for i in range(len(found.score)) if same_person(found.region[i], region)]
    return min(close, key=lambda i: float((found.region[i, :2] - region[:2]).norm()), default=None)


def _made_of(run: _Run, others: list[_Run]) -> bool:
    """Whether a person has the landmarks of others in most frames, and so is one of them or a mixture of them.

    Not all landmarks need be theirs. In a part of the picture, a person may be taken for one who ends at its edge.
    """
    frames = run.seen.nonzero()[:, 0]
    nearest = torch.full((len(frames), LANDMARKS), torch.inf)
    for other in others:
        distance = (run.xyc[frames, :, :2] - other.xyc[frames, :, :2]).norm(dim=-1)
        side = torch.minimum(run.implied[frames, 2], other.implied[frames, 2])
        seen = torch.where(other.seen[frames][:, None], distance / side[:, None], torch.inf)
        nearest = torch.minimum(nearest, seen)
    together = (nearest < _SAME).float().mean(-1)
    return bool((together > _TOGETHER).float().mean() > 0.5)
