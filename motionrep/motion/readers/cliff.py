"""Results of CLIFF's demo (.npz with pose, shape, global_t): everybody, in the camera."""

from motionrep.files.arrays import open_npz
from motionrep.files.contents import Contents
from motionrep.motion.records import MotionOptions
from motionrep.motion.sightings import Sighting, rotvecs_of, tracks_of
from motionrep.motion.tracks import Track, TrackAxes, fps_or_usual

_FPS = 30.0  # the default of its --frame_rate; the file does not say
_FRAME, _PERSON = 0, 7  # columns of its detections: frame, box, two confidences, and the class or who it is


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """Every person. CLIFF itself follows nobody; haofanwang/CLIFF writes who it is.

    Raises:
        ValueError: Shapes that do not go together, or several persons in a frame whom the file does not follow.
    """
    path = contents.path
    with open_npz(path) as arrays:
        poses = rotvecs_of(path, "pose", arrays["pose"])
        betas, place = arrays["shape"], arrays["global_t"]
        found = arrays["detection_all"]
    count = len(poses)
    if not (len(betas) == len(place) == len(found) == count) or found.ndim != 2 or found.shape[1] <= _PERSON:
        raise ValueError(
            f"{path}: expected pose, shape, global_t and detection_all (rows, 8) with as many rows, got {poses.shape}, "
            f"{betas.shape}, {place.shape} and {found.shape}"
        )
    seen = found[:, [_FRAME, _PERSON]].astype(int)
    if len({(frame, person) for frame, person in seen.tolist()}) < count:
        raise ValueError(f"{path}: has several persons in a frame and does not say who is who; run it on one person")
    sightings = [
        Sighting(str(person), frame, *fields)
        for (frame, person), *fields in zip(seen.tolist(), poses, place, betas, strict=True)
    ]
    fps = fps_or_usual(path, options.fps, _FPS)
    return tracks_of(path, sightings, "smpl", fps, TrackAxes("camera", "shared"))
