"""Learns how detectors err from filmed clips, and compares that with a real recording.

    python benchmarks/film_detections.py FILMED --data MOTIONS --clips 1000
    python benchmarks/detector_noise.py FILMED [--check DEVELOPMENT] [--write]

--write replaces `motionrep/datasets/synthetic/detector_noise.json`, from which training clips take their errors.
--check compares with the recording in DEVELOPMENT/real_video.npz (two cameras, MediaPipe's own results, truth
triangulated from four), from which nothing is learned. `motionrep/datasets/synthetic/learned_noise.py` says what the
numbers mean.
"""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrep.datasets.synthetic import learned_noise
from motionrep.datasets.synthetic.learned_noise import STATES, LearnedNoise, facing_rad, half_box, plain
from motionrep.datasets.synthetic.self_occlusion import hidden_by_body
from motionrep.files.writing import write_json
from motionrep.layouts import MEDIAPIPE_33

DETECTORS = ("heavy", "full")
FLIP = list(MEDIAPIPE_33.flip_indices)
RIGHT = np.array([joint.startswith("right_") for joint in MEDIAPIPE_33.joints])
FEWEST, FAR, SMALLEST = 60, 0.6, 0.003
BODY = list(range(11, 17)) + list(range(23, 29))  # shoulders, elbows, wrists, hips, knees, ankles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filmed", type=Path)
    parser.add_argument("--check", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    clips = [dict(np.load(path)) for path in sorted(options.filmed.glob("*.npz"))]
    frames = sum(len(clip["true_px"]) for clip in clips)
    print(f"{len(clips)} clips, {frames} frames\n")
    learned = {name: fitted([Seen(clip, name) for clip in clips]) for name in DETECTORS}
    for name, described in learned.items():
        print(f"{name}: {json.dumps({k: v for k, v in described.items() if k != 'joints'})}")
        for joint, values in described["joints"].items():
            print(f"  {joint:12s} sd {np.round(values['sd'], 4)}  trust {np.round(values['trust'][0], 2)}")
    if options.write:
        write_json(learned, Path(learned_noise.__file__).with_name("detector_noise.json"), indent=None)
    if options.check:
        check(options.check, [Seen(clip, name) for clip in clips for name in DETECTORS], learned)


class Seen:
    """A filmed clip: errors of one detector, right joints as if they were left ones seen in a mirror."""

    def __init__(self, clip: dict[str, np.ndarray], name: str) -> None:
        true_px, found_px = clip["true_px"].astype(np.float64), clip[f"{name}_px"].astype(np.float64)
        point_m = torch.from_numpy(clip["point_m"])
        self.true_px, self.fps, self.body_facing = true_px, float(clip["fps"]), facing_rad(point_m)
        self.size = half_box(torch.from_numpy(true_px))
        self.confidence = clip[f"{name}_confidence"].astype(np.float64)
        self.found = self.confidence.max(1) > 0
        state = hidden_by_body(point_m, MEDIAPIPE_33).numpy().astype(int)
        state[clip["covered"]], state[clip["outside"]] = STATES.index("covered"), STATES.index("outside")
        self.state, self.seen = state, (state < 2).mean(1)
        error = (found_px - true_px) / self.size
        flipped = (found_px[:, FLIP] - true_px) / self.size
        self.swapped = exchanged(error, flipped, self.confidence)
        error[self.swapped] = flipped[self.swapped]
        facing = np.repeat(self.body_facing[:, None], len(FLIP), 1)
        error[:, RIGHT, 0] *= -1
        self.error, self.facing = error, np.where(RIGHT, -facing, facing)
        self.usable = (self.confidence > 0) & (np.linalg.norm(error, axis=-1) < FAR) & self.found[:, None]


def exchanged(error: np.ndarray, flipped: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Frames in which left and right are exchanged: the other way round is far nearer, in most joints of the body."""
    here, there = (np.linalg.norm(some[:, BODY], axis=-1) for some in (error, flipped))
    counted = confidence[:, BODY] > 0.3
    nearer = ((there < 0.6 * here) & counted).sum(1)
    apart = ((here < 0.6 * there) & counted).sum(1)
    return (nearer >= 5) & (nearer > 3 * apart)


def fitted(clips: list[Seen]) -> dict[str, Any]:
    """What `detector_noise.json` holds of a detector."""
    names = list(dict.fromkeys(map(plain, MEDIAPIPE_33.joints)))
    joints, residuals = {}, [np.zeros_like(clip.error) for clip in clips]
    for name in names:
        columns = [i for i, joint in enumerate(MEDIAPIPE_33.joints) if plain(joint) == name]
        joints[name] = fitted_joint(clips, columns, residuals)
    pairs = [pair for clip, residual in zip(clips, residuals, strict=True) for pair in lagged(clip, residual)]
    zero, one, two = (np.concatenate(some) for some in zip(*pairs, strict=True))
    c0, c1, c2 = (zero**2).mean(), (zero * one).mean(), (zero * two).mean()
    lasts = float(np.clip(c2 / c1, 0.5, 0.99))
    spread = np.concatenate([clip_spread(clip, residual) for clip, residual in zip(clips, residuals, strict=True)])
    found, seen = (np.concatenate([getattr(clip, name) for clip in clips]) for name in ("found", "seen"))
    quarter = np.minimum((4 * seen).astype(int), 3)
    state = np.concatenate([clip.state[clip.found] for clip in clips])
    silent = np.concatenate([clip.confidence[clip.found] == 0 for clip in clips])
    swapped = np.concatenate([clip.swapped for clip in clips])
    runs = max(1, sum(int((np.diff(clip.swapped.astype(int)) == 1).sum() + clip.swapped[0]) for clip in clips))
    return {
        "slow": round(float(np.clip(c1 / lasts / c0, 0.3, 0.98)), 3),
        "lasts": round(lasts, 3),
        "people": round(float(np.std(spread)), 3),
        "unseen": [round(float(silent[state == number].mean()), 4) for number in range(len(STATES))],
        "lost": [round(float((~found[quarter == q]).mean()) if (quarter == q).any() else 1.0, 4) for q in range(4)],
        "swapped": round(float(swapped.mean()), 4),
        "swap_s": round(float(swapped.sum() / runs / 30), 3),
        "joints": joints,
    }


def fitted_joint(clips: list[Seen], columns: list[int], residuals: list[np.ndarray]) -> dict[str, Any]:
    """Bias, deviation and confidence of a joint of either side; writes what is left of the errors to `residuals`."""

    def all_of(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([some[:, columns].reshape(-1, *some.shape[2:]) for some in values])

    error, facing = all_of([clip.error for clip in clips]), all_of([clip.facing for clip in clips])
    state, usable = all_of([clip.state for clip in clips]), all_of([clip.usable for clip in clips])
    trust = all_of([clip.confidence for clip in clips]).clip(0.005, 0.995)
    turn = np.stack([np.ones_like(facing), np.cos(facing), np.sin(facing)], 1)
    good = usable & (state == 0)
    if len(columns) == 1:  # in the middle of the body: as in a mirror
        turn_all = np.concatenate([turn[good], turn[good] * [1, 1, -1]])
        error_all = np.concatenate([error[good], error[good] * [-1, 1]])
    else:
        turn_all, error_all = turn[good], error[good]
    bias = robust_fit(turn_all, error_all)
    left = error - turn @ bias
    sd = [deviation(left[usable & (state == number)]) for number in range(len(STATES))]
    sd[1], sd[2] = sd[1] or 1.5 * sd[0], sd[2] or 3 * sd[0]
    sd[3] = sd[3] or sd[2]
    length = np.log(np.linalg.norm(error, axis=-1).clip(SMALLEST))
    logit = np.log(trust / (1 - trust))
    rows = []
    for number in range(len(STATES)):
        rows.append(trust_fit(length, logit, usable & (state == number)) or (rows[-1] if rows else [2.0, -0.5, 1.0]))
    for clip, residual in zip(clips, residuals, strict=True):
        own = np.stack([np.ones_like(clip.facing), np.cos(clip.facing), np.sin(clip.facing)], -1)[:, columns]
        scale = np.array(sd)[clip.state[:, columns]]
        residual[:, columns] = (clip.error[:, columns] - own @ bias) / scale[..., None]
    return {"bias": np.round(bias.T, 4).tolist(), "sd": np.round(sd, 4).tolist(), "trust": np.round(rows, 3).tolist()}


def robust_fit(turn: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Least squares that leaves out, step by step, what is off by more than three deviations."""
    kept = np.ones(len(turn), bool)
    for _ in range(5):
        bias = np.linalg.lstsq(turn[kept], error[kept], rcond=None)[0]
        off = np.linalg.norm(error - turn @ bias, axis=1)
        kept = off < 3 * 0.85 * np.median(off)
    return bias


def deviation(left: np.ndarray) -> float:
    """Standard deviation of a coordinate, without the farthest fiftieth; 0 where there is too little."""
    if len(left) < FEWEST:
        return 0.0
    limit = np.quantile(np.abs(left), 0.98)
    return float(np.sqrt((left[np.abs(left) <= limit] ** 2).mean()))


def trust_fit(length: np.ndarray, logit: np.ndarray, where: np.ndarray) -> list[float] | None:
    """Logit of the confidence against the logarithm of the error: mean, slope and what is left."""
    if where.sum() < FEWEST:
        return None
    x = np.stack([np.ones(where.sum()), length[where]], 1)
    line = np.linalg.lstsq(x, logit[where], rcond=None)[0]
    return [float(line[0]), float(line[1]), float((logit[where] - x @ line).std())]


def lagged(clip: Seen, residual: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Residuals of visible joints with those one and two frames later."""
    good = clip.usable & (clip.state == 0) & (np.abs(residual) < 4).all(-1)
    three = good[:-2] & good[1:-1] & good[2:]
    return [(residual[:-2][three].ravel(), residual[1:-1][three].ravel(), residual[2:][three].ravel())]


def clip_spread(clip: Seen, residual: np.ndarray) -> np.ndarray:
    """Logarithm of how far each joint is off in this clip, relative to the mean over clips."""
    values = []
    for column in range(residual.shape[1]):
        good = clip.usable[:, column] & (clip.state[:, column] == 0)
        if good.sum() >= 10:
            values.append(0.5 * np.log((residual[good, column] ** 2).mean() + 1e-6))
    return np.array(values)


def check(folder: Path, clips: list[Seen], learned: dict[str, Any]) -> None:
    """Prints a table of a real recording beside the filmed clips: error and confidence of each joint."""
    real, swapped = real_errors(folder)
    head = " | ".join(f"{whose}: error | 90 % below | confidence" for whose in ("real", "rendered", "model"))
    print(f"\n| joint | {head} |\n" + "|---" * 10 + "|")
    noises = [LearnedNoise.of(described) for described in learned.values()]
    whole = [clip for clip in clips if clip.seen.min() > 0.9]
    made = [as_model(clip, noises[number % len(noises)], number) for number, clip in enumerate(whole)]
    for name, pairs in real.items():
        columns = [i for i, joint in enumerate(MEDIAPIPE_33.joints) if plain(joint) == name]
        ours, model = (np.concatenate([errors_of(clip, columns) for clip in some]) for some in (whole, made))
        cells = [
            f"{np.median(some[:, 0]):.4f} | {np.quantile(some[:, 0], 0.9):.4f} | {np.median(some[:, 1]):.2f}"
            for some in (pairs, ours, model)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\nsides exchanged: real {swapped:.3f}, rendered {[learned[name]['swapped'] for name in DETECTORS]}")


def errors_of(clip: Seen, columns: list[int]) -> np.ndarray:
    """Length of the error and confidence of joints that nothing but the body hides: (detections, 2)."""
    both = np.stack([np.linalg.norm(clip.error, axis=-1), clip.confidence], -1)
    return both[:, columns][(clip.usable & (clip.state < 2))[:, columns]]


def as_model(clip: Seen, noise: LearnedNoise, seed: int) -> Seen:
    """The clip with errors and confidences that the learned model makes."""
    made, rng = copy.copy(clip), np.random.default_rng(seed)
    found, confidence = noise.detections(torch.from_numpy(clip.true_px), clip.state, clip.body_facing, clip.fps, rng)
    made.error, made.confidence = (found.numpy() - clip.true_px) / clip.size, confidence.numpy().astype(np.float64)
    made.error[:, RIGHT, 0] *= -1
    made.usable = made.confidence > 0
    return made


def real_errors(folder: Path) -> tuple[dict[str, np.ndarray], float]:
    """Errors and confidences of each joint in the recording, and the share of frames with exchanged sides."""
    data = np.load(folder / "real_video.npz")
    numbers = [0, *BODY]
    other = [0, *(i + 1 if i % 2 else i - 1 for i in range(1, len(numbers)))]
    pairs: dict[str, list[np.ndarray]] = {plain(MEDIAPIPE_33.joints[number]): [] for number in numbers}
    swaps = []
    for name in DETECTORS:
        for camera, true_m in enumerate(data["truth_camera_m"].astype(np.float64)):
            true_px = true_m[..., :2] / true_m[..., 2:] * data["focal_px"][camera] + data["center_px"][camera]
            found = data[f"{name}_xy"][camera][:, numbers].astype(np.float64)
            trust = data[f"{name}_conf"][camera][:, numbers]
            here, there = (np.linalg.norm(some - true_px, axis=-1) for some in (found, found[:, other]))
            swap = (there < 0.6 * here)[:, 1:].sum(1) > 6
            found[swap] = found[swap][:, other]
            size = 1.06 * half_box(torch.from_numpy(true_px))  # the truth has no feet and no top of the head
            error = np.linalg.norm(found - true_px, axis=-1) / size
            for column, number in enumerate(numbers):
                both = np.stack([error[:, column], trust[:, column]], 1)
                pairs[plain(MEDIAPIPE_33.joints[number])].append(both)
            swaps.append(swap)
    return {name: np.concatenate(some) for name, some in pairs.items()}, float(np.concatenate(swaps).mean())


if __name__ == "__main__":
    main()
