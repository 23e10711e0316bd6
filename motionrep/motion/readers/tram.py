"""Results of TRAM (`hps/hps_track_0.npy`): one person, in the camera."""

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import rotvecs_of
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_FPS = 30.0  # the file does not say


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """The person of a track; its path in the world needs TRAM's `camera.npy`, which is not read.

    Raises:
        ValueError: A broken file.
    """
    path, content = contents.path, contents.value
    poses = rotvecs_of(path, "pred_rotmat", content["pred_rotmat"])
    place, betas, numbers = (array_of(path, name, content[name]) for name in ("pred_trans", "pred_shape", "frame"))
    arrays = TrackArrays(poses.reshape(len(poses), -1), place.reshape(-1, 3), betas)
    fps = fps_or_usual(path, options.fps, _FPS)
    return [checked_track(path, "0", arrays, "smpl", fps, TrackAxes("camera", "shared"), numbers)]
