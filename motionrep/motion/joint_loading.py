"""Loads 3D joints of other programs: plain arrays, marker tables, and motionrep's own files."""

import logging
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.motion.axes import TURN_TO_UP
from motionrep.motion.joint_checks import METRES, require_person, require_upright
from motionrep.motion.records import Axes, JointOptions, RecordedJoints, Unit
from motionrep.types import DEFAULT_FPS, JointMotion

logger = logging.getLogger(__name__)


def load_joints(
    path: Path | str,
    layout: str | None = None,
    fps: float | None = None,
    unit: Unit | None = None,
    axes: Axes | None = None,
) -> tuple[JointMotion, Float[Tensor, "frames joints"]]:
    """Reads the joints of one person and their confidence; a missing joint has confidence 0 and position 0.

    The kind of file is recognised by content (`files.kinds`):

    * motionrep's own .npz (`save_motion`, and what 3D pose heads write): as saved; the other arguments must be None.
    * .npy, or .npz with one such array: (frames, joints, 3), or 4 with a confidence; NaN is a missing joint. An .npz
      may also have `confidence` (frames, joints) and `fps`. Without a layout, the one with as many joints.
    * .trc (OpenSim, Pose2Sim): markers by name, such as RKnee or left_knee; frame rate and unit are in the file.
      Without a layout, the one with most of the markers.

    Args:
        fps: Frames per second; 30, with a warning, when neither given nor in the file.
        unit: Unit of length; metres when neither given nor in the file.
        axes: "y-up" and "z-up" are right-handed worlds, "camera" is x right, y down, z forward, "root" is the same with
            the origin at the pelvis of each frame. None is "y-up" for who stands along +y, and an error for others.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no joints (the message says what it holds), the layout is unknown or has another
            number of joints, no joint is there, nobody has that size in that unit, or axes are not given for who does
            not stand along +y.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    contents, options = look(path), JointOptions(layout, fps, unit, axes)
    found: JointMotion | RecordedJoints = require_kind(contents, "joints").read(contents, options)
    if isinstance(found, RecordedJoints):
        return _in_metres(contents.path, found, options)
    if given := [name for name, value in asdict(options).items() if value is not None]:
        raise ValueError(f"{path}: says itself what it holds; leave {', '.join(given)} out")
    return found, torch.ones_like(found.position_m[..., 0])


def _in_metres(
    path: Path, joints: RecordedJoints, options: JointOptions
) -> tuple[JointMotion, Float[Tensor, "frames joints"]]:
    """The joints in metres and our axes, and their confidence, once both are checked."""
    unit = options.unit or joints.unit or "m"
    position_m = torch.from_numpy(joints.values[..., :3]).float() * METRES[unit]
    confidence = torch.ones_like(position_m[..., 0])
    if joints.values.shape[2] == 4:
        confidence = torch.from_numpy(joints.values[..., 3]).float()
    seen = torch.isfinite(position_m).all(-1) & (confidence > 0)  # NaN is not above 0 either
    if not bool(seen.any()):
        raise ValueError(f"{path}: no joint is there in any frame; all are NaN or have confidence 0")
    position_m = position_m.where(seen.unsqueeze(-1), torch.zeros(()))
    require_person(path, position_m, seen, unit)
    if options.axes is None:
        require_upright(path, position_m, seen, joints.layout)
    if options.axes == "z-up":
        position_m = position_m @ torch.from_numpy(TURN_TO_UP["z"]).float()
    frame = options.axes if options.axes in ("camera", "root") else "world"
    fps = joints.fps if options.fps is None else options.fps
    if fps is None:
        logger.warning("%s does not say its frame rate; taking %g frames per second", path, DEFAULT_FPS)
        fps = DEFAULT_FPS
    try:
        return JointMotion(position_m, joints.layout, fps, frame), confidence.where(seen, torch.zeros(()))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
