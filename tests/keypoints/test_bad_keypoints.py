"""Keypoint files that cannot be right are errors that say why."""

import json
import random

import numpy as np
import pytest
from keypoint_files import alphapose, landmarks, load, mmpose_frame, openpose_people, person, written, yolo


def changed(index, value):
    xyc = person(17)
    xyc[index] = value
    return [alphapose("6.jpg", person(17), 1), alphapose("7.jpg", xyc, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no detections"),
        ({}, "holds no detections"),
        ([None, None], "holds no detections"),
        ([mmpose_frame(0), mmpose_frame(1)], "no person was detected in any frame"),
        ([alphapose("0.jpg", person(17) * [1, 1, 0], 1)], "no joint of any person was seen"),
        ("text", "is a JSON file with a str, not keypoints of a kind that motionrep reads .*OpenPose, MMPose"),
        ([1, 2], "is a JSON file with a list, not keypoints of a kind that motionrep reads"),
        (
            {"images": [], "other": []},
            "is a JSON file with the fields 'images', 'other', not keypoints .*AlphaPose, COCO",
        ),
        ({"images": [], "annotations": []}, "no person was detected in any frame"),
        ({"images": [{"file_name": "0.jpg"}], "annotations": []}, "image 0 has no 'id'"),
        (
            {"images": [{"id": 1}], "annotations": [{"image_id": 2, "keypoints": []}]},
            "annotation 0 is of image 2, which 'images' does not list",
        ),
        ([[yolo(person(17)) | {"keypoints": {"x": [1.0]}}]], "frame 0: 'keypoints' has no 'y'"),
        (
            [[], [yolo(person(17)) | {"keypoints": {"x": [1.0], "y": [1.0, 2.0], "visible": [1.0]}}]],
            "frame 1: 'x', 'y' and 'visible' must be equally long lists of numbers",
        ),
        ([[yolo(person(17)), 3]], "frame 0 has no 'keypoints' .found: int"),
        ([{"image_id": "0.jpg", "box": []}], "entry 0 has no 'keypoints' .found: 'image_id', 'box'"),
        ([alphapose("0.jpg", person(17)), 3], "entry 1 has no 'image_id' .found: int"),
        ([{"image_id": [0], "keypoints": []}], r"a frame must be an integer or a file name, got \[0\]"),
        ([{"image_id": 0, "keypoints": None}], "frame 0: keypoints must be a list of x, y, confidence"),
        (
            [{"image_id": 0, "keypoints": [1.0, 2.0]}],
            "2 numbers are not x, y, confidence of each joint; where the detector has no confidence, write 1",
        ),
        ([{"image_id": 0, "keypoints": ["a"] * 51}], "keypoints hold something that is not a number"),
        ([alphapose("0.jpg", person(17)), alphapose("1.jpg", person(26))], "'1.jpg'.*expected 51 numbers, got 78"),
        (changed((3, 0), -np.inf), "frame '7.jpg', joint 'left_ear': x is -inf"),
        (changed((3, 1), 1e10), "frame '7.jpg', joint 'left_ear': y is 1e\\+10"),
        (changed((16, 2), np.inf), "frame '7.jpg', joint 'right_ankle': confidence is inf"),
        (
            [alphapose("0.jpg", person(23), 1)],
            r"order of its 23 joints is not known; pass layout='my.json', .*known layouts: h36m_17",
        ),
        ([alphapose("0.jpg", person(25), 1)], "pass layout='openpose_25' or layout='ntu_25'"),
        ([alphapose(397133, person(17)), alphapose(37777, person(17))], "do not count the frames of a video"),
        ([alphapose("0.jpg", (person(17) - [300, 200, 0]) / [320, 240, 1], 1)], r"within \[-1, 1\], pixels are needed"),
        ([alphapose("0.jpg", person(17, x=1900), 1)], "100% of the keypoints lie outside an image of 640 x 480 px"),
        ([{"instances": [{"keypoints": [[1.0, 2.0, 3.0]] * 17, "keypoint_scores": [1.0] * 17}]}], "a pose in 3D"),
        (
            [{"instances": [{"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [1.0] * 16}]}],
            "frame 0: 'keypoints' must",
        ),
        ([{"instances": [{"keypoints": [[1.0, 2.0]] * 17}]}], "frame 0 has no 'keypoint_scores'"),
        ({"meta_info": [], "instance_info": []}, "no person was detected in any frame"),
        ({"0.jpg": {"people": [None]}}, "frame '0.jpg' has no 'pose_keypoints_2d' .found: NoneType"),
        ([{"image_id": 0, "keypoints": [10**400] * 51}], "asks for 401 digits, the limit is 300"),
        ([{"instances": {}}], "frame 0: expected a list of frames or people, got dict"),
        ([[{"x": 0.5, "y": "b"}] * 33], "frame 0: a landmark needs numbers x, y, and visibility or score"),
        ({"0.jpg": {"people": []}, "1.jpg": {}}, "frame '1.jpg': expected a list of frames or people, got NoneType"),
    ],
)
def test_content_that_cannot_be_right_is_named(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))


def damaged(content, rng):
    """The content with one value at any depth removed or replaced by something that does not belong there."""
    junk = [None, -1, "x", [], {}, [1], 1e300, float("nan"), float("inf"), True, [[]], [None], 10**400]
    content, places = json.loads(json.dumps(content)), []

    def walk(value):
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(content)
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(junk)
    return content


@pytest.mark.parametrize(
    "content",
    [
        [alphapose(f"{t}.jpg", person(17), 1) for t in range(2)],
        {"0.jpg": openpose_people(person(25)), "1.jpg": openpose_people(person(25))},
        {"meta_info": {"dataset_name": "coco"}, "instance_info": [mmpose_frame(1, person(17))]},
        [landmarks(person(33)), {"pose_landmarks": landmarks(person(33))}],
        [[yolo(person(17), 1)], [], [yolo(person(17), 1)]],
        {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "keypoints": [9.0] * 51}]},
        {
            "images": [{"id": i, "width": 640, "height": 480, "vid_id": "a"} for i in (1, 2)],
            "videos": [{"fps": 25}],
            "annotations": [{"image_id": i, "keypoints": [9.0] * 51, "attributes": {"track_id": 1}} for i in (1, 2)],
        },
        {"0.jpg": [{"keypoints": [9.0] * 51, "scores": 1.0, "idx": 1}], "1.jpg": []},
        {"data": [{"frame_index": 1, "skeleton": [{"pose": [0.5] * 36, "score": [0.5] * 18}]}], "label": "a"},
        [person(17).tolist(), person(17).tolist()],
        [[person(17).tolist()], [], [person(17).tolist()]],
        [openpose_people(person(18)) | {"canvas_width": 640, "canvas_height": 480}] * 2,
    ],
    ids=[
        "alphapose",
        "openpose",
        "mmpose",
        "mediapipe",
        "yolo",
        "annotations",
        "videos",
        "poseflow",
        "kinetics",
        "points",
        "people",
        "drawn",
    ],
)
def test_a_damaged_file_loads_or_is_a_value_error_that_names_it(tmp_path, content):
    rng = random.Random(0)
    for _ in range(150):
        path = written(tmp_path, damaged(content, rng))
        try:
            load(path)
        except ValueError as error:
            if not str(error).startswith(str(path)):
                raise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0.0}, "fps must be a positive number of frames per second, got 0"),
        ({"fps": float("nan")}, "fps must be a positive"),
        ({"size_px": (0, 480)}, r"size_px must be a positive width and height in pixels, got \(0, 480\)"),
        ({"size_px": None}, r"how large the image is; pass size_px=\(width, height\).* --size 1920x1080"),
        ({"layout": "coco"}, "unknown layout 'coco'"),
        ({"layout": "openpose_25"}, "17 joints per person, layout 'openpose_25' has 25; pass layout= as the detector"),
    ],
)
def test_arguments_that_cannot_be_right_are_errors(tmp_path, options, message):
    path = written(tmp_path, [alphapose("0.jpg", person(17), 1)])
    with pytest.raises(ValueError, match=message):
        load(path, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty, get it again"),
        (b"hello", "not valid JSON, Expecting value at line 1, column 1"),
        (b'[{"image_id": 1,\n "keypoints": [1,', "not valid JSON, Expecting value at line 2, column 18"),
        (b"\x93NUMPY\x01\x00\xff\xfe", "not a readable .npy file"),
        (b'["\xff"]', "not valid JSON .*the file is damaged or of another kind"),
    ],
)
def test_files_that_are_not_json_are_errors(tmp_path, content, message):
    (tmp_path / "clip.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "clip.json")


def test_missing_files_and_folders_without_keypoints_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: no such keypoint file"):
        load(tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match="is an empty folder; give the one with the files"):
        load(tmp_path)
    written(tmp_path, openpose_people(person(25)), "v_000000000000_keypoints.json")
    written(tmp_path, {"other": 1}, "v_000000000001_keypoints.json")
    with pytest.raises(ValueError, match=r"v_000000000001_keypoints\.json: no list 'people'"):
        load(tmp_path)
