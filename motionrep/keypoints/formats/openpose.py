"""OpenPose: a folder with a file per frame, one frame, or a list of frames as drawing tools write.

And AlphaPose's formats `open` and `cmu`: dicts of frames.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from motionrep.files.contents import Contents
from motionrep.files.recognising_keypoints import is_openpose_frame
from motionrep.keypoints.formats.fields import as_list, field, flat_values, picture_size, track_of
from motionrep.keypoints.records import Detections, KeypointOptions, Row, checked_detections
from motionrep.layouts import HALPE_26, LAYOUTS, OPENPOSE_18, OPENPOSE_25

_LAYOUTS = {15: LAYOUTS["openpose_mpi_15"], 18: OPENPOSE_18, 25: OPENPOSE_25, 26: HALPE_26}


def read(contents: Contents, options: KeypointOptions) -> Detections:
    """The detections of OpenPose's files. Raises ValueError for what cannot be right."""
    path, frames = contents.path, contents.value
    if is_openpose_frame(frames):
        frames = {path.name: frames}
    if isinstance(frames, list):
        frames = dict(enumerate(frames))
    if contents.container == "folder":
        for name, frame in frames.items():
            if not is_openpose_frame(frame):
                raise ValueError(f"{path / str(name)}: no list 'people', which every file of an OpenPose folder has")
    sizes = {name: size_px for name, frame in frames.items() if (size_px := picture_size(frame)) is not None}
    return checked_detections(
        _rows(frames, path), frames, _LAYOUTS, options, path, sizes if len(sizes) == len(frames) else None
    )


def _rows(frames: Mapping[Any, Any], path: Path) -> Iterator[Row]:
    for name, frame in frames.items():
        where = f"{path}: frame {name!r}"
        people = frame.get("people", frame.get("bodies")) or [] if is_openpose_frame(frame) else None
        for person in as_list(people, where):
            if person == {}:  # tools that follow people keep the place of one who is missing
                continue
            older = isinstance(person, dict) and "pose_keypoints" in person  # of OpenPose 1.0
            name_2d = "joints" if "bodies" in frame else "pose_keypoints" if older else "pose_keypoints_2d"
            values = field(person, name_2d, where)
            if values:  # empty when only hands or a face were found
                yield Row(name, flat_values(values), None, track_of(person))
