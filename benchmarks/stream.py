"""Measures the time per frame of `motionrep.Stream`, and accuracy by latency.

    python benchmarks/stream.py --data MOTIONS --output benchmarks/stream.md

Time is that of one `push`, from the keypoints of a frame to the prediction, once windows are full. Accuracy is that of
the 3D pose head on validation clips of the motion folder, played by random bodies and seen by random cameras and a
simulated detector. Only frames whose windows are full at every latency count. Without --data accuracy is left out.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from reports import machine, write

import motionrep
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import SynthesizedClips
from motionrep.encoders import Encoder, KTPFormer
from motionrep.evaluation.metrics import accel_error_m_per_s2, mpjpe_mm
from motionrep.layouts import H36M_17

FPS = 30.0
SIZE_PX = (1280, 720)
SECONDS = 5
WARM_UP = 60  # frames until the windows of ktpformer-s are full: 60 frames at 30 per second
LATENCIES = (0, 1, 3, 7, 15, 29)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of motion files, as for `motionrep evaluate`")
    parser.add_argument("--pushes", type=int, default=200)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    report = f"{machine()} {options.note}".strip() + "\n\n" + times(options.pushes)
    if options.data:
        report += "\n" + accuracy(options.data, options.clips)
    print(report)
    write(f"# Frame by frame\n\n{report}", options.output)


def times(pushes: int) -> str:
    lines = [
        "One frame at a time; milliseconds per `push`, latency 0, layout COCO-17. KTPFormer-243 has its published size "
        "(243 frames, 512 channels, 7 layers) and random weights.",
        "",
        "| encoder | head | dtype | median ms | 95th percentile ms | fastest ms |",
        "|---|---|---|---|---|---|",
    ]
    small = motionrep.load_encoder("ktpformer-s")
    torch.manual_seed(0)
    large = KTPFormer().eval()
    for dtype in (torch.float32, torch.bfloat16):
        for head in ("", "pose3d-ktpformer-s", "mesh-ktpformer-s", "action-ktpformer-s"):
            milliseconds = _pushes(small, motionrep.load_head(head) if head else None, dtype, pushes)
            lines.append(_row("ktpformer-s", head or "none", dtype, milliseconds))
    for dtype in (torch.float32, torch.bfloat16):  # its windows are padded, so they cost the same from the start
        lines.append(_row("KTPFormer-243", "none", dtype, _pushes(large, None, dtype, max(5, pushes // 20), warm_up=2)))
    return "\n".join(lines) + "\n"


def _pushes(encoder: Encoder, head: Any, dtype: torch.dtype, pushes: int, warm_up: int = WARM_UP) -> list[float]:
    stream = motionrep.Stream(encoder, head, fps=FPS, size_px=SIZE_PX, layout="coco_17", dtype=dtype)
    xy_px = torch.rand(warm_up + pushes, 17, 2, generator=torch.Generator().manual_seed(0)) * 300 + 200
    milliseconds = []
    for frame in xy_px:
        start = time.perf_counter()
        stream.push(frame)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return milliseconds[warm_up:]


def _row(encoder: str, head: str, dtype: torch.dtype, milliseconds: list[float]) -> str:
    slow = sorted(milliseconds)[int(0.95 * len(milliseconds))]
    kind = str(dtype).removeprefix("torch.")
    numbers = (statistics.median(milliseconds), slow, min(milliseconds))
    return f"| {encoder} | {head} | {kind} | " + " | ".join(f"{number:.1f}" for number in numbers) + " |"


@torch.no_grad()
def accuracy(data: Path, clips: int) -> str:
    encoder, head = motionrep.load_encoder("ktpformer-s"), motionrep.load_head("pose3d-ktpformer-s")
    frames = int(SECONDS * FPS)
    motions = load_motion_folder(data, "val")
    samples = SynthesizedClips(motions, frames, frames, FPS, seed=1000, layout=H36M_17)
    ways = {f"{latency} frames": latency for latency in LATENCIES} | {"`embed`": None}
    error: dict[str, list[torch.Tensor]] = {name: [] for name in ways}
    jerky: dict[str, list[torch.Tensor]] = {name: [] for name in ways}
    counted = slice(WARM_UP, frames - max(LATENCIES))
    used = 0
    for index in range(0, len(samples), max(1, len(samples) // clips)):
        sample = samples.__getitems__([(0, index)])
        if used == clips or not bool(sample["valid"].all()):
            continue
        used += 1
        clip, target_m = _in_pixels(sample["keypoints"][0]), sample["position_m"][0]
        for name, latency in ways.items():
            if latency is None:
                embedding = motionrep.embed(clip, encoder)
            else:
                embedding = motionrep.embed_with_latency(clip, encoder, latency)
            position_m = head.predict(embedding).position_m
            error[name].append(mpjpe_mm(position_m, target_m)[counted])
            jerky[name].append(accel_error_m_per_s2(position_m, target_m, FPS)[counted])
    lines = [
        f"Accuracy of `ktpformer-s` with `pose3d-ktpformer-s` by latency at {FPS:g} frames per second: {used} clips of "
        f"{SECONDS} s from {len(motions)} validation motions, one random view each, root-relative; the last row knows "
        "all frames. Not the protocol of `motionrep evaluate`.",
        "",
        "| latency | ms | MPJPE mm | acceleration error m/s^2 |",
        "|---|---|---|---|",
    ]
    for name, latency in ways.items():
        wait = "" if latency is None else f"{1000 * latency / FPS:.0f}"
        mean_mm, mean_accel = torch.cat(error[name]).mean(), torch.cat(jerky[name]).mean()
        lines.append(f"| {name} | {wait} | {mean_mm:.1f} | {mean_accel:.1f} |")
    return "\n".join(lines) + "\n"


def _in_pixels(keypoints: torch.Tensor) -> motionrep.Keypoints:
    """Keypoints in an image of 2000 x 2000 px, of normalised x, y and confidence."""
    return motionrep.Keypoints(keypoints[..., :2] * 1000 + 1000, keypoints[..., 2], H36M_17, FPS, 2000, 2000)


if __name__ == "__main__":
    main()
