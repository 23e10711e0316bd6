"""Tables and lines of text, each as the named writer's code emits it."""

import json

import numpy as np
import pytest
from keypoint_files import SIZE, assert_frame, landmarks, load, moved, person, seen

from motionrep.layouts import COCO_17, MEDIAPIPE_33

BLAZE = person(33) / [*SIZE, 1]


def table(tmp_path, header, rows, name="clip.csv", delimiter=","):
    path = tmp_path / name
    lines = [*([header] if header else []), *rows]
    path.write_text("\n".join(delimiter.join(map(str, line)) for line in lines) + "\n")
    return path


def blaze_row(t):
    return [value for x, y, c in moved(BLAZE, t / SIZE[0]) for value in (x, y, -0.1, c)]


@pytest.mark.parametrize(
    "columns",
    [
        [f"{axis}{joint}" for joint in range(1, 34) for axis in "xyzv"],
        [f"landmark_{joint}_{axis}" for joint in range(33) for axis in ("x", "y", "z", "visibility")],
        [f"{joint}_{axis}" for joint in MEDIAPIPE_33.joints for axis in ("x", "y", "z", "visibility")],
        [f"{joint.upper()}.{axis}" for joint in MEDIAPIPE_33.joints for axis in ("x", "y", "z", "visibility")],
    ],
    ids=["x1", "landmark_0_x", "nose_x", "NOSE.x"],
)
def test_mediapipe_with_a_row_for_each_frame(tmp_path, columns):
    """Columns of generate_csv.py in liyunwei-3558/Try_mediapipe (x1, y1, z1, v1, after a class), and of others."""
    path = table(tmp_path, ["class", *columns], [["up", *blaze_row(t)] for t in range(3)])
    (clip,) = load(path)
    assert (clip.layout, clip.frame_count) == (MEDIAPIPE_33, 3)
    assert_frame(clip, 2, moved(person(33), 2))


@pytest.mark.parametrize("name_of", [str, lambda joint: MEDIAPIPE_33.joints[joint].upper()])
def test_mediapipe_with_a_row_for_each_joint(tmp_path, name_of):
    """The header of many exporters: frame,landmark,x,y,z,visibility."""
    rows = [
        [t, name_of(joint), x, y, -0.1, c]
        for t in (0, 2)
        for joint, (x, y, c) in enumerate(moved(BLAZE, t / SIZE[0]).tolist())
    ]
    (clip,) = load(table(tmp_path, ["frame", "landmark", "x", "y", "z", "visibility"], rows))
    assert (clip.layout, seen(clip)) == (MEDIAPIPE_33, [True, False, True])
    assert_frame(clip, 2, moved(person(33), 2))
    with pytest.raises(ValueError, match=r"frame 0 has the joint '0' twice; .* person_id should tell them apart"):
        load(table(tmp_path, ["frame", "landmark", "x", "y"], [[0, j % 20, 50 + j, 60] for j in range(40)]))


def test_movenet_names_pictures_and_joints(tmp_path):
    """The header of TensorFlow's MoveNet examples: file_name,NOSE_x,NOSE_y,NOSE_score,...,class_no,class_name."""
    header = [f"{joint.upper()}_{axis}" for joint in COCO_17.joints for axis in ("x", "y", "score")]
    rows = [[f"img_{t:03d}.jpg", *moved(person(17), t).ravel(), 1, "tree"] for t in (3, 5)]
    (clip,) = load(table(tmp_path, ["file_name", *header, "class_no", "class_name"], rows, delimiter=";"))
    assert (clip.layout, clip.first_frame, seen(clip)) == (COCO_17, 3, [True, False, True])
    assert_frame(clip, 2, moved(person(17), 5))


def test_people_videos_and_empty_cells(tmp_path):
    header = ["video", "frame", "person_id", *(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")]
    rows = [
        [video, frame, name, "", "", *moved(person(17), 100 * (name == "b"))[1:, :2].ravel()]
        for video in ("one.mp4", "two.mp4") for frame in (0, 1) for name in "ab"
    ]  # fmt: skip
    clips = load(table(tmp_path, header, rows))
    assert [clip.person for clip in clips] == ["one.mp4/a", "one.mp4/b", "two.mp4/a", "two.mp4/b"]
    assert clips[1].confidence[0, :2].tolist() == [0, 1]
    assert float(clips[1].xy_px[0, 1, 0]) == pytest.approx(person(17)[1, 0] + 100, abs=1e-3)


def test_times_are_no_frame_numbers(tmp_path):
    header = ["frame", *(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")]
    path = table(tmp_path, header, [[0.04 * t, *person(17)[:, :2].ravel()] for t in range(3)])
    with pytest.raises(ValueError, match=r"got 0\.04; .*--frame-order file"):
        load(path)
    assert load(path, frame_order="file")[0].frame_count == 3


@pytest.mark.parametrize(("columns", "numbered"), [(3, False), (2, False), (3, True), (2, True)])
def test_numbers_only_need_a_layout(tmp_path, columns, numbered):
    xyc = person(17)
    xyc[:, 2] = 1 if columns == 2 else xyc[:, 2]
    rows = [[*([t] if numbered else []), *moved(xyc, t)[:, :columns].ravel()] for t in (0, 1, 2)]
    path = table(tmp_path, None, rows)
    (clip,) = load(path, layout="coco_17")
    assert_frame(clip, 2, moved(xyc, 2))
    with pytest.raises(ValueError, match=r"numbers a row, without names; say what they are with --layout"):
        load(path)
    with pytest.raises(ValueError, match=r"layout 'smpl_24' needs 48 or 72 in every row"):
        load(path, layout="smpl_24")


@pytest.mark.parametrize("several", [False, True])
def test_deeplabcut(tmp_path, several):
    """pandas' to_csv of the frame of analyze_videos (DeepLabCut, pose_estimation_tensorflow/predict_videos.py)."""
    people = ["ind1", "ind2"] if several else [""]
    triples = [(who, joint, axis) for who in people for joint in COCO_17.joints for axis in ("x", "y", "likelihood")]
    heads = {"scorer": ["DLC_resnet50"] * len(triples), "individuals": [who for who, _, _ in triples],
             "bodyparts": [joint for _, joint, _ in triples], "coords": [axis for _, _, axis in triples]}  # fmt: skip
    if not several:
        del heads["individuals"]
    rows = [[name, *values] for name, values in heads.items()]
    for t in range(3):
        values = np.concatenate([moved(person(17), t + 100 * i).ravel() for i in range(len(people))]).tolist()
        if t == 1:
            values[:3] = ["", "", ""]
        rows.append([t, *values])
    clips = load(table(tmp_path, None, rows))
    assert [clip.person for clip in clips] == (people if several else ["0"])
    assert clips[0].layout == COCO_17
    assert clips[0].confidence[:, 0].tolist() == pytest.approx([person(17)[0, 2], 0, person(17)[0, 2]])
    assert_frame(clips[-1], 2, moved(person(17), 2 + 100 * (len(people) - 1)))


def test_a_table_of_something_else_says_how_columns_are_called(tmp_path):
    path = table(tmp_path, ["frame", "nose_x", "nose_y", "nose_visibility"], [[0, 0.25, 0.19, 0.99]])
    with pytest.raises(
        ValueError, match=r"is a \.csv file with the columns 'frame', 'nose_x', .* are called like nose_x"
    ):
        load(path)


def test_a_row_of_another_length_is_named(tmp_path):
    header = [f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy"]
    path = table(tmp_path, header, [person(17)[:, :2].ravel(), [1, 2]])
    with pytest.raises(ValueError, match="row 3 has 2 cells, the header 34; mend or remove it"):
        load(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_lines(tmp_path, suffix):
    path = tmp_path / f"frames{suffix}"
    frames = [{"frame": t, "landmarks": landmarks(moved(person(33), t)) if t != 1 else []} for t in range(3)]
    path.write_text("\n".join(json.dumps(frame) for frame in frames) + "\n")
    (clip,) = load(path)
    assert (clip.layout, seen(clip)) == (MEDIAPIPE_33, [True, False, True])
    assert_frame(clip, 2, moved(person(33), 2))
