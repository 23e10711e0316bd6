"""Speed and exactness of `motionrep.embed` at KTPFormer's published size (243 frames, 512 channels, 7 layers).

    python benchmarks/embed.py --output benchmarks/embed.md

Compares three evaluations of the same weights on the same windows, alternating, and prints a Markdown table.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrep import embedding
from motionrep.encoders import KTPFormer, load_published, pose3d_head
from motionrep.encoders.layers import Attention, TransformerBlock
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="a published file; random weights when not given")
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--note", default="", help="a sentence for the report, for example what else ran")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    report = compare(options.checkpoint, options.windows, options.repeats, options.note)
    print(report)
    if options.output:
        options.output.write_text(report, encoding="utf-8")


@torch.no_grad()
def compare(checkpoint: Path | None, windows: int, repeats: int, note: str = "") -> str:
    """The table: frames per second, and distance of the pose head's output from the plain evaluation's."""
    torch.manual_seed(0)
    encoder, head = load_published(checkpoint) if checkpoint else (KTPFormer().eval(), pose3d_head(512).eval())
    assert isinstance(encoder, KTPFormer)
    clip = _walk(encoder.frames * windows)
    inputs = embedding.encoder_input(clip, encoder).unflatten(0, (windows, encoder.frames))

    def embedded(dtype: torch.dtype) -> Tensor:
        return embedding.embed(clip, encoder, overlap=0, batch_size=windows, dtype=dtype).values

    ways: dict[str, Callable[[], Tensor]] = {
        "plain float32, softmax written out": lambda: plain(encoder, inputs).flatten(0, 1),
        "`embed`, float32": lambda: embedded(torch.float32),
        "`embed`, bfloat16": lambda: embedded(torch.bfloat16),
    }
    poses_mm = {name: head(way()) * 1000 for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)

    expected = next(iter(poses_mm.values()))
    lines = [
        f"KTPFormer, {encoder.frames} frames, {encoder.channels} channels, {'published' if checkpoint else 'random'} "
        f"weights; windows without overlap in one batch: {windows}; median of {repeats} repeats (fastest in brackets). "
        f"Deviation of the pose head's output from the first row's, whose coordinates spread by "
        f"{expected.std():.0f} mm (standard deviation).",
        "",
        f"{_machine()}. {note}".strip(),
        "",
        "| evaluation | frames/s | mean deviation, mm | largest, mm |",
        "|---|---|---|---|",
    ]
    for name, times in seconds.items():
        distance = (poses_mm[name] - expected).norm(dim=-1)
        rate, best = (clip.frame_count / t for t in (statistics.median(times), min(times)))
        lines.append(f"| {name} | {rate:.0f} ({best:.0f}) | {distance.mean():.2g} | {distance.max():.2g} |")
    return "\n".join(lines) + "\n"


def plain(encoder: KTPFormer, x: Tensor) -> Tensor:
    """The same network step by step, axes folded around each block and attention weights written out."""
    x = encoder.joint_prior(x) + encoder.joint_position[:, None]
    x = encoder.joint_norm(_over_joints(encoder.joint_prior_block, x))
    x = x + encoder.frame_priors(x) + encoder.frame_position[:, :, None]
    x = encoder.frame_norm(_over_frames(encoder.frame_prior_block, x))
    for joint_block, frame_block in zip(encoder.joint_blocks, encoder.frame_blocks, strict=True):
        x = encoder.joint_norm(_over_joints(joint_block, x))
        x = encoder.frame_norm(_over_frames(frame_block, x))
    return x


def _over_joints(block: nn.Module, x: Tensor) -> Tensor:
    return _block(block, x.flatten(0, 1)).view(x.shape)


def _over_frames(block: nn.Module, x: Tensor) -> Tensor:
    rows = x.transpose(1, 2)
    return _block(block, rows.flatten(0, 1)).view(rows.shape).transpose(1, 2).contiguous()


def _block(block: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(block, TransformerBlock)
    attention = block.attn
    assert isinstance(attention, Attention)
    rows, tokens, channels = x.shape
    heads = attention.heads
    q, k, v = attention.qkv(block.norm1(x)).reshape(rows, tokens, 3, heads, channels // heads).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) * (channels // heads) ** -0.5).softmax(-1)
    x = x + attention.proj((weights @ v).transpose(1, 2).reshape(x.shape))
    return x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))


def _walk(frames: int) -> Keypoints:
    """Joints that swing around fixed places; the numbers do not matter, only that they move smoothly."""
    time_s = torch.arange(frames)[:, None, None] / 30
    place = torch.rand(1, 17, 2) * 400 + 200
    xy_px = place + 60 * torch.sin(2 * torch.pi * (time_s * torch.rand(1, 17, 2) + torch.rand(1, 17, 2)))
    return Keypoints(xy_px, torch.ones(frames, 17), H36M_17, 30.0, 1000, 1000)


def _machine() -> str:
    flags = Path("/proc/cpuinfo")
    text = flags.read_text() if flags.exists() else ""
    matrix_unit = "with AMX" if "amx_bf16" in text else "with AVX-512 bfloat16" if "avx512_bf16" in text else "as it is"
    return (
        f"CPU {matrix_unit}, {os.cpu_count()} cores, threads used: {torch.get_num_threads()}, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
