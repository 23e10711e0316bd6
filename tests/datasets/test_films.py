"""Films of example motions: what is in the pictures is where the true motion says."""

import numpy as np
import pytest

from motionrep.body import load_body_model
from motionrep.datasets.authored.films import film
from motionrep.geometry.cameras import project
from motionrep.layouts import H36M_17
from motionrep.motion.axes import in_camera

SIZE_PX = (320, 180)


def _warm(picture: np.ndarray) -> np.ndarray:
    """Where a picture has the colour of skin; floor, sky and shadow are grey or bluish."""
    return picture[..., 0].astype(int) > picture[..., 2].astype(int) + 8


@pytest.mark.parametrize("name", ["walk", "squat"])
def test_the_true_joints_are_on_the_person_in_every_picture(name):
    filmed = film(name, seconds=0.5, fps=10, size_px=SIZE_PX)
    body = load_body_model("open")
    assert (filmed.motion.frame, filmed.camera.width_px, filmed.camera.height_px) == ("world", *SIZE_PX)
    truth = in_camera(filmed.motion, body, filmed.camera)
    joint_m = body.points(H36M_17, truth.local_rotmat, truth.betas, truth.translation_m)
    at = project(joint_m, filmed.camera).round().int().numpy()
    frames = list(filmed.pictures)
    assert truth.frame_count == len(frames) == 5
    for picture, joints in zip(frames, at, strict=True):
        assert picture.shape == (SIZE_PX[1], SIZE_PX[0], 3)
        person = _warm(picture)
        assert person.sum() < 0.2 * person.size
        assert np.mean([person[y, x] for x, y in joints]) > 0.8
        rows = person.any(1).nonzero()[0]
        assert abs(rows[-1] - joints[:, 1].max()) < 0.12 * len(rows)  # soles are a little below the ankles


def test_a_film_says_that_it_is_drawn():
    letters = next(film("walk", seconds=0.2, fps=10, size_px=SIZE_PX).pictures)[:14]
    assert (letters[:, :100].min(-1) < 150).sum() > 30
    assert (letters[:, 250:].min(-1) < 150).sum() == 0


def test_two_seeds_show_two_people_from_two_sides():
    pictures = [next(film("walk", seed, 0.2, 10, SIZE_PX).pictures) for seed in (0, 0, 1)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
