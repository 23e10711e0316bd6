"""Finds the landmarks of each person in a few frames at once, and hands people on to the next frames."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.detection.blazepose.landmarks import LANDMARKS, LandmarkFinder, Landmarks
from motionrep.detection.blazepose.people import Found, PersonFinder, same_person
from motionrep.detection.blazepose.regions import between, differ, smoothed

_SURE = 0.5
_PASSES = 3
_SAME = 0.1  # distance between a landmark of one person found twice, in sides of the region
_TOGETHER = 0.45  # who has as many landmarks of others is no person of its own

Pictures = list[Float[Tensor, "3 height width"]]


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

    The person detector looks at the last of the frames that come together, at the very first one, and where a person
    was lost. In between, regions move evenly. A frame is looked at again if its landmarks imply another region.
    """

    def __init__(self, people: PersonFinder, landmarks: LandmarkFinder) -> None:
        self.people, self.landmarks = people, landmarks
        self.tracks: list[Track] = []
        self.ended: list[Track] = []
        self.frame = 0

    def follow(self, pictures: Pictures) -> None:
        """Looks at the next frames."""
        last = len(pictures) - 1
        looked = {last: self.people.find([pictures[last]])[0]}
        if self.frame == 0 and last:
            looked[0] = self.people.find([pictures[0]])[0]
        end = looked[last]
        share = (torch.arange(len(pictures)) + 1) / len(pictures)
        runs = []
        for track in self.tracks:
            match = _nearest(track.region, end)
            runs.append(
                _Run.along(between(track.region, end.region[match] if match is not None else track.region, share))
            )
        self._look(pictures, runs, looked)
        fresh: list[_Run] = []
        for frame in sorted(looked, reverse=True):
            known = [run.implied[frame] for run in runs + fresh if run.seen[frame]]
            others = [one for one in looked[frame].region if not any(same_person(one, other) for other in known)]
            more = [_Run.along(one.repeat(len(pictures), 1)) for one in others]
            self._look(pictures, more, looked)
            fresh += more
        self._keep(runs, fresh)
        self.frame += len(pictures)

    def _look(self, pictures: Pictures, runs: list[_Run], looked: dict[int, Found]) -> None:
        """Landmarks of all persons in all frames; at last once more where somebody was lost."""
        pending = [torch.ones(len(pictures), dtype=torch.bool) for _ in runs]
        for _ in range(_PASSES):
            if not any(bool(some.any()) for some in pending):
                return
            self._landmarks(pictures, runs, pending)
            pending = [_improved(run) for run in runs]
        lost = [~run.seen if bool(run.seen.any()) or self.tracks else torch.zeros(len(pictures)).bool() for run in runs]
        frames = [i for i in range(len(pictures)) if i not in looked and any(bool(some[i]) for some in lost)]
        looked |= dict(zip(frames, self.people.find([pictures[i] for i in frames]), strict=True))
        again = [torch.zeros(len(pictures), dtype=torch.bool) for _ in runs]
        for run, missing, retry in zip(runs, lost, again, strict=True):
            for frame in missing.nonzero()[:, 0].tolist():
                match = _nearest(run.region[frame], looked[frame])
                if match is not None:
                    run.region[frame], retry[frame] = looked[frame].region[match], True
        self._landmarks(pictures, runs, again)

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
