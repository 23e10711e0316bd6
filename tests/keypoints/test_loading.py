import json
import logging

import numpy as np
import pytest
import torch
from keypoint_files import (
    SIZE,
    alphapose,
    assert_frame,
    coco,
    flat,
    landmarks,
    load,
    mmpose_frame,
    moved,
    openpose_people,
    person,
    seen,
    written,
    yolo,
)

from motionrep.body import load_body_model
from motionrep.layouts import COCO_17, H36M_17, HALPE_26, MEDIAPIPE_33, OPENPOSE_18, OPENPOSE_25


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
    assert clip.first_frame == (1 if bare else 0)  # the demo, which writes `instance_info`, counts from 1
    assert_frame(clip, 3, moved(xyc, 3))


@pytest.mark.parametrize(("dataset", "joints", "layout"), [("halpe26", 26, HALPE_26), ("h36m", 17, H36M_17)])
def test_mmpose_names_the_layout(tmp_path, dataset, joints, layout):
    content = {"meta_info": {"dataset_name": dataset}, "instance_info": [mmpose_frame(1, person(joints))]}
    assert load(written(tmp_path, content))[0].layout == layout


def test_mmpose_trained_on_another_set_of_17_points_is_not_taken_for_coco(tmp_path):
    content = {"meta_info": {"dataset_name": "ap10k"}, "instance_info": [mmpose_frame(1, person(17))]}
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
    assert (clip.layout, clip.first_frame, seen(clip)) == (MEDIAPIPE_33, 1, [True, False, True])
    assert_frame(clip, 0, xyc)
    assert_frame(clip, 2, moved(xyc, 3))


@pytest.mark.parametrize("field", ["frame", "frame_id"])
def test_mediapipe_frames_with_numbers_have_their_place(tmp_path, field):
    frames = [{field: number, "landmarks": landmarks(person(33))} for number in (3, 4, 7)]
    (clip,) = load(written(tmp_path, frames))
    assert (clip.first_frame, seen(clip)) == (3, [True, True, False, False, True])


def test_a_clip_goes_from_its_persons_first_detection_to_the_last(tmp_path):
    """Clips once spanned the whole file: 318 people of 10 minutes took 1.5 GB, and got bodies where nobody was."""
    entries = [
        alphapose("10.jpg", person(17), 3),
        alphapose("12.jpg", person(17), 3),
        alphapose("15.jpg", person(17), 1),
    ]
    third, first = load(written(tmp_path, entries))
    assert (third.person, first.person) == ("3", "1")
    assert (third.first_frame, seen(third)) == (10, [True, False, True])
    assert (first.first_frame, seen(first)) == (15, [True])


def test_an_id_without_a_seen_joint_lengthens_the_clip_of_its_person_only(tmp_path):
    entries = [alphapose(f"{t}.jpg", person(17) * (t in (3, 4)), 1, score=9 - t) for t in range(6)]
    nobody = [alphapose("2.jpg", person(17) * 0, 2)]
    (clip,) = load(written(tmp_path, entries + nobody))
    assert seen(clip) == [False] * 3 + [True] * 2 + [False]


@pytest.mark.parametrize("name", ["frame{:05d}_cam2.jpg", "cam2/{:d}_640x480.png", "12_{}_v2"])
def test_names_that_end_in_a_constant_number_keep_their_gaps(tmp_path, name):
    entries = [alphapose(name.format(t), moved(person(17), t), 1) for t in (4, 5, 9)]
    (clip,) = load(written(tmp_path, entries))
    assert (clip.first_frame, seen(clip)) == (4, [True, True, False, False, False, True])


@pytest.mark.parametrize(
    ("names", "warned"), [(["a.jpg", "c.jpg", "b.jpg"], False), (["1_1.jpg", "1_2.jpg", "2_1.jpg"], True)]
)
def test_names_that_no_number_tells_apart_count_in_order(tmp_path, caplog, names, warned):
    entries = [alphapose(name, moved(person(17), t), 1) for t, name in enumerate(names)]
    (clip,) = load(written(tmp_path, entries))
    assert seen(clip) == [True] * 3
    assert_frame(clip, 2, moved(person(17), 2))
    assert ("('1_1.jpg', ...) differs in all of them; they are counted in their order" in caplog.text) == warned


@pytest.mark.parametrize(
    ("joint", "warned"),
    [
        ((-1.0, -1.0, -0.004), False),
        ((20.0, 30.0, 0.0), False),
        ((-1.0, -1.0, -0.2), True),
        ((float("nan"), 30.0, 0.8), True),
        ((20.0, None, 0.8), True),
        ((20.0, 30.0, float("nan")), True),
    ],
)
def test_confidence_up_to_zero_and_nan_mean_unseen(tmp_path, caplog, joint, warned):
    """One score of -0.004, as heatmaps have for a hidden joint, once refused a whole file of RTMPose."""
    xyc = person(17)
    frames = [mmpose_frame(t, xyc) for t in range(3)]
    instance = frames[1]["instances"][0]
    instance["keypoints"][4], instance["keypoint_scores"][4] = list(joint[:2]), joint[2]
    (clip,) = load(written(tmp_path, frames))
    xyc[4] = 0
    assert_frame(clip, 1, xyc)
    assert ("1 of 51 joints have a confidence below 0, or NaN, and are taken as not seen" in caplog.text) == warned


def test_detections_without_an_id_among_others_with_one_are_left_out(tmp_path, caplog):
    tracked = [alphapose(f"{t}.jpg", person(17), 7) for t in (1, 2, 5)]
    (clip,) = load(written(tmp_path, [alphapose("0.jpg", person(17)), *tracked, alphapose("2.jpg", person(17))]))
    assert (clip.person, clip.first_frame, seen(clip)) == ("7", 1, [True, True, False, False, True])
    assert "2 of 5 detections have no person id, others have; they are left out" in caplog.text


def test_of_two_detections_of_a_person_the_better_counts(tmp_path, caplog):
    good, bad = person(17), person(17, x=100)
    for order in ([(good, 2.9), (bad, 0.3)], [(bad, 0.3), (good, 2.9)]):
        entries = [alphapose("0.jpg", xyc, 1, score) for xyc, score in order]
        first, _ = load(written(tmp_path, [*entries, alphapose("0.jpg", bad, 2)]))
        assert first.person == "1"
        assert_frame(first, 0, good)
        assert "left out 1 detections of persons of whom their frame has a better one" in caplog.text


def test_swapped_height_and_width_are_doubted(tmp_path, caplog):
    """Of a video of 1280 x 720 px a few joints right of x = 720 px passed without a word."""
    entries = [alphapose(f"{t}.jpg", person(17, x=900 if t == 19 else 400, y=400), 1) for t in range(20)]
    path = written(tmp_path, entries)
    load(path, size_px=(1280, 720))
    assert "outside" not in caplog.text
    load(path, size_px=(720, 1280))
    assert "5% of the keypoints lie far outside an image of 720 x 1280 px; 1280 x 720 would hold them" in caplog.text
    caplog.clear()
    load(path, size_px=(720, 720))
    assert "5% of the keypoints lie far outside an image of 720 x 720 px" in caplog.text
    assert "would hold" not in caplog.text
    with pytest.raises(ValueError, match=r"100% of the .* 640 x 300 px; .*; 300 x 640 would hold them: were height"):
        load(written(tmp_path, [alphapose("0.jpg", person(17, x=200, y=500), 1)]), size_px=(640, 300))


def per_frame_text(frames):
    return [json.dumps(frame) for frame in frames]


@pytest.mark.parametrize("wrap", [list, per_frame_text])
def test_yolo(tmp_path, wrap):
    xyc = person(17)
    frames = [[], [yolo(xyc)], [], [yolo(moved(xyc, 3)), yolo(moved(xyc, 4), confidence=0.3)]]
    (clip,) = load(written(tmp_path, wrap(frames)))
    assert (clip.layout, clip.first_frame, seen(clip)) == (COCO_17, 1, [True, False, True])
    assert_frame(clip, 2, moved(xyc, 3))


def test_yolo_ids_are_kept_and_one_frame_is_a_file(tmp_path):
    clips = load(written(tmp_path, [yolo(person(17), 4), yolo(person(17, x=100), 2)]))
    assert [(clip.person, clip.frame_count) for clip in clips] == [("4", 1), ("2", 1)]


def test_yolo_joints_at_the_origin_are_unseen(tmp_path):
    """Versions up to 8.3 write x = y = 0 and the confidence for joints below 0.5."""
    xyc = person(17)
    xyc[3] = [0, 0, 0.4]
    (clip,) = load(written(tmp_path, [[yolo(xyc)]]))
    xyc[3] = 0
    assert_frame(clip, 0, xyc)


@pytest.mark.parametrize("named", [True, False])
def test_coco_annotations(tmp_path, named):
    xyc = np.column_stack([person(17)[:, :2], [2.0] * 10 + [1.0] * 6 + [0.0]])
    number_of = {t: 70 - t if named else t for t in (4, 5, 7)}
    images = [
        {"id": number, "width": 640, "height": 480} | ({"file_name": f"v/{t:06d}.jpg"} if named else {})
        for t, number in number_of.items()
    ]
    annotations = [
        {"id": t, "image_id": number_of[t], "category_id": 1, "num_keypoints": 16, "track_id": 3,
         "keypoints": flat(moved(xyc, t) * (xyc[:, 2:] > 0))} for t in (7, 4)
    ]  # fmt: skip
    annotations.append({"id": 9, "image_id": number_of[5], "category_id": 2, "bbox": [1, 2, 3, 4]})  # of a thing
    (clip,) = load(written(tmp_path, {"info": {}, "images": images, "annotations": annotations, "categories": []}))
    assert (clip.person, clip.first_frame, seen(clip)) == ("3", 4, [True, False, False, True])
    xyc[:, 2] = xyc[:, 2] > 0
    assert_frame(clip, 3, moved(xyc, 7) * xyc[:, 2:])


@pytest.mark.parametrize(("ids", "expected"), [((1, 2), 0), (("1", "2"), 0), ((2, 1), 0), ((1, 0), 0), ((3, 4), 3)])
def test_mmpose_counts_from_one(tmp_path, ids, expected):
    frames = [mmpose_frame(number, person(17)) for number in ids]
    (clip,) = load(written(tmp_path, {"meta_info": {}, "instance_info": frames}))
    assert (clip.first_frame, clip.frame_count, clip.person) == (expected, 2, "0")


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
