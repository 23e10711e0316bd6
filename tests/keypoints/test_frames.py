"""Frames are numbered by what counts them, and the videos of one file are told apart."""

from pathlib import Path

import numpy as np
import pytest
from keypoint_files import alphapose, assert_frame, coco, flat, load, moved, person, seen, written

from motionrep.keypoints.frames import InVideo, place_frames

TIMES_MS = (0, 33, 67, 100, 133, 167)


def places(*keys, order="number"):
    return [tuple(place) for place in place_frames(keys, order, Path("f.json")).values()]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("a/0001.jpg", "a/0002.jpg", "b/0001.jpg"), [("a", 1), ("a", 2), ("b", 1)]),
        (("x/a/0001.jpg", "x/a/0009.jpg", "x/b/0040.jpg"), [("a", 1), ("a", 9), ("b", 40)]),
        ((r"v\a\1.jpg", r"v\b\1.jpg"), [("a", 1), ("b", 1)]),
        (("camA_01.jpg", "camA_02.jpg", "camB_01.jpg"), [("camA", 1), ("camA", 2), ("camB", 1)]),
        (("003418_mpii_000000.jpg", "009473_mpii_000000.jpg"), [("003418_mpii", 0), ("009473_mpii", 0)]),
        ((InVideo("x", 4), InVideo("y", 4)), [("x", 4), ("y", 4)]),
        (
            tuple(f"{t:04d}_cam{c}.jpg" for t in range(3) for c in (1, 2)),
            [(f"cam{c}", t) for c in (1, 2) for t in range(3)],
        ),
        (
            tuple(f"{v:06d}_mpii_{t:06d}.jpg" for v in (3418, 9473, 12834) for t in (0, 1)),
            [(f"{v:06d}_mpii", t) for v in (3418, 9473, 12834) for t in (0, 1)],
        ),
        ((10034180000, 10034180001, 10094730000), [("003418", 0), ("003418", 1), ("009473", 0)]),  # PoseTrack18
        ((10034180007, 10034180009), [("", 7), ("", 9)]),
    ],
)
def test_videos_are_told_apart(keys, expected):
    assert places(*keys) == expected


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        (("000/0999.jpg", "001/1000.jpg", "001/1001.jpg"), [999, 1000, 1001]),  # pictures by thousands
        (("f1/img.jpg", "f2/img.jpg"), [1, 2]),
        (("frame00001_cam2.jpg", "frame00003_cam2.jpg"), [1, 3]),
        (tuple(f"img_{t:04d}_{1697123456000 + ms}.jpg" for t, ms in enumerate(TIMES_MS)), [0, 1, 2, 3, 4, 5]),
        (tuple(f"img_{t:04d}_{40 * t}.jpg" for t in range(6)), [0, 1, 2, 3, 4, 5]),
        ((0, 5, 10, 15, 25), [0, 5, 10, 15, 25]),
        ((0.0, 1.0, 3.0), [0, 1, 3]),
    ],
)
def test_one_video_is_numbered_by_what_counts_its_frames(keys, numbers):
    assert places(*keys) == [("", number) for number in numbers]


TIMES = [
    TIMES_MS, (34180000, 34180001, 94730000), (0.0, 0.04, 0.08), range(0, 400, 40), range(0, 330, 33),
    [f"{1697123456000 + 33 * t}.jpg" for t in range(9)], [f"frame_{0.033 * t:.3f}.png" for t in range(9)],
]  # fmt: skip


@pytest.mark.parametrize("keys", TIMES)
def test_times_and_ids_are_no_frame_numbers_and_the_files_order_is_offered(keys):
    with pytest.raises(ValueError, match=r"f\.json: .*--frame-order file \(in Python frame_order='file'\)"):
        places(*keys)
    assert places(*keys, order="file") == [("", i) for i in range(len(keys))]


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        (range(100), ""),
        ((0, 1, 2, 5, 6, 9), ""),
        ((0, 5, 10, 15), "numbered 0, 5, 10, 15, ..., and those between count as unseen"),
        ((*range(9), *range(3000, 3009)), "no frame from 9 to 2999 is there"),
    ],
)
def test_gaps_that_are_long_or_even_are_warned_of(caplog, keys, warned):
    places(*keys)
    assert (warned in caplog.text and "--frame-order file" in caplog.text) if warned else not caplog.text


def test_the_people_of_several_videos_are_several_clips(tmp_path, caplog):
    """Merged annotations of PoseTrack18 once gave one person of 9417 frames: the video's number was the frame's."""
    images = [
        {"id": 10000000000 + 1000 * video, "file_name": f"images/val/{video:06d}_mpii_test/000000.jpg",
         "width": 640, "height": 480, "vid_id": f"{video:06d}"} for video in (3418, 9473, 12834)
    ]  # fmt: skip
    annotations = [
        {"id": i, "image_id": image["id"], "category_id": 1, "track_id": 0, "keypoints": flat(moved(person(17), i))}
        for i, image in enumerate(images)
    ]
    for content in ({"images": images}, {"images": [image | {"vid_id": ""} for image in images]}):
        clips = load(written(tmp_path, content | {"annotations": annotations}), layout="coco_17")
        assert [(clip.first_frame, clip.frame_count) for clip in clips] == [(0, 1)] * 3
        assert [clip.person.split("/")[0][:6] for clip in clips] == ["003418", "009473", "012834"]
        assert_frame(clips[2], 0, moved(person(17), 2))
    assert "holds 3 videos" in caplog.text


def test_pictures_of_the_same_name_begin_a_new_video(tmp_path):
    images = [{"id": i, "file_name": f"{i % 3}.jpg"} for i in range(6)]
    annotations = [{"id": i, "image_id": i, "keypoints": flat(person(17)), "track_id": 1} for i in range(6)]
    clips = load(written(tmp_path, {"images": images, "annotations": annotations}), layout="coco_17")
    assert [(clip.person, seen(clip)) for clip in clips] == [("0/1", [True] * 3), ("1/1", [True] * 3)]


@pytest.mark.parametrize("idx", [None, 7])
def test_joined_lists_of_equal_names_are_several_videos(tmp_path, idx):
    """Two files of AlphaPose's, whose pictures are called 0.jpg, 1.jpg, ..., in one list."""
    entries = [alphapose(f"{t}.jpg", moved(person(17), x), idx) for x in (0, 120) for t in range(4)]
    clips = load(written(tmp_path, entries))
    name = "0" if idx is None else "7"
    assert [(clip.person, seen(clip)) for clip in clips] == [(f"0/{name}", [True] * 4), (f"1/{name}", [True] * 4)]
    assert_frame(clips[1], 3, moved(person(17), 120))


@pytest.mark.parametrize("order", ["by person", "by frame", "at random"])
def test_a_list_in_another_order_is_one_video(tmp_path, order):
    entries = [alphapose(f"{t}.jpg", moved(person(17), 150 * who), who) for who in (0, 1) for t in range(9)]
    if order != "by person":
        entries.sort(key=lambda entry: int(entry["image_id"][0]))
    if order == "at random":
        entries = [entries[i] for i in np.random.default_rng(0).permutation(len(entries))]
    assert [(clip.person, clip.frame_count) for clip in load(written(tmp_path, entries))] in (
        [("0", 9), ("1", 9)], [("1", 9), ("0", 9)]
    )  # fmt: skip


def test_results_that_name_their_video_are_told_apart(tmp_path):
    entries = [coco(frame, person(17)) | {"video_id": video} for video in (7, 8) for frame in (0, 1)]
    clips = load(written(tmp_path, entries), layout="coco_17")
    assert [(clip.person.split("/")[0], clip.frame_count) for clip in clips] == [("7", 2), ("8", 2)]


def test_frames_may_be_counted_in_the_files_order(tmp_path):
    path = written(tmp_path, [alphapose(f"{t}.jpg", person(17), 1) for t in TIMES_MS])
    with pytest.raises(ValueError, match="looks like times"):
        load(path)
    (clip,) = load(path, frame_order="file")
    assert (clip.first_frame, clip.frame_count) == (0, 6)


@pytest.mark.parametrize(
    "tracked",
    [
        {"track_id": 5},
        {"idx": 5},
        {"instance_id": 5},
        {"person_id": 5},
        {"attributes": {"track_id": 5}},
        {"personID": 5},
        {"trackId": 5},
        {"id_": 5, "id": 9},
        {"object_id": 5},
        {"track": "5"},
    ],
)
def test_track_ids_are_found_wherever_tools_put_them(tmp_path, tracked):
    entries = [coco(frame, person(17)) | tracked for frame in (0, 2)]
    (clip,) = load(written(tmp_path, entries), layout="coco_17")
    assert (clip.person, seen(clip)) == ("5", [True, False, True])


def test_instance_ids_that_number_detections_are_no_tracks(tmp_path):
    entries = [coco(frame, person(17)) | {"instance_id": 40 + frame} for frame in range(3)]
    (clip,) = load(written(tmp_path, entries), layout="coco_17")
    assert seen(clip) == [True] * 3
