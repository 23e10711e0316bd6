"""A file of no known kind ends in one sentence that says what it seems to be and what to do."""

import numpy as np
import pytest

from motionrep.keypoints import load_keypoints
from motionrep.motion.loading import load_motion

OWN = "make motionrep.Keypoints of its numbers, one for each person, and write them with motionrep.save_keypoints"
FILES = {
    "table.csv": (b"time,heart\n1,2\n", r"a \.csv file with the columns 'time', 'heart', .* are called like nose_x"),
    "clip.mat": (b"MATLAB 5.0 MAT-file" + bytes(99), r"a MATLAB file, .* scipy\.io\.loadmat"),
    "notes.txt": (b"walk, then run", r"a \.txt file, .* YOLO's labels"),
    "clip.fbx": (b"Kaydara FBX Binary", r"an FBX file, .* Blender"),
}


@pytest.mark.parametrize("name", FILES)
def test_unknown_files_say_what_to_do(tmp_path, name):
    content, message = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: is {message}.*, or {OWN}$"):
        load_keypoints(path, size_px=(640, 480))
    with pytest.raises(ValueError, match=rf"{name}: is .* write it with motionrep\.save_motion$"):
        load_motion(path)


def test_arrays_say_which_shape_is_read(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((9, 72)))
    with pytest.raises(
        ValueError, match=r"shape \(9, 72\) of float64, .* has the shape \(frames, joints, 2\), or 3 with"
    ):
        load_keypoints(tmp_path / "x.npy", size_px=(640, 480))


@pytest.mark.parametrize(("name", "content"), [("clip.csv", b""), ("clip.txt", b"")])
def test_empty_files_are_called_empty(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="it is empty, get it again"):
        load_keypoints(tmp_path / name, size_px=(640, 480))


def test_a_folder_of_pictures_names_the_detector(tmp_path):
    (tmp_path / "000001.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(
        ValueError, match=r"holds a picture \(folder of pictures\); motionrep detect finds the keypoints"
    ):
        load_keypoints(tmp_path, size_px=(640, 480))
