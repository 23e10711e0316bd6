"""Results of HybrIK's demo_video.py (`res.pk` of --save-pk): one person, in the camera."""

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import rotvecs_of
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_FPS = 30.0  # the file does not say
_CROP_PX = 256  # size of the crop for which depths and the focal length of 1000 pixels are meant


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The person that was followed, seen by a camera of 1000 pixels focal length.

    Raises:
        ValueError: A broken file; quaternions, as its first releases wrote; or SMPL-X, as demo_video_x.py writes it.
    """
    path, content = contents.path, contents.value
    names = ("pred_thetas", "pred_cam_root", "bbox", "pred_betas")
    turns, root, box, betas = (array_of(path, name, content[name]) for name in names)
    if turns[0].size != 24 * 9:
        raise ValueError(
            f"{path}: pred_thetas should hold 24 matrices a frame, which HybrIK's demo_video.py writes, got "
            f"{turns.shape}; only these are read, neither quaternions nor SMPL-X"
        )
    poses = rotvecs_of(path, "pred_thetas", turns.reshape(-1, 24, 3, 3))
    place = np.array(root, dtype=np.float64).reshape(-1, 3)
    place[:, 2] *= _CROP_PX / (box[:, 2] - box[:, 0])
    arrays = TrackArrays(poses.reshape(len(poses), -1), place, betas, "pelvis")
    fps = fps_or_usual(path, options.fps, _FPS)
    return [checked_track(path, "0", arrays, "smpl", fps, TrackAxes("camera", "shared"))]
