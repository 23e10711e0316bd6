"""SLEAP's analysis files (.h5): tracks of persons, with the names of their joints."""

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.hdf5 import open_hdf5, whole
from motionrep.files.texts import parsed_json
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections

# SLEAP's own order; sleap-io says another one in an attribute.
_DIMS = ("track", "xy", "node", "frame")


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of all tracks. Raises ValueError for what cannot be right."""
    with open_hdf5(contents.path) as file:
        tracks, scores = file["tracks"], file.get("point_scores")
        dims = tuple(parsed_json(str(tracks.attrs["dims"]), str(contents.path))) if "dims" in tracks.attrs else _DIMS
        if sorted(dims) != sorted(_DIMS) or tracks.ndim != 4:
            raise ValueError(
                f"{contents.path}: 'tracks' has shape {tracks.shape}, expected (tracks, 2, joints, frames)"
            )
        points = whole(tracks, contents.path).transpose([dims.index(axis) for axis in ("frame", "track", "node", "xy")])
        xyc = with_confidence(points)
        if scores is not None:
            of_scores = [axis for axis in dims if axis != "xy"]
            confidence = whole(scores, contents.path).transpose(
                [of_scores.index(axis) for axis in ("frame", "track", "node")]
            )
            xyc[..., 2] *= np.where(np.isfinite(confidence), confidence, 0) if confidence.any() else 1
        names = [name.decode() for name in whole(file["node_names"], contents.path)]
        persons = [name.decode() for name in whole(file["track_names"], contents.path)] or ["0"]
    rows = [
        Row(frame, points.ravel().tolist(), None, persons[i] if i < len(persons) else str(i))
        for frame, people in enumerate(xyc)
        for i, points in enumerate(people)
        if points.any()
    ]
    return checked_detections(rows, range(len(xyc)), {}, options, contents.path, names=names)
