"""Motions beside the video they were found in: its pictures are in step with them, and people come and go with it."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from video_files import filmed

from motionrep.datasets.authored.motions import authored_motion
from motionrep.layouts import MEDIAPIPE_33
from motionrep.types import Keypoints
from motionrep.viewing.arrangement import ViewedMotion, side_by_side
from motionrep.viewing.overview import overview
from motionrep.viewing.page import save_page
from motionrep.viewing.scene import Scene
from motionrep.viewing.server import closing, open_server
from motionrep.viewing.video_panel import SmallVideo

pytest.importorskip("av")
FPS = 10.0


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Thirty frames, of which each is as bright as its number says, at uneven times."""
    pictures = [np.full((48, 64, 3), 8 * i, np.uint8) for i in range(30)]
    return filmed(tmp_path_factory.mktemp("video") / "numbers.mp4", pictures, np.arange(30) / FPS)


def _person(video, first_frame: int, frames: int, place_px: float, seed: int) -> ViewedMotion:
    motion = replace(authored_motion("walk", seed, frames / FPS, FPS), first_frame=first_frame)
    xy_px = torch.full((motion.frame_count, 33, 2), place_px)
    seen = torch.ones(motion.frame_count, 33)
    clip = Keypoints(xy_px, seen, MEDIAPIPE_33, FPS, 64, 48, str(seed), first_frame)
    return ViewedMotion(f"person {seed}", motion, clip, video=video)


def _number(picture: np.ndarray) -> int:
    return round(float(picture.mean()) / 8)


def test_the_small_pictures_are_those_of_the_clip(video):
    small = SmallVideo(video, 5, 20, FPS)
    assert [_number(small.picture(small.place(frame))) for frame in range(20)] == list(range(5, 25))
    assert small.picture(0).shape == (48, 64, 3)
    few = SmallVideo(video, 5, 20, FPS, most=5)
    assert [_number(few.picture(few.place(frame))) for frame in range(20)] == [
        5 + frame // 4 * 4 for frame in range(20)
    ]
    assert (few.place(-3), few.place(99)) == (0, 4)


def test_people_of_one_video_share_its_picture(video):
    people = [_person(video, 2, 20, 16.0, 0), _person(video, 8, 10, 40.0, 1)]
    alone = replace(people[0], video=None)
    placed = side_by_side([*people, alone])
    assert placed[0].panel is placed[1].panel
    assert placed[2].panel is not placed[0].panel
    panel = placed[0].panel
    assert panel is not None
    assert panel.size_m[0] / panel.size_m[1] == pytest.approx(64 / 48)
    assert float(panel.points(torch.tensor([32.0, 48.0]))[1]) > max(float(one.high_m[1]) for one in placed[:2])
    assert overview(placed).tall_m > overview(placed[2:]).tall_m
    reach = [(float(one.low_m[0]), float(one.high_m[0])) for one in placed]
    assert all(before[1] < after[0] for before, after in pairwise(reach))


def test_pictures_and_people_are_in_step(video):
    pytest.importorskip("viser", reason="needs the extra view")
    people = [_person(video, 2, 20, 16.0, 0), _person(video, 8, 10, 40.0, 1)]
    with closing(open_server("127.0.0.1", 0)) as server:
        scene = Scene(server, people)
        (panel,) = scene.videos
        for frame in (2, 3, 7, 8, 12, 17, 18, 21, 5):  # of the video
            scene.show((frame - 2) / FPS)
            assert _number(panel.image.image) == frame
            assert scene.figures[0]._shown == frame - 2
            first, second = (figure._whole.visible for figure in scene.figures)
            assert (first, second) == (True, 8 <= frame < 18)


def test_a_video_needs_keypoints(video):
    with pytest.raises(ValueError, match="video needs keypoints"):
        replace(_person(video, 0, 5, 16.0, 0), keypoints=None)


@pytest.mark.slow
def test_a_page_shows_the_video_at_its_time(browser, tmp_path):
    """In a real browser: the picture in the page has the colour of the frame of that moment."""
    shades = np.linspace(40, 220, 20).astype(np.uint8)
    pictures = [np.full((240, 320, 3), shade, np.uint8) for shade in shades]
    path = filmed(tmp_path / "shades.mp4", pictures, np.arange(20) / FPS)
    xy_px = torch.rand(20, 33, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([320, 240])
    clip = Keypoints(xy_px, torch.ones(20, 33), MEDIAPIPE_33, FPS, 320, 240)
    viewed = ViewedMotion("walk", authored_motion("walk", 0, 2.0, FPS), clip, video=path)
    page_file = save_page([viewed], tmp_path / "page.html")
    assert page_file.stat().st_size < 5e6
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.goto(page_file.as_uri())
    page.locator("input").first.wait_for(timeout=120_000)
    page.mouse.click(22, 581)  # pause
    for time_s, frame in (("0.5", 5), ("1.6", 16)):
        page.locator("input").first.fill(time_s)
        page.locator("input").first.press("Enter")
        near = shades[frame - 1 : frame + 1].astype(int)
        for _ in range(60):
            page.wait_for_timeout(1000)
            shot = np.asarray(Image.open(BytesIO(page.screenshot())).convert("L")).astype(int)
            share = max(float((np.abs(shot - shade) <= 4).mean()) for shade in near)
            if share > 0.05:
                break
        assert share > 0.05, f"no picture of frame {frame}"
    page.close()
