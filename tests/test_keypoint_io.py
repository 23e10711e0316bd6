import logging

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
