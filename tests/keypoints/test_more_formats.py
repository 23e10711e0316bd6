"""Formats of which each test writes files as the named writer's code emits them."""

import numpy as np
import pytest
from keypoint_files import (
    SIZE,
    alphapose,
    assert_frame,
    flat,
    load,
    mmpose_frame,
    moved,
    openpose_people,
    person,
    seen,
    written,
    yolo,
)

from motionrep.layouts import COCO_17, NTU_25, OPENPOSE_18


def per_picture(tmp_path, contents):
    for t, content in enumerate(contents):
        written(tmp_path, content, f"{t:06d}.json")
    return tmp_path


def test_poseflow(tmp_path):
    """PoseFlow/tracker-general.py of MVIG-SJTU/AlphaPose: entries with keypoints, scores and idx, by picture."""
    pictures = {f"{t}.jpg": [{"keypoints": flat(moved(person(17), t)), "scores": 2.1, "idx": 3}] for t in (0, 1, 3)}
    (clip,) = load(written(tmp_path, pictures | {"2.jpg": []}), layout="coco_17")
    assert (clip.person, seen(clip)) == ("3", [True, True, False, True])
    assert_frame(clip, 3, moved(person(17), 3))


@pytest.mark.parametrize(
    "content",
    [
        lambda xyc: mmpose_frame(0, xyc)["instances"],
        lambda xyc: {"meta_info": {"dataset_name": "coco"}, "instance_info": mmpose_frame(0, xyc)["instances"]},
        lambda xyc: [yolo(xyc)],
    ],
    ids=["mmpose", "sapiens", "ultralytics"],
)
def test_a_file_for_each_picture(tmp_path, content):
    """MMPose's inferencer (mmpose/apis/inferencers/base_mmpose_inferencer.py) dumps the instances of each picture.

    Sapiens (pose/demo/demo_vis.py) adds `meta_info`; of Ultralytics it is Results.to_json for each picture.
    """
    (clip,) = load(per_picture(tmp_path, [content(moved(person(17), t)) for t in range(3)]), layout="coco_17")
    assert (clip.first_frame, clip.frame_count) == (0, 3)
    assert_frame(clip, 2, moved(person(17), 2))


def test_a_file_of_alphapose_for_each_picture(tmp_path):
    """write_json of AlphaPose (alphapose/utils/pPose_nms.py), run picture by picture, writes such a list for each."""
    (clip,) = load(per_picture(tmp_path, [[alphapose(f"{t}.jpg", person(17))] for t in range(3)]), layout="coco_17")
    assert clip.frame_count == 3


def test_a_picture_of_mmposes_demo(tmp_path):
    """demo/topdown_demo_with_mmdet.py of open-mmlab/mmpose puts a picture's instances right into instance_info."""
    content = {"meta_info": {"dataset_name": "coco"}, "instance_info": mmpose_frame(0, person(17))["instances"]}
    assert load(written(tmp_path, content), layout="coco_17")[0].frame_count == 1


def test_a_missing_person_of_an_openpose_folder_is_an_empty_object(tmp_path):
    """Pose2Sim (personAssociation.py) keeps the place of a person who is missing with {}."""
    for t in range(1, 6):
        content = {"version": 1.3, "people": [{}]} if t == 3 else openpose_people(moved(person(26), t))
        written(tmp_path, content, f"v_{t:06d}.json")
    (clip,) = load(tmp_path)
    assert (clip.layout.name, clip.first_frame, seen(clip)) == ("halpe_26", 1, [True, True, False, True, True])


def test_pose_lists_of_drawing_tools(tmp_path):
    """encode_poses_as_dict of Fannovel16/comfyui_controlnet_aux (src/custom_controlnet_aux/dwpose/__init__.py).

    A person without a body has null, a joint that was not found 0, 0, 0.
    """
    xyc = person(18)
    xyc[:, 2] = 1
    xyc[4] = 0
    people = [{"pose_keypoints_2d": flat(xyc), "face_keypoints_2d": None}, {"pose_keypoints_2d": None}]
    frames = [{"people": people, "canvas_height": 480, "canvas_width": 640}, {"people": []}, {"people": people}]
    (clip,) = load(written(tmp_path, frames))
    assert (clip.layout, seen(clip)) == (OPENPOSE_18, [True, False, True])
    assert_frame(clip, 2, xyc)


def test_kinetics_skeleton(tmp_path):
    """The data set of ST-GCN, as converters quote it: pose and score apart, in fractions, from frame 1."""
    xyc = person(18)
    pose = (xyc[:, :2] / SIZE).round(3)
    frames = [{"frame_index": t, "skeleton": [{"pose": flat(pose), "score": xyc[:, 2].tolist()}] * (t != 2)}
              for t in (1, 2, 3)]  # fmt: skip
    (clip,) = load(written(tmp_path, {"data": frames, "label": "clapping", "label_index": 60}))
    assert (clip.layout, clip.first_frame, seen(clip)) == (OPENPOSE_18, 1, [True, False, True])
    assert_frame(clip, 0, np.column_stack([pose * SIZE, xyc[:, 2]]))


@pytest.mark.parametrize("columns", [3, 2])
def test_bare_lists_of_points(tmp_path, columns):
    """json.dump of `keypoints.tolist()`, as questions to MotionBERT and VideoPose3D show."""
    xyc = person(17)
    xyc[:, 2] = 1 if columns == 2 else xyc[:, 2]
    points = [moved(xyc, t)[:, :columns].tolist() for t in range(3)]
    for content in (points, [[one] for one in points], {"keypoints": points}):
        (clip,) = load(written(tmp_path, content), layout="coco_17")
        assert clip.frame_count == 3
        assert_frame(clip, 2, moved(xyc, 2))
    assert load(written(tmp_path, points[0]), layout="coco_17")[0].frame_count == 1


@pytest.mark.parametrize("save", [np.save, lambda path, points: np.savez(path.with_suffix(".npz"), keypoints=points)])
def test_bare_arrays(tmp_path, save):
    """np.save of one person's points, with and without a confidence."""
    xyc = np.stack([moved(person(17), t) for t in range(4)])
    xyc[1, 5] = 0
    save(tmp_path / "points.npy", xyc)
    path = next(tmp_path.iterdir())
    (clip,) = load(path, layout="coco_17")
    assert_frame(clip, 1, xyc[1])
    save(tmp_path / "points.npy", xyc[..., :2])
    (clip,) = load(path, layout="coco_17")
    assert clip.confidence[1, 4:7].tolist() == [1, 0, 1]


def test_positions_in_metres_are_no_keypoints(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(0, 1, (4, 22, 3)))
    with pytest.raises(ValueError, match=r"x\.npy: holds joint positions .* make a body motion with motionrep fit"):
        load(tmp_path / "x.npy")


@pytest.mark.parametrize(("metadata", "size_px"), [({"dance": {"w": 640, "h": 480}}, None), ({}, SIZE)])
def test_videopose3d(tmp_path, metadata, size_px):
    """data/prepare_data_2d_custom.py of facebookresearch/VideoPose3D; object arrays, which are read inertly."""
    points = np.stack([moved(person(17), t)[:, :2] for t in range(3)]).astype("float32")
    symmetry = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    said = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": symmetry, "video_metadata": metadata}
    videos = {"dance": {"custom": [points]}, "jump": {"custom": [points[:1]]}}
    for chosen in ({"dance": videos["dance"]}, videos):
        path = tmp_path / "data_2d_custom_mine.npz"
        np.savez_compressed(path, positions_2d=np.array(chosen), metadata=np.array(said))
        clips = load(path, size_px=size_px or (SIZE if len(chosen) == 2 else None), layout="coco_17")
        assert [clip.frame_count for clip in clips] == [3, 1][: len(chosen)]
        assert (clips[0].layout, clips[0].width_px) == (COCO_17, 640)
        assert_frame(clips[0], 2, np.column_stack([points[2], np.ones(17)]))


def skeleton(frames):
    """As Kinect's recorder writes a frame: bodies of ten numbers, 25 joints of twelve; see Python/txt2npy.py of
    shahroudy/NTURGB-D, which reads it."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for number, xyc in bodies:
            lines += [f"{number} 0 1 1 1 1 0 0.02764709 -0.2282734 2", "25"]
            lines += [f"0.218 0.172 3.785 277.419 191.825 {x:.4f} {y:.4f} -0.231 0.07 0.97 -0.04 {int(c)}"
                      for x, y, c in xyc]  # fmt: skip
    return "\n".join(lines) + "\n"


def test_ntu_skeleton(tmp_path):
    xyc = np.column_stack([person(25)[:, :2], np.full(25, 2)])
    xyc[3, 2] = 1
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text(skeleton([[(72057594037931101, xyc)], [], [(72057594037931101, moved(xyc, 9))]]))
    (clip,) = load(path, size_px=None, fps=None)
    assert (clip.layout, clip.person, clip.fps, clip.width_px) == (NTU_25, "72057594037931101", 30, 1920)
    assert seen(clip) == [True, False, True]
    assert clip.confidence[0, 2:5].tolist() == [1, 0.5, 1]
    assert clip.xy_px[2].numpy() == pytest.approx(moved(xyc, 9)[:, :2], abs=1e-3)
    path.write_text(skeleton([[(1, xyc)]])[:-200])
    with pytest.raises(ValueError, match="cut off or altered"):
        load(path)


def label(xyc, *more):
    """A line of Results.save_txt of ultralytics (engine/results.py): class, box, fractions, maybe score and track."""
    return " ".join(f"{value:g}" for value in (0, 0.5, 0.4, 0.2, 0.5, *(xyc / [*SIZE, 1]).ravel(), *more))


@pytest.mark.parametrize(("more", "name"), [((), "0"), ((0.91,), "0"), ((7,), "7"), ((0.91, 7), "7")])
def test_yolo_labels(tmp_path, more, name):
    for t in (1, 2, 4):
        (tmp_path / f"my_video2_{t}.txt").write_text(label(moved(person(17), t), *more) + "\n")
    (clip,) = load(tmp_path, layout="coco_17")
    assert (clip.person, clip.first_frame, seen(clip)) == (name, 1, [True, True, False, True])
    assert clip.xy_px[3].numpy() == pytest.approx(moved(person(17), 4)[:, :2], abs=2e-3)


def test_yolo_labels_without_confidence(tmp_path):
    xy = person(17)[:, :2] / SIZE
    path = tmp_path / "photo.txt"
    path.write_text("\n".join(" ".join(map(str, (0, 0.5, 0.4, 0.2, 0.5, *(xy + dx).ravel()))) for dx in (0, 0.3)))
    clips = load(path, layout="coco_17")
    assert [float(clip.xy_px[0, 0, 0]) for clip in clips] == pytest.approx([334.507, 526.507], abs=0.01)
    with pytest.raises(ValueError, match="34 numbers after the box, not those of 26 joints; pass the layout"):
        load(path, layout="halpe_26")


def test_confidences_beside_the_points(tmp_path):
    """`np.savez(path, keypoints=keypoints, scores=scores)`, as rtmlib and ViTPose give both; and the same as JSON."""
    xyc = np.stack([moved(person(17), t) for t in range(4)])
    xyc[1, 5, 2] = 0
    np.savez(tmp_path / "x.npz", keypoints=xyc[..., :2], scores=xyc[..., 2])
    path = written(tmp_path, {"fps": 50, "width": 640, "height": 480, "keypoints": xyc[..., :2].tolist(),
                              "keypoint_scores": xyc[..., 2].tolist()})  # fmt: skip
    for clip in (*load(tmp_path / "x.npz"), *load(path, size_px=None, fps=None)):
        assert clip.confidence[1, 4:7].tolist() == pytest.approx([xyc[1, 4, 2], 0, xyc[1, 6, 2]])
        assert_frame(clip, 3, xyc[3])
    assert load(path, size_px=None, fps=None)[0].fps == 50


def named_points(xyc, score="score"):
    return [{"x": x, "y": y, score: c, "name": joint}
            for (x, y, c), joint in zip(xyc.tolist(), COCO_17.joints, strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    "frames",
    [
        lambda clip: [[{"score": 0.9, "keypoints": named_points(xyc)}] for xyc in clip],
        lambda clip: [{"frame": t, "keypoints": named_points(xyc)[::-1]} for t, xyc in enumerate(clip)],
        lambda clip: {"fps": 25, "frames": [{"frame": t, "poses": [{"keypoints": named_points(xyc)}]}
                                            for t, xyc in enumerate(clip)]},
        lambda clip: {str(t): named_points(xyc) for t, xyc in enumerate(clip)},
        lambda clip: [[{"score": 0.9, "keypoints": [
            {"part": p["name"].title().replace("_", ""), "score": p["score"], "position": {"x": p["x"], "y": p["y"]}}
            for p in named_points(xyc)]}] for xyc in clip],
    ],
    ids=["estimatePoses", "with frames", "in frames", "by number", "PoseNet"],
)  # fmt: skip
def test_tensorflow_js(tmp_path, frames):
    """Keypoint and Pose of tensorflow/tfjs-models (pose-detection/src/types.ts; posenet/src/types.ts): pixels."""
    clip = [moved(person(17), t) for t in range(3)]
    (found,) = load(written(tmp_path, frames(clip)))
    assert (found.layout, found.frame_count) == (COCO_17, 3)
    assert_frame(found, 2, clip[2])


@pytest.mark.parametrize(
    "content",
    [
        lambda frames: [{"predictions": [frame]} for frame in frames],
        lambda frames: frames,
    ],
)
def test_what_mmposes_inferencer_returns(tmp_path, content):
    """`MMPoseInferencer.__call__` yields {"predictions": [[instance, ...]]} for each picture."""
    frames = [mmpose_frame(t, moved(person(17), t))["instances"] if t != 1 else [] for t in range(3)]
    (clip,) = load(written(tmp_path, content(frames)))
    assert seen(clip) == [True, False, True]
    assert_frame(clip, 2, moved(person(17), 2))


def test_poses_in_3d_of_mmpose_are_named(tmp_path):
    """demo/body3d_pose_lifter_demo.py writes instances whose keypoints are [x, y, z]."""
    instance = {"keypoints": [[0.1, 0.2, 0.3]] * 17, "keypoint_scores": [1.0] * 17}
    with pytest.raises(ValueError, match=r"frame 0: 'keypoints' are \[x, y, z\], a pose in 3D"):
        load(written(tmp_path, [{"frame_id": 0, "instances": [instance]}]))


def test_older_and_smaller_models_of_openpose(tmp_path):
    """OpenPose 1.0 wrote `pose_keypoints`; --model_pose MPI has 15 joints (poseParameters.cpp, POSE_MPI_BODY_PARTS)."""
    old = {"version": 1.0, "people": [{"pose_keypoints": flat(person(18)), "face_keypoints": []}]}
    assert load(written(tmp_path, old))[0].layout == OPENPOSE_18
    (clip,) = load(written(tmp_path, openpose_people(person(15))))
    assert clip.layout.name == "openpose_mpi_15"
    assert_frame(clip, 0, person(15))


def test_labels_of_other_things_and_their_names_are_left_out(tmp_path):
    (tmp_path / "classes.txt").write_text("person\nball\n")
    for t in (1, 2):
        (tmp_path / f"v_{t}.txt").write_text("32 0.5 0.5 0.1 0.1\n" + label(moved(person(17), t)) + "\n")
    (clip,) = load(tmp_path)
    assert seen(clip) == [True, True]
