"""Joint motion in motionrep's own .npz, as `save_motion` and 3D pose heads write it."""

import torch

from motionrep.files.arrays import open_npz
from motionrep.files.contents import Contents
from motionrep.files.versions import require_readable
from motionrep.layouts import JointLayout
from motionrep.motion.readers.own import first_frame_of
from motionrep.motion.records import JointOptions
from motionrep.types import JointMotion

FORMAT, NEWEST = "motionrep joint motion", 1


def read(contents: Contents, options: JointOptions) -> JointMotion:
    """The joints as they were saved.

    Raises:
        ValueError: A newer format, a missing field, or values that are no motion.
    """
    path = contents.path
    require_readable(path, contents.declared, FORMAT, NEWEST)
    with open_npz(path) as arrays:
        joints, parents = (tuple(arrays[name].tolist()) for name in ("joints", "parents"))
        frame = str(arrays["frame"])
        if frame not in ("root", "camera", "world"):
            raise ValueError(f"{path}: 'frame' must be root, camera or world, got {frame!r}")
        position_m, fps, layout = torch.from_numpy(arrays["position_m"]), float(arrays["fps"]), str(arrays["layout"])
        first_frame = first_frame_of(path, arrays)
    try:
        return JointMotion(position_m, JointLayout(layout, joints, parents), fps, frame, first_frame)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
