"""Errors of detectors, as measured on rendered pictures whose keypoints are known (`benchmarks/detector_noise.py`).

Lengths are in halves of the longer side of the person's box. The file `detector_noise.json` beside this module has for
each detector and each joint of one side:

    bias      two rows (x, y) of factors on 1, cosine and sine of the direction that the body faces, 0 to the camera
    sd        standard deviation of the error that remains, for each of STATES
    trust     for each of STATES: the logit of the confidence at an error of 1, its slope with the logarithm of the
              error, and its own standard deviation

and for the detector: `slow`, the share of the variance that lasts from frame to frame; `lasts`, its correlation over
a thirtieth of a second; `people`, the standard deviation of the logarithm of how far joints of one clip are off;
`unseen`, the share of joints in each of STATES that are not reported; `lost`, the share of frames without a person for
quarters of seen joints; `swapped`, the share of frames in which left and right of all joints are exchanged, and
`swap_s`, how long that lasts.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motionrep.datasets.synthetic.self_occlusion import hidden_by_body
from motionrep.layouts import MEDIAPIPE_33

STATES = ("visible", "behind the body", "covered", "outside")
_FILE = Path(__file__).with_name("detector_noise.json")
_SIDES = ("left_", "right_")
_SMALLEST_ERROR = 0.003
_BEYOND_EDGE = 0.3  # how far outside of the picture guesses lie at most, in halves of its width


@dataclass(frozen=True)
class LearnedNoise:
    """The errors of one detector, for the joints of `mediapipe_33` in its order."""

    bias: Float[np.ndarray, "joints 2 3"]
    sd: Float[np.ndarray, "joints states"]
    trust: Float[np.ndarray, "joints states 3"]
    slow: float
    lasts: float
    people: float
    unseen: Float[np.ndarray, " states"]
    lost: Float[np.ndarray, " quarters"]
    swapped: float
    swap_s: float

    @classmethod
    def of(cls, described: dict[str, Any]) -> "LearnedNoise":
        """From what the file holds of a detector."""
        joints = [described["joints"][plain(joint)] for joint in MEDIAPIPE_33.joints]
        bias = np.array([joint["bias"] for joint in joints], dtype=np.float64)
        right = np.array([joint.startswith("right_") for joint in MEDIAPIPE_33.joints])
        # In a mirror x and the sine of the direction change their sign.
        bias[right, 0, :2] *= -1
        bias[right, 1, 2] *= -1
        numbers = {name: described[name] for name in ("slow", "lasts", "people", "swapped", "swap_s")}
        return cls(
            bias, np.array([joint["sd"] for joint in joints], dtype=np.float64),
            np.array([joint["trust"] for joint in joints], dtype=np.float64),
            unseen=np.array(described["unseen"]), lost=np.array(described["lost"]), **numbers,
        )  # fmt: skip

    def detections(
        self,
        true_xy: Float[Tensor, "frames 33 2"],
        state: Int[np.ndarray, "frames 33"],
        facing_rad: Float[np.ndarray, " frames"],
        fps: float,
        rng: np.random.Generator,
    ) -> tuple[Float[Tensor, "frames 33 2"], Float[Tensor, "frames 33"]]:
        """Keypoints as the detector would report them, in the unit of the input; confidence 0 where it does not."""
        frames, joints = state.shape
        size = half_box(true_xy)
        turn = np.stack([np.ones(frames), np.cos(facing_rad), np.sin(facing_rad)], 1)
        lasts = self.lasts ** (30 / fps)
        normal = (rng.standard_normal((1, joints)) + rng.standard_normal()) / np.sqrt(2)
        strength = np.exp(self.people * normal - self.people**2)  # of mean square 1
        slow = _lasting(rng.standard_normal((frames, joints, 2)), lasts)
        quick = rng.standard_normal((frames, joints, 2))
        unit = np.sqrt(self.slow) * slow + np.sqrt(1 - self.slow) * quick
        rows = np.arange(joints)
        scale = strength * _lasting_steps(self.sd[rows, state], lasts)
        error = np.einsum("jcf,tf->tjc", self.bias, turn) + scale[..., None] * unit
        length = np.log(np.linalg.norm(error, axis=-1).clip(_SMALLEST_ERROR))
        mean, slope, spread = np.moveaxis(self.trust[rows, state], -1, 0)
        logit = mean + slope * length + spread * _lasting(rng.standard_normal((frames, joints)), lasts)
        confidence = 1 / (1 + np.exp(-logit))
        confidence[rng.random((1, joints)).repeat(frames, 0) < self.unseen[state]] = 0
        quarter = np.minimum((4 * (state < 2).mean(1)).astype(int), 3)
        chance = _lasting(rng.standard_normal(frames), 0.9)
        confidence[chance < _normal_quantile(self.lost[quarter])] = 0
        xy = true_xy.numpy() + error * size
        swapped = _lasting(rng.standard_normal(frames), np.exp(-1 / max(self.swap_s * fps, 1.0)))
        swapped = swapped < _normal_quantile(np.full(1, self.swapped))
        flip = list(MEDIAPIPE_33.flip_indices)
        xy[swapped], confidence[swapped] = xy[swapped][:, flip], confidence[swapped][:, flip]
        xy[confidence == 0] = 0
        return torch.from_numpy(xy).float(), torch.from_numpy(confidence).float()


@lru_cache(1)
def learned_noises() -> tuple[LearnedNoise, ...]:
    """Those of the detectors that were measured."""
    return tuple(LearnedNoise.of(described) for described in json.loads(_FILE.read_text("utf-8")).values())


def with_learned_noise(
    true_xy: Float[Tensor, "frames 33 2"],
    point_m: Float[Tensor, "frames 33 3"],
    hidden: Bool[Tensor, "frames 33"] | None,
    aspect: float,
    guesses: bool,
    fps: float,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "frames 33 2"], Float[Tensor, "frames 33"]]:
    """Keypoints of `mediapipe_33` as one of the measured detectors would report them.

    Args:
        point_m: The points in camera axes.
        hidden: What is covered or outside of the picture; None where nothing is.
        guesses: Whether points outside of the picture are reported, as covered ones are.
    """
    noises = learned_noises()
    noise = noises[rng.integers(len(noises))]
    state = states(true_xy, point_m, hidden, aspect)
    if guesses:
        state = np.where(state == STATES.index("outside"), STATES.index("covered"), state)
    xy, confidence = noise.detections(true_xy, state, facing_rad(point_m), fps, rng)
    edge = torch.tensor([1.0, aspect]) + _BEYOND_EDGE
    return xy.clamp(-edge, edge), confidence


def states(
    true_xy: Float[Tensor, "frames 33 2"],
    point_m: Float[Tensor, "frames 33 3"],
    hidden: Bool[Tensor, "frames 33"] | None,
    aspect: float,
) -> Int[np.ndarray, "frames 33"]:
    """Which of `STATES` each joint is in."""
    state = hidden_by_body(point_m, MEDIAPIPE_33).numpy().astype(np.int64)
    if hidden is not None:
        outside = ~(true_xy.abs() < torch.tensor([1.0, aspect])).all(-1)
        state[hidden.numpy()] = STATES.index("covered")
        state[(hidden & outside).numpy()] = STATES.index("outside")
    return state


def facing_rad(point_m: Float[Tensor, "frames 33 3"]) -> Float[np.ndarray, " frames"]:
    """Direction in which the body faces: 0 towards the camera, positive where its left side is further away."""
    left, right = ([MEDIAPIPE_33.index(f"{side}{name}") for name in ("shoulder", "hip")] for side in _SIDES)
    across = (point_m[:, left] - point_m[:, right]).mean(1).numpy()
    return np.arctan2(across[:, 2], across[:, 0])


def half_box(true_xy: Float[Tensor, "frames joints 2"]) -> float:
    """Half the longer side of the box about all joints, the median over the frames."""
    return max(float((true_xy.amax(1) - true_xy.amin(1)).amax(-1).median()) / 2, 1e-6)


def plain(joint: str) -> str:
    """The name of a joint without its side."""
    return joint.removeprefix("left_").removeprefix("right_")


def _lasting(white: np.ndarray, lasts: float) -> np.ndarray:
    """Normal numbers of unit variance that change slowly along the first axis (autoregressive of order one)."""
    slow, quick = white.copy(), np.sqrt(1 - lasts**2)
    for frame in range(1, len(slow)):
        slow[frame] = lasts * slow[frame - 1] + quick * slow[frame]
    return slow


def _lasting_steps(values: np.ndarray, lasts: float) -> np.ndarray:
    """Values that follow their steps within some frames, since a tracker does not lose a joint at once."""
    smooth = values.copy()
    for frame in range(1, len(smooth)):
        smooth[frame] = lasts * smooth[frame - 1] + (1 - lasts) * values[frame]
    return smooth


def _normal_quantile(share: Float[np.ndarray, " any"]) -> Float[np.ndarray, " any"]:
    """The number below which a standard normal one is with a probability; none is below that of 0."""
    shares = torch.from_numpy(np.asarray(share, np.float64).clip(0, 1))
    return torch.special.ndtri(shares).numpy()
