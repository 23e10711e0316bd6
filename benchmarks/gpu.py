"""Measures a GPU: encoders, training steps, pictures, refinement, and the whole way from keypoints to bodies.

    python benchmarks/gpu.py --output benchmarks/gpu.md
    python benchmarks/gpu.py --device cpu --dry-run

The first takes less than ten minutes of a GPU. A dry run does everything once and small, on any device: it says that
the script runs, and its numbers mean nothing. Shares of the peak are those of the rate at which the same machine
multiplies large matrices of the same type, which is measured too.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from reports import machine, write
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch.utils.flop_counter import FlopCounterMode

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import AUTHORED, authored_motion
from motionrep.datasets.motion_folders import MotionClip
from motionrep.datasets.synthetic.clips import RandomWindows, SynthesizedClips
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.embedding import embed, encoder_input
from motionrep.encoders import SSRSTF, Encoder, KTPFormer, MotionAGFormer
from motionrep.encoders.architectures import motionagformer, ssr_stf
from motionrep.encoders.inference import for_inference
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.recovery import Recoverer
from motionrep.rendering.backdrop import make_backdrop
from motionrep.rendering.scene import draw
from motionrep.rendering.surfaces import Surface
from motionrep.training.config import FinetuneConfig
from motionrep.training.module import TrainingModule
from motionrep.training.sample_loading import sample_loader, usual_workers
from motionrep.types import Keypoints

CONFIG = Path(__file__).parents[1] / "configs" / "mesh_ktpformer_s.yaml"
SHIPPED: dict[str, Callable[[], Encoder]] = {
    name: partial(motionrep.load_encoder, name) for name in ("ktpformer-s", "ssr-stf-s")
}
PUBLISHED: dict[str, Callable[[], Encoder]] = {
    "KTPFormer": KTPFormer,
    "MotionAGFormer B": partial(MotionAGFormer, **motionagformer.SIZES["b"]),
    "SSR-STF l": partial(SSRSTF, **ssr_stf.SIZES["l"]),
}
HEADS = ("mesh-ktpformer-s", "action-ktpformer-s")
FPS = 30.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured; `at_least_s` is the time that each measurement is repeated for."""

    at_least_s: float
    encoders: dict[str, Callable[[], Encoder]]
    batch: int
    matrix: int
    train_batch: int
    train_steps: int
    picture_px: tuple[int, int]
    refined_frames: int
    clip_frames: int
    compiled: bool


FULL = Sizes(3.0, SHIPPED | PUBLISHED, 64, 8192, 32, 60, (1920, 1080), 300, 18_000, True)
DRY = Sizes(0.0, SHIPPED, 2, 256, 4, 4, (64, 48), 12, 90, False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="everything once and small; measures nothing")
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    device, sizes = torch.device(options.device), DRY if options.dry_run else FULL
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device {device}: torch sees no GPU here; --device cpu --dry-run tries the script out")
    kind = "A dry run, whose numbers mean nothing. " if options.dry_run else ""
    report = f"# On a GPU\n\n{kind}{machine(device)} {options.note}".rstrip() + "\n"
    print(report)
    for part in (encoders, training, pictures, refinement, whole_way):
        section = "\n".join(["", *part(device, sizes), ""])
        print(section, flush=True)
        report += section
        write(report, options.output)  # what was measured is kept where time runs out


def seconds_of(run: Callable[[], object], device: torch.device, at_least_s: float) -> float:
    """Median time of a call after one that warms up, until the device has finished."""
    times: list[float] = []
    run()
    _finish(device)
    while not times or sum(times) < at_least_s or (at_least_s and len(times) < 3):
        start = time.perf_counter()
        run()
        _finish(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def encoders(device: torch.device, sizes: Sizes) -> list[str]:
    """Frames per second of encoders alone, with their windows on the device."""
    ways = {"float32": (torch.float32, False), "bfloat16": (torch.bfloat16, False)}
    ways |= {"compiled bfloat16": (torch.bfloat16, True)} if sizes.compiled else {}
    peaks = {dtype: matrix_rate(device, dtype, sizes) for dtype in (torch.float32, torch.bfloat16)}
    lines = [f"## Encoders\n\nBatches of {sizes.batch} windows. Large matrix products: " + ", ".join(
        f"{str(dtype).removeprefix('torch.')} {rate / 1e12:.3g} Tflop/s" for dtype, rate in peaks.items()
    ) + ".\n"]  # fmt: skip
    columns = ["encoder", "Mflop a frame", *(f"{way}, frames/s{of}" for way in ways for of in ("", " / peak"))]
    lines += [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for name, build in sizes.encoders.items():
        encoder = build().eval()
        window = encoder_input(_filmed(encoder.frames), encoder)[None]
        flop = _flop(encoder, window) / encoder.frames
        cells = [name, f"{flop / 1e6:.0f}"]
        for dtype, compiled in ways.values():
            fast = for_inference(encoder.to(device), dtype, compiled)
            batch = window.to(device).repeat(sizes.batch, 1, 1, 1)
            rate = sizes.batch * encoder.frames / seconds_of(partial(fast, batch), device, sizes.at_least_s)
            cells += [f"{rate:.0f}", f"{rate * flop / peaks[dtype]:.1%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def matrix_rate(device: torch.device, dtype: torch.dtype, sizes: Sizes) -> float:
    """Floating-point operations per second of a large product."""
    matrix = torch.randn(sizes.matrix, sizes.matrix, device=device).to(dtype)
    return 2 * sizes.matrix**3 / seconds_of(lambda: matrix @ matrix, device, sizes.at_least_s / 3)


def training(device: torch.device, sizes: Sizes) -> list[str]:
    """A step with its batch at hand, a step with samples made beside it, and what a core makes."""
    config = replace(FinetuneConfig.from_file(CONFIG), batch_size=sizes.train_batch)
    keys = [(0, index) for index in range(sizes.train_batch * sizes.train_steps)]
    encoder = motionrep.load_encoder(str(config.encoder))
    windows = RandomWindows(len(keys), config.variety)
    samples = SynthesizedClips(_motions(), encoder.frames, encoder.frames, encoder.fps or FPS, windows=windows)
    start = time.perf_counter()
    batch = samples.__getitems__(keys[: sizes.train_batch])
    made_s = (time.perf_counter() - start) / sizes.train_batch
    lines = [
        f"## Training\n\nSteps of `{CONFIG.name}` with {sizes.train_batch} samples.\n",
        "| encoder in | step with its batch at hand, ms | step with samples made beside it, ms | workers |",
        "|---|---|---|---|",
    ]
    workers = usual_workers(1)
    for precision in ("float32", "bfloat16"):
        step_s = [
            _step_s(replace(config, precision=precision), data, keys, device, used)
            for data, used in ((_Same(batch), 0), (samples, workers))
        ]
        lines.append(f"| {precision} | {1000 * step_s[0]:.1f} | {1000 * step_s[1]:.1f} | {workers} |")
    return [
        *lines,
        "",
        f"This process makes a sample in {1000 * made_s:.1f} ms with {torch.get_num_threads()} threads.",
    ]


def pictures(device: torch.device, sizes: Sizes) -> list[str]:
    """A body in front of the studio, four samples a pixel."""
    width, height = sizes.picture_px
    body = load_body_model("open")
    vertex_m = body.mesh(authored_motion("walk", seconds=0.1)).vertex_m[0].to(device)
    camera = replace(
        PinholeCamera.from_hfov(width, height, 45.0),
        camera_from_world=camera_from_world_looking(torch.tensor([0.0, 1.2, 3.5]), torch.tensor([0.0, 0.9, 0.0])),
    )
    surface = Surface(
        vertex_m, body.faces.to(device), torch.tensor([0.87, 0.8, 0.745], device=device).expand_as(vertex_m)
    )
    backdrop = make_backdrop(camera, torch.zeros(3), device)
    one_s = seconds_of(lambda: draw([surface], backdrop), device, sizes.at_least_s)
    return [f"## Pictures\n\nA body in {width}x{height}: {1000 * one_s:.1f} ms, without reading it back."]


def refinement(device: torch.device, sizes: Sizes) -> list[str]:
    """`motionrep.refine` of one clip."""
    clip = _filmed(sizes.refined_frames)
    recoverer = Recoverer(*load_networks(HEADS[:1], None, str(device)), device=device)
    motion = next(iter(recoverer.heads.values())).predict(recoverer.embed(clip))
    taken_s = seconds_of(lambda: motionrep.refine(motion, clip), device, 0.0)
    return [f"## Refinement\n\n{sizes.refined_frames} frames: {taken_s:.2f} s."]


def whole_way(device: torch.device, sizes: Sizes) -> list[str]:
    """`motionrep.recover` of a long clip, and what of it is encoding."""
    clip = _filmed(sizes.clip_frames)
    recoverer = Recoverer(*load_networks(HEADS, None, str(device)), device=device)
    lines = [
        f"## From keypoints to bodies and actions\n\nOne clip of {sizes.clip_frames} frames.\n",
        "| encoder in | all, s | encoding, s | peak of the GPU's memory, MB |",
        "|---|---|---|---|",
    ]
    for dtype in (torch.float32, torch.bfloat16):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        used = replace(recoverer, dtype=dtype)
        all_s = seconds_of(partial(used, clip), device, 0.0)
        encoding_s = seconds_of(partial(embed, clip, used.encoder, device=device, dtype=dtype), device, 0.0)
        peak = f"{torch.cuda.max_memory_allocated() / 2**20:.0f}" if device.type == "cuda" else "-"
        lines.append(f"| {str(dtype).removeprefix('torch.')} | {all_s:.2f} | {encoding_s:.2f} | {peak} |")
    return lines


class _Same(Dataset):
    """The same batch every time, at hand."""

    def __init__(self, batch: dict[str, Tensor]) -> None:
        self.batch = batch

    def __getitems__(self, keys: list[tuple[int, int]]) -> dict[str, Tensor]:
        return self.batch


class _Clock(Callback):
    """When each step had ended on the device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.ends_s = device, list[float]()

    def on_train_batch_end(self, *_: object) -> None:
        _finish(self.device)
        self.ends_s.append(time.perf_counter())


def _step_s(
    config: FinetuneConfig, samples: Dataset, keys: list[tuple[int, int]], device: torch.device, workers: int
) -> float:
    """Mean time of the later half of the steps: samples may have been made ahead before the first ones."""
    networks = load_networks(["mesh-ktpformer-s", "pose3d-ktpformer-s"], None, "cpu")
    heads = {name.partition("-")[0]: head for name, head in networks[1].items()}
    module = TrainingModule(networks[0], heads, config, networks[0].fps or FPS, len(keys))
    clock = _Clock(device)
    trainer = lightning.Trainer(
        accelerator=device.type, devices=1, max_epochs=1, callbacks=[clock], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(module, sample_loader(samples, config.batch_size, keys, workers, drop_last=True))
    later = clock.ends_s[len(clock.ends_s) // 2 :]
    return (later[-1] - later[0]) / (len(later) - 1)


def _motions() -> list[MotionClip]:
    motions = [authored_motion(name, seconds=4.0) for name in AUTHORED]
    return [
        MotionClip(str(i), motion, torch.ones(motion.frame_count, dtype=torch.bool), None, "train", False, "")
        for i, motion in enumerate(motions)
    ]


def _filmed(frames: int) -> Keypoints:
    """A walk as a simulated detector sees it, again and again."""
    body, rng = load_body_model("open"), np.random.default_rng(0)
    motion = authored_motion("walk", 0, 4.0, FPS)
    camera = random_camera(motion, body, rng)
    clip = simulated_keypoints(in_camera(motion, body, camera), body, camera, HALPE_26, rng)
    times = -(-frames // clip.frame_count)
    xy_px, confidence = clip.xy_px.repeat(times, 1, 1)[:frames], clip.confidence.repeat(times, 1)[:frames]
    return replace(clip, xy_px=xy_px, confidence=confidence)


def _flop(encoder: nn.Module, windows: Tensor) -> float:
    """Floating-point operations of matrix products and attention."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder.cpu()(windows)
    return counter.get_total_flops()


def _finish(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


if __name__ == "__main__":
    main()
