"""Films of example motions: what is in the pictures is where the true motion says."""

import numpy as np
import pytest

from motionrep.body import load_body_model
from motionrep.datasets.authored.films import film
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.layouts import H36M_17

SIZE_PX = (320, 180)


def _warm(picture: np.ndarray) -> np.ndarray:
    """Where a picture has the colour of skin; floor, sky and shadow are grey or bluish."""
    return picture[..., 0].astype(int) > picture[..., 2].astype(int) + 8


@pytest.mark.parametrize("name", ["walk", "squat"])
def test_the_true_joints_are_on_the_person_in_every_picture(name):
    truth, pictures = film(name, seconds=0.5, fps=10, size_px=SIZE_PX)
    body = load_body_model("open")
    joint_m = body.points(H36M_17, truth.local_rotmat, truth.betas, truth.translation_m)
    at = project(joint_m, PinholeCamera.from_hfov(*SIZE_PX)).round().int().numpy()
    frames = list(pictures)
    assert (truth.frame, truth.frame_count, len(frames)) == ("camera", 5, 5)
    for picture, joints in zip(frames, at, strict=True):
        assert picture.shape == (SIZE_PX[1], SIZE_PX[0], 3)
        person = _warm(picture)
        assert person.sum() < 0.2 * person.size
        assert np.mean([person[y, x] for x, y in joints]) > 0.8
        rows = person.any(1).nonzero()[0]
        assert abs(rows[-1] - joints[:, 1].max()) < 0.12 * len(rows)  # soles are a little below the ankles


def test_a_film_says_that_it_is_drawn():
    _, pictures = film("walk", seconds=0.2, fps=10, size_px=SIZE_PX)
    letters = next(iter(pictures))[:14]
    assert (letters[:, :100].min(-1) < 150).sum() > 30
    assert (letters[:, 250:].min(-1) < 150).sum() == 0


def test_two_seeds_show_two_people_from_two_sides():
    pictures = [next(iter(film("walk", seed, 0.2, 10, SIZE_PX)[1])) for seed in (0, 0, 1)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
