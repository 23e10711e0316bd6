"""Measures whether several people on one floor tell a camera's field of view, which nobody gave.

    python benchmarks/field_of_view_people.py --data MOTIONS [--scenes 40]

A scene is three people of the validation clips about one place. One camera, 35 to 65 degrees wide, and a simulated
detector see them for 81 frames. For each of 12 fields of view the predicted bodies are placed where
they meet their keypoints, and put on one floor (`fitting.floor.camera_on_floor`). Evidence is

* how badly bodies meet the keypoints, as in `geometry.cameras.fitted_camera`, of the person seen most or of all people,
* how badly points that touch the floor lie on one plane, whose direction the ground head tells (the cost of its solve),
* how far the field of view is from 50 degrees.

The table has the errors of the field of view with the least sum. Weights are those that are best on the other half of
the scenes.
"""

import argparse
import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import scipy.optimize
import torch

from motionrep.body import load_body_model
from motionrep.datasets.motion_folders import MotionClip, load_motion_folder
from motionrep.datasets.synthetic.virtual_camera import simulated_keypoints
from motionrep.embedding.encoding import embed
from motionrep.encoders import load_encoder
from motionrep.fitting.bodies import body_of
from motionrep.fitting.floor import camera_on_floor
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, project, translation_from_keypoints
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera
from motionrep.motion.contacts import Ground
from motionrep.motion.editing import resample, with_betas
from motionrep.types import BodyMotion, Keypoints

FRAMES, PEOPLE, FPS, SIZE_PX = 81, 3, 30.0, (1280, 720)
CANDIDATES_DEG = np.arange(28.0, 73.0, 4.0)
ASSUMED_DEG, SPREAD_DEG = 50.0, 9.0
Scene = tuple[float, np.ndarray, np.ndarray]  # true degrees; misfit of each person (people candidates) and of the floor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clips = [c for c in load_motion_folder(options.data, "val") if c.motion.frame_count / c.motion.fps > FRAMES / FPS]
    networks = load_encoder("ktpformer-s"), load_head("mesh-ktpformer-s"), load_head("ground-ktpformer-s")
    scenes = []
    for index in range(options.scenes):
        rng = np.random.default_rng((options.seed, index))
        scenes.append(measured(*filmed(clips, rng), *networks))
        print(f"scene {index + 1}", file=sys.stderr, flush=True)
    print(table(scenes))


def filmed(clips: list[MotionClip], rng: np.random.Generator) -> tuple[PinholeCamera, list[Keypoints]]:
    """A camera and what a detector reports of three people before it."""
    body = load_body_model("open")
    people = []
    for place_m in rng.uniform(-1.5, 1.5, (PEOPLE, 2)):
        motion = clips[rng.integers(len(clips))].motion
        first = int(rng.integers(motion.frame_count - round(FRAMES / FPS * motion.fps) + 1))
        motion = resample(motion.cut(first, first + round(FRAMES / FPS * motion.fps) + 2), FPS).cut(0, FRAMES)
        motion = with_betas(motion, body, torch.from_numpy(rng.standard_normal(body.beta_count)).float())
        middle_m = motion.translation_m.mean(0)
        moved_m = torch.tensor([place_m[0] - middle_m[0], 0.0, place_m[1] - middle_m[2]])
        people.append(replace(motion, translation_m=motion.translation_m + moved_m))
    still = PinholeCamera.from_hfov(*SIZE_PX, rng.uniform(35, 65))
    pitch, distance_m = math.radians(rng.uniform(-2, 25)), 4.0
    toward = torch.tensor([0.0, math.sin(pitch), math.cos(pitch)])
    middle_m = torch.tensor([0.0, 0.9, 0.0])
    while True:
        pose = camera_from_world_looking(middle_m + distance_m * toward, middle_m)
        camera = PinholeCamera(still.focal_px, still.center_px, *SIZE_PX, pose)
        seen = [in_camera(motion, body, camera) for motion in people]
        point_m = torch.stack([body.points(H36M_17, it.local_rotmat, it.betas, it.translation_m) for it in seen])
        xy_px = project(point_m, camera)
        if bool((point_m[..., 2] > 1).all() & (xy_px > 0).all() & (xy_px < torch.tensor(SIZE_PX)).all()):
            return camera, [simulated_keypoints(motion, body, camera, H36M_17, rng) for motion in seen]
        distance_m *= 1.1


def measured(camera: PinholeCamera, clips: list[Keypoints], encoder: Any, mesh: Any, ground: Any) -> Scene:
    """The true field of view, and both misfits at each candidate."""
    embeddings = [embed(clip, encoder) for clip in clips]
    bodies = [mesh.predict(embedding) for embedding in embeddings]
    grounds = [ground.predict(embedding) for embedding in embeddings]
    keypoints, floor = np.zeros((PEOPLE, len(CANDIDATES_DEG))), np.zeros(len(CANDIDATES_DEG))
    for at, degrees in enumerate(CANDIDATES_DEG):
        candidate = PinholeCamera.from_hfov(*SIZE_PX, degrees)
        placed = [placed_in(candidate, *both) for both in zip(bodies, clips, strict=True)]
        keypoints[:, at] = [misfit for _, misfit in placed]
        floor[at] = floor_misfit([motion for motion, _ in placed], grounds, candidate)
    return camera.hfov_deg, keypoints, floor


def placed_in(camera: PinholeCamera, motion: BodyMotion, clip: Keypoints) -> tuple[BodyMotion, float]:
    """The body where it meets its keypoints, and how badly it does."""
    still = torch.zeros_like(motion.translation_m)
    point_m = body_of(motion).points(H36M_17, motion.local_rotmat, motion.betas, still)
    moved_m = translation_from_keypoints(point_m, clip.xy_px, clip.confidence, camera)
    squared = (project(point_m + moved_m[:, None], camera) - clip.xy_px).square().sum(-1) / (0.01 * SIZE_PX[0]) ** 2
    return replace(motion, translation_m=moved_m), float((clip.confidence * squared / (squared + 1)).sum())


def floor_misfit(motions: list[BodyMotion], grounds: list[Ground], camera: PinholeCamera) -> float:
    """The least cost of the plane."""
    costs, solve = [0.0], scipy.optimize.least_squares

    def recorded(*arguments: Any) -> Any:
        found = solve(*arguments)
        costs.append(float(found.cost))
        return found

    with mock.patch.object(scipy.optimize, "least_squares", recorded):
        camera_on_floor(motions, grounds, camera)
    return costs[-1]


def table(scenes: list[Scene]) -> str:
    prior = ((CANDIDATES_DEG - ASSUMED_DEG) / SPREAD_DEG) ** 2 / 2
    weights = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    kinds = {
        "50 degrees assumed": lambda scene, w: prior,
        "keypoints of one person": lambda scene, w: scene[1][0],
        "keypoints of all people": lambda scene, w: scene[1].sum(0),
        "keypoints of all, prior": lambda scene, w: w[0] * scene[1].sum(0) + prior,
        "floor, prior": lambda scene, w: w[1] * scene[2] + prior,
        "keypoints of all, floor, prior": lambda scene, w: w[0] * scene[1].sum(0) + w[1] * scene[2] + prior,
    }
    halves = [scenes[::2], scenes[1::2]]
    lines = ["| evidence | degrees off on average | weights |", "|---|---|---|"]
    for name, cost in kinds.items():
        off, used = [], []
        for tried, tested in (halves, halves[::-1]):
            pairs = list(itertools.product(weights, repeat=2))
            best = min(pairs, key=lambda pair: np.mean([error_deg(cost(s, pair), s[0]) for s in tried]))
            used.append(best)
            off += [error_deg(cost(scene, best), scene[0]) for scene in tested]
        lines.append(f"| {name} | {np.mean(off):.1f} | {used} |")
    return "\n".join(lines)


def error_deg(cost: np.ndarray, true_deg: float) -> float:
    """How far the least cost, by a parabola through three candidates, is from the truth."""
    at = int(np.clip(cost.argmin(), 1, len(cost) - 2))
    before, here, after = cost[at - 1 : at + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return abs(CANDIDATES_DEG[at] + 4.0 * float(np.clip(shift, -1, 1)) - true_deg)


if __name__ == "__main__":
    main()
