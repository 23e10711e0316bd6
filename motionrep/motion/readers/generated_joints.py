"""`results.npy` of MDM and of programs made from it: SMPL's 22 or 24 joints of several samples, in a pickled dict."""

from typing import Any

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import MALFORMED, array_of, as_items, as_text
from motionrep.layouts import SMPL_24
from motionrep.motion.readers.joint_array import HUMANML3D_FPS, SMPL_BODY, on_smpl_24
from motionrep.motion.records import JointOptions, RecordedJoints, chosen


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """One sample of `motion` (samples, joints, 3, frames), as long as `lengths` says. Metres.

    The 22 joints of text to motion have y up. Nothing says so of the 24 of actions to motion.

    Raises:
        ValueError: There are several samples and none is chosen, or joints are not SMPL's 22 or 24.
    """
    path, content = contents.path, contents.value
    motion = array_of(path, "motion", content["motion"])
    counts = (SMPL_BODY, SMPL_24.joint_count)
    if motion.ndim != 4 or motion.shape[1] not in counts or motion.shape[2] != 3:
        raise ValueError(
            f"{path}: expected 'motion' (samples, 22 or 24, 3, frames), got {motion.shape}; only joints of SMPL's "
            "body are read, not the rotations or features of a model"
        )
    if options.layout not in (None, SMPL_24.name):
        raise ValueError(f"{path}: holds {motion.shape[1]} joints of SMPL; leave layout={options.layout!r} out")
    sample = chosen(path, len(motion), options.person, "samples" + _said(content))
    lengths = array_of(path, "lengths", content["lengths"]).ravel() if "lengths" in content else None
    if lengths is not None and len(lengths) != len(motion):
        raise ValueError(f"{path}: {len(motion)} samples in 'motion', {len(lengths)} in 'lengths'")
    frames = motion.shape[3] if lengths is None else int(lengths[sample])
    if not 0 < frames <= motion.shape[3]:
        raise ValueError(f"{path}: sample {sample} should have {frames} frames, 'motion' has {motion.shape[3]}")
    joints = np.moveaxis(motion[sample], -1, 0)[:frames].astype(np.float64)
    if joints.shape[1] == SMPL_24.joint_count:
        return RecordedJoints(joints, SMPL_24, usual_fps=HUMANML3D_FPS)
    return RecordedJoints(on_smpl_24(joints), SMPL_24, axes="y-up", usual_fps=HUMANML3D_FPS)


def _said(content: dict[str, Any]) -> str:
    """What the samples were made from, for the choice between them."""
    try:
        texts = [as_text(text) for text in as_items(content.get("text"))]
    except MALFORMED:
        return ""
    return f" ({', '.join(f'{index}: {text}' for index, text in enumerate(texts[:4]))}{', ...' * (len(texts) > 4)})"
