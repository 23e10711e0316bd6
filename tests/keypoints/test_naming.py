"""Files that name their joints are read by these names; layouts of one's own; unseen points; the order of bones."""

import json
import logging

import numpy as np
import pytest
import torch
from keypoint_files import alphapose, coco, flat, landmarks, load, mmpose_frame, openpose_people, person, written

from motionrep.body import load_body_model
from motionrep.keypoints.naming import layout_from_names, read_layout
from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import (
    COCO_17,
    H36M_17,
    HALPE_26,
    LAYOUTS,
    MEDIAPIPE_33,
    OPENPOSE_25,
    OPENPOSE_25B,
    JointLayout,
    h36m_17_weights,
    mirror_name,
)

RIGHT_FIRST = [mirror_name(joint) for joint in COCO_17.joints]
WIDE = (1920, 1080)


def annotations(tmp_path, names, xyc):
    """COCO's annotations as annotation tools export them, the joints named in the category."""
    content = {
        "images": [{"id": i, "file_name": f"{i:06d}.png"} for i in range(3)],
        "annotations": [{"id": i, **coco(i, xyc), "num_keypoints": len(names)} for i in range(3)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names), "skeleton": []}],
    }
    return load(written(tmp_path, content))


def mmpose(tmp_path, names, xyc, dataset="coco"):
    """As MMPose's demo writes it (`demo/topdown_demo_with_mmdet.py`: meta_info is the model's dataset_meta)."""
    meta = {"dataset_name": dataset, "keypoint_id2name": {str(i): name for i, name in enumerate(names)}}
    return load(written(tmp_path, {"meta_info": meta, "instance_info": [mmpose_frame(1, xyc), mmpose_frame(2, xyc)]}))


def assert_at(clip, names, xyc):
    """Each named joint is where the file has it."""
    for name, row in zip(names, xyc, strict=True):
        joint = clip.layout.index(name)
        torch.testing.assert_close(clip.xy_px[0, joint], torch.tensor(row[:2]).float())
        assert float(clip.confidence[0, joint]) == pytest.approx(row[2])


@pytest.mark.parametrize("reader", [annotations, mmpose])
@pytest.mark.parametrize("order", ["right first", "backwards", "as COCO"])
def test_joints_are_where_their_names_say(tmp_path, reader, order):
    names = {"right first": RIGHT_FIRST, "backwards": [*COCO_17.joints[::-1]], "as COCO": [*COCO_17.joints]}[order]
    (clip,) = reader(tmp_path, names, person(17))
    assert clip.layout == COCO_17
    assert_at(clip, names, person(17))


@pytest.mark.parametrize("dataset", ["body8", "humanart", "my_own"])
def test_names_go_before_an_unknown_data_set(tmp_path, dataset):
    assert mmpose(tmp_path, RIGHT_FIRST, person(17), dataset)[0].layout == COCO_17


def test_seventeen_joints_with_neck_and_crown_have_no_eyes(tmp_path):
    """PoseTrack's names: what stands in the place of COCO's eyes are the bottom and the top of the head."""
    layout = LAYOUTS["posetrack_17"]
    (clip,) = annotations(tmp_path, layout.joints, person(17))
    assert clip.layout == layout
    assert_at(clip, layout.joints, person(17))


def test_a_set_of_joints_that_no_layout_has_keeps_its_names(tmp_path):
    names = [*COCO_17.joints[5:], "crown", "neck", "ball"]
    (clip,) = annotations(tmp_path, names, person(15))
    assert "left_eye" not in clip.layout.joints
    plain = [*COCO_17.joints[5:], "head_top", "neck"]
    assert_at(clip, plain, person(15)[:14])
    assert (h36m_17_weights(clip.layout).sum(1) == 1).all()


def test_joints_that_the_file_lacks_are_unseen(tmp_path):
    names = [joint for joint in COCO_17.joints if joint not in ("left_ear", "right_ankle")]
    (clip,) = mmpose(tmp_path, names, person(15))
    assert clip.layout == COCO_17
    assert_at(clip, names, person(15))
    missing = [clip.layout.index(joint) for joint in ("left_ear", "right_ankle")]
    assert not clip.confidence[:, missing].any()


def test_a_file_without_hips_names_what_it_lacks(tmp_path):
    names = [joint for joint in COCO_17.joints if "hip" not in joint]
    with pytest.raises(ValueError, match=r"keypoints\.json: needs left_hip, right_hip, but names only nose, left_eye"):
        annotations(tmp_path, names, person(15))


def test_animals_are_refused(tmp_path):
    names = [joint.replace("wrist", "front_paw").replace("ankle", "back_paw") for joint in COCO_17.joints]
    with pytest.raises(ValueError, match=r"\(left_front_paw, right_front_paw, .*\) are those of an animal"):
        annotations(tmp_path, names, person(17))


def test_a_joint_named_twice_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="names 'left_eye' twice"):
        annotations(tmp_path, [*COCO_17.joints[:16], "LEye"], person(17))


def test_numbers_are_no_names(tmp_path):
    (clip,) = annotations(tmp_path, [str(i) for i in range(17)], person(17))
    assert clip.layout == COCO_17
    assert_at(clip, COCO_17.joints, person(17))


def test_the_layout_that_was_asked_for_is_found_by_name(tmp_path):
    content = json.loads(written(tmp_path, {}).read_text())
    meta = {"dataset_name": "x", "keypoint_id2name": {str(i): name for i, name in enumerate(RIGHT_FIRST)}}
    content |= {"meta_info": meta, "instance_info": [mmpose_frame(1, person(17))]}
    (clip,) = load(written(tmp_path, content), layout="coco_17")
    assert_at(clip, RIGHT_FIRST, person(17))


def test_whole_bodies_by_name_are_their_body(tmp_path):
    names = [*COCO_17.joints, *LAYOUTS["coco_wholebody_133"].joints[17:23], *(f"face-{i}" for i in range(68))]
    names += [f"{side}_hand{i}" for side in ("left", "right") for i in range(21)]
    (clip,) = mmpose(tmp_path, names, person(133), "coco_wholebody")
    assert clip.layout == COCO_17
    assert_at(clip, COCO_17.joints, person(133)[:17])


@pytest.mark.parametrize("spelled", [str.upper, str.title, lambda name: name])
def test_mediapipe_landmarks_by_name(tmp_path, spelled):
    """In any order; one that is missing in a frame is unseen there."""
    pose = [mark | {"name": spelled(n)} for mark, n in zip(landmarks(person(33)), MEDIAPIPE_33.joints, strict=True)]
    by_name = {mark["name"]: {k: v for k, v in mark.items() if k != "name"} for mark in pose[:0:-1]}
    frames = [{"landmarks": pose[::-1]}, {"pose_landmarks": by_name}]
    (clip,) = load(written(tmp_path, frames))
    assert clip.layout == MEDIAPIPE_33
    assert_at(clip, MEDIAPIPE_33.joints, person(33))
    torch.testing.assert_close(clip.xy_px[1, 1:], clip.xy_px[0, 1:])
    assert clip.confidence[1, 0] == 0


# Orders without names


def standing(layout: JointLayout) -> np.ndarray:
    """x, y, confidence of the open body as it stands."""
    still = torch.zeros(1, 3)
    body = load_body_model("open")
    point_m = body.points(layout, torch.eye(3).expand(1, 24, 3, 3), torch.zeros(10), still)[0]
    return np.column_stack([point_m[:, :2].numpy() * [100, -100] + 200, np.full(layout.joint_count, 0.9)])


@pytest.mark.parametrize("layout", [OPENPOSE_25, OPENPOSE_25B], ids=lambda layout: layout.name)
def test_openpose_files_of_25_joints_are_told_by_their_bones(tmp_path, caplog, layout):
    """OpenPose --model_pose BODY_25B; the orders are those of its poseParameters.cpp."""
    (tmp_path / "json").mkdir()
    for frame in range(2):
        name = f"json/v_{frame:012d}_keypoints.json"
        written(tmp_path, openpose_people(moved_by(standing(layout), frame)), name)
    (clip,) = load(tmp_path / "json")
    assert clip.layout == layout
    assert_at(clip, layout.joints, standing(layout))
    assert ("openpose_25b" in caplog.text) == (layout == OPENPOSE_25B)
    assert load(tmp_path / "json", layout="openpose_25")[0].layout == OPENPOSE_25


def moved_by(xyc: np.ndarray, x_px: float) -> np.ndarray:
    return xyc + np.array([x_px, 0, 0])


SEVENTEEN = [COCO_17, H36M_17, LAYOUTS["posetrack_17"], LAYOUTS["mpi_inf_3dhp_17"]]


@pytest.mark.parametrize("layout", SEVENTEEN, ids=lambda layout: layout.name)
@pytest.mark.parametrize("turned", [0.0, 90.0, 180.0])
def test_seventeen_joints_are_told_by_their_bones(tmp_path, layout, turned):
    """Upright, lying, upside down."""
    angle, xyc = np.deg2rad(turned), standing(layout)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    xyc[:, :2] = (xyc[:, :2] - 200) @ turn.T + 230
    assert load(written(tmp_path, [coco(0, xyc), coco(1, xyc)]))[0].layout == layout


def test_an_order_that_nobody_knows_is_doubted(tmp_path, caplog):
    xyc = standing(COCO_17)[np.random.default_rng(0).permutation(17)]
    load(written(tmp_path, [coco(0, xyc), coco(1, xyc)]))
    assert "as long as a body's in the order of coco_17" in caplog.text


def test_a_layout_that_was_given_is_kept_and_doubted(tmp_path, caplog):
    path = written(tmp_path, [coco(t, standing(COCO_17)) for t in range(2)])
    assert load(path, layout="mpi_inf_3dhp_17")[0].layout.name == "mpi_inf_3dhp_17"
    assert "in the order of coco_17, not in that of mpi_inf_3dhp_17, which was given and used" in caplog.text


def test_a_layout_without_bones_is_taken_as_it_is(tmp_path):
    layout = JointLayout("mine", COCO_17.joints[::-1], ("",) * 17)
    assert load(written(tmp_path, [coco(0, standing(COCO_17))]), layout=layout)[0].layout == layout


@pytest.mark.parametrize("joints", [17, 133])
def test_close_ups_raise_no_doubts(tmp_path, caplog, joints):
    """Head and shoulders; what is outside of the crop is put at its edge with a confidence of 0.1."""
    caplog.set_level(logging.WARNING)
    xyc = np.column_stack([np.full(joints, 520.0), np.full(joints, 650.0), np.full(joints, 0.1)])
    xyc[:7] = [(820, 300, 1), (880, 250, 1), (760, 250, 1), (960, 280, 1), (680, 280, 1), (1060, 600, 1), (580, 600, 1)]
    xyc[11::2, 0] = 1100
    (clip,) = load(written(tmp_path, [mmpose_frame(t, xyc) for t in range(3)]), size_px=WIDE)
    assert clip.layout == COCO_17
    assert not caplog.text


def test_crowds_of_points_in_openpose_files_are_their_body(tmp_path):
    """Pose2Sim's COCO_133 and HALPE_136 in OpenPose's format."""
    (tmp_path / "json").mkdir()
    written(tmp_path, openpose_people(person(133)), "json/v_000000.json")
    (clip,) = load(tmp_path / "json", layout="coco_17")
    assert_at(clip, COCO_17.joints, person(133)[:17])


# Unseen


def test_points_without_a_place_are_unseen():
    xy = np.array([[5, 5], [0, 0], [-1, -1], [np.nan, 5], [0, 7], [700, 5], [5, -3], [640, 480], [5, 5], [5, 5]])
    confidence = np.array([0.5] * 8 + [0, np.nan])
    assert unseen_points(xy, confidence).tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 1, 1]
    assert unseen_points(xy, confidence, (640, 480)).tolist() == [0, 1, 1, 1, 0, 1, 1, 0, 1, 1]


BAD = [(0, 0, 0.31), (-1, -1, 0.9), (None, None, 0.9), (100, 100, -0.2), (9999, 100, 0.4)]


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("reader", ["alphapose", "openpose", "mmpose", "coco"])
def test_readers_take_them_as_unseen(tmp_path, bad, reader):
    xyc = person(25 if reader == "openpose" else 17)
    rows = [flat(moved_by(xyc, t)) for t in range(3)]
    for row in rows:
        row[27:30] = bad
    if reader == "openpose":
        (tmp_path / "json").mkdir()
        for t, row in enumerate(rows):
            written(tmp_path, {"people": [{"pose_keypoints_2d": row}]}, f"json/{t}.json")
        path = tmp_path / "json"
    elif reader == "mmpose":
        points = [[row[i : i + 2] for i in range(0, 51, 3)] for row in rows]
        instances = [{"keypoints": p, "keypoint_scores": row[2::3]} for p, row in zip(points, rows, strict=True)]
        path = written(tmp_path, [{"frame_id": t, "instances": [one]} for t, one in enumerate(instances)])
    else:
        write = alphapose if reader == "alphapose" else coco
        path = written(tmp_path, [write(t, xyc) | {"keypoints": row} for t, row in enumerate(rows)])
    (clip,) = load(path)
    assert (clip.confidence > 0).all(0).tolist() == [joint != 9 for joint in range(len(xyc))]
    assert not clip.xy_px[:, 9].any()


# Own layouts


def test_a_layout_file_with_any_names(tmp_path):
    sides = [f"{side}{part}" for part in ("Sho", "Elb", "Wri", "Hip", "Kne", "Ank") for side in "LR"]
    content = {"joints": [*sides, "forehead", "chin"], "h36m_17": {
        "head": "forehead", "nose": {"forehead": 0.25, "chin": 0.75}, "thorax": ["LSho", "RSho"]}}  # fmt: skip
    layout_path = written(tmp_path, content, "mine.json")
    (clip,) = load(written(tmp_path, [coco(0, person(14)), coco(1, person(14))], "k.json"), layout=str(layout_path))
    assert (clip.layout.name, clip.layout.joints) == ("mine", tuple(content["joints"]))
    assert clip.layout.parents[2] == "LSho"
    h36m = clip.to_h36m_17().xy_px[0] if hasattr(clip, "to_h36m_17") else h36m_17_weights(clip.layout) @ clip.xy_px[0]
    xy = torch.from_numpy(person(14)[:, :2]).float()
    torch.testing.assert_close(h36m[H36M_17.index("nose")], 0.25 * xy[12] + 0.75 * xy[13])
    torch.testing.assert_close(h36m[H36M_17.index("left_knee")], xy[8])
    torch.testing.assert_close(h36m[H36M_17.index("pelvis")], (xy[6] + xy[7]) / 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "a layout is a JSON object with 'joints'"),
        ({"joints": ["a", "a"]}, "a layout is a JSON object with 'joints'"),
        ({"joints": ["a", "b"]}, "lack left_shoulder, right_shoulder, left_hip, right_hip"),
        ({"joints": ["a"], "h36m_17": {"hip": "a"}}, "'h36m_17' has 'hip', which is none of pelvis"),
        ({"joints": ["a"], "h36m_17": {"head": "b"}}, "'head': 'b' is not among the 'joints'"),
        ({"joints": ["a"], "h36m_17": {"head": {"a": 0.5}}}, "'head': its weights sum to 0.5"),
        ({"joints": ["a"], "h36m_17": {"head": 3}}, "'head': expected a joint, a list of joints or weights, got 3"),
    ],
)
def test_what_is_wrong_with_a_layout_file_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_layout(written(tmp_path, content, "mine.json"))


def test_a_layout_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mine\.json: no such layout file"):
        load(written(tmp_path, [coco(0, person(17))]), layout=str(tmp_path / "mine.json"))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_is_known_by_the_names_of_its_joints(layout):
    """Whole bodies are read as their body; the Kinect's joints are those of NTU RGB+D."""
    found = layout_from_names(layout.joints[::-1], "x")
    assert found is not None
    assert [layout.joints[::-1][i] for i in found.columns] == [*found.layout.joints]
    same = {
        "coco_wholebody_133": COCO_17,
        "halpe_136": HALPE_26,
        "halpe_68": HALPE_26,
        "kinect_v2_25": LAYOUTS["ntu_25"],
    }
    in_order = layout_from_names(layout.joints, "x")
    assert in_order is not None
    assert in_order.layout == same.get(layout.name, layout)
