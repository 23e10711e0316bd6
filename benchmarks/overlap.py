"""Measures what the overlap of windows does to errors, so that the default of `motionrep.embed` can be chosen by it.

    python benchmarks/overlap.py --data CMU_FOLDER --output benchmarks/overlap.md

The validation clips are seen as in `motionrep evaluate` (random bodies, cameras of 35 to 65 degrees, noisy detections),
once, in pieces of 10 s, each longer than several windows. "Work" is how many frames are encoded for one of the clip;
time grows with it. "Seams" is the mean change of the error's vector from each frame to the next where a window begins
at overlap 0, over that elsewhere: 1 where nobody can tell where windows begin.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from reports import machine, write
from torch import Tensor

from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.datasets.synthetic.clips import EveryWindow, SynthesizedClips
from motionrep.embedding import embed
from motionrep.embedding.frame_rates import frame_stride
from motionrep.encoders import Encoder, load_encoder
from motionrep.evaluation.scores import Scores
from motionrep.evaluation.synthetic_views import single_view
from motionrep.head_api.loading import load_head
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.windows import window_starts

FPS, PIECE_FRAMES = 30.0, 300
WIDTH_PX, HEIGHT_PX = 1920, 1080  # any size will do: the samples' keypoints are in halves of the width
OVERLAPS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.75)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of motion files")
    parser.add_argument("--seed", type=int, default=1000, help="of the cameras, bodies and detections")
    parser.add_argument("--clips", type=int, help="only so many pieces, to try it out")
    parser.add_argument("--overlap", type=float, nargs="+", default=OVERLAPS)
    parser.add_argument("--encoder", nargs="+", default=["ktpformer-s", "ssr-stf-s"])
    parser.add_argument("--flip", action="store_true", help="average with what is made of the mirrored clip")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    samples = _samples(options.data, options.seed, options.clips)
    frames = sum(int(batch["valid"].sum()) for batch in samples)
    report = (
        f"{len(samples)} pieces of the validation clips, {frames} frames at {FPS:g} fps, seed {options.seed}"
        f"{', averaged with the mirrored clip' if options.flip else ''}. {machine(options.device)}\n\n"
        "| encoder | overlap | work | PVE, mm | MPJPE, mm | PA-MPJPE, mm | acceleration, m/s² | seams |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    print(report, end="", flush=True)
    for name in options.encoder:
        networks = load_encoder(name).to(options.device), load_head(f"mesh-{name}").to(options.device)
        for overlap in options.overlap:
            row = f"| {name} | {overlap:g} | {measured(samples, *networks, overlap, options.flip, options.device)} |\n"
            print(row, end="", flush=True)
            report += row
            write(report, options.output)  # each row is kept when a run is stopped


def measured(
    samples: Sequence[dict[str, Tensor]], encoder: Encoder, head: Any, overlap: float, flip: bool, device: str
) -> str:
    """The cells of a row, from the work on."""
    scores = Scores(FPS, vertex_step=9)
    jumps: dict[bool, list[Tensor]] = {True: [], False: []}
    encoded = frames = 0
    for batch in samples:
        clip = _clip(batch["keypoints"][0])
        embedding = embed(clip, encoder, overlap=overlap, flip=flip, device=device).to(device)
        motion = head.predict(embedding).to("cpu")
        scores.add({"local_rotmat": motion.local_rotmat[None], "betas": motion.betas[None]}, batch)
        joint_m = motion.joints(H36M_17).position_m
        error_m = joint_m - joint_m[:, :1] - batch["position_m"][0]
        _add_jumps(jumps, error_m, embedding, encoder)
        encoded, frames = encoded + _encoded_frames(clip.frame_count, encoder, overlap), frames + clip.frame_count
    value = scores.result()
    at, elsewhere = (torch.cat(jumps[where]).mean() if jumps[where] else torch.tensor(0.0) for where in (True, False))
    errors = " | ".join(f"{value[name]:.2f}" for name in ("pve", "mpjpe", "pa_mpjpe", "accel_error"))
    return f"{encoded / frames:.2f} | {errors} | {at / elsewhere:.2f}"


def _add_jumps(jumps: dict[bool, list[Tensor]], error_m: Tensor, embedding: MotionEmbedding, encoder: Encoder) -> None:
    """Mean change of the error over the joints, for every frame but the first."""
    change_m = error_m.diff(dim=0).norm(dim=-1).mean(-1)
    times, stride = frame_stride(embedding.fps, encoder)
    window = encoder.frames * stride // times
    begins = torch.zeros(len(change_m) + 1, dtype=torch.bool)
    for start in window_starts(len(begins), min(window, len(begins)), 0.0):
        begins[start : start + stride] = True
    jumps[True].append(change_m[begins[1:]])
    jumps[False].append(change_m[~begins[1:]])


def _encoded_frames(frames: int, encoder: Encoder, overlap: float) -> int:
    """Frames in all windows of a clip."""
    times, stride = frame_stride(FPS, encoder)
    total = 0
    for phase in range(min(stride, frames)):
        length = len(range(phase, frames * times, stride))
        window = encoder.frames if encoder.fixed_window else min(encoder.frames, length)
        total += window * len(window_starts(length, window, overlap))
    return total


def _samples(data: Path, seed: int, most: int | None) -> list[dict[str, Tensor]]:
    clips = load_motion_folder(data, "val")
    samples = SynthesizedClips(clips, PIECE_FRAMES, PIECE_FRAMES, FPS, seed, EveryWindow(), layout=H36M_17)
    return [single_view(samples, index) for index in range(len(samples))[:most]]


def _clip(keypoints: Tensor) -> Keypoints:
    xy, confidence = keypoints.split([2, 1], -1)
    xy_px = xy * WIDTH_PX / 2 + torch.tensor([WIDTH_PX / 2, HEIGHT_PX / 2])
    return Keypoints(xy_px, confidence[..., 0], H36M_17, FPS, WIDTH_PX, HEIGHT_PX)


if __name__ == "__main__":
    main()
