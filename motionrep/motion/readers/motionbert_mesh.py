"""MotionBERT's mesh files (mesh_det_h36m.pkl and others): SMPL's pose and shape of each frame, without a place."""

from itertools import pairwise

import numpy as np
import torch

from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.tracks import Track, TrackArrays, TrackAxes, checked_track, fps_or_usual

_PARTS = ("train", "test")


def read(contents: Contents, options: MotionOptions) -> list[Track]:
    """A track for each run of equal `source`, first of the train, then of the test part; the pelvis stays in place.

    The file is in camera axes. In the world, which is the default, the camera is taken to be level.

    Raises:
        ValueError: Arrays are missing or of different lengths.
    """
    path, tracks = contents.path, []
    fps = fps_or_usual(path, options.fps, 30.0)
    level = TrackAxes("world", "own", torch.diag(torch.tensor([1.0, -1.0, -1.0])))
    axes = TrackAxes("camera", "own") if options.frame == "camera" else level
    for part in (contents.value[name] for name in _PARTS if isinstance(contents.value.get(name), dict)):
        if lacking := {"smpl_pose", "smpl_shape", "source"} - part.keys():
            raise ValueError(f"{path}: a mesh file of MotionBERT has smpl_pose, smpl_shape and source; no {lacking}")
        poses, shape = (array_of(path, name, part[name]).astype(np.float64) for name in ("smpl_pose", "smpl_shape"))
        sources = [str(source) for source in part["source"]]
        if not len(poses) == len(shape) == len(sources):
            raise ValueError(f"{path}: {len(poses)} poses, {len(shape)} shapes, {len(sources)} sources; need as many")
        starts = [i for i, source in enumerate(sources) if not i or source != sources[i - 1]]
        for start, stop in pairwise([*starts, len(sources)]):
            rows = slice(start, stop)
            betas = shape[rows].reshape(stop - start, -1)
            arrays = TrackArrays(poses[rows].reshape(stop - start, -1), np.zeros((stop - start, 3)), betas, "pelvis")
            tracks.append(checked_track(path, sources[start], arrays, "smpl", fps, axes))
    return tracks
