"""BlazePose on films of rendered people, whose points are known."""

import math

import numpy as np
import pytest
import torch
from filmed_people import film

from motionrep.detection.blazepose.clips import _Person, clips_of, joined
from motionrep.detection.blazepose.detector import full
from motionrep.detection.blazepose.disputes import Run, made_of
from motionrep.detection.blazepose.following import Track, sure_share
from motionrep.detection.blazepose.regions import between, crops, region_of, smoothed, to_picture
from motionrep.layouts import MEDIAPIPE_33


@pytest.fixture(scope="module")
def detector():
    return full()


@pytest.fixture(scope="module")
def walk():
    return film(("walk",), fps=12.0)


def test_a_walk_is_found_in_every_frame(detector, walk):
    (clip,) = detector.detect(walk.pictures, walk.fps)
    assert (clip.first_frame, clip.frame_count, clip.layout, clip.fps) == (0, len(walk.pictures), MEDIAPIPE_33, 12.0)
    assert (clip.width_px, clip.height_px) == (320, 240)
    error_px = walk.errors_px(0, clip.xy_px)
    assert error_px.mean() < 3
    assert np.percentile(error_px, 95) < 8
    assert clip.confidence.mean() > 0.8


def test_two_people_are_two_clips_in_the_right_places(detector):
    both = film(("walk", "squat"), seconds=1.0, fps=8.0, width_px=320)
    clips = detector.detect(both.pictures, both.fps)
    assert len(clips) == 2
    errors_px = [[both.errors_px(i, clip.xy_px).mean() for clip in clips] for i in (0, 1)]
    assert max(min(of_person) for of_person in errors_px) < 4
    assert np.argmin(errors_px[0]) != np.argmin(errors_px[1])


def test_who_comes_and_goes_is_unseen_meanwhile(detector, walk):
    """Frames 8 to 13 are empty. The person is the same afterwards, and its frames keep their numbers."""
    empty = [np.full_like(walk.pictures[0], 235)] * 6
    (clip,) = detector.detect([*walk.pictures[:8], *empty, *walk.pictures[8:]], walk.fps)
    seen = (clip.confidence > 0).any(-1)
    assert seen.tolist() == [True] * 8 + [False] * 6 + [True] * (len(walk.pictures) - 8)
    assert walk.errors_px(0, clip.xy_px[seen]).mean() < 3


def test_a_turned_person_is_found(detector, walk):
    turned = [np.ascontiguousarray(np.rot90(picture)) for picture in walk.pictures[:6]]
    (clip,) = detector.detect(turned, walk.fps)
    assert (clip.width_px, clip.height_px) == (240, 320)
    x, y = clip.xy_px.unbind(-1)
    upright = torch.stack([320 - y, x], -1)
    assert (np.linalg.norm(upright.numpy()[:, 11:29] - walk.truth_px[0, :6, 11:29], axis=-1)).mean() < 4


def test_nobody_is_no_clip(detector):
    assert detector.detect([np.full((90, 160, 3), 128, np.uint8)] * 3, 30.0) == []
    assert detector.detect([], 30.0) == []


def test_one_frame_is_enough(detector, walk):
    (clip,) = detector.detect(walk.pictures[:1], walk.fps)
    assert clip.frame_count == 1


def test_regions():
    region = region_of(torch.tensor([100.0, 50.0]), torch.tensor([100.0, 10.0]))
    assert region.tolist() == [100, 50, 100, 0]
    lying = region_of(torch.tensor([100.0, 50.0]), torch.tensor([140.0, 50.0]))
    assert float(lying[3]) == pytest.approx(math.pi / 2)
    assert to_picture(torch.tensor([[0.5, 0.0], [1.0, 0.5]]), lying).allclose(torch.tensor([[150.0, 50], [100, 100]]))


def test_a_crop_shows_what_lies_in_its_region():
    picture = torch.arange(192, dtype=torch.uint8).reshape(8, 8, 3)
    middle = picture[2:6, 2:6].permute(2, 0, 1) / 255
    upright = torch.tensor([[4.0, 4.0, 4.0, 0.0]])
    assert crops(picture, upright, 4)[0].allclose(middle)
    turned = torch.tensor([[4.0, 4.0, 4.0, math.pi / 2]])  # up in the region is right in the picture
    assert crops(picture, turned, 4)[0].allclose(middle.rot90(1, (1, 2)), atol=1e-4)


def test_crops_are_those_of_bilinear_sampling():
    """Enlarged, made smaller, turned, and beyond the edge, where the edge is repeated."""
    picture = torch.randint(0, 256, (40, 60, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    regions = torch.tensor([[30.0, 20, 12, 0.3], [20, 15, 90, -2.0], [-5, 38, 25, 0.0], [70, -9, 4, 1.0]])
    steps = (torch.arange(32) + 0.5) / 32
    places = torch.stack([steps.repeat(32), steps.repeat_interleave(32)], -1)
    grid = 2 * to_picture(places.expand(4, -1, -1), regions) / torch.tensor([60, 40]) - 1
    expected = torch.nn.functional.grid_sample(
        (picture.permute(2, 0, 1).float() / 255).expand(4, -1, -1, -1), grid.unflatten(1, (32, 32)),
        padding_mode="border", align_corners=False,
    )  # fmt: skip
    assert crops(picture, regions, 32).allclose(expected, atol=1e-4)


def test_regions_turn_the_shorter_way():
    start, end = torch.tensor([0.0, 0, 10, 3.0]), torch.tensor([8.0, 0, 10, -3.0])
    middle = between(start, end, torch.tensor([0.5]))[0]
    assert middle[0] == 4
    assert float(middle[3]) == pytest.approx(math.pi, abs=1e-3)
    mean = smoothed(torch.stack([start, end]))
    assert (mean[:, 3].abs() > 3).all()


def _run(region: torch.Tensor, xyc: torch.Tensor) -> Run:
    run = Run(region)
    run.xyc, run.score = xyc, torch.ones(len(region))
    return run


def test_an_upper_body_found_on_a_person_is_no_second_one():
    """In a real video, part of the picture gave a second person who had the first one's face and hands."""
    xyc = torch.rand(8, 33, 3, generator=torch.Generator().manual_seed(0)) * 300
    xyc[..., 2] = 1
    region = torch.tensor([[150.0, 150, 500, 0]]).repeat(8, 1)
    person = _run(region, xyc)
    ghost_xyc = xyc.clone()
    ghost_xyc[..., :2] += torch.randn(8, 33, 2, generator=torch.Generator().manual_seed(1))
    ghost_xyc[:, 17:, :2] += 150
    assert made_of(_run(region, ghost_xyc), [person])
    assert not made_of(_run(region, xyc + torch.tensor([60.0, 0, 0])), [person])


@pytest.mark.parametrize(("score", "count"), [([0.99], 1), ([0.99, 0.8, 0.98], 1), ([0.9, 1, 1, 0.95, 0.96, 1], 0)])
def test_the_network_must_be_sure_of_a_person_most_of_the_time(score, count):
    """A camera on a wall had 0.97 and more in a third of the frames of a real video, and as much as 1.0."""
    frames = 8 * len(score)
    track = Track(torch.zeros(1, 4), list(range(frames)), [torch.rand(frames, 33, 3) * 50 + 1], score)
    assert len(clips_of([track], 30.0, (100, 100))) == count
    assert sure_share([0.9, 0.97, 0.99, 0.98]) == 0.75


def test_two_people_who_are_lost_often_are_two_people_in_the_end():
    """They walk side by side for some seconds and are not found in every fifth frame."""
    frame = np.arange(200)
    rng = np.random.default_rng(0)
    shape = rng.uniform(-50, 50, (33, 2))
    people = []
    for x in (200, 420):
        xy = shape + np.stack([x + 0.1 * frame, np.full(200, 300.0)], -1)[:, None]
        xy += rng.normal(0, 0.5, (200, 1, 2))
        xyc = np.concatenate([xy, np.ones((200, 33, 1))], -1)
        people += [_Person(frame[i : i + 4], xyc[i : i + 4], np.ones(1)) for i in range(0, 200, 5)]
    found = joined(people, 30.0)
    assert [len(one.frame) for one in found] == [160, 160]
    assert [np.ptp(one.xyc[:, 0, 0] - 0.1 * one.frame) for one in found] == pytest.approx([0, 0], abs=5)


WAYS = {  # x to the right and z to the camera, in metres: from where to where each person is moved
    "behind one who stands": (("wave", "walk"), [((0.0, 0.8), (0.0, 0.8)), ((-1.5, -0.8), (1.0, -0.8))]),
    "past each other": (("walk", "walk"), [((-1.3, 0.4), (1.0, 0.4)), ((1.3, -0.4), (-1.3, -0.4))]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_who_crosses_another_one_is_not_mistaken_for_them(name, detector):
    """Each clip is nearest to the same person before and after, and there are as many clips as people."""
    people, ways_m = WAYS[name]
    filmed = film(people, seconds=2.0, fps=12.0, width_px=480, height_px=270, eye_m=(0, 1.6, 6.0), ways_m=ways_m)
    clips = detector.detect(filmed.pictures, filmed.fps)
    assert len(clips) == 2
    count = len(filmed.pictures)
    for frames in (range(4), range(count - 10, count - 6)):
        distance = [[_mean_distance(filmed, person, clip, frames) for clip in clips] for person in (0, 1)]
        nearest = np.argmin(distance, axis=1).tolist()
        if frames[0] == 0:
            first = nearest
        assert np.max(np.min(distance, axis=1)) < 15
        assert nearest == first
        assert nearest[0] != nearest[1]


def _mean_distance(filmed, person: int, clip, frames: range) -> float:
    places = [frame - clip.first_frame for frame in frames]
    if places[0] < 0 or places[-1] >= clip.frame_count:
        return np.inf
    hips = [MEDIAPIPE_33.index("left_hip"), MEDIAPIPE_33.index("right_hip")]
    truth_px = filmed.truth_px[person][list(frames)][:, hips].mean(1)
    return float(np.linalg.norm(clip.xy_px[places][:, hips].mean(1).numpy() - truth_px, axis=-1).mean())


@pytest.mark.slow
def test_small_people_are_found(detector):
    """Three people of about 70 to 90 px in a picture of 1280 x 720 px, which the whole picture does not show."""
    far = film(
        ("walk", "wave", "squat"), seconds=0.5, fps=8.0, width_px=1280, height_px=720, eye_m=(0.6, 1.8, 24.0),
        ways_m=[((x, 0.0), (x, 0.0)) for x in (-4.0, 0.0, 4.0)],
    )  # fmt: skip
    clips = detector.detect(far.pictures, far.fps)
    assert [clip.frame_count for clip in clips] == [len(far.pictures)] * 3
    heights_px = np.ptp(far.truth_px[..., 1], axis=-1).mean(-1)
    assert (heights_px < 100).all()
    for person, height_px in enumerate(heights_px):
        assert min(far.errors_px(person, clip.xy_px).mean() for clip in clips) < 0.05 * height_px


@pytest.mark.slow
@pytest.mark.parametrize("coarseness", [16, 64])
def test_patterns_are_nobody(detector, coarseness):
    rng = np.random.default_rng(coarseness)
    pattern = rng.integers(0, 255, (480 // coarseness, 640 // coarseness, 3)).astype(np.uint8)
    large = pattern.repeat(coarseness, 0).repeat(coarseness, 1)
    assert detector.detect([np.roll(large, 3 * i, 1) for i in range(4)], 30.0) == []


@pytest.mark.slow
def test_an_empty_stage_is_nobody(detector, walk):
    """The walk's own stage, with a strip of the background where the person was."""
    empty = [np.ascontiguousarray(picture[:, :60].repeat(5, 1)) for picture in walk.pictures[:4]]
    assert detector.detect(empty, 30.0) == []


@pytest.mark.slow
def test_a_mirror_shows_a_person_of_its_own(detector, walk):
    """A reflection is found as a second person, and takes nothing from the first one."""
    both = [np.concatenate([picture, picture[:, ::-1]], 1) for picture in walk.pictures[:8]]
    clips = detector.detect(both, walk.fps)
    assert len(clips) == 2
    assert (
        min(
            walk.errors_px(0, torch.cat([clip.xy_px, clip.xy_px[:1].repeat(len(walk.pictures) - 8, 1, 1)]))[:8].mean()
            for clip in clips
        )
        < 4
    )
