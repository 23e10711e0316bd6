"""Writes motions to motionrep's own .npz."""

from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.writing import written_beside
from motionrep.motion.readers import own, own_joints
from motionrep.types import BodyMotion, JointMotion


def save_motion(motion: BodyMotion | JointMotion, path: Path | str) -> None:
    """Writes a motion to motionrep's own .npz; `load_motion` or `load_joint_motion` gives back the same numbers.

    Raises:
        ValueError: The name does not end in .npz.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: save_motion writes .npz files, give the file that suffix")
    if isinstance(motion, JointMotion):
        layout, tensors = motion.layout, ("position_m",)
        fields = {"layout": layout.name, "joints": layout.joints, "parents": layout.parents}
        fields["format"] = f"{own_joints.FORMAT} {own_joints.NEWEST}"
    else:
        tensors = ("local_rotmat", "translation_m", "betas") + (() if motion.expression is None else ("expression",))
        fields = {"format": f"{own.FORMAT} {own.NEWEST}", "body_model": motion.body_model}
    fields |= {name: getattr(motion, name).detach().cpu().numpy() for name in tensors}
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in fields.items()}
    with written_beside(path) as beside, beside.open("wb") as file:  # to a name in capitals NumPy would append .npz
        np.savez_compressed(file, fps=motion.fps, frame=motion.frame, first_frame=motion.first_frame, **arrays)
