"""Joints in a plain array: a .npy, or an .npz with one such array, and perhaps `confidence` and `fps`."""

from pathlib import Path

import numpy as np

from motionrep.files.arrays import read_array
from motionrep.files.contents import Contents
from motionrep.layouts import LAYOUTS, SMPL_24, JointLayout, find_layout
from motionrep.motion.records import JointOptions, RecordedJoints, chosen

SMPL_BODY = 22  # joints that SMPL, SMPL-H and SMPL-X share, which stand first in all of them
_SMPL_COUNTS = (SMPL_BODY, 52)
HUMANML3D_FPS = (20.0, ", as HumanML3D and what is trained on it have")


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The array (frames, joints, 3), or 4 with confidence; of (samples, frames, joints, 3), one sample.

    22 and 52 joints are SMPL's and SMPL-H's: HumanML3D's new_joints and joints, T2M-GPT's motion.npy, MoMask's joints.

    Raises:
        ValueError: The file is broken, or its layout is not known.
    """
    path = contents.path
    name = next(name for name, header in contents.arrays.items() if len(header.shape) in (3, 4))
    wanted = [it for it in contents.arrays if it in (name, "confidence", "fps")]
    arrays = {it: read_array(path, it) for it in wanted}
    values = arrays[name].astype(np.float64)
    if values.ndim == 4:
        values = values[chosen(path, len(values), options.person, "samples")]
    else:
        chosen(path, 1, options.person)
    if "confidence" in arrays:
        confidence = arrays["confidence"]
        if confidence.shape != values.shape[:2]:
            raise ValueError(f"{path}: field 'confidence' should have shape {values.shape[:2]}, got {confidence.shape}")
        values = np.concatenate([values[..., :3], confidence[..., None]], -1)
    fps = arrays.get("fps")
    fps = float(fps) if fps is not None and fps.size == 1 else None
    if values.shape[1] in _SMPL_COUNTS and options.layout in (None, SMPL_24.name):
        return RecordedJoints(on_smpl_24(values), SMPL_24, fps, usual_fps=HUMANML3D_FPS)
    return RecordedJoints(values, _layout_of(path, values.shape[1], options.layout), fps)


def on_smpl_24(values: np.ndarray) -> np.ndarray:
    """SMPL's 24 joints of the first 22; the hands are missing, and so are the fingers of more than 22."""
    padded = np.full((len(values), SMPL_24.joint_count, values.shape[2]), np.nan)
    padded[:, :SMPL_BODY] = values[:, :SMPL_BODY]
    return padded


def _layout_of(path: Path, joint_count: int, layout: str | None) -> JointLayout:
    if layout is not None:
        known = find_layout(layout)
        if known.joint_count != joint_count:
            raise ValueError(f"{path}: has {joint_count} joints, layout {layout!r} has {known.joint_count}")
        return known
    matching = [known for known in LAYOUTS.values() if known.joint_count == joint_count]
    if len(matching) != 1:
        choice = ", ".join(known.name for known in matching) or f"none has as many; known: {', '.join(LAYOUTS)}"
        raise ValueError(f"{path}: has {joint_count} joints, which does not tell the layout; pass layout= ({choice})")
    return matching[0]
