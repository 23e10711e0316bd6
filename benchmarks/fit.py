"""Measures how near `motionrep.fit_body` comes to a known body, from its joints alone.

    python benchmarks/fit.py --data CMU_FOLDER --output benchmarks/fit.md

The clips of the validation split move the open body, each with a random shape. Its points in a layout, clean or
disturbed, are fitted. Joint error and PVE are mean distances from the true 24 joints and the true surface, without
alignment. The last rows fit the joints of the motion capture's own figure, whose bones have other proportions.
"""

import argparse
import time
from pathlib import Path

import torch
from reports import cpu_time, write
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.datasets.motion_folders import load_motion_folder
from motionrep.evaluation.metrics import accel_error_m_per_s2
from motionrep.fitting.joints import Fit, fit_body
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, LAYOUTS, SMPL_24, JointLayout
from motionrep.motion.bvh_files import read_bvh
from motionrep.motion.editing import resample, with_betas
from motionrep.types import BodyMotion, JointMotion

FPS = 30.0
Disturbance = tuple[str, float, float]
CLEAN: Disturbance = ("clean", 0.0, 0.0)
DISTURBANCES: tuple[Disturbance, ...] = (
    ("noise 10 mm", 0.010, 0.0),
    ("noise 30 mm", 0.030, 0.0),
    ("20 % of the joints missing", 0.0, 0.2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the CMU clips with its index.csv")
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--frames", type=int, default=90, help="of each clip, at 30 frames per second")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    report = measure(options.data, options.clips, options.frames)
    print(report)
    write(f"# Bodies from 3D joints\n\n{report}", options.output)


def measure(data: Path, clip_count: int, frames: int) -> str:
    body = load_body_model("open")
    names, motions = _motions(data, clip_count, frames, body)
    lines = [
        f"Clips {', '.join(names)}, {sum(motion.frame_count for motion in motions)} frames at {FPS:g} fps in all. "
        "Noise is the standard deviation of each coordinate. Residual: mean distance from the points that were fitted. "
        + cpu_time(),
        "",
        "| layout | points | residual, mm | joints, mm | PVE, mm | acceleration error (its mean), m/s² | CPU s/10 s |",
        "|---|---|---|---|---|---|---|",
    ]
    for layout in LAYOUTS.values():
        lines.append(_row(layout, CLEAN, motions, body))
    for layout in (SMPL_24, HALPE_26, H36M_17, COCO_17):
        lines += [_row(layout, disturbance, motions, body) for disturbance in DISTURBANCES]
    lines += ["", "Joints of the motion capture's own figure (thigh 0.37 m, shin 0.45 m), h36m_17:", ""]
    lines += [_figure_row(data, name, frames, body) for name in names]
    return "\n".join(lines) + "\n"


def _motions(data: Path, count: int, frames: int, body: BodyModel) -> tuple[list[str], list[BodyMotion]]:
    generator = torch.Generator().manual_seed(0)
    names, motions, actions = [], [], set()
    for clip in load_motion_folder(data, "val"):
        if bool(clip.usable.all()) and clip.action not in actions and len(names) < count:
            motion = resample(clip.motion, FPS).cut(0, frames)
            names.append(f"{clip.name} ({clip.action})")
            motions.append(with_betas(motion, body, torch.randn(body.beta_count, generator=generator)))
            actions.add(clip.action)
    return names, motions


def _row(layout: JointLayout, disturbance: Disturbance, motions: list[BodyMotion], body: BodyModel) -> str:
    name, noise_m, missing = disturbance
    generator = torch.Generator().manual_seed(1)
    measured, seconds = [], 0.0
    for motion in motions:
        clean_m = body.points(layout, motion.local_rotmat, motion.betas, motion.translation_m)
        given_m = clean_m + noise_m * torch.randn(clean_m.shape, generator=generator)
        confidence = (torch.rand(clean_m.shape[:2], generator=generator) >= missing).float()
        start = time.process_time()
        fit = fit_body(JointMotion(given_m, layout, motion.fps, "world"), body, confidence)
        seconds += time.process_time() - start
        measured.append([fit.error_mm, *_errors(fit, motion, body)])
    residual, joints, pve, accel, true_accel = torch.tensor(measured).mean(0).tolist()
    per_10_s = seconds / sum(motion.frame_count for motion in motions) * 10 * FPS
    return (
        f"| {layout.name} | {name} | {residual:.1f} | {joints:.1f} | {pve:.1f} | {accel:.1f} ({true_accel:.1f}) | "
        f"{per_10_s:.1f} |"
    )


def _errors(fit: Fit, motion: BodyMotion, body: BodyModel) -> tuple[float, float, float, float]:
    """Joints (mm), surface (mm), error of the acceleration and the true acceleration (m/s^2)."""
    found_m, true_m = (body.joints(it.local_rotmat, it.betas, it.translation_m) for it in (fit.motion, motion))
    apart_m = body.mesh(fit.motion).vertex_m - body.mesh(motion).vertex_m
    accel = accel_error_m_per_s2(found_m, true_m, motion.fps).mean()
    true_accel = accel_error_m_per_s2(true_m, torch.zeros_like(true_m), motion.fps).mean()
    errors = 1000 * (found_m - true_m).norm(dim=-1).mean(), 1000 * apart_m.norm(dim=-1).mean(), accel, true_accel
    return errors[0].item(), errors[1].item(), errors[2].item(), errors[3].item()


def _figure_row(data: Path, name: str, frames: int, body: BodyModel) -> str:
    clip = name.split()[0]
    position_m = _figure_h36m_17(data / clip.split("_")[0] / f"{clip}.bvh")[10::4][:frames]
    fit = fit_body(JointMotion(position_m, H36M_17, FPS, "world"), body)
    limbs = {joint: round(error) for joint, error in zip(H36M_17.joints, fit.joint_error_mm.tolist(), strict=True)}
    return (
        f"- {name}: residual {fit.error_mm:.1f} mm ({', '.join(f'{joint} {error}' for joint, error in limbs.items())})"
    )


def _figure_h36m_17(path: Path) -> Tensor:
    """The Human3.6M points of the figure of the CMU conversion, in metres."""
    bvh = read_bvh(path)
    rotmat: list[Tensor] = []
    position: list[Tensor] = []
    for joint, parent in enumerate(bvh.parents):
        local, moved = bvh.local_rotmat[:, joint], bvh.local_position[:, joint]
        rotmat.append(local if parent < 0 else rotmat[parent] @ local)
        turned = moved if parent < 0 else (rotmat[parent] @ moved.unsqueeze(-1)).squeeze(-1)
        position.append(turned if parent < 0 else position[parent] + turned)
    at = dict(zip(bvh.joints, position, strict=True))
    head = rotmat[bvh.joints.index("head")]
    points = {
        "pelvis": (at["lThigh"] + at["rThigh"]) / 2,
        "spine": (at["abdomen"] + at["chest"]) / 2,
        "thorax": at["neck"],
        "nose": at["head"] / 2 + (at["leftEye"] + at["rightEye"]) / 4,
        "head": at["head"] + head @ torch.tensor([0.244, 15.5, 2.0]).to(head),
    }
    limbs = {"hip": "Thigh", "knee": "Shin", "ankle": "Foot", "shoulder": "Shldr", "elbow": "ForeArm", "wrist": "Hand"}
    for ours, theirs in limbs.items():
        points |= {f"left_{ours}": at[f"l{theirs}"], f"right_{ours}": at[f"r{theirs}"]}
    return 0.01 * torch.stack([points[joint] for joint in H36M_17.joints], 1).float()


if __name__ == "__main__":
    main()
