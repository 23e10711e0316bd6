import json
import logging
import random

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.keypoint_io import load_keypoints
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33, OPENPOSE_18, OPENPOSE_25
from motionrep.types import Keypoints

SIZE = (640, 480)


def person(joints: int, x: float = 300.0, y: float = 200.0) -> np.ndarray:
    """x, y, confidence of a person about 100 px large whose joints all differ."""
    rng = np.random.default_rng(joints)
    xy = np.array([x, y]) + rng.uniform(-50, 50, (joints, 2))
    return np.column_stack([xy, rng.uniform(0.3, 1, joints)])


def moved(xyc: np.ndarray, x_px: float) -> np.ndarray:
    return xyc + np.array([x_px, 0, 0])


def coco(image_id, xyc):
    return {"image_id": image_id, "category_id": 1, "keypoints": flat(xyc), "score": 1.0}


def flat(xyc: np.ndarray) -> list[float]:
    return xyc.ravel().tolist()


def alphapose(image_id, xyc, idx=None, score=2.5):
    entry = {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": flat(xyc),
        "score": score,
        "box": [1.0, 2.0, 3.0, 4.0],
    }
    return entry if idx is None else entry | {"idx": idx}


def openpose_people(*people):
    return {"version": 1.3, "people": [
        {"person_id": [-1], "pose_keypoints_2d": flat(xyc), "face_keypoints_2d": [], "hand_left_keypoints_2d": [],
         "hand_right_keypoints_2d": [], "pose_keypoints_3d": []} for xyc in people
    ]}  # fmt: skip


def mmpose_frame(frame_id, *people):
    return {"frame_id": frame_id, "instances": [
        {"keypoints": xyc[:, :2].tolist(), "keypoint_scores": xyc[:, 2].tolist(), "bbox": [[1.0, 2.0, 3.0, 4.0]],
         "bbox_score": 0.9} for xyc in people
    ]}  # fmt: skip


def landmarks(xyc):
    return [
        {"x": x / SIZE[0], "y": y / SIZE[1], "z": -0.1, "visibility": c, "presence": 0.99} for x, y, c in xyc.tolist()
    ]


def written(tmp_path, content, name="keypoints.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def load(path, **options):
    return load_keypoints(path, **({"fps": 25.0, "size_px": SIZE} | options))


def assert_frame(clip: Keypoints, frame: int, xyc: np.ndarray) -> None:
    expected = torch.from_numpy(xyc).float()
    torch.testing.assert_close(clip.xy_px[frame], expected[:, :2])
    torch.testing.assert_close(clip.confidence[frame], expected[:, 2])


def seen(clip: Keypoints) -> list[bool]:
    return (clip.confidence > 0).any(1).tolist()


@pytest.mark.parametrize(("joints", "layout"), [(17, COCO_17), (26, HALPE_26), (136, HALPE_26), (133, COCO_17)])
def test_alphapose(tmp_path, joints, layout):
    xyc = person(joints)
    (clip,) = load(written(tmp_path, [alphapose(f"{t}.jpg", moved(xyc, t), idx=1) for t in range(3)]))
    assert (clip.layout, clip.person, clip.fps, clip.frame_count) == (layout, "1", 25.0, 3)
    assert (clip.width_px, clip.height_px) == SIZE
    assert_frame(clip, 2, moved(xyc[: layout.joint_count], 2))


@pytest.mark.parametrize("idx", [4, 4.0, [4], [[4.0], [4.0]], "4"])
def test_every_way_in_which_alphapose_writes_an_id(tmp_path, idx):
    (clip,) = load(written(tmp_path, [alphapose("0.jpg", person(17), idx)]))
    assert clip.person == "4"


def test_old_alphapose_confidence_is_clipped(tmp_path):
    xyc = person(17)
    xyc[:2, 2] = [5.8, 0.4]
    (clip,) = load(written(tmp_path, [alphapose("0.jpg", xyc, 1)]))
    assert clip.confidence[0, :2].tolist() == pytest.approx([1.0, 0.4])


def test_alphapose_without_tracking_calls_everybody_zero_and_is_tracked_here(tmp_path):
    """All `idx` are 0 then; taking them as ids once lost all people but one."""
    left, right = person(17, x=100), person(17, x=500)
    clips = load(written(tmp_path, [alphapose(f"{t}.jpg", xyc, [0.0]) for t in range(3) for xyc in (left, right)]))
    assert [seen(clip) for clip in clips] == [[True] * 3] * 2
    assert_frame(clips[1], 2, right)


@pytest.mark.parametrize(("outer", "inner"), [("people", "pose_keypoints_2d"), ("bodies", "joints")])
def test_alphapose_open_and_cmu(tmp_path, outer, inner):
    xyc = person(18)
    frames = {f"{t}.jpg": {"version": "AlphaPose v0.3", outer: [{inner: flat(moved(xyc, t))}]} for t in (0, 1, 3)}
    (clip,) = load(written(tmp_path, frames))
    assert clip.layout == OPENPOSE_18
    assert seen(clip) == [True, True, False, True]
    assert_frame(clip, 3, moved(xyc, 3))


@pytest.mark.parametrize(("joints", "layout"), [(25, OPENPOSE_25), (18, OPENPOSE_18)])
def test_openpose_folder(tmp_path, joints, layout):
    xyc = person(joints)
    xyc[3] = 0
    for t in range(4):
        people = openpose_people() if t == 2 else openpose_people(xyc + (xyc[:, 2:] > 0) * [t, 0, 0])
        written(tmp_path, people, f"my_video2_{t:012d}_keypoints.json")
    (clip,) = load(tmp_path)
    assert (clip.layout, clip.person, seen(clip)) == (layout, "0", [True, True, False, True])
    assert clip.confidence[1, 3] == 0
    assert_frame(clip, 0, xyc)


def test_one_openpose_file_is_a_clip_of_one_frame(tmp_path):
    (clip,) = load(written(tmp_path, openpose_people(person(25)), "photo_keypoints.json"))
    assert clip.frame_count == 1


def test_openpose_ids_are_kept_when_there_are_any(tmp_path):
    for t in range(2):
        frame = openpose_people(person(25, x=100), person(25, x=500))
        for i, one in enumerate(frame["people"]):
            one["person_id"] = [7 + (i + t) % 2]
        written(tmp_path, frame, f"v_{t:012d}_keypoints.json")
    clips = load(tmp_path)
    assert [clip.person for clip in clips] == ["7", "8"]
    assert_frame(clips[0], 1, person(25, x=500))


def test_openpose_people_with_hands_only_are_nobody(tmp_path):
    frame = openpose_people(person(25))
    frame["people"].append({"person_id": [-1], "pose_keypoints_2d": [], "hand_left_keypoints_2d": [1.0, 2.0, 0.5]})
    assert len(load(written(tmp_path, frame))) == 1


@pytest.mark.parametrize("image_id", [int, "{:06d}.jpg".format, "frame_{:d}.jpg".format, "cam2/img.{:d}.png".format])
def test_coco_results(tmp_path, image_id):
    left, right = person(17, x=100), person(17, x=500)
    entries = [coco(image_id(t), xyc) for t in (5, 6, 8) for xyc in ((left, right) if t % 2 else (right, left))]
    clips = load(written(tmp_path, entries))
    assert [seen(clip) for clip in clips] == [[True, True, False, True]] * 2
    assert_frame(clips[0], 1, left)
    assert_frame(clips[1], 3, right)


@pytest.mark.parametrize("bare", [False, True])
def test_mmpose(tmp_path, bare):
    xyc = person(17)
    frames = [mmpose_frame(t + 1, *([] if t == 1 else [moved(xyc, t)])) for t in range(4)]
    meta = {"dataset_name": "coco", "num_keypoints": 17}
    (clip,) = load(written(tmp_path, frames if bare else {"meta_info": meta, "instance_info": frames}))
    assert (clip.layout, seen(clip)) == (COCO_17, [True, False, True, True])
    assert_frame(clip, 3, moved(xyc, 3))


@pytest.mark.parametrize(("dataset", "joints", "layout"), [("halpe26", 26, HALPE_26), ("h36m", 17, H36M_17)])
def test_mmpose_names_the_layout(tmp_path, dataset, joints, layout):
    content = {"meta_info": {"dataset_name": dataset}, "instance_info": [mmpose_frame(1, person(joints))]}
    assert load(written(tmp_path, content))[0].layout == layout


def test_mmpose_trained_on_another_set_of_17_points_is_not_taken_for_coco(tmp_path):
    content = {"meta_info": {"dataset_name": "posetrack18"}, "instance_info": [mmpose_frame(1, person(17))]}
    with pytest.raises(
        ValueError, match=r"order of its 17 joints is not known; pass layout='h36m_17' or layout='coco_17'"
    ):
        load(written(tmp_path, content))


def test_mmpose_of_a_single_image(tmp_path):
    clips = load(written(tmp_path, mmpose_frame(0, person(17, x=100), person(17, x=400))["instances"]))
    assert [clip.frame_count for clip in clips] == [1, 1]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda pose: pose,
        lambda pose: {"landmarks": pose},
        lambda pose: {"pose_landmarks": [pose]},
        lambda pose: {"pose_landmarks": {"landmark": pose}},
    ],
)
def test_mediapipe_coordinates_are_widths_and_heights(tmp_path, wrap):
    xyc = person(33)
    frames = [None, wrap(landmarks(xyc)), wrap([]), wrap(landmarks(moved(xyc, 3)))]
    (clip,) = load(written(tmp_path, frames))
    assert (clip.layout, seen(clip)) == (MEDIAPIPE_33, [False, True, False, True])
    assert_frame(clip, 1, xyc)
    assert_frame(clip, 3, moved(xyc, 3))


@pytest.mark.parametrize("field", ["frame", "frame_id"])
def test_mediapipe_frames_with_numbers_have_their_place(tmp_path, field):
    frames = [{field: number, "landmarks": landmarks(person(33))} for number in (3, 4, 7)]
    (clip,) = load(written(tmp_path, frames))
    assert (clip.first_frame, seen(clip)) == (3, [True, True, False, False, True])


def test_unseen_frames_keep_their_place_for_every_person(tmp_path):
    entries = [
        alphapose("10.jpg", person(17), 3),
        alphapose("12.jpg", person(17), 3),
        alphapose("15.jpg", person(17), 1),
    ]
    third, first = load(written(tmp_path, entries))
    assert (third.person, first.person) == ("3", "1")
    assert seen(third) == [True, False, True, False, False, False]
    assert seen(first) == [False] * 5 + [True]


def test_names_without_or_with_the_same_number_count_in_order(tmp_path):
    for names in (["a.jpg", "c.jpg", "b.jpg"], ["walk_1_v2.jpg", "walk_2_v2.jpg", "walk_3_v2.jpg"]):
        entries = [alphapose(name, moved(person(17), t), 1) for t, name in enumerate(names)]
        (clip,) = load(written(tmp_path, entries))
        assert seen(clip) == [True] * 3
        assert_frame(clip, 2, moved(person(17), 2))


def test_of_two_detections_of_a_person_the_better_counts(tmp_path):
    good, bad = person(17), person(17, x=100)
    for order in ([(good, 2.9), (bad, 0.3)], [(bad, 0.3), (good, 2.9)]):
        entries = [alphapose("0.jpg", xyc, 1, score) for xyc, score in order]
        first, _ = load(written(tmp_path, [*entries, alphapose("0.jpg", bad, 2)]))
        assert first.person == "1"
        assert_frame(first, 0, good)


def walkers(count=60, seed=0):
    """Two people in the same pose who walk through each other, a little detector noise, listed in changing order."""
    rng = np.random.default_rng(seed)
    for t in range(count):
        pair = [person(17, x=100 + 5 * t), person(17, x=420 - 6 * t, y=203)]
        yield t, [(xyc + np.append(rng.normal(0, 1, 2), 0)) for xyc in (pair if t % 3 else pair[::-1])]


def directions(clips):
    return [torch.sign(clip.xy_px[-1] - clip.xy_px[0]).mean(0)[0].item() for clip in clips]


@pytest.mark.parametrize("seed", range(5))
def test_people_who_walk_past_each_other_keep_their_ids(tmp_path, seed):
    entries = [coco(t, xyc) for t, people in walkers(seed=seed) for xyc in people]
    clips = load(written(tmp_path, entries), size_px=(800, 480))
    assert [seen(clip) for clip in clips] == [[True] * 60] * 2
    assert sorted(directions(clips)) == [-1, 1]
    for clip in clips:
        assert float(clip.xy_px.diff(dim=0).norm(dim=-1).max()) < 12


def test_people_keep_their_ids_while_one_hides_the_other(tmp_path):
    frames = [mmpose_frame(t, *(people[t % 3 == 0 :][:1] if 28 <= t < 33 else people)) for t, people in walkers()]
    clips = load(written(tmp_path, frames), size_px=(800, 480))
    assert sorted(directions(clips)) == [-1, 1]
    assert sorted(sum(seen(clip)) for clip in clips) == [55, 60]


def test_someone_far_away_or_after_a_long_gap_is_new(tmp_path):
    def at(image_id, x):
        return coco(image_id, person(17, x=x))

    jump = load(written(tmp_path, [at(0, 100), at(1, 100), at(2, 300), at(3, 300)]))
    assert [seen(clip) for clip in jump] == [[True, True, False, False], [False, False, True, True]]
    assert len(load(written(tmp_path, [at(0, 100), at(30, 100)]))) == 1
    assert len(load(written(tmp_path, [at(0, 100), at(31, 100)]))) == 2


def test_a_layout_may_be_given_by_name_or_value(tmp_path):
    path = written(tmp_path, [alphapose("0.jpg", person(17), 1)])
    assert load(path, layout="h36m_17")[0].layout == load(path, layout=H36M_17)[0].layout == H36M_17
    assert load(written(tmp_path, [alphapose("0.jpg", person(136), 1)]), layout="halpe_26")[0].layout == HALPE_26


def test_joints_in_human36m_order_taken_for_cocos_are_doubted(tmp_path, caplog):
    body, still = load_body_model("open"), torch.zeros(1, 3)
    for layout, doubted in ((COCO_17, False), (H36M_17, True)):
        point_m = body.points(layout, torch.eye(3).expand(1, 24, 3, 3), torch.zeros(10), still)[0]
        xy_px = point_m[:, :2] * torch.tensor([100, -100]) + 200
        path = written(tmp_path, [alphapose("0.jpg", torch.cat([xy_px, torch.ones(17, 1)], 1).numpy())])
        load(path)
        assert ("taken for COCO's" in caplog.text) == doubted
    caplog.clear()
    load(path, layout="h36m_17")
    assert not caplog.text


def test_a_missing_frame_rate_is_30_and_said(tmp_path, caplog):
    path = written(tmp_path, [alphapose("0.jpg", person(17), 1)])
    with caplog.at_level(logging.INFO, "motionrep"):
        assert load(path, fps=None)[0].fps == 30
    assert f"{path} does not say its frame rate; taking 30 frames per second" in caplog.text


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
        ("text", "not a keypoint format motionrep knows: str"),
        ([1, 2], "not a keypoint format motionrep knows: list"),
        ({"images": [], "annotations": []}, "dict with the fields 'images', 'annotations' .known: AlphaPose, COCO"),
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
        (changed((3, 1), np.nan), "frame '7.jpg', joint 'left_ear': y is nan"),
        (changed((3, 0), -np.inf), "frame '7.jpg', joint 'left_ear': x is -inf"),
        (changed((16, 2), np.nan), "frame '7.jpg', joint 'right_ankle': confidence is nan"),
        (changed((16, 2), -0.2), "frame '7.jpg', joint 'right_ankle': confidence is -0.2"),
        (
            [alphapose("0.jpg", person(21), 1)],
            "order of its 21 joints is not known; pass a JointLayout .known: h36m_17",
        ),
        ([alphapose("0.jpg", person(25), 1)], "pass layout='openpose_25' or layout='ntu_25'"),
        ([alphapose("0.jpg", person(17), 1), alphapose("1.jpg", person(17))], "'1.jpg': a detection has no person id"),
        ([alphapose(397133, person(17)), alphapose(37777, person(17))], "do not count the frames of a video"),
        ([alphapose("0.jpg", person(17) / 500, 1)], r"within \[-1, 1\], pixels are needed"),
        ([alphapose("0.jpg", person(17, x=1900), 1)], "100% of the keypoints lie outside an image of 640 x 480 px"),
        ([{"instances": [{"keypoints": [[1.0, 2.0, 3.0]] * 17, "keypoint_scores": [1.0] * 17}]}], r"pairs \[x, y\]"),
        (
            [{"instances": [{"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [1.0] * 16}]}],
            "frame 0: 'keypoints' must",
        ),
        ([{"instances": [{"keypoints": [[1.0, 2.0]] * 17}]}], "frame 0 has no 'keypoint_scores'"),
        ({"meta_info": [], "instance_info": []}, "no person was detected in any frame"),
        ({"0.jpg": {"people": [None]}}, "frame '0.jpg' has no 'pose_keypoints_2d' .found: NoneType"),
        ([{"image_id": 0, "keypoints": [10**400] * 51}], "keypoints hold something that is not a number"),
        ([{"instances": {}}], "frame 0: expected a list of frames or people, got dict"),
        ([[{"x": 0.5, "y": 0.5}] * 33], "frame 0: a landmark needs numbers x, y and visibility"),
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
    ],
    ids=["alphapose", "openpose", "mmpose", "mediapipe"],
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
        (b"", "not valid JSON, Expecting value at line 1, column 1"),
        (b'[{"image_id": 1,\n "keypoints": [1,', "not valid JSON, Expecting value at line 2, column 18"),
        (b"\x93NUMPY\x01\x00\xff\xfe", "neither JSON nor .npz"),
    ],
)
def test_files_that_are_not_json_are_errors(tmp_path, content, message):
    (tmp_path / "clip.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "clip.json")


def test_missing_files_and_folders_without_keypoints_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: no such keypoint file"):
        load(tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match=r"no \.json file in this folder; OpenPose writes one per frame"):
        load(tmp_path)
    written(tmp_path, openpose_people(person(25)), "v_000000000000_keypoints.json")
    written(tmp_path, {"other": 1}, "v_000000000001_keypoints.json")
    with pytest.raises(ValueError, match=r"v_000000000001_keypoints\.json: no list 'people'"):
        load(tmp_path)
