"""Loads 3D joints of other programs: arrays, results, markers, and motionrep's own files."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.files.contents import look
from motionrep.files.kinds import require_kind
from motionrep.files.limits import require_within
from motionrep.files.reading import reading
from motionrep.motion.axes import TURN_TO_UP
from motionrep.motion.joint_checks import METRES, require_person, require_upright
from motionrep.motion.marker_sets import read_marker_map
from motionrep.motion.records import Axes, JointOptions, RecordedJoints, Unit
from motionrep.types import DEFAULT_FPS, JointMotion

logger = logging.getLogger(__name__)


def load_joints(
    path: Path | str,
    layout: str | None = None,
    fps: float | None = None,
    unit: Unit | None = None,
    axes: Axes | None = None,
    person: int | None = None,
    markers: Mapping[str, str | Sequence[str]] | Path | str | None = None,
) -> tuple[JointMotion, Float[Tensor, "frames joints"]]:
    """Reads the joints of one person and their confidence; a missing joint has confidence 0 and position 0.

    The kind of file is recognised by content (`files.kinds`):

    * motionrep's own .npz (`save_motion`, and what 3D pose heads write): as saved; the other arguments must be None.
    * .npy, or .npz with one such array: (frames, joints, 3), or 4 with a confidence; NaN is a missing joint. An .npz
      may also have `confidence` (frames, joints) and `fps`. Without a layout, the one with as many joints. 22 and 52
      joints are SMPL's body without and with fingers (HumanML3D, T2M-GPT, MoMask): fingers are left out, hands unseen.
    * `results.npy` of MDM and its relatives: one of its samples. HumanML3D's 263 features: their joints. SAM 3D Body's
      results: one person, in the camera.
    * .trc (OpenSim, OpenCap, Pose2Sim) and .c3d: markers by name, such as RKnee, R.Knee or left_knee, and known sets of
      markers on the skin. Frame rate and unit are in the file. Without a layout, the one with most of the markers.

    Args:
        fps: Frames per second; when neither given nor in the file, those by convention or 30, with a warning.
        unit: Unit of length; metres when neither given nor in the file.
        axes: "y-up" and "z-up" are right-handed worlds, "camera" is x right, y down, z forward, "root" is the same with
            the origin at the pelvis of each frame. None is what the file says; else "y-up" for who stands along +y, and
            an error for others.
        person: Which person or sample, from 0; must be said when there are several.
        markers: For .trc and .c3d, the marker of each joint, or several whose middle it is:
            {"left_knee": ["LKNE", "LMKNE"]}. Also a .json file of that. The layout is SMPL's unless `layout` is given.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no joints (the message says what it holds), the layout is unknown or has another
            number of joints, no joint is there, nobody has that size in that unit, or axes are not given for who does
            not stand along +y.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    contents, options = look(path), JointOptions(layout, fps, unit, axes, person, read_marker_map(markers))
    found: JointMotion | RecordedJoints = require_kind(contents, "joints").read(contents, options)
    if isinstance(found, RecordedJoints):
        with reading(path):
            return _in_metres(contents.path, found, options)
    if given := [name for name, value in asdict(options).items() if value is not None]:
        raise ValueError(f"{path}: says itself what it holds; leave {', '.join(given)} out")
    return found, torch.ones_like(found.position_m[..., 0])


def _in_metres(
    path: Path, joints: RecordedJoints, options: JointOptions
) -> tuple[JointMotion, Float[Tensor, "frames joints"]]:
    """The joints in metres and our axes, and their confidence, once both are checked."""
    require_within(path, "frames", len(joints.values))
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
    axes = options.axes or joints.axes
    if axes is None:
        require_upright(path, position_m, seen, joints.layout)
    if axes == "z-up":
        position_m = position_m @ torch.from_numpy(TURN_TO_UP["z"]).float()
    frame = axes if axes in ("camera", "root") else "world"
    fps = joints.fps if options.fps is None else options.fps
    if fps is None:
        fps, whose = joints.usual_fps or (DEFAULT_FPS, "")
        logger.warning("%s does not say its frame rate; taking %g frames per second%s", path, fps, whose)
    try:
        return JointMotion(position_m, joints.layout, fps, frame), confidence.where(seen, torch.zeros(()))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
