"""Warns of what is doubtful about the keypoints of a clip, in plain sentences."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.types import Keypoints

Doubt = Literal["unseen", "confidence", "joint", "jump", "swap", "size", "edge", "fps", "length"]

USUAL_FPS = (15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 90.0, 100.0, 119.88, 120.0, 200.0, 240.0)
LOW_CONFIDENCE = 0.4
_LOW_FOR_S = 0.25
_JOINT_SHARE = 0.3
_LEAP = 0.35  # of the person's size, within a thirtieth of a second
_SMALL_PX = 96.0
_EDGE = 0.01
_EDGE_SHARE = 0.1
_RUNS_NAMED = 4


@dataclass(frozen=True)
class QualityWarning:
    """One doubt: its kind, and a sentence that says where it is, how large, and what it means for the result."""

    kind: Doubt
    sentence: str


def quality_warnings(
    keypoints: Keypoints, window_s: float | None = None, fps_known: bool = True
) -> list[QualityWarning]:
    """All doubts about a clip, the most serious kinds first; the list is empty for a good clip.

    Args:
        window_s: Length of the encoder's window; a shorter clip is padded with its last frame.
        fps_known: False when the frame rate is an assumption.
    """
    found = [*_unseen(keypoints)]
    if bool((keypoints.confidence > 0).any()):
        found += [
            *_low_confidence(keypoints), *_weak_joints(keypoints), *_jumps(keypoints), *_swaps(keypoints),
            *_too_small(keypoints), *_at_the_edge(keypoints),
        ]  # fmt: skip
    return [*found, *_odd_fps(keypoints, fps_known), *_too_short(keypoints, window_s)]


def unseen_frames(keypoints: Keypoints) -> Bool[Tensor, " frames"]:
    """Frames in which no joint has a confidence above 0."""
    return ~(keypoints.confidence > 0).any(1)


def frame_confidence(keypoints: Keypoints) -> Float[Tensor, " frames"]:
    """Mean confidence of all joints (each at most 1), 0 in unseen frames."""
    return keypoints.confidence.clamp(max=1).mean(1)


def person_size_px(keypoints: Keypoints) -> float:
    """Median over the seen frames of the longer side of the box around the seen joints; 0 if nothing was seen."""
    seen = keypoints.confidence > 0
    if not bool(seen.any()):
        return 0.0
    low = keypoints.xy_px.where(seen[..., None], torch.inf).amin(1)
    high = keypoints.xy_px.where(seen[..., None], -torch.inf).amax(1)
    return float((high - low).amax(1)[seen.any(1)].median())


def leaps(keypoints: Keypoints) -> Bool[Tensor, "frames joints"]:
    """Joints that moved more than 0.35 times the person's size in 1/30 s since the frame before.

    The fastest hands move about a fifth of the person's size in that time. At lower frame rates the limit grows in
    proportion; at higher ones it stays, because noise does not shrink with time.
    """
    limit_px = _LEAP * max(1.0, 30 / keypoints.fps) * person_size_px(keypoints)
    seen = keypoints.confidence > 0
    step_px = (keypoints.xy_px[1:] - keypoints.xy_px[:-1]).norm(dim=-1)
    leap = torch.zeros_like(seen)
    leap[1:] = (step_px > limit_px) & seen[1:] & seen[:-1]
    return leap


def swaps(keypoints: Keypoints) -> Bool[Tensor, " frames"]:
    """Frames where left and right seem to have changed places since the frame before, for most pairs seen in both.

    A pair counts when two things hold. Its joints would be less than half as far from the frame before if they were
    exchanged. And together they moved more than a tenth of the person's size: limbs that pass each other move less.
    """
    left, right = torch.tensor(keypoints.layout.side_pairs, dtype=torch.long).reshape(-1, 2).unbind(1)
    before, now = keypoints.xy_px[:-1], keypoints.xy_px[1:]
    seen = (keypoints.confidence[:, left] > 0) & (keypoints.confidence[:, right] > 0)
    both = seen[1:] & seen[:-1]
    straight = (now[:, left] - before[:, left]).norm(dim=-1) + (now[:, right] - before[:, right]).norm(dim=-1)
    crossed = (now[:, left] - before[:, right]).norm(dim=-1) + (now[:, right] - before[:, left]).norm(dim=-1)
    speaks = both & (crossed < 0.5 * straight) & (straight > 0.1 * person_size_px(keypoints))
    swap = torch.zeros(keypoints.frame_count, dtype=torch.bool)
    swap[1:] = (speaks.sum(1) >= 2) & (speaks.sum(1) > 0.5 * both.sum(1))
    return swap


def _unseen(keypoints: Keypoints) -> Iterable[QualityWarning]:
    unseen = unseen_frames(keypoints)
    count, total = int(unseen.sum()), keypoints.frame_count
    if count == total:
        yield QualityWarning("unseen", "Nobody was detected in any frame.")
    elif count:
        yield QualityWarning(
            "unseen",
            f"Nobody was detected in {count} of {total} frames ({_spans(unseen, keypoints.fps)}); the result there is "
            "interpolated from the frames around.",
        )


def _low_confidence(keypoints: Keypoints) -> Iterable[QualityWarning]:
    low = (frame_confidence(keypoints) < LOW_CONFIDENCE) & ~unseen_frames(keypoints)
    long = torch.zeros_like(low)
    for start, stop in _runs(low):
        if (stop - start) / keypoints.fps >= _LOW_FOR_S:
            long[start:stop] = True
    if bool(long.any()):
        yield QualityWarning(
            "confidence",
            f"The detector was unsure (mean confidence below {LOW_CONFIDENCE:g}) at {_spans(long, keypoints.fps)}; "
            "take the pose there with care.",
        )


def _weak_joints(keypoints: Keypoints) -> Iterable[QualityWarning]:
    seen = ~unseen_frames(keypoints)
    weak = (keypoints.confidence[seen] < LOW_CONFIDENCE).float().mean(0)
    names = [
        f"{_spoken(joint)} ({share:.0%})"
        for joint, share in zip(keypoints.layout.joints, weak.tolist(), strict=True)
        if share > _JOINT_SHARE
    ]
    if names:
        yield QualityWarning(
            "joint",
            f"Joints that are missing or unsure in much of the clip: {', '.join(names)}; how they move is guessed.",
        )


def _jumps(keypoints: Keypoints) -> Iterable[QualityWarning]:
    leap = leaps(keypoints) & ~swaps(keypoints)[:, None]
    seen = (keypoints.confidence > 0).sum(1)
    whole = leap.sum(1) > 0.5 * seen.clamp(min=1)
    if bool(whole.any()):
        yield QualityWarning(
            "jump",
            f"The whole person jumps at {_moments(whole, keypoints.fps)}; the tracker may have changed to somebody "
            "else, or the video was cut.",
        )
    single = leap & ~whole[:, None]
    count = int(single.any(1).sum())
    if count:
        most = keypoints.layout.joints[int(single.sum(0).argmax())]
        yield QualityWarning(
            "jump",
            f"Single joints jump in {count} frame(s) ({_moments(single.any(1), keypoints.fps)}), most of all "
            f"{_spoken(most)}; smooth the keypoints or mend them.",
        )


def _swaps(keypoints: Keypoints) -> Iterable[QualityWarning]:
    swap = swaps(keypoints)
    if bool(swap.any()):
        yield QualityWarning(
            "swap",
            f"Left and right seem to change places at {_moments(swap, keypoints.fps)}; the detector may have "
            "confused the sides.",
        )


def _too_small(keypoints: Keypoints) -> Iterable[QualityWarning]:
    size_px = person_size_px(keypoints)
    if size_px < _SMALL_PX:
        yield QualityWarning(
            "size",
            f"The person is only about {size_px:.0f} pixels large (of a picture of {keypoints.width_px} x "
            f"{keypoints.height_px}); below {_SMALL_PX:.0f}, detectors are inexact.",
        )


def _at_the_edge(keypoints: Keypoints) -> Iterable[QualityWarning]:
    size = keypoints.xy_px.new_tensor([keypoints.width_px, keypoints.height_px])
    near = ((keypoints.xy_px < _EDGE * size) | (keypoints.xy_px > (1 - _EDGE) * size)).any(-1)
    cut = (near & (keypoints.confidence > 0)).any(1)
    share = float(cut.float().mean())
    if share > _EDGE_SHARE:
        yield QualityWarning(
            "edge",
            f"The person touches or leaves the edge of the picture in {share:.0%} of the frames; what is outside is "
            "guessed.",
        )


def _odd_fps(keypoints: Keypoints, fps_known: bool) -> Iterable[QualityWarning]:
    fps = keypoints.fps
    if not fps_known:
        yield QualityWarning(
            "fps",
            f"The file does not say its frame rate; {fps:g} frames per second were assumed, and if that is wrong, "
            "so are times and speeds.",
        )
    elif min(abs(fps / usual - 1) for usual in USUAL_FPS) > 0.002:
        yield QualityWarning("fps", f"{fps:g} frames per second is an unusual frame rate; check it.")


def _too_short(keypoints: Keypoints, window_s: float | None) -> Iterable[QualityWarning]:
    seconds = keypoints.frame_count / keypoints.fps
    if window_s is not None and seconds < window_s - 0.5 / keypoints.fps:
        yield QualityWarning(
            "length",
            f"The clip lasts {seconds:.2f} s, less than the {window_s:g} s that the encoder reads at a time; its last "
            "frame was repeated.",
        )


def _runs(flag: Tensor) -> list[tuple[int, int]]:
    """First frame and the one after the last of each stretch of true values."""
    edges = torch.diff(torch.cat([flag.new_zeros(1), flag, flag.new_zeros(1)]).int()).nonzero()[:, 0].tolist()
    return [(start, stop) for start, stop in pairwise(edges) if bool(flag[start])]


def _spans(flag: Tensor, fps: float) -> str:
    """Stretches of time as text, the first few."""
    runs = [f"{start / fps:.2f}-{stop / fps:.2f} s" for start, stop in _runs(flag)]
    return _listed(runs)


def _moments(flag: Tensor, fps: float) -> str:
    return _listed([f"{frame / fps:.2f} s" for frame in flag.nonzero()[:, 0].tolist()])


def _listed(items: list[str]) -> str:
    more = len(items) - _RUNS_NAMED
    return ", ".join(items[:_RUNS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _spoken(joint: str) -> str:
    return joint.replace("_", " ")
