"""ViTPose and RTMPose: their own libraries with small random weights; our results are those of the libraries."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from filmed_people import film
from small_detectors import PEOPLE_PX, POSE_PX, rtmo_file, rtmpose_files, vitpose_folders

import motionrep
from motionrep.detection import load_detector
from motionrep.layouts import COCO_17, HALPE_26, find_layout
from motionrep.rendering.video.writing import write_video


@pytest.fixture(scope="module")
def walk():
    return film(("walk",), seconds=0.5, fps=12.0)


@pytest.fixture(scope="module")
def vitpose(tmp_path_factory):
    pytest.importorskip("transformers")
    return vitpose_folders(tmp_path_factory.mktemp("vitpose"))


@pytest.fixture(scope="module")
def rtmpose(tmp_path_factory):
    pytest.importorskip("rtmlib")
    pytest.importorskip("onnx")
    return rtmpose_files(tmp_path_factory.mktemp("body"))


def by_transformers(picture, pose_folder, people_folder):
    """The way of the documentation of transformers' ViTPose."""
    from transformers import AutoProcessor, RTDetrForObjectDetection, VitPoseForPoseEstimation

    people_input = AutoProcessor.from_pretrained(people_folder)
    people_model = RTDetrForObjectDetection.from_pretrained(people_folder).eval()
    inputs = people_input(images=picture, return_tensors="pt")
    with torch.no_grad():
        outputs = people_model(**inputs)
    results = people_input.post_process_object_detection(
        outputs, target_sizes=torch.tensor([picture.shape[:2]]), threshold=0.3
    )
    boxes = results[0]["boxes"][results[0]["labels"] == 0].cpu().numpy()
    boxes[:, 2] = boxes[:, 2] - boxes[:, 0]
    boxes[:, 3] = boxes[:, 3] - boxes[:, 1]
    pose_input = AutoProcessor.from_pretrained(pose_folder)
    pose_model = VitPoseForPoseEstimation.from_pretrained(pose_folder).eval()
    inputs = pose_input(picture, boxes=[boxes], return_tensors="pt")
    with torch.no_grad():
        outputs = pose_model(**inputs)
    people = pose_input.post_process_pose_estimation(outputs, boxes=[boxes])[0]
    return np.stack([one["keypoints"].numpy() for one in people]), np.stack([one["scores"].numpy() for one in people])


def test_vitpose_is_what_transformers_gives(walk, vitpose):
    detector = load_detector(f"vitpose:{vitpose[0]},{vitpose[1]}")
    for picture in (walk.pictures[0], walk.pictures[-1]):
        people = detector.look(picture)
        xy, score = by_transformers(picture, *vitpose)
        assert len(people) == len(xy) > 0
        assert people[..., :2] == pytest.approx(xy, abs=1e-3)
        assert people[..., 2] == pytest.approx(score.clip(0, 1), abs=1e-5)


def test_a_vitpose_with_experts_takes_that_of_coco(walk, tmp_path):
    pytest.importorskip("transformers")
    from transformers import AutoImageProcessor, VitPoseForPoseEstimation

    pose_folder, people_folder = vitpose_folders(tmp_path, experts=3)
    detector = load_detector(f"vitpose:{pose_folder},{people_folder}")
    people = detector.look(walk.pictures[0])
    boxes = detector._boxes(walk.pictures[0])
    assert len(boxes)
    prepare = AutoImageProcessor.from_pretrained(pose_folder)
    network = VitPoseForPoseEstimation.from_pretrained(pose_folder)
    inputs = prepare(walk.pictures[0], boxes=[boxes], return_tensors="pt")
    with torch.no_grad():
        outputs = network.eval()(**inputs, dataset_index=torch.tensor([0] * len(boxes)))
    expected = prepare.post_process_pose_estimation(outputs, boxes=[boxes])[0]
    assert people[..., :2] == pytest.approx(np.stack([one["keypoints"].numpy() for one in expected]), abs=1e-3)


def test_rtmpose_is_what_rtmlib_gives(walk, rtmpose):
    import rtmlib

    detector = load_detector(f"rtmpose:{rtmpose[0]},{rtmpose[1]}")
    own = rtmlib.Body(
        det=str(rtmpose[1]), det_input_size=PEOPLE_PX, pose=str(rtmpose[0]), pose_input_size=POSE_PX[::-1]
    )
    for picture in (walk.pictures[0], walk.pictures[-1]):
        people = detector.look(picture)
        xy, score = own(np.ascontiguousarray(picture[..., ::-1]))  # as OpenCV reads videos
        assert len(people) == len(xy) == 2
        assert people[..., :2] == pytest.approx(xy)
        assert people[..., 2] == pytest.approx(score.clip(0, 1))
    blue = detector.look(np.ascontiguousarray(walk.pictures[0] * np.array([0, 0, 1], np.uint8)))
    red = detector.look(np.ascontiguousarray(walk.pictures[0] * np.array([1, 0, 0], np.uint8)))
    assert not np.allclose(blue, red)


def test_rtmo_is_what_rtmlib_gives(walk, tmp_path):
    rtmlib = pytest.importorskip("rtmlib")
    path = rtmo_file(tmp_path)
    people = load_detector(f"rtmpose:{path}").look(walk.pictures[0])
    xy, score = rtmlib.RTMO(str(path), PEOPLE_PX)(np.ascontiguousarray(walk.pictures[0][..., ::-1]))
    assert len(people) == len(xy) == 2
    assert people[..., :2] == pytest.approx(xy)
    assert people[..., 2] == pytest.approx(score)


@pytest.mark.parametrize(("joints", "layout"), [(26, HALPE_26), (133, find_layout("coco_wholebody_133"))])
def test_the_number_of_joints_says_the_layout(joints, layout, walk, tmp_path):
    pytest.importorskip("rtmlib")
    pose, people = rtmpose_files(tmp_path, joints)
    detector = load_detector(f"rtmpose:{pose},{people}")
    assert detector.layout is layout
    assert detector.look(walk.pictures[0]).shape == (2, joints, 3)


@pytest.mark.parametrize("library", ["vitpose", "rtmpose"])
def test_a_video_gives_a_clip_for_each_person(library, walk, request, tmp_path):
    """Random weights find nonsense, but the same nonsense in a still video."""
    files = request.getfixturevalue(library)
    video = write_video([walk.pictures[0]] * 6, tmp_path / "still.mp4", 12)
    clips = motionrep.detect(video, f"{library}:{files[0]},{files[1]}")
    assert clips
    for clip in clips:
        assert (clip.layout, clip.fps, clip.width_px, clip.height_px) == (COCO_17, pytest.approx(12), 320, 240)
        assert clip.frame_count >= 4


def test_joints_that_no_layout_has_and_other_files_are_one_sentence(tmp_path):
    pytest.importorskip("rtmlib")
    pose, people = rtmpose_files(tmp_path, 21)
    with pytest.raises(ValueError, match=r"has 21 joints; detectors can have 17 \(coco_17\), 26"):
        load_detector(f"rtmpose:{pose},{people}")
    for files in (f"{pose}", f"{people},{pose}"):
        with pytest.raises(ValueError, match="not what rtmpose reads; give the"):
            load_detector(f"rtmpose:{files}")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.onnx: no such file"):
        load_detector("rtmpose:nowhere.onnx")
    with pytest.raises(ValueError, match="fet: unknown model; did you mean 'feet'") as error:
        load_detector("rtmpose:fet")
    assert "\n" not in str(error.value)


def test_folders_of_other_networks_and_models_of_blazepose_are_one_sentence(tiny, vitpose):
    for name in (f"vitpose:{tiny / 'encoder'}", f"vitpose:{vitpose[0]},{tiny / 'encoder'}"):
        with pytest.raises(ValueError, match="no weights that transformers reads as"):
            load_detector(name)
    with pytest.raises(ValueError, match="detector 'blazepose' has one model; leave ':big' out"):
        load_detector("blazepose:big")


CASES = [
    ("vitpose", "transformers", r'detector vitpose needs transformers: pip install "motionrep[vitpose]"', "344 MB"),
    ("rtmpose", "rtmlib", r'detector rtmpose needs rtmlib: pip install "motionrep[rtmpose]"', "157 MB"),
]


@pytest.mark.parametrize(("detector", "library", "said", "size"), CASES)
def test_a_missing_library_is_one_sentence(detector, library, said, size, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError) as error:
        load_detector(detector)
    assert said in str(error.value)
    assert size in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["vitpose", "rtmpose"])
def test_weights_that_cannot_be_downloaded_are_one_sentence(detector, walk, tmp_path):
    """Without a network: every connection goes to a port on which nobody listens."""
    pytest.importorskip("transformers" if detector == "vitpose" else "rtmlib")
    video = write_video(walk.pictures[:1], tmp_path / "walk.mp4", 12)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = os.environ | nowhere | {"HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path), "no_proxy": ""}
    command = [sys.executable, "-m", "motionrep", "detect", str(video), "--detector", detector, "--output", "out.npz"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2
    sentence = result.stderr.strip().splitlines()[-1]
    assert "could not be downloaded" in sentence
    assert "MB" in sentence
    assert f"--detector {detector}:" in sentence
    assert "Traceback" not in result.stderr
