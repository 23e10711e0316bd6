"""pyskl's files, written here in their format, and the published splits of NTU RGB+D."""

import pickle

import numpy as np
import pytest
from benchmark_files import annotation, write_pyskl
from hypothesis import given
from hypothesis import strategies as st

from motionrep.datasets.benchmarks.ntu import EXEMPLARS, TRAINING_SUBJECTS, NtuName, ntu_class, parse_ntu_name
from motionrep.datasets.benchmarks.pyskl import load_pyskl, read_pyskl
from motionrep.keypoints.ntu_actions import NTU_ACTIONS
from motionrep.layouts import COCO_17, OPENPOSE_18


def test_a_split_of_a_file_with_all_persons(tmp_path):
    hug, walk = annotation("S001C001P003R001A055", 54, 2), annotation("S001C002P001R001A001", 0)
    alone = annotation("S001C003P001R001A002", 1, 2)
    alone["keypoint_score"][1] = 0
    write_pyskl(
        tmp_path / "ntu.pkl", [hug, walk, alone], xsub_val=[hug["frame_dir"]], xsub_train=["S001C002P001R001A001"]
    )
    (clip,) = load_pyskl(tmp_path / "ntu.pkl", "xsub_val")
    assert (clip.name, clip.action, len(clip.persons)) == ("S001C001P003R001A055", "54", 2)
    first = clip.keypoints
    assert (first.layout, first.fps, first.width_px, first.height_px) == (COCO_17, 30.0, 1920, 1080)
    np.testing.assert_array_equal(clip.others[0].xy_px, hug["keypoint"][1].astype(np.float32))
    np.testing.assert_array_equal(first.confidence, hug["keypoint_score"][0].astype(np.float32))
    everything = load_pyskl(tmp_path / "ntu.pkl", labels=NTU_ACTIONS)
    assert [c.action for c in everything] == ["hugging other person", "drink water", "eat meal/snack"]
    assert [len(c.persons) for c in everything] == [2, 1, 1], "a person who was never seen is none"


def test_openpose_skeletons_are_told_by_their_number(tmp_path):
    write_pyskl(tmp_path / "x.pkl", [annotation("a", 0, joints=18)])
    assert load_pyskl(tmp_path / "x.pkl")[0].keypoints.layout == OPENPOSE_18


def test_what_is_wrong_with_a_file_is_named(tmp_path):
    path = tmp_path / "x.pkl"
    with pytest.raises(FileNotFoundError, match="expected a skeleton file of pyskl"):
        read_pyskl(path)
    path.write_bytes(pickle.dumps({"annotations": []}))
    with pytest.raises(ValueError, match="has 'split' and 'annotations', this file holds annotations"):
        read_pyskl(path)
    good = annotation("a", 3)
    write_pyskl(path, [good], train=["b"])
    with pytest.raises(ValueError, match=r"no split 'val' \(it has train\)"):
        load_pyskl(path, "val")
    with pytest.raises(ValueError, match=r"no annotation of b \(1 are missing\)"):
        load_pyskl(path, "train")
    with pytest.raises(ValueError, match="annotation 'a': 'label' is 3, there are 2 classes"):
        load_pyskl(path, labels=("x", "y"))

    def refused(change, match):
        write_pyskl(path, [{k: v for k, v in {**good, **change}.items() if v is not None}])
        with pytest.raises(ValueError, match=match):
            load_pyskl(path)

    refused({"keypoint": None}, "annotation 'a': no 'keypoint'; pyskl keeps those of Kinetics")
    refused({"keypoint": np.zeros((1, 6, 25, 3))}, "'keypoint' is 3D; use the file of 2D keypoints")
    refused({"keypoint": np.zeros((1, 6, 9, 2))}, "has 9 joints; pass layout=")
    refused({"keypoint_score": np.zeros((1, 5, 17))}, r"'keypoint_score' should be \(1, 6, 17\), got \(1, 5, 17\)")
    refused({"img_shape": None}, "annotation 'a': no 'img_shape' that can be read")
    refused({"img_shape": (np.inf, 1920.0)}, r"annotation 'a': 'img_shape' should be height and width, got \[inf")
    refused({"label": [1, 2]}, r"annotation 'a': 'label' should be a number, got \[1, 2\]")
    write_pyskl(path, [good, annotation("a", 1)])
    with pytest.raises(ValueError, match="'a' is the 'frame_dir' of more than one annotation"):
        load_pyskl(path)
    refused({"keypoint": np.full((1, 6, 17, 2), np.nan)}, "annotation 'a': .*NaN")


def test_points_without_a_place_are_unseen(tmp_path):
    """0 and NaN with a score, a negative score, and points beyond the picture."""
    odd = annotation("a", 0)
    score = np.full((1, 6, 17), 0.5)
    keypoint = np.full((1, 6, 17, 2), 100.0)
    keypoint[0, :, 3], keypoint[0, :, 4], keypoint[0, :, 5], keypoint[0, :, 6] = 0, np.nan, -1, [5000, 100]
    score[0, :, 7] = -0.1
    write_pyskl(tmp_path / "x.pkl", [odd | {"keypoint": keypoint, "keypoint_score": score}])
    clip = load_pyskl(tmp_path / "x.pkl")[0].keypoints
    assert (clip.confidence > 0).all(0).tolist() == [joint not in range(3, 8) for joint in range(17)]
    assert not clip.xy_px[:, 3:8].any()


def test_a_name_says_who_what_and_where():
    assert parse_ntu_name("S001C002P003R002A013_rgb.avi") == NtuName(1, 2, 3, 2, 13)
    for wrong in ("S1C2P3R2A13", "S001C002P003R002A121", "S001C002P003R002A000", "walk"):
        with pytest.raises(ValueError, match="is no name of NTU RGB"):
            parse_ntu_name(wrong)


@given(st.integers(1, 32), st.integers(1, 3), st.integers(1, 106), st.integers(1, 2), st.integers(1, 120))
def test_every_name_is_in_one_part_of_each_split(setup, camera, subject, repetition, action):
    said = parse_ntu_name(f"S{setup:03d}C{camera:03d}P{subject:03d}R{repetition:03d}A{action:03d}")
    assert said == NtuName(setup, camera, subject, repetition, action)
    assert said.trains_xset == (setup in range(2, 33, 2))
    assert said.trains_xview == (camera in (2, 3))
    assert said.is_novel == (
        action in (1, 7, 13, 19, 25, 31, 37, 43, 49, 55, 61, 67, 73, 79, 85, 91, 97, 103, 109, 115)
    )


def test_the_published_lists():
    """20 of the 40 subjects of NTU 60 are for training, 53 of the 106 of NTU 120; one exemplar of each novel class."""
    assert sum(subject <= 40 for subject in TRAINING_SUBJECTS) == 20
    assert len(set(TRAINING_SUBJECTS)) == 53
    assert len(set(EXEMPLARS)) == 20
    assert {"S001C003P008R001A001", "S001C003P008R001A055", "S018C003P008R001A061", "S018C003P008R001A115"} <= {
        *EXEMPLARS
    }
    assert all(parse_ntu_name(name).is_novel for name in EXEMPLARS)


def test_classes_go_by_number_or_name():
    assert len(set(NTU_ACTIONS)) == 120
    assert [ntu_class(label) for label in ("A001", "A1", "drink water", "Hugging other person")] == [1, 1, 1, 55]
    assert [ntu_class(name) for name in NTU_ACTIONS] == list(range(1, 121))
    for wrong in ("A121", "A0", "walk", "0"):
        with pytest.raises(ValueError, match="is no class of NTU RGB"):
            ntu_class(wrong)
