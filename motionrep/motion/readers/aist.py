"""AIST++ motions (.pkl): one dancer on SMPL, scaled and in centimetres."""

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track

_FPS = 60.0


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The dancer in a world with y up, at the size of SMPL's mean male body: centimetres over the file's scale.

    Raises:
        ValueError: A broken file, or a scale that is not one positive number.
    """
    path, content = contents.path, contents.value
    poses, place, scale = (
        array_of(path, name, content[name]).astype(np.float64) for name in ("smpl_poses", "smpl_trans", "smpl_scaling")
    )
    if scale.size != 1 or not 0 < scale.item() < np.inf:
        raise ValueError(f"{path}: 'smpl_scaling' should be one positive number, got {scale}")
    arrays = TrackArrays(poses.reshape(len(poses), -1), place / scale.item(), np.zeros(10))
    return [checked_track(path, "0", arrays, "smpl", _FPS, TrackAxes("world", "own"), gender="male")]
