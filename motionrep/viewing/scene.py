"""The scene of a page: several motions on a floor, and the camera that sees all of them."""

from collections.abc import Sequence
from typing import Any

from motionrep.viewing.arrangement import PlacedMotion, ViewedMotion, side_by_side
from motionrep.viewing.figures import Figure
from motionrep.viewing.overview import FIELD_OF_VIEW_RAD, overview
from motionrep.viewing.video_panel import PICTURES_AT_ONCE, SmallVideo, VideoPanel

_ASPECT = 1.3  # until the shape of the window is known


class Scene:
    """Motions on a floor in the scene of a viser server, and the camera that sees all of them.

    Args:
        most_pictures: Kept of each video; of longer videos there are fewer in a second.
    """

    def __init__(self, server: Any, motions: Sequence[ViewedMotion], most_pictures: int = PICTURES_AT_ONCE) -> None:
        placed = side_by_side(motions)
        self.server = server
        server.scene.set_up_direction("+y")
        server.scene.add_grid(
            "/floor", plane="xz", infinite_grid=True, fade_distance=25.0, section_color=(185, 190, 198),
            cell_color=(222, 225, 230), shadow_opacity=0.3, plane_color=(250, 250, 251), plane_opacity=1.0,
        )  # fmt: skip
        self.figures = [Figure(server.scene, one, number) for number, one in enumerate(placed, 1)]
        by_panel = {id(one.panel): [p for p in placed if p.panel is one.panel] for one in placed if one.viewed.video}
        self.videos = [
            _video_panel(server.scene, number, people, most_pictures)
            for number, people in enumerate(by_panel.values(), 1)
        ]
        self.seconds = max(figure.begin_s + figure.frame_count / figure.fps for figure in self.figures)
        self.overview = overview(placed)
        camera = server.initial_camera
        camera.position, camera.look_at = self.overview.camera(_ASPECT)
        camera.fov = FIELD_OF_VIEW_RAD

    def show(self, time_s: float) -> None:
        """Sets every figure to its own frame at a time."""
        with self.server.atomic():
            for shown in self.figures:
                shown.show_at(time_s)
            for video in self.videos:
                video.show(time_s)


def _video_panel(scene: Any, number: int, people: Sequence[PlacedMotion], most: int) -> VideoPanel:
    """The picture of a video, from the first frame with one of its people to the last."""
    motions = [one.motion for one in people]
    first = min(motion.first_frame for motion in motions)
    count = max(motion.first_frame + motion.frame_count for motion in motions) - first
    path, panel, fps = people[0].viewed.video, people[0].panel, float(motions[0].fps)
    assert path is not None
    assert panel is not None
    small = SmallVideo(path, first, count, fps, most)
    return VideoPanel(scene, number, small, panel, path.name, min(one.begin_s for one in people), fps)
