"""Results of SAM 3D Body: what `process_one_image` returns, for one picture or for the frames of a video, as saved.

People save it as a pickle, or by np.save or np.savez: a list of persons, a list or dict of frames with such lists, or
one person's fields.
"""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np

from motionrep.files.arrays import open_npz
from motionrep.files.contents import Contents
from motionrep.files.pickles import array_of
from motionrep.layouts import HALPE_26
from motionrep.motion.records import JointOptions, RecordedJoints, chosen

logger = logging.getLogger(__name__)

_JOINTS, _PLACE = "pred_keypoints_3d", "pred_cam_t"
# The first of its 70 keypoints, and those that come after the fingers; the others have no place in Halpe-26.
_FIRST = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_big_toe left_small_toe left_heel right_big_toe right_small_toe "
    "right_heel"
)
_KEYPOINTS = 70
_SAME_PERSON_M = 1.0  # from frame to frame; depth is the least certain
_AFTER = {"right_wrist": 41, "left_wrist": 62, "neck": 69}


def read(contents: Contents, options: JointOptions) -> RecordedJoints:
    """One person's keypoints in the camera, in metres; several persons are followed by where they are.

    Raises:
        ValueError: A broken file, or several persons and none chosen.
    """
    path = contents.path
    frames = [_people(path, frame) for frame in _frames(contents)]
    tracks = _followed(frames)
    if not tracks:
        raise ValueError(f"{path}: nobody is there in any frame")
    if len(tracks) > 1 and len(frames) > 1:
        logger.warning("%s does not say who is who; %d persons are followed by where they are", path, len(tracks))
    track = tracks[chosen(path, len(tracks), options.person)]
    if options.layout not in (None, HALPE_26.name):
        raise ValueError(f"{path}: is read as {HALPE_26.name}; leave layout={options.layout!r} out")
    values = np.full((len(frames), HALPE_26.joint_count, 3), np.nan)
    places = dict(enumerate(_FIRST.split())) | {index: joint for joint, index in _AFTER.items()}
    for number, keypoints in track.items():
        for index, joint in places.items():
            values[number, HALPE_26.index(joint)] = keypoints[index]
    return RecordedJoints(values, HALPE_26, axes="camera")


def _followed(frames: list[list[np.ndarray]]) -> list[dict[int, np.ndarray]]:
    """The keypoints of each person by frame, in the order in which they appear: whoever is nearest goes on."""
    from scipy.optimize import linear_sum_assignment  # scipy takes a third as long to import as torch

    tracks: list[dict[int, np.ndarray]] = []
    for number, people in enumerate(frames):
        last = [track[max(track)] for track in tracks]
        apart_m = np.array([[np.linalg.norm(one - other, axis=-1).mean() for other in people] for one in last])
        pairs = zip(*linear_sum_assignment(apart_m), strict=True) if apart_m.size else ()
        known = {int(index): int(track) for track, index in pairs if apart_m[track, index] < _SAME_PERSON_M}
        for index, keypoints in enumerate(people):
            if index in known:
                tracks[known[index]][number] = keypoints
            else:
                tracks.append({number: keypoints})
    return tracks


def _frames(contents: Contents) -> list[Any]:
    if contents.container == "npz":
        with open_npz(contents.path) as arrays:
            fields = {name: arrays[name] for name in (_JOINTS, _PLACE)}
        if fields[_JOINTS].ndim == 3:  # one person over time
            return [{name: value[number] for name, value in fields.items()} for number in range(len(fields[_JOINTS]))]
        return [fields]
    value = contents.value
    if isinstance(value, dict):
        return [value] if _JOINTS in value else [value[name] for name in sorted(value, key=_number)]
    is_one_picture = all(isinstance(item, dict) for item in value) and len(value) > 0
    return [value] if is_one_picture else list(value)


def _number(name: Any) -> tuple[int, str]:
    """The order of a frame by the last number in its name, such as 2 before frame_10.jpg."""
    numbers = re.findall(r"\d+", re.sub(r"\.\w*$", "", str(name)))
    return int(numbers[-1]) if numbers else 0, str(name)


def _people(path: Path, frame: Any) -> list[np.ndarray]:
    """The keypoints of each person of a frame, in the camera."""
    found = []
    for person in [frame] if isinstance(frame, dict) else frame or []:
        if not isinstance(person, dict) or not {_JOINTS, _PLACE} <= person.keys():
            raise ValueError(f"{path}: each person should have {_JOINTS} and {_PLACE}, as SAM 3D Body returns them")
        fields = (person[_JOINTS], person[_PLACE])
        joints, place = (
            it if isinstance(it, np.ndarray) else array_of(path, name, it)
            for name, it in zip((_JOINTS, _PLACE), fields, strict=True)
        )
        if joints.shape != (_KEYPOINTS, 3) or place.shape != (3,):
            raise ValueError(
                f"{path}: expected {_JOINTS} ({_KEYPOINTS}, 3) and {_PLACE} (3), got {joints.shape} and {place.shape}"
            )
        found.append(joints.astype(np.float64) + place)
    return found
