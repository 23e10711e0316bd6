"""Real detections of one man in two cameras, written as every tool writes them: one person each, the right points."""

import json
import warnings

import keypoint_writers
import numpy as np
import pytest
from keypoint_files import load
from paths import ROOT

from motionrep.layouts import COCO_17, plain_joint_name

DEV = ROOT.parent / "shared" / "dev"  # not everybody has it
pytestmark = [
    pytest.mark.skipif(not (DEV / "real_video.npz").is_file(), reason="needs the detections of the real videos"),
    pytest.mark.filterwarnings("ignore:.*:tables.NaturalNameWarning"),
]


def clip_of(detector, camera):
    with np.load(DEV / "real_video.npz") as file:
        xy, confidence = (file[f"{detector}_{name}"][camera] for name in ("xy", "conf"))
        return np.concatenate([xy, confidence[..., None]], -1).astype(float), tuple(map(int, file["size_px"][camera]))


def assert_one_person(clips, clip, layout):
    (found,) = clips
    assert found.frame_count == len(clip)
    places = {plain_joint_name(joint): i for i, joint in enumerate(found.layout.joints)}
    columns = [places[joint] for joint in layout]
    off_px = np.abs(found.xy_px.numpy()[:, columns] - clip[..., :2]).max(-1)
    seen = found.confidence.numpy()[:, columns] > 0
    inside = (clip[..., :2] >= 0).all(-1) & (clip[..., :2] <= [found.width_px, found.height_px]).all(-1)
    assert seen[inside].mean() > 0.99
    return off_px[seen]


@pytest.mark.parametrize("camera", [0, 1])
@pytest.mark.parametrize("write", keypoint_writers.OF_COCO, ids=lambda write: write.__name__)
def test_movenet(tmp_path, write, camera):
    clip, size_px = clip_of("movenet", camera)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write(tmp_path, clip, size_px)
    clips = load(path, size_px=size_px, fps=60.0, layout=None)
    off_px = assert_one_person(clips, clip, COCO_17.joints)
    assert np.quantile(off_px, 0.97) < 0.02  # frames with left and right exchanged are put right


@pytest.mark.parametrize("camera", [0, 1])
@pytest.mark.parametrize("detector", ["heavy", "full"])
@pytest.mark.parametrize("write", keypoint_writers.OF_MEDIAPIPE, ids=lambda write: write.__name__)
def test_mediapipe(tmp_path, write, detector, camera, caplog):
    """The full model exchanges left and right in a third of one camera's frames."""
    from motionrep.layouts import MEDIAPIPE_33

    clip, size_px = clip_of(detector, camera)
    clips = load(write(tmp_path, clip, size_px), size_px=size_px, fps=60.0)
    off_px = assert_one_person(clips, clip, MEDIAPIPE_33.joints)
    assert np.median(off_px) < 0.02
    if detector == "heavy":
        assert np.quantile(off_px, 0.9) < 0.02


def test_three_people(caplog):
    path = DEV / "three_people_1.json"
    clips = load(path, size_px=(1080, 1920), fps=60.0)
    frames = {entry["image_id"] for entry in json.loads(path.read_text())}
    assert [clip.frame_count for clip in clips] == [len(frames)] * 3
