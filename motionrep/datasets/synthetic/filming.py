"""Pictures as people take them: close-ups that cut people off, cameras that turn, things that stand in front."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.datasets.synthetic.augmentation import Augmentation

# What a picture that cuts somebody off shows: chance, and the range of the height in metres that it covers.
_CUTS = {
    "upper body": (0.4, (0.7, 1.25)),
    "down to the knees": (0.2, (1.15, 1.5)),
    "head and shoulders": (0.08, (0.45, 0.75)),
    "lower body": (0.1, (0.8, 1.4)),
    "at the side": (0.22, (1.5, 3.0)),
}
_MARGIN_M = (0.02, 0.25)
_NEAREST_M = 0.6
_PASSING_M_PER_S = (0.3, 1.6)


@dataclass(frozen=True)
class Cut:
    """How the picture's edge cuts somebody off.

    Attributes:
        end: 1 where the picture begins above the head, -1 where it ends below the feet, 0 for the middle of the body.
        margin_m: Between that end of the person and the picture's edge.
        height_m: What the picture covers at the person's distance.
        aside: Where the person is in each frame, from the middle of the picture in halves of its width.
    """

    end: int
    margin_m: float
    height_m: float
    aside: Float[np.ndarray, " frames"]


@dataclass(frozen=True)
class Cover:
    """Something in front of a person: an upright rectangle.

    Its place and size are in the box about the person's keypoints over the whole clip, which is 1 wide and 1 high.
    """

    middle: Float[np.ndarray, "frames 2"]
    half_size: tuple[float, float]


@dataclass(frozen=True)
class Filming:
    """How a clip is filmed, beyond a camera that stands and sees everything of the person.

    Attributes:
        height_in_picture: `Augmentation.height_in_picture`, drawn; None where the distance is drawn.
        guesses: Whether the detector guesses where hidden joints are, instead of not telling.
        learned: Whether keypoints err as those of measured detectors.
    """

    height_in_picture: float | None = None
    distortion: float = 0.0
    upright: bool = False
    pans: bool = False
    cut: Cut | None = None
    covers: tuple[Cover, ...] = ()
    guesses: bool = True
    learned: bool = False

    def distance_m(
        self, hfov_rad: float, size_px: tuple[int, int], drawn_m: float, nearest: float, farthest: float
    ) -> float:
        """The camera's distance, as drawn or so that the person has the wanted size."""
        if self.height_in_picture is None:
            return drawn_m
        half_height = math.tan(hfov_rad / 2) * size_px[1] / size_px[0]
        return min(max(1.7 / (2 * self.height_in_picture * half_height), nearest), farthest)


def draw_filming(augmentation: Augmentation, frames: int, fps: float, rng: np.random.Generator) -> Filming:
    """Random filming. What is switched off has no influence on the rest."""
    share, bend, *chance = rng.random(8)
    size = augmentation.height_in_picture
    parts = [np.random.default_rng(seed) for seed in rng.integers(2**32, size=2)]
    cut = _draw_cut(frames, parts[0]) if chance[0] < augmentation.cut_off else None
    covers = _draw_covers(frames, fps, parts[1]) if chance[1] < augmentation.hidden else ()
    return Filming(
        None if size is None else size[0] * (size[1] / size[0]) ** share,
        augmentation.distortion * (1.5 * bend - 1),
        upright=bool(chance[2] < augmentation.portrait),
        pans=bool(chance[3] < augmentation.pans),
        cut=cut,
        covers=covers,
        guesses=bool(chance[4] < 0.6),
        learned=bool(chance[5] < augmentation.detectors),
    )


def _draw_cut(frames: int, rng: np.random.Generator) -> Cut:
    names, chances = list(_CUTS), [chance for chance, _ in _CUTS.values()]
    kind = names[rng.choice(len(names), p=chances)]
    margin_m, height_m = rng.uniform(*_MARGIN_M), rng.uniform(*_CUTS[kind][1])
    at = np.linspace(0, 1, frames)
    if kind == "at the side":
        side, begin, end = rng.choice([-1, 1]), rng.uniform(0.6, 1.6), rng.uniform(-0.3, 1.1)
        if rng.random() < 0.5:  # leaves instead of entering
            begin, end = end, begin
        return Cut(0, 0.0, height_m, side * (begin + (end - begin) * at))
    end = -1 if kind == "lower body" else 1
    return Cut(end, margin_m, height_m, rng.normal(0, 0.25) + rng.normal(0, 0.2) * (at - 0.5))


def _draw_covers(frames: int, fps: float, rng: np.random.Generator) -> tuple[Cover, ...]:
    """Furniture over the lower part, something at a side, or somebody who passes; now and then two of them."""
    covers = []
    for _ in range(1 + (rng.random() < 0.25)):
        still = np.ones((frames, 1))
        kind = rng.random()
        if kind < 0.35:  # a table, a wall, a car: all below some height
            top = rng.uniform(0.35, 0.85)
            covers.append(Cover(still * [rng.uniform(0.2, 0.8), top + 0.75], (rng.uniform(0.3, 2.0), 0.75)))
        elif kind < 0.6:  # a post, a door frame, a plant
            covers.append(Cover(still * [rng.uniform(-0.1, 1.1), rng.uniform(0.2, 0.8)],
                                (rng.uniform(0.05, 0.3), rng.uniform(0.2, 1.0))))  # fmt: skip
        else:  # somebody passes, the person's box taken as half as wide as high and 1.7 m high
            speed = rng.uniform(*_PASSING_M_PER_S) / 0.85 / fps * rng.choice([-1, 1])
            start = rng.uniform(0, 1) - speed * rng.uniform(0, frames)
            x = start + speed * np.arange(frames)[:, None]
            covers.append(Cover(np.concatenate([x, still * rng.uniform(0.4, 0.6)], 1), (rng.uniform(0.2, 0.5), 0.55)))
    return tuple(covers)


def distorted(xy: Float[Tensor, "*clip points 2"], strength: float, focal: float) -> Float[Tensor, "*clip points 2"]:
    """Image points bent by a lens, in halves of the picture's width from its middle.

    Args:
        strength: First radial coefficient, of the squared tangent of the angle to the axis. Beyond 50 degrees the bend
            stays as it is there.
    """
    squared = ((xy / focal) ** 2).sum(-1, keepdim=True).clamp(max=1.4)
    return xy * (1 + strength * squared)


def covered(xy: Float[Tensor, "frames points 2"], covers: tuple[Cover, ...]) -> Bool[Tensor, "frames points"]:
    """Which image points lie behind a cover."""
    low, high = xy.flatten(0, 1).amin(0), xy.flatten(0, 1).amax(0)
    inside_box = (xy - low) / (high - low).clamp(min=1e-6)
    hidden = torch.zeros(xy.shape[:2], dtype=torch.bool)
    for cover in covers:
        away = (inside_box - torch.from_numpy(cover.middle).float()[:, None]).abs()
        hidden |= (away < torch.tensor(cover.half_size)).all(-1)
    return hidden


def cut_distance_m(cut: Cut, focal: float, aspect: float) -> float:
    """Distance at which the picture covers the wanted height, and more in upright pictures, which are narrow.

    Args:
        focal: In halves of the picture's width.
        aspect: Height of the picture over its width.
    """
    return max(cut.height_m * focal / (2 * min(aspect, 1.2)), _NEAREST_M)
