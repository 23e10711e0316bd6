"""A file of no known kind ends in one sentence that says what it seems to be and what to do."""

import json
import zipfile

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


NOTHING = {
    "clip.npz": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", r"Git LFS .* git lfs pull"),
    "._clip.json": (b"\0\5\x16\7\0\2\0\0Mac OS X", r"macOS .* not begin with \._"),
    "clip.json": (b"<!DOCTYPE html><html></html>", "a web page; download the file itself"),
    "annotations.xml": (b'<?xml version="1.0"?><annotations/>', r"an XML file; export JSON, a table"),
    "clip.tar.gz": (b"\x1f\x8b\x08" + bytes(30), "a compressed file; unpack it"),
    "clip.7z": (b"7z\xbc\xaf\x27\x1c", "an archive; unpack it"),
    "clip.tar": (bytes(257) + b"ustar", "an archive; unpack it"),
    "paper.pdf": (b"%PDF-1.4", "a PDF"),
    "sound.wav": (b"RIFF\0\0\0\0WAVEfmt ", "a sound; give the video"),
}


@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("load", [lambda path: load_keypoints(path, size_px=(640, 480)), load_motion])
def test_files_in_which_nothing_is_to_be_read_are_named(tmp_path, name, load):
    content, message = NOTHING[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: is .*{message}"):
        load(tmp_path / name)


def test_spreadsheets_and_folders_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "table.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<a/>")
    with pytest.raises(ValueError, match=r"table\.xlsx: is a spreadsheet; save it as \.csv"):
        load_keypoints(tmp_path / "table.xlsx")
    (tmp_path / "videos" / "one").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"videos: is a folder of folders \(one, \.\.\.\); give them one by one"):
        load_keypoints(tmp_path / "videos")
    with pytest.raises(ValueError, match="one: is an empty folder"):
        load_keypoints(tmp_path / "videos" / "one")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"landmarks": [{"x": 0.1, "y": 0.2, "z": 0}] * 21}], "its 21 points are those of a hand"),
        ([{"landmarks": [{"x": 0.1, "y": 0.2, "z": 0}] * 468}], "its 468 points are those of a face"),
        (
            [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}],
            "entry 0 has no 'keypoints' .*, nor has another",
        ),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}]}, "have no 'keypoints', as"),
    ],
)
def test_detections_of_other_things_are_named(tmp_path, content, message):
    (tmp_path / "found.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_keypoints(tmp_path / "found.json", size_px=(640, 480), fps=30)
