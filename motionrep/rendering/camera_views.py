"""The pictures of one moment: the source video, the keypoints on it, and the persons from each camera."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import UInt8

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backdrop import Backdrop, make_backdrop
from motionrep.rendering.backends.choice import Renderer
from motionrep.rendering.drawables import Drawable
from motionrep.rendering.error_colors import error_color, point_error_mm
from motionrep.rendering.looks import Background, View
from motionrep.rendering.skeleton import Color, draw_keypoints
from motionrep.rendering.stage import Stage, azimuth_deg, fitted, placed_camera
from motionrep.rendering.surfaces import Surface
from motionrep.types import Frame, Keypoints

_FLAT: tuple[View, ...] = ("video", "keypoints")
_LOWEST_EYE_M = 0.3


@dataclass(frozen=True)
class Reference:
    """The motion that errors are measured against, and the error that is dark red."""

    drawable: Drawable
    top_mm: float


@dataclass(frozen=True)
class CameraViews:
    """Everything that stays the same from frame to frame; `draw` makes the pictures.

    `groups` are the pictures of each view: a name for the title, and the persons who are in the picture. `camera`
    takes the views "camera" and "overlay". It is in the axes of the motion, or has a pose in the world of the motion,
    for each frame if it moves.
    `keypoints_begin` is the frame of the clip in which each of `keypoints` begins. `keypoint_colors` has one entry for
    each of them; None is blue on the left and red on the right.
    """

    people: Sequence[Drawable]
    groups: Sequence[tuple[str, Sequence[int]]]
    stage: Stage
    axes: Frame
    frame_count: int
    fps: float
    views: Sequence[View]
    camera: PinholeCamera | None
    keypoints: Sequence[Keypoints]
    keypoints_begin: Sequence[int]
    keypoint_colors: Sequence[Color | None]
    reference: Reference | None
    background: Background
    size_px: tuple[int, int]
    renderer: Renderer
    supersample: int
    device: torch.device

    def draw(
        self, frames: Sequence[int], sources: Sequence[UInt8[np.ndarray, "height width 3"] | None]
    ) -> list[list[tuple[str, np.ndarray]]]:
        """Titles and pictures of some frames, in the order of the views.

        Args:
            sources: Pictures of the video, as large as a panel; None without a video.
        """
        with torch.no_grad():
            surfaces = [self._surfaces(person, frames) for person in self.people]
            shown = []
            for index, (frame, source) in enumerate(zip(frames, sources, strict=True)):
                panels = []
                for view in self.views:
                    if view in _FLAT:
                        panels.append(self._flat(view, frame, source))
                        continue
                    behind = self._backdrop(view, frame, source)
                    for name, group in self.groups:
                        drawn = [surfaces[person][index] for person in group if self.people[person].there[frame]]
                        picture = self.renderer.draw(drawn, behind, self.supersample)
                        title = self._title(view)
                        panels.append((f"{name}: {title}" if name else title, picture.cpu().numpy()))
                shown.append(panels)
            return shown

    def _surfaces(self, person: Drawable, frames: Sequence[int]) -> list[Surface]:
        transform = self.stage.world_from_motion.to(self.device)
        vertex_m = person.vertices(frames) @ transform[:3, :3].T + transform[:3, 3]
        if self.axes == "root":  # the pelvis stays in its place there, so the floor has to come to the feet
            vertex_m = vertex_m - vertex_m[..., 1].amin(1)[:, None, None] * vertex_m.new_tensor([0, 1, 0])
        color = person.color.expand(vertex_m.shape)
        if self.reference is not None:
            error_mm = point_error_mm(person, self.reference.drawable, frames)
            color = error_color(error_mm, self.reference.top_mm)[:, person.owner]
        return [Surface(one_m, person.faces, tint) for one_m, tint in zip(vertex_m, color, strict=True)]

    def _flat(self, view: View, frame: int, source: np.ndarray | None) -> tuple[str, np.ndarray]:
        if view == "video":
            assert source is not None
            return "source video", source
        own_frames = [frame - begin for begin in self.keypoints_begin]
        picture = draw_keypoints(self.keypoints, own_frames, *self.size_px, source, self.keypoint_colors)
        return "input keypoints", picture

    def _title(self, view: View) -> str:
        if view == "camera":
            return "front view" if self.camera is None else "camera view"
        return view if view in ("overlay", "turntable") else f"{view} view"

    def _backdrop(self, view: View, frame: int, source: np.ndarray | None) -> Backdrop:
        own_moves = self.camera is not None and self.camera.moves and self.axes == "world"
        moves = view == "turntable" or (own_moves if self._has_own_camera(view) else self.stage.follows)
        backdrop = self._make_backdrop(view, frame) if moves else self._still[view]
        if view != "overlay":
            return backdrop
        assert source is not None
        return replace(backdrop, color=torch.from_numpy(source).to(self.device, torch.float32) / 255)

    @cached_property
    def _still(self) -> dict[View, Backdrop]:
        """The backdrop of each view whose camera does not move."""
        return {view: self._make_backdrop(view, 0) for view in self.views if view not in _FLAT}

    def _make_backdrop(self, view: View, frame: int) -> Backdrop:
        if self._has_own_camera(view):
            assert self.camera is not None
            own = self.camera.during(frame, 1).camera_from_world.cpu().reshape(-1, 4, 4)[0]
            own = own if self.axes == "world" else torch.eye(4)
            pose = own @ torch.linalg.inv(self.stage.world_from_motion)
            camera = fitted(replace(self.camera, camera_from_world=pose), *self.size_px)
        else:
            turned_deg = azimuth_deg(view, frame, self.frame_count, self.fps, self.axes == "world")
            camera = placed_camera(self.stage, frame, turned_deg, *self.size_px)
        eye_m = torch.linalg.inv(camera.camera_from_world)[1, 3]
        floor = not self._has_own_camera(view) or float(eye_m) > _LOWEST_EYE_M
        behind = "studio"
        if self.background != "studio" and view != "overlay":
            width, height = self.size_px
            behind = torch.ones(height, width, 3) if self.background == "white" else "transparent"
        return make_backdrop(camera, self.stage.center_m[frame] if floor else None, self.device, behind)

    def _has_own_camera(self, view: View) -> bool:
        return self.camera is not None and view in ("camera", "overlay")
