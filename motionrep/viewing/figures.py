"""One motion in a scene of viser: mesh, skeleton, name, and the keypoints it was recovered from."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.kinematics import body_kinematics
from motionrep.layouts import SMPL_24, JointLayout
from motionrep.rendering.skeleton import joint_color
from motionrep.types import BodyMotion, Keypoints
from motionrep.viewing.arrangement import Panel, PlacedMotion

_BODY_RGB, _PAPER_RGB = (222, 204, 190), (246, 247, 249)
_BONE_THICKNESS_M, _KEYPOINT_THICKNESS_M = 0.028, 0.02
_INK = 1.8  # the browser lightens lines; with this exponent they are about as dark as in videos
_WEIGHTS_PER_VERTEX = 4  # of viser's skinned mesh
_LABEL_ABOVE_M = 0.12


class Figure:
    """The nodes of one placed motion, under `/NUMBER LABEL` in a viser scene. `show` sets all of them to a frame.

    A body without pose correctives is a skinned mesh: only 24 rotations and positions go to the browser for each
    frame, and every vertex follows the four joints with the largest weights. Other bodies send all vertices, exactly.
    """

    def __init__(self, scene: Any, placed: PlacedMotion, number: int) -> None:
        self.placed = placed
        name = placed.viewed.label.replace("/", "|")
        self._root = f"/{number} {name}"
        # Who is in a video comes and goes with its pictures.
        self._whole = None if placed.viewed.video is None else scene.add_frame(self._root, show_axes=False)
        motion = placed.motion
        self.frame_count, self.fps, self.begin_s = motion.frame_count, float(motion.fps), placed.begin_s
        self.mesh: Any = None
        self._skinned, self._shown = False, -1
        if isinstance(motion, BodyMotion):
            layout, self._joint_m = SMPL_24, self._add_body(scene, motion)
        else:
            layout, self._joint_m = motion.layout, motion.position_m.numpy()
        self._bones = np.array(layout.bones)
        rgb = _bone_colors(layout)
        points = self._joint_m[0][self._bones]
        self.skeleton = scene.add_line_segments(f"{self._root}/skeleton", points, rgb, thickness=_BONE_THICKNESS_M)
        self.label = scene.add_label(
            f"{self._root}/label", placed.viewed.label, position=self._above(0), anchor="bottom-center"
        )
        keypoints = placed.viewed.keypoints
        self.keypoints: _KeypointPanel | None = None
        if keypoints is not None and placed.panel is not None:
            on_paper = placed.viewed.video is None
            self.keypoints = _KeypointPanel(scene, f"{self._root}/keypoints", keypoints, placed.panel, on_paper)
        self.show(0)

    def frame_at(self, time_s: float) -> int:
        """The frame shown at a time: the first one before the motion begins, the last one after it ends."""
        return max(0, min(int((time_s - self.begin_s) * self.fps + 1e-6), self.frame_count - 1))

    def show_at(self, time_s: float) -> None:
        """Sets everything to a time; a person of a video is there only while the video shows him."""
        if self._whole is not None:
            there = 0 <= (time_s - self.begin_s) * self.fps + 1e-6 < self.frame_count
            if there != self._whole.visible:
                self._whole.visible = there
        self.show(self.frame_at(time_s))

    def show(self, frame: int) -> None:
        """Sets everything to a frame; sends nothing if that frame is already shown."""
        if frame == self._shown:
            return
        self._shown = frame
        if self._skinned:
            for bone, wxyz, position_m in zip(
                self.mesh.bones, self._bone_wxyz[frame], self._joint_m[frame], strict=True
            ):
                bone.wxyz, bone.position = wxyz, position_m
        elif self.mesh is not None:
            self.mesh.vertices = self._vertices(frame)
        self.skeleton.points = self._joint_m[frame][self._bones]
        self.label.position = self._above(frame)
        if self.keypoints is not None:
            self.keypoints.show(frame)

    def _add_body(self, scene: Any, motion: BodyMotion) -> Float[np.ndarray, "frames 24 3"]:
        """Adds the mesh; returns the joints in metres."""
        import roma  # takes as long as torch to import

        body = load_body_model(motion.body_model, len(motion.betas))
        rest_joint_m = body.rest_joints(motion.betas)
        rotmat, joint_m = body_kinematics(
            motion.local_rotmat[:, : SMPL_24.joint_count], motion.translation_m, rest_joint_m
        )
        self._body = body
        if not body.moves_as_24_bones or motion.local_rotmat.shape[1] > SMPL_24.joint_count:
            self.mesh = scene.add_mesh_simple(
                f"{self._root}/mesh", self._vertices(0), body.faces.numpy(), color=_BODY_RGB
            )
            return joint_m.numpy()
        self._skinned = True
        self._bone_wxyz = roma.rotmat_to_unitquat(rotmat).roll(1, -1).numpy()
        self.mesh = scene.add_mesh_skinned(
            f"{self._root}/mesh",
            body.rest_vertices(motion.betas).numpy(),
            body.faces.numpy(),
            bone_wxyzs=np.tile([1.0, 0.0, 0.0, 0.0], (SMPL_24.joint_count, 1)),
            bone_positions=rest_joint_m.numpy(),
            skin_weights=strongest_weights(body).numpy(),
            color=_BODY_RGB,
        )
        return joint_m.numpy()

    def _vertices(self, frame: int) -> np.ndarray:
        motion = self.placed.motion
        assert isinstance(motion, BodyMotion)
        part = motion.cut(frame, frame + 1)
        with torch.no_grad():
            return self._body.vertices(part.local_rotmat, part.betas, part.translation_m, part.expression)[0].numpy()

    def _above(self, frame: int) -> tuple[float, float, float]:
        x, _, z = self._joint_m[frame].mean(0).tolist()
        return x, float(self.placed.high_m[1]) + _LABEL_ABOVE_M, z


def strongest_weights(body: BodyModel) -> Float[Tensor, "vertices 24"]:
    """Skin weights of which only the four largest of each vertex are kept; rows sum to 1."""
    weights = body.skin_weights_for(SMPL_24.joint_count)
    strongest = weights.topk(_WEIGHTS_PER_VERTEX, 1)
    kept = torch.zeros_like(weights).scatter(1, strongest.indices, strongest.values)
    return kept / kept.sum(1, keepdim=True)


class _KeypointPanel:
    """Keypoints of the input on an upright sheet of paper, or on a video. Less confident ones are paler, unseen ones
    hidden."""

    def __init__(self, scene: Any, root: str, keypoints: Keypoints, panel: Panel, on_paper: bool) -> None:
        layout, certain = keypoints.layout, keypoints.confidence.cpu().clamp(max=1)
        self._point_m = panel.points(keypoints.xy_px.cpu())
        self._bones = torch.tensor(layout.bones)
        bone_certain = certain[:, self._bones].amin(-1)
        self._seen, self._bone_seen = certain > 0, bone_certain > 0
        self._point_rgb = _paler(np.array([joint_color(joint) for joint in layout.joints]), certain)
        self._bone_rgb = _paler(
            np.array([joint_color(layout.joints[joint]) for joint, _ in layout.bones]), bone_certain
        )
        width_m, height_m = panel.size_m
        middle_m = panel.origin_m + torch.tensor([width_m / 2, -height_m / 2, 0.0])
        self._hidden_m = middle_m - torch.tensor([0.0, 0.0, 0.1])  # behind the paper
        self._lines = scene.add_line_segments(f"{root}/lines", *self._lines_at(0), thickness=_KEYPOINT_THICKNESS_M)
        self._points = scene.add_point_cloud(
            f"{root}/points", *self._points_at(0), point_size=1.2 * _KEYPOINT_THICKNESS_M, point_shape="circle"
        )
        self.nodes = [self._lines, self._points, *(self._paper(scene, root, middle_m, panel) if on_paper else [])]

    def _paper(self, scene: Any, root: str, middle_m: Tensor, panel: Panel) -> list[Any]:
        paper = np.full((2, 2, 3), _PAPER_RGB, np.uint8)
        return [
            scene.add_image(
                f"{root}/paper", paper, *panel.size_m, format="png", cast_shadow=False, receive_shadow=False,
                wxyz=(0.0, 1.0, 0.0, 0.0), position=tuple((middle_m - torch.tensor([0.0, 0.0, 0.05])).tolist()),
            ),
            scene.add_label(
                f"{root}/title", "input keypoints", anchor="top-center",
                position=tuple((middle_m - torch.tensor([0.0, panel.size_m[1] / 2 + 0.02, 0.0])).tolist()),
            ),
        ]  # fmt: skip

    def show(self, frame: int) -> None:
        self._lines.points, self._lines.colors = self._lines_at(frame)
        self._points.points, self._points.colors = self._points_at(frame)

    def _lines_at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        ends = self._point_m[frame][self._bones]
        ends = torch.where(self._bone_seen[frame][:, None, None], ends, self._hidden_m)
        return ends.numpy(), np.repeat(self._bone_rgb[frame][:, None], 2, 1)

    def _points_at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        points = torch.where(self._seen[frame][:, None], self._point_m[frame], self._hidden_m)
        return points.numpy(), self._point_rgb[frame]


def _paler(color: np.ndarray, certain: Float[Tensor, "frames items"]) -> np.ndarray:
    """Colours (items 3; 0 to 1) made paler by confidence: frames items 3; 0 to 255."""
    strength = (0.35 + 0.65 * certain.numpy())[..., None]
    return (255 * (1 - strength * (1 - color**_INK))).round().astype(np.uint8)


def _bone_colors(layout: JointLayout) -> np.ndarray:
    """Colour of each bone, for both of its ends: bones 2 3; 0 to 255."""
    rgb = np.array([joint_color(layout.joints[joint]) for joint, _ in layout.bones]) ** _INK * 255
    return np.repeat(rgb.round().astype(np.uint8)[:, None], 2, 1)
