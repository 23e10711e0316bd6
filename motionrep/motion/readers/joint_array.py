"""Joints in a plain array: a .npy, or an .npz with one such array, and perhaps `confidence` and `fps`."""

from pathlib import Path

import numpy as np

from motionrep.files.arrays import BROKEN_NPZ
from motionrep.files.contents import Contents
from motionrep.layouts import LAYOUTS, JointLayout, find_layout
from motionrep.motion.records import JointOptions, RecordedJoints


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """The array (frames, joints, 3), or 4 with confidence. Without a layout, the only one with as many joints.

    Raises:
        ValueError: The file is broken, or its layout is not known.
    """
    path = contents.path
    name = next(name for name, header in contents.arrays.items() if len(header.shape) == 3)
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {name: loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (OSError, *BROKEN_NPZ) as error:
        raise ValueError(f"{path}: not a file of plain numbers ({error}); save the array again with np.save") from error
    values = arrays[name].astype(np.float64)
    if "confidence" in arrays:
        confidence = arrays["confidence"]
        if confidence.shape != values.shape[:2]:
            raise ValueError(f"{path}: field 'confidence' should have shape {values.shape[:2]}, got {confidence.shape}")
        values = np.concatenate([values[..., :3], confidence[..., None]], -1)
    fps = arrays.get("fps")
    fps = float(fps) if fps is not None and fps.size == 1 else None
    return RecordedJoints(values, _layout_of(path, values.shape[1], options.layout), fps)


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
