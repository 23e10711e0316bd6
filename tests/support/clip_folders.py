"""Folders of small keypoint files."""

import numpy as np
import torch

from motionrep.keypoints import save_keypoints
from motionrep.layouts import HALPE_26
from motionrep.types import Keypoints

LENGTHS = (12, 30, 5, 40, 9, 21)


def person(frames, seed=0, name="0"):
    rng = np.random.default_rng(seed)
    start, way = rng.uniform((900, 300), (1000, 700), (26, 2)), rng.normal(size=(frames, 26, 2))
    xy_px = torch.from_numpy(start + way.cumsum(0)).float()
    return Keypoints(xy_px, torch.ones(frames, 26), HALPE_26, 30.0, 1920, 1080, name)


def write_clips(folder):
    """Six files, of which one has two persons, and a broken one."""
    for i, frames in enumerate(LENGTHS):
        people = [person(frames, i)] + ([person(8, 50, "second")] if i == 1 else [])
        path = folder / ("more" if i % 2 else ".") / f"c{i}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_keypoints(people, path)
    (folder / "broken.json").write_text("{")
    (folder / "notes.md").write_text("not a clip")
    return folder
