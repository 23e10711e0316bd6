"""`motionrep fit`."""

import math
from pathlib import Path
from typing import Literal

from motionrep.cli.options import Parser, add_device, number, place, rate
from motionrep.files.contents import look
from motionrep.files.kinds import names, require_kind

EXAMPLES = """\
  motionrep fit joints.npy --layout h36m_17 --unit mm --output body.npz
  motionrep fit markers.trc --output body.npz                           # also .c3d
  motionrep fit new_joints.npy --output body.npz                        # HumanML3D, MoMask; results.npy of MDM
  motionrep fit joints.npz --body smpl-neutral --axes z-up --fps 50 --output body.npz
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("joints", type=Path, help=f"3D joints ({names('joints')}).")
    parser.add_argument("--output", type=Path, required=True, help="The .npz to write, which render and export read.")
    parser.add_argument("--body", default="open", help="A body by name or a SMPL file (default: %(default)s).")
    parser.rare.add_argument(
        "--betas", type=number, nargs="+", metavar="BETA", help="The body's shape (default: fitted as well)."
    )
    group = parser.add_argument_group("what the file does not tell")
    group.add_argument("--person", type=place, help="Which person or sample, from 0 (default: the only one).")
    group.add_argument("--layout", help="Joint layout, see motionrep list (default: by the number or names of joints).")
    group.add_argument("--fps", type=rate, help="Frames per second (default: the file's, 20 for HumanML3D's, or 30).")
    group.add_argument("--unit", choices=("m", "cm", "mm"), help="Unit of length (default: the file's, or m).")
    group.add_argument(
        "--axes", choices=("y-up", "z-up", "camera", "root"),
        help="A world by its upward axis; camera: x right, y down, z forward; root: the same around the pelvis "
        "(default: the file's, or y-up).",
    )  # fmt: skip
    add_device(parser)
    parser.rare.add_argument(
        "--markers", type=Path, help="A .json with the markers of each joint, {\"left_knee\": [\"LKNE\", \"LMKNE\"]} "
        "(default: known by name).",
    )  # fmt: skip


def run(
    joints: Path, output: Path, body: str, layout: str | None, fps: float | None, unit: Literal["m", "cm", "mm"] | None,
    axes: Literal["y-up", "z-up", "camera", "root"] | None, betas: list[float] | None,
    person: int | None, markers: Path | None, device: str,
) -> None:  # fmt: skip
    """Moves a body so that it follows 3D joints of any detector or motion capture."""
    require_kind(look(joints), "joints")
    import torch

    import motionrep
    from motionrep.fitting.joints import fit_body

    motion, confidence = motionrep.load_joints(joints, layout, fps, unit, axes, person, markers)
    model, shape = motionrep.load_body_model(body).to(device), None if betas is None else torch.tensor(betas)
    seen = None if confidence is None else torch.as_tensor(confidence).to(device)
    fitted = fit_body(motion.to(device), model, seen, None if shape is None else shape.to(device), progress=True)
    motionrep.save_motion(fitted.motion.to("cpu"), output)
    for joint, error_mm in zip(motion.layout.joints, fitted.joint_error_mm.tolist(), strict=True):
        print(f"{joint:20s} " + ("never seen" if math.isnan(error_mm) else f"{error_mm:7.1f} mm"))
    print(f"{'mean':20s} {fitted.error_mm:7.1f} mm")
    print(f"{output}: {motion.frame_count} frames at {motion.fps:g} fps in {fitted.motion.frame} axes, body {body}")
