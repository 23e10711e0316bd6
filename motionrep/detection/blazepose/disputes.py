"""Decides who a person is whom two regions have found, as when one person walks in front of another."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_SAME = 0.1  # distance between a landmark of one person found twice, in sides of the region
_TOGETHER = 0.45  # who has as many landmarks of others in a frame is no person of its own there
_FASTEST = 0.1  # sides of the region in a frame; nobody is expected to be faster
_SPEED = 3  # frames from which the speed is taken
_JUMP = 0.2  # sides of the region
BEFORE = 1 + _SPEED

Runs = list["Run"]


class Run:
    """One person in the frames that are looked at together, and its regions in the frames before, if known.

    `wanted` says in which frames the person is looked for.
    """

    def __init__(self, region: Float[Tensor, "frames 4"], before: Float[Tensor, "known 4"] | None = None) -> None:
        count = len(region)
        self.wanted = torch.ones(count, dtype=torch.bool)
        self.region, self.implied = region.clone(), region.clone()
        self.xyc, self.score = torch.zeros(count, 33, 3), torch.zeros(count)
        self.before = torch.zeros(0, 4) if before is None else before

    @property
    def seen(self) -> Bool[Tensor, " frames"]:
        """Where landmarks were found that the network is sure of. In empty places it may give some that it is not."""
        return (self.score >= 0.5) & (self.xyc[..., 2].mean(-1) >= 0.45)


def expected(run: Run, known: Bool[Tensor, " frames"]) -> Float[Tensor, "frames 4"]:
    """Where a person is who moves evenly between the frames in which its place is known, and on before and after."""
    frames = torch.cat([torch.arange(-len(run.before), 0), known.nonzero()[:, 0]])
    regions = torch.cat([run.before, run.implied[known]])
    if len(frames) < 2:
        return regions.expand(len(known), 4) if len(frames) else run.region
    wanted = torch.arange(len(known))
    later = torch.searchsorted(frames, wanted).clamp(1, len(frames) - 1)
    share = (wanted - frames[later - 1]) / (frames[later] - frames[later - 1])
    way = regions[later] - regions[later - 1]
    way[:, 3] = torch.remainder(way[:, 3] + torch.pi, 2 * torch.pi) - torch.pi
    place = regions[later - 1] + share.clamp(0, 1)[:, None] * way
    for outside, edge, inner in ((wanted < frames[0], 0, _SPEED), (wanted > frames[-1], -1, -1 - _SPEED)):
        inner = max(min(inner, len(frames) - 1), -len(frames))
        speed = (regions[edge, :2] - regions[inner, :2]) / (frames[edge] - frames[inner])
        limit = _FASTEST * float(regions[edge, 2])
        place[outside, :2] += (wanted[outside] - frames[edge])[:, None] * speed.clamp(-limit, limit)
    return place


def jumps(run: Run) -> Bool[Tensor, " frames"]:
    """Frames in which a person is far from where the other frames let expect it."""
    far = torch.zeros(len(run.score), dtype=torch.bool)
    for frame in run.seen.nonzero()[:, 0].tolist():
        others = run.seen.clone()
        others[frame] = False
        if int(others.sum()) + len(run.before) > 1:
            distance = (expected(run, others)[frame, :2] - run.implied[frame, :2]).norm()
            far[frame] = distance > _JUMP * run.implied[frame, 2]
    return far


def disputed(runs: Runs) -> list[list[Bool[Tensor, " frames"]]]:
    """For each two persons, the frames in which they have the same landmarks."""
    return [[_share(some, other) > _TOGETHER for other in runs] for some in runs]


def losers(runs: Runs) -> list[Bool[Tensor, " frames"]]:
    """For each person, the frames in which its landmarks are those of another one, who was expected nearer to them."""
    same = disputed(runs)
    lost = [torch.zeros(len(run.score), dtype=torch.bool) for run in runs]
    if not any(bool(one.any()) for i, row in enumerate(same) for one in row[:i]):
        return lost
    alone = []
    for i, (run, row) in enumerate(zip(runs, same, strict=True)):
        alone.append(run.seen & ~torch.stack([*row[:i], *row[i + 1 :]]).any(0))
    away = []
    for run, known in zip(runs, alone, strict=True):
        distance = (expected(run, known) - run.implied)[:, :2].norm(dim=-1) / run.implied[:, 2]
        away.append(distance if bool(known.any()) or len(run.before) else torch.full_like(distance, torch.inf))
    for i, row in enumerate(same):
        for k in range(i):
            lost[i] |= row[k] & (away[i] >= away[k])
            lost[k] |= row[k] & (away[i] < away[k])
    return lost


def made_of(run: Run, others: Runs) -> bool:
    """Whether a person has the landmarks of others in most frames, and so is one of them or a mixture of them.

    Not all landmarks need be theirs. In a part of the picture, a person may be taken for one who ends at its edge.
    """
    frames = run.seen
    if not others or not bool(frames.any()):
        return False
    nearest = torch.stack([_distances(run, other) for other in others]).amin(0)[frames]
    return bool(((nearest < _SAME).float().mean(-1) > _TOGETHER).float().mean() > 0.5)


def _share(some: Run, other: Run) -> Float[Tensor, " frames"]:
    return (_distances(some, other) < _SAME).float().mean(-1)


def _distances(some: Run, other: Run) -> Float[Tensor, "frames 33"]:
    """Of each landmark in sides of the smaller region; infinite where one of the two is not seen."""
    distance = (some.xyc[..., :2] - other.xyc[..., :2]).norm(dim=-1)
    side = torch.minimum(some.implied[:, 2], other.implied[:, 2])
    return torch.where((some.seen & other.seen)[:, None], distance / side[:, None], torch.inf)
