"""The whole row of motions is in sight in windows of any shape: broad ones, narrow ones, phones."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.geometry.cameras import camera_from_world_looking
from motionrep.viewing.arrangement import ViewedMotion, side_by_side
from motionrep.viewing.overview import FIELD_OF_VIEW_RAD, overview

PATIENCE_S = 60.0
WALK = ViewedMotion("walk <on>", authored_motion("walk", seconds=1.0))


def _row(count: int):
    return [replace(WALK, label=f"walk {number}") for number in range(count)]


@pytest.mark.parametrize("free", [1.0, 0.44])
@pytest.mark.parametrize("aspect", [390 / 844, 1.0, 1280 / 800, 3.0])
@pytest.mark.parametrize("count", [1, 3])
def test_everybody_is_in_the_free_part_of_the_window(count, aspect, free):
    placed = side_by_side(_row(count))
    place, target = overview(placed).camera(aspect, free)
    view = camera_from_world_looking(torch.tensor(place), torch.tensor(target))
    body = load_body_model("open")
    for one in placed:
        motion = one.motion
        vertex_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m).flatten(0, 1)
        x, y, z = (vertex_m.double() @ view[:3, :3].double().T + view[:3, 3]).unbind(1)
        height = np.tan(FIELD_OF_VIEW_RAD / 2)
        across, down = x / z / height / aspect, y / z / height  # from -1 to 1
        assert float(across.abs().max()) < 1
        assert float(down.min()) > -1
        assert float(down.max()) < 2 * free - 1


def test_a_narrower_window_is_seen_from_further_away():
    camera = overview(side_by_side(_row(2)))
    distances_m = [camera.camera(aspect)[0][2] for aspect in (3.0, 1.5, 1.0, 0.5)]
    assert distances_m == sorted(distances_m)
    assert distances_m[-1] > 1.5 * distances_m[0]


@pytest.mark.slow
def test_a_saved_page_takes_its_camera_from_the_window(browser, tmp_path):
    """The page's program asks its address for the camera; the page answers for the window that it opens in."""
    from motionrep.viewing import save_page

    page = save_page([WALK], tmp_path / "page.html")
    expected = overview(side_by_side([WALK]))
    for width_px, height_px in ((390, 844), (1280, 800)):
        tab = browser.new_page(viewport={"width": width_px, "height": height_px})
        tab.goto(page.as_uri())
        tab.get_by_role("button", name="Show scene tree").wait_for()
        asked = tab.evaluate("new URLSearchParams('').get('initialCameraPosition')")
        np.testing.assert_allclose(
            [float(x) for x in asked.split(",")], expected.camera(width_px / height_px)[0], atol=1e-3
        )
        assert (
            tab.evaluate("new URLSearchParams('?initialCameraPosition=1,2,3').get('initialCameraPosition')") == "1,2,3"
        )
        assert tab.evaluate("new URLSearchParams('').get('anything')") is None
        assert tab.evaluate("document.documentElement.scrollWidth") <= width_px
        assert tab.title() == "walk <on>"
        tab.close()


def _at_rest(tab, camera, other_than) -> np.ndarray:
    """Where a camera stands that somebody has moved, once the browser says the same place for a second."""
    deadline, last, since = time.monotonic() + PATIENCE_S, np.array(other_than), time.monotonic()
    while time.monotonic() < deadline:
        tab.wait_for_timeout(100)
        place = np.array(camera.position)
        if not np.allclose(place, last, atol=1e-3):
            last, since = place, time.monotonic()
        elif time.monotonic() > since + 1 and not np.allclose(place, other_than, atol=0.05):
            return place
    raise AssertionError("the browser never said that its camera has moved")


@pytest.mark.slow
def test_the_viewer_fits_the_window_of_each_browser_until_somebody_moves_the_camera(browser):
    from motionrep.viewing import Viewer

    expected = overview(side_by_side([WALK]))

    def stands_at(camera, place) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while not np.allclose(camera.position, place, atol=0.05) and time.monotonic() < deadline:
            tab.wait_for_timeout(100)
        return np.allclose(camera.position, place, atol=0.05)

    with Viewer([WALK], port=0) as viewer:
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        tab.goto(viewer.url)
        tab.get_by_role("button", name="Pause").wait_for()
        while not viewer._server.get_clients():
            tab.wait_for_timeout(100)
        (client,) = viewer._server.get_clients().values()
        assert stands_at(client.camera, expected.camera(390 / 844, 0.44)[0])
        tab.set_viewport_size({"width": 500, "height": 600})
        assert stands_at(client.camera, expected.camera(500 / 600)[0])
        tab.mouse.move(250, 300)
        tab.mouse.wheel(0, 400)
        moved = _at_rest(tab, client.camera, other_than=expected.camera(500 / 600)[0])
        tab.set_viewport_size({"width": 390, "height": 844})
        tab.wait_for_timeout(1500)
        assert stands_at(client.camera, moved)
        viewer._framing.reset()
        assert stands_at(client.camera, expected.camera(390 / 844, 0.44)[0])
        tab.close()
