"""`motionrep fit`."""

import argparse
import math
from pathlib import Path
from typing import Literal

import torch

import motionrep


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("joints", type=Path, help="A .npz of motionrep, a .npy or .npz array, or a .trc file.")
    parser.add_argument("--output", type=Path, required=True, help="The .npz to write, which render and export read.")
    parser.add_argument("--body", default="open", help="A body by name or a SMPL file (default %(default)s).")
    parser.add_argument("--betas", type=float, nargs="+", metavar="BETA", help="The body's shape, if it is known.")
    group = parser.add_argument_group("what an array does not tell")
    group.add_argument("--layout", help="Joint layout, see motionrep list; left out, by the number or names of joints.")
    group.add_argument("--fps", type=float, help="Frames per second; left out, the file's or 30.")
    group.add_argument("--unit", choices=("m", "cm", "mm"), help="Unit of length; left out, the file's or m.")
    group.add_argument(
        "--axes", choices=("y-up", "z-up", "camera", "root"),
        help="A world by its upward axis; camera: x right, y down, z forward; root: the same around the pelvis "
        "(left out, y-up).",
    )  # fmt: skip


def run(
    joints: Path, output: Path, body: str, layout: str | None, fps: float | None, unit: Literal["m", "cm", "mm"] | None,
    axes: Literal["y-up", "z-up", "camera", "root"] | None, betas: list[float] | None,
) -> None:  # fmt: skip
    """Moves a body so that it follows 3D joints of any detector or motion capture."""
    from motionrep.fitting.joints import fit_body
    from motionrep.motion.joint_loading import load_joints

    motion, confidence = load_joints(joints, layout, fps, unit, axes)
    fitted = fit_body(
        motion, motionrep.load_body_model(body), confidence, None if betas is None else torch.tensor(betas)
    )
    motionrep.save_motion(fitted.motion, output)
    for joint, error_mm in zip(motion.layout.joints, fitted.joint_error_mm.tolist(), strict=True):
        print(f"{joint:20s} " + ("never seen" if math.isnan(error_mm) else f"{error_mm:7.1f} mm"))
    print(f"{'mean':20s} {fitted.error_mm:7.1f} mm")
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps in {fitted.motion.frame} axes, body {body}")
