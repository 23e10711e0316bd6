"""`motionrep demo`: from films to meshes, by the way that a user's own video goes."""

import numpy as np
import pytest
from PIL import Image

import motionrep
from motionrep.cli.demo import run_demo
from motionrep.rendering.video.reading import open_source_video
from motionrep.weights import shipped

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("mesh-ktpformer-s" not in shipped("head"), reason="the weights of the demo are not shipped yet"),
]
NAMES = ("walk", "run_in_place")
VIDEO_PX = (225, 400)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_demo(folder, clips=2, seconds=0.8)


def _pictures(path):
    video = open_source_video(path)
    count = len(video.frame_time_s)
    return np.stack(list(video.pictures(list(range(count)), video.width_px, video.height_px))).astype(int)


def test_the_videos_are_ordinary_files_and_give_what_the_demo_says(made):
    folder, _ = made
    for name in NAMES:
        (kept,) = motionrep.load_keypoints(folder / "keypoints" / f"{name}.npz")
        (person,) = motionrep.recover(folder / "videos" / f"{name}.mp4", ["mesh-ktpformer-s"], refine=True)
        motion = motionrep.load_motion(folder / "motion" / f"{name}.npz")
        assert kept.frame_count == motion.frame_count == 24
        assert person.keypoints.xy_px.allclose(kept.xy_px, atol=1e-3)
        assert person.motion.translation_m.allclose(motion.translation_m, atol=1e-4)


def test_the_table_says_how_far_everything_is_from_the_truth(made):
    folder, text = made
    rows = {line.split()[0]: [float(value) for value in line.split()[1:]] for line in text.splitlines()[2:5]}
    for name in NAMES:
        frames, found, error_px, mpjpe, pa_mpjpe, pve, _ = rows[name]
        assert (frames, found) == (24, 100)
        assert 0 < error_px < 8
        assert pa_mpjpe < mpjpe < 120
        assert mpjpe < pve < 140
    assert rows["mean"][1] == pytest.approx(np.mean([rows[name][2] for name in NAMES]), abs=0.11)
    assert f"Look at {folder}/demo.mp4" in text
    assert text.splitlines()[-1].strip().endswith("predict my_video.mp4 --refine --render")


def test_the_overlay_sits_on_the_person(made):
    folder, _ = made
    shown = _pictures(folder / "demo.mp4")
    assert len(shown) == 48
    height, width = VIDEO_PX
    for clip, name in enumerate(NAMES):
        films = _pictures(folder / "videos" / f"{name}.mp4")
        for frame in (0, 12, 23):
            small = np.asarray(Image.fromarray(films[frame].astype(np.uint8)).resize((width, height))).astype(int)
            person = small[..., 0] > small[..., 2] + 8
            overlay = shown[24 * clip + frame, 30 : 30 + height, width + 2 : 2 * width + 2]
            body = overlay[..., 2] > overlay[..., 0] + 60
            assert (person & body).sum() / (person | body).sum() > 0.7, f"{name}, frame {frame}"


def test_the_picture_names_each_clip_and_its_panels(made):
    folder, _ = made
    picture = np.asarray(Image.open(folder / "demo.png").convert("L")).astype(int)
    rows = np.split(picture, 2)  # a row for each clip: its name and errors above, four pictures with titles below
    for row in rows:
        assert all((part < 150).sum() > 30 for part in (row[:30, :200], row[:30, -400:]))
        assert (row[-24:] < 150).sum() > 100
    assert not np.array_equal(rows[0][:30, :200], rows[1][:30, :200])


def test_more_clips_than_there_are_motions_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"clips must be 1 to \d+, got 99"):
        run_demo(tmp_path, clips=99)
