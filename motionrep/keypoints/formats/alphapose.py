"""AlphaPose's results: a list with an entry for each detection; with tracking, `idx` is the person."""

from motionrep.files.contents import Contents
from motionrep.keypoints.formats.coco import entry_rows
from motionrep.keypoints.records import BODY_LAYOUTS, Detections, KeypointOptions, checked_detections


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of a file in AlphaPose's default format. Raises ValueError for what cannot be right."""
    rows = entry_rows(contents.value, contents.path)
    return checked_detections(rows, None, BODY_LAYOUTS, options, contents.path)
