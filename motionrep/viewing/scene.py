"""The scene of a page: several motions on a floor, and the camera that sees all of them."""

from collections.abc import Sequence
from typing import Any

from motionrep.viewing.arrangement import ViewedMotion, side_by_side
from motionrep.viewing.figures import Figure
from motionrep.viewing.overview import FIELD_OF_VIEW_RAD, overview

_ASPECT = 1.3  # until the shape of the window is known


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
        self.overview = overview(placed)
        camera = server.initial_camera
        camera.position, camera.look_at = self.overview.camera(_ASPECT)
        camera.fov = FIELD_OF_VIEW_RAD

    def show(self, time_s: float) -> None:
        """Sets every figure to its own frame at a time."""
        with self.server.atomic():
            for figure in self.figures:
                figure.show(figure.frame_at(time_s))
