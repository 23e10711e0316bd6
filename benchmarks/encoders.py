"""Measures speed, memory and precision of `motionrep.embed` for every architecture at its published sizes.

    python benchmarks/encoders.py --output benchmarks/encoders.md
    python benchmarks/encoders.py --device cuda --compile --only ktpformer

Weights are random, so distances mean little by themselves; they are also given relative to the spread of the poses.
The shipped encoders have their trained weights and read the motions of `motionrep demo` as a simulated detector sees
them. "Plain" is an ordinary float32 implementation: explicit attention weights (except for SSR-STF, which has fused
attention everywhere) and separate batch normalisation. Each way runs in its own process for its peak memory.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from reports import machine, write
from torch import Tensor, nn

from motionrep import load_encoder, load_head
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import AUTHORED, authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.embedding.encoding import embed
from motionrep.embedding.inputs import encoder_input
from motionrep.encoders import SSRSTF, DSTformer, Encoder, KTPFormer, MixSTE, MotionAGFormer
from motionrep.encoders.architectures import motionagformer, ssr_stf
from motionrep.encoders.architectures.layers import Arithmetic, Attention, linear_pose3d_head
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera
from motionrep.types import Keypoints

TRAINED = {f"{name} (trained)": name for name in ("ktpformer-s", "ssr-stf-s")}
ENCODERS: dict[str, Callable[[], Encoder]] = {
    "KTPFormer": KTPFormer,
    "MixSTE": MixSTE,
    "DSTformer": DSTformer,
    "DSTformer Lite": partial(DSTformer, inner_channels=256, mlp_ratio=4.0),
    **{f"MotionAGFormer {n.upper()}": partial(MotionAGFormer, **size) for n, size in motionagformer.SIZES.items()},
    **{f"SSR-STF {n}": partial(SSRSTF, **size) for n, size in ssr_stf.SIZES.items()},
    **{row: partial(load_encoder, name) for row, name in TRAINED.items()},
}
WAYS = ("plain", "float32", "bfloat16", "compiled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="encoders whose name begins so, in any case")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="also bfloat16 with torch.compile")
    parser.add_argument("--frames", type=int, default=486)
    parser.add_argument("--batch-size", type=int, default=16, help="as for embed; a CPU takes fewer")
    parser.add_argument("--seconds", type=float, default=6, help="for the timing of one encoder")
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        _measure_peak(options.peak[0], options.peak[1], options)
        return
    names = [name for name in ENCODERS if name.lower().startswith(options.only.lower())]
    if not names:
        parser.error(f"no encoder begins with {options.only!r} (known: {', '.join(ENCODERS)})")
    lines = [
        "# Encoding",
        "",
        f"Clips of {options.frames} frames or slightly fewer, in whole windows, no overlap; median of alternating "
        'repeats. "mean" and "max" are distances of bfloat16 from float32 of the pose head\'s points. Weights are '
        'random except for the trained encoders, so compare the distances with "spread", the standard deviation of the '
        'coordinates. "Plain" is ordinary float32 with explicit attention weights (fused for SSR-STF). Memory is the '
        "peak of a process that embeds the clip, less what it held before.",
        "",
        f"{machine(options.device)} {options.note}".strip(),
        "",
        _header(options),
    ]
    print("\n".join(lines))
    for name in names:
        lines.append(_row(name, options))
        print(lines[-1], flush=True)
    write("\n".join(lines) + "\n", options.output)


def _ways(options: argparse.Namespace) -> tuple[str, ...]:
    return WAYS if options.compile else WAYS[:-1]


def _header(options: argparse.Namespace) -> str:
    ways = _ways(options)
    columns = ["encoder", *(f"{way}, frames/s" for way in ways), "gain", *(f"{way}, MB" for way in ways)]
    columns += ["mean mm", "max mm", "spread mm", "mean / spread"]
    if options.device != "cpu":
        columns.append("share of matrix peak")
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


@torch.no_grad()
def _row(name: str, options: argparse.Namespace) -> str:
    encoder, head, clip = _set_up(name, options.frames)
    ways = {way: _way(way, encoder, clip, options) for way in _ways(options)}
    pose_mm = {way: 1000 * head(run().float()) for way, run in ways.items()}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    end = time.perf_counter() + options.seconds
    while len(seconds["plain"]) < 3 or time.perf_counter() < end:
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - start)
    rates = {way: clip.frame_count / statistics.median(times) for way, times in seconds.items()}
    distance_mm = (pose_mm["bfloat16"] - pose_mm["float32"]).norm(dim=-1)
    spread_mm = pose_mm["float32"].std()
    best = max(rates["bfloat16"], rates.get("compiled", 0.0))
    cells = [name, *(f"{rate:.0f}" for rate in rates.values()), f"{best / rates['plain']:.1f}"]
    cells += [f"{_peak_mb(name, way, options):.0f}" for way in ways]
    cells += [f"{distance_mm.mean():.2g}", f"{distance_mm.max():.2g}", f"{spread_mm:.0f}"]
    cells.append(f"{distance_mm.mean() / spread_mm:.1%}")
    if options.device != "cpu":
        cells.append(f"{best * _flop_per_frame(encoder, clip) / _matrix_peak(options.device):.0%}")
    return f"| {' | '.join(cells)} |"


def _set_up(name: str, frames: int) -> tuple[Encoder, Callable[[Tensor], Tensor], Keypoints]:
    torch.manual_seed(0)
    encoder = ENCODERS[name]().eval()
    window = encoder.frames
    frames = max(frames - frames % window, window)
    if name in TRAINED:
        trained = load_head(f"pose3d-{TRAINED[name]}")
        clip = _filmed(frames, encoder.fps or 30.0)
        return encoder, lambda values: _positions(trained, values.unflatten(0, (-1, window))), clip
    head = linear_pose3d_head if encoder.published is None else encoder.published.pose_head
    return encoder, head(512).eval(), _walk(frames, 30.0)


def _positions(head: nn.Module, windows: Tensor) -> Tensor:
    return head(windows, torch.ones(windows.shape[:2], dtype=torch.bool))["position_m"]


def _way(way: str, encoder: Encoder, clip: Keypoints, options: argparse.Namespace) -> Callable[[], Tensor]:
    if way == "plain":
        return partial(_plain, encoder, clip, options)
    return lambda: (
        embed(
            clip,
            encoder,
            overlap=0,
            batch_size=options.batch_size,
            device=options.device,
            dtype=torch.float32 if way == "float32" else torch.bfloat16,
            compile=way == "compiled",
        ).values
    )


@torch.no_grad()
def _plain(encoder: Encoder, clip: Keypoints, options: argparse.Namespace) -> Tensor:
    """Encodes window after window; on a CPU two at a time, since more are slower there."""
    attentions = [module for module in encoder.to(options.device).modules() if isinstance(module, Attention)]
    usual: list[Arithmetic] = [module.arithmetic for module in attentions]
    for module in attentions:
        module.arithmetic = "plain"
    windows = encoder_input(clip, encoder).unflatten(0, (-1, encoder.frames))
    size = 2 if options.device == "cpu" else options.batch_size
    values = torch.cat([encoder(batch.to(options.device)).cpu() for batch in windows.split(size)]).flatten(0, 1)
    for module, arithmetic in zip(attentions, usual, strict=True):
        module.arithmetic = arithmetic
    return values


def _peak_mb(name: str, way: str, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--peak", name, way, "--device", options.device]
    command += ["--frames", str(options.frames), "--batch-size", str(options.batch_size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def _measure_peak(name: str, way: str, options: argparse.Namespace) -> None:
    encoder, _, clip = _set_up(name, options.frames)
    if options.device == "cpu":
        before = _memory_mb("VmRSS")
        _way(way, encoder, clip, options)()
        print(_memory_mb("VmHWM") - before)
    else:
        _way(way, encoder, clip, options)()
        print(torch.cuda.max_memory_allocated() / 2**20)


def _memory_mb(field: str) -> float:
    """Memory of this process, from Linux; `getrusage` would also count the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _flop_per_frame(encoder: Encoder, clip: Keypoints) -> float:
    """Floating-point operations of matrix products and attention."""
    from torch.utils.flop_counter import FlopCounterMode

    windows = encoder_input(clip, encoder)[None, : encoder.frames]
    with FlopCounterMode(display=False) as counter:
        encoder.cpu()(windows)
    return counter.get_total_flops() / windows.shape[1]


def _matrix_peak(device: str) -> float:
    """Floating-point operations per second of a large bfloat16 product, measured."""
    a = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(10):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            torch.mm(a, a)
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - start) / 10)
    return 2 * 8192**3 / best


def _walk(frames: int, fps: float) -> Keypoints:
    """Joints that swing around those of a standing person."""
    x = [0, -30, -30, -30, 30, 30, 30, 0, 0, 0, 0, 50, 70, 80, -50, -70, -80]
    y = [0, 0, 110, 220, 0, 110, 220, -60, -120, -150, -190, -120, -60, 0, -120, -60, 0]
    place = torch.tensor([x, y]).T + torch.tensor([500.0, 450.0])
    time_s = torch.arange(frames)[:, None, None] / fps
    xy_px = place + 25 * torch.sin(2 * torch.pi * (time_s * (0.5 + torch.rand(17, 2)) + torch.rand(17, 2)))
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, fps, 1000, 1000)


def _filmed(frames: int, fps: float) -> Keypoints:
    """The demo's motions one after the other, about two seconds each, as a simulated detector sees them."""
    body, rng = load_body_model("open"), np.random.default_rng(0)
    clips = []
    for name in AUTHORED:
        motion = authored_motion(name, 0, -(-frames // len(AUTHORED)) / fps, fps)
        camera = random_camera(motion, body, rng)
        clips.append(simulated_keypoints(in_camera(motion, body, camera), body, camera, H36M_17, rng))
    xy_px, confidence = (
        torch.cat(parts)[:frames] for parts in ([c.xy_px for c in clips], [c.confidence for c in clips])
    )
    return replace(clips[0], xy_px=xy_px, confidence=confidence)


if __name__ == "__main__":
    main()
