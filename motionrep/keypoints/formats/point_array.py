"""A .npy or .npz with one array of points of one person: (frames, joints, 2), or 3 with confidence."""

import numpy as np

from motionrep.files.contents import Contents
from motionrep.files.recognising_keypoints import points_of
from motionrep.keypoints.formats.fields import with_confidence
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, Row, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The points of all frames. Raises ValueError for what cannot be right."""
    points = points_of(contents)
    if points is None:
        raise ValueError(f"{contents.path}: the array of points cannot be read; get the file again")
    xyc = with_confidence(np.asarray(points))
    rows = [Row(frame, row.ravel().tolist(), None, None) for frame, row in enumerate(xyc)]
    return checked_detections(rows, None, BODY_LAYOUTS, options, contents.path)
