"""Measures what `motionrep.refine` improves about predicted meshes, on clips whose truth is known.

    python benchmarks/refine.py --data CMU_FOLDER --output benchmarks/refine.md

The validation clips are seen as in `motionrep evaluate` (protocol synthetic-views-1: random bodies, cameras of 35 to 65
degrees, noisy detections), but only in the first of the four views of each window. Meshes are refined once with the
camera that `predict` assumes and once with the true one. PVE is measured in every ninth frame.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from reports import cpu_time, write
from torch import Tensor

from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.embedding.encoding import embed
from motionrep.encoders import Encoder, load_encoder
from motionrep.evaluation.scores import Scores
from motionrep.evaluation.synthetic_views import single_view
from motionrep.fitting.keypoints import refine, reprojection_error_px
from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17, find_layout
from motionrep.types import BodyMotion, Keypoints

FPS, WINDOW, VIEWS = 30.0, 81, 4
WIDTH_PX, HEIGHT_PX = 1920, 1080  # any size will do: the samples' keypoints are in halves of the width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of motion files with an index.csv")
    parser.add_argument("--seed", type=int, default=1000, help="of the cameras, bodies and detections")
    parser.add_argument("--layout", default="h36m_17", help="what the simulated detector reports")
    parser.add_argument("--encoder", default="ktpformer-s")
    parser.add_argument("--head", default="mesh-ktpformer-s")
    parser.add_argument("--camera", choices=("assumed", "true", "both"), default="both")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    samples = _samples(options.data, options.seed, options.layout)
    cameras = ("assumed", "true") if options.camera == "both" else (options.camera,)
    networks = load_encoder(options.encoder), load_head(options.head)
    report = _heading(samples, options.seed, options.layout)
    print(report, end="", flush=True)
    for camera in cameras:
        rows = measure(samples, *networks, camera)
        print(rows, end="", flush=True)
        report += rows
    write(report, options.output)


def measure(samples: list[dict[str, Tensor]], encoder: Encoder, head: Any, camera: str) -> str:
    before, after = Scores(FPS, 9), Scores(FPS, 9)  # surfaces of every ninth frame
    error: dict[str, list[float]] = defaultdict(list)
    seconds, frames = 0.0, sum(batch["valid"].shape[1] for batch in samples)
    for batch in samples:
        clip = _clip(batch)
        used = _camera(batch) if camera == "true" else PinholeCamera.from_hfov(WIDTH_PX, HEIGHT_PX)
        predicted = head.predict(embed(clip, encoder), camera=used)
        start = time.process_time()
        refined = refine(predicted, clip, used)
        seconds += time.process_time() - start
        for name, scores, motion in (("before", before, predicted), ("after", after, refined)):
            error[name].append(1000 * reprojection_error_px(motion, clip, used) / WIDTH_PX)
            scores.add(_output(motion), batch)
    rows = []
    for name, scores in (("before", before), ("after", after)):
        value, speed = scores.result(), f"{seconds / frames * FPS:.2f}" if name == "after" else ""
        rows.append(
            f"| {camera} | {name} | {sum(error[name]) / len(error[name]):.2f} | {value['pve']:.1f} | "
            f"{value['mpjpe']:.1f} | {value['pa_mpjpe']:.1f} | {value['accel_error']:.2f} | {speed} |\n"
        )
    return "".join(rows)


def _heading(samples: list[dict[str, Tensor]], seed: int, layout: str) -> str:
    frames = sum(batch["valid"].shape[1] for batch in samples)
    return (
        f"All {len(samples)} windows of the validation clips, {frames} frames at {FPS:g} fps, seed {seed}, keypoints "
        f"{layout}; protocol synthetic-views-1, but one view of each window. 2D: weighted mean distance of the "
        f"Human3.6M-17 points from the noisy keypoints, in thousandths of the picture's width. {cpu_time()}\n\n"
        "| camera | | 2D | PVE, mm | MPJPE, mm | PA-MPJPE, mm | acceleration, m/s² | CPU s per s of clip |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )


def _samples(data: Path, seed: int, layout: str) -> list[dict[str, Tensor]]:
    """The first view of every window, cut to the frames that the clip has."""
    clips = load_motion_folder(data, "val")
    windows = EveryWindow(views=VIEWS)
    samples = SynthesizedClips(clips, WINDOW, WINDOW, FPS, seed, windows, layout=find_layout(layout))
    return [single_view(samples, index) for index in range(0, len(samples), VIEWS)]


def _clip(batch: dict[str, Tensor]) -> Keypoints:
    xy, confidence = batch["keypoints"][0].split([2, 1], -1)
    xy_px = xy * WIDTH_PX / 2 + torch.tensor([WIDTH_PX / 2, HEIGHT_PX / 2])
    return Keypoints(xy_px, confidence[..., 0], H36M_17, FPS, WIDTH_PX, HEIGHT_PX)


def _camera(batch: dict[str, Tensor]) -> PinholeCamera:
    center_px = (WIDTH_PX / 2, HEIGHT_PX / 2)
    return PinholeCamera(float(batch["focal"][0]) * WIDTH_PX / 2, center_px, WIDTH_PX, HEIGHT_PX)


def _output(motion: BodyMotion) -> dict[str, Tensor]:
    return {"local_rotmat": motion.local_rotmat[None], "betas": motion.betas[None]}


if __name__ == "__main__":
    main()
