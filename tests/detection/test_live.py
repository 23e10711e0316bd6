"""One person in the pictures of a camera, and cameras; a test source of FFmpeg stands in for a camera."""

import runpy
import time

import numpy as np
import pytest
import torch
from filmed_people import film
from paths import ROOT
from small_detectors import rtmpose_files

from motionrep.detection.cameras import open_as_camera, open_camera
from motionrep.detection.live import LivePerson
from motionrep.layouts import MEDIAPIPE_33
from motionrep.rendering.video.writing import write_video

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def walk():
    return film(("walk",), seconds=1.0, fps=12.0)


def test_each_picture_gives_keypoints_near_the_truth(walk):
    person = LivePerson()
    assert person.layout is MEDIAPIPE_33
    black = np.zeros_like(walk.pictures[0])
    assert person.push(black) is None
    for frame, picture in enumerate(walk.pictures):
        seen = person.push(picture)
        assert seen is not None
        xy_px, confidence = seen
        assert confidence.shape == (33,)
        assert walk.errors_px(0, xy_px[None].repeat(12, 1, 1))[frame].mean() < 4
    assert person.push(black) is None
    assert person.push(walk.pictures[0]) is not None


def test_the_person_stays_the_same_when_another_one_is_there():
    """The person who is nearer, and so larger, leaves; the other one is taken after a second only."""
    two = film(("walk", "squat"), seconds=0.5, fps=12.0, width_px=480, apart_m=2.0)

    class Both:
        """Looks at the true points of both."""

        layout = MEDIAPIPE_33

        def __init__(self):
            self.frame, self.people = 0, [0, 1]

        def look(self, picture):
            xy = two.truth_px[self.people, self.frame]
            return np.concatenate([xy, np.ones_like(xy[..., :1])], -1).astype(np.float64)

    both, person = Both(), LivePerson()
    person._look = both.look
    picture = two.pictures[0]
    first = person.push(picture)
    assert first is not None
    mine = int(np.abs(two.truth_px[1, 0] - first[0].numpy()).max() < 0.1)
    both.frame, both.people = 1, [1, 0]
    again = person.push(picture)
    assert again is not None
    assert np.abs(two.truth_px[mine, 1] - again[0].numpy()).max() < 0.1
    both.people = [1 - mine]
    assert [person.push(picture) for _ in range(30)] == [None] * 30
    assert person.push(picture) is not None


def test_other_detectors_look_at_cameras_too(walk, tmp_path):
    pytest.importorskip("rtmlib")
    pose, people = rtmpose_files(tmp_path)
    person = LivePerson(f"rtmpose:{pose},{people}")
    seen = person.push(walk.pictures[0])
    assert seen is not None
    assert seen[0].shape == (17, 2)


def test_the_example_draws_the_bones_that_are_visible():
    live = runpy.run_path(str(ROOT / "examples" / "live.py"))
    elbow, wrist = MEDIAPIPE_33.index("left_elbow"), MEDIAPIPE_33.index("left_wrist")
    xy_px, confidence = torch.zeros(33, 2), torch.zeros(33)
    xy_px[elbow], xy_px[wrist], confidence[[elbow, wrist]] = torch.tensor([20.0, 30]), torch.tensor([60.0, 30]), 0.9
    black = np.zeros((48, 80, 3), np.uint8)
    picture = np.asarray(live["drawn"](black, (xy_px, confidence), MEDIAPIPE_33))
    assert tuple(picture[30, 40]) == live["LEFT"]
    assert (picture[:, 64:] == 0).all()
    assert (picture[:20] == 0).all()
    assert (np.asarray(live["drawn"](black, None, MEDIAPIPE_33)) == 0).all()
    large = live["drawn"](np.zeros((1080, 1920, 3), np.uint8), None, MEDIAPIPE_33)
    assert large.size == (960, 540)


def test_a_camera_gives_its_newest_picture():
    """Pictures that come while one is busy are left out, and their numbers tell."""
    with open_camera("testsrc=size=64x48:rate=25,realtime", kind="lavfi") as pictures:
        assert (pictures.fps, pictures.size_px) == (25, (64, 48))
        numbers, ages_s = [], []
        for shot in pictures:
            assert shot.picture.shape == (48, 64, 3)
            numbers.append(shot.number)
            ages_s.append(time.perf_counter() - shot.taken_s)
            if len(numbers) == 4:
                break
            time.sleep(0.3)
    assert np.diff(numbers).min() >= 3
    assert min(ages_s[1:]) < 0.25


def test_a_video_is_played_at_its_own_speed(walk, tmp_path):
    start_s = time.perf_counter()
    with open_as_camera(write_video(walk.pictures, tmp_path / "walk.mp4", 12)) as pictures:
        shots = list(pictures)
    assert time.perf_counter() - start_s >= 11 / 12
    assert shots[-1].number == 11
    assert pictures.size_px == (320, 240)


def test_a_broken_video_is_told_where_it_is_looked_at(tmp_path):
    path = write_video([np.random.default_rng(i).integers(0, 255, (96, 96, 3), np.uint8) for i in range(20)],
                       tmp_path / "cut.mp4", 30)  # fmt: skip
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match="cannot be"), open_as_camera(path) as pictures:
        list(pictures)


def test_cameras_that_are_not_there_are_one_sentence():
    with pytest.raises(ValueError, match="camera 97: cannot be opened by v4l2") as error:
        open_camera("97", kind="v4l2")
    assert "\n" not in str(error.value)
