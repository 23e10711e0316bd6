"""The scene of a page: several motions on a floor, and the camera that sees all of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from motionrep.viewing.arrangement import PlacedMotion, ViewedMotion, side_by_side
from motionrep.viewing.figures import Figure

FIELD_OF_VIEW_RAD = 0.7
_MARGIN = 1.15
_ASPECT = 1.3  # of the part of a browser window that the controls leave free


class Scene:
    """Motions on a floor in the scene of a viser server, and the camera that sees all of them."""

    def __init__(self, server: Any, motions: Sequence[ViewedMotion]) -> None:
        placed = side_by_side(motions)
        self.server = server
        server.scene.set_up_direction("+y")
        server.scene.add_grid(
            "/floor", plane="xz", infinite_grid=True, fade_distance=25.0, section_color=(185, 190, 198),
            cell_color=(222, 225, 230), shadow_opacity=0.3, plane_color=(250, 250, 251), plane_opacity=1.0,
        )  # fmt: skip
        self.figures = [Figure(server.scene, one, number) for number, one in enumerate(placed, 1)]
        self.seconds = max(figure.begin_s + figure.frame_count / figure.fps for figure in self.figures)
        self.eye_m, self.look_at_m = _overview(placed)
        camera = server.initial_camera
        camera.position, camera.look_at, camera.fov = self.eye_m, self.look_at_m, FIELD_OF_VIEW_RAD

    def show(self, time_s: float) -> None:
        """Sets every figure to its own frame at a time."""
        with self.server.atomic():
            for figure in self.figures:
                figure.show(figure.frame_at(time_s))


def _overview(placed: Sequence[PlacedMotion]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Position and target of a camera in front that sees the whole row."""
    left = min(float(one.panel.origin_m[0] if one.panel else one.low_m[0]) for one in placed)
    right = max(float(one.high_m[0]) for one in placed)
    top = max(float(one.high_m[1]) for one in placed)
    front = max(float(one.high_m[2]) for one in placed)
    half = np.tan(FIELD_OF_VIEW_RAD / 2)
    distance = _MARGIN * max(top / 2 / half, (right - left) / 2 / (half * _ASPECT)) + front
    middle = ((left + right) / 2, top / 2, 0.0)
    return (middle[0], top / 2 + 0.12 * float(distance), float(distance)), middle
