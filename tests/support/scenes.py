"""Scenes that every back end draws."""

from collections.abc import Sequence
from dataclasses import replace

import roma
import torch

from motionrep.body import load_body_model
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import SMPL_24
from motionrep.rendering.backdrop import Backdrop, make_backdrop
from motionrep.rendering.surfaces import Surface

BOX_FACES = torch.tensor([
    [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
])  # fmt: skip


def _box(center_m: Sequence[float], size_m: float, color: Sequence[float]) -> Surface:
    sign = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    vertex_m = sign * size_m + torch.tensor(center_m)
    return Surface(vertex_m, BOX_FACES, torch.tensor(color).expand_as(vertex_m))


def _body(place_m: Sequence[float], arm_rad: float, color: Sequence[float]) -> Surface:
    body, axis_angle = load_body_model("open"), torch.zeros(24, 3)
    axis_angle[SMPL_24.index("left_shoulder"), 2] = -arm_rad
    axis_angle[SMPL_24.index("right_shoulder"), 2] = arm_rad
    vertex_m = body.vertices(roma.rotvec_to_rotmat(axis_angle), torch.zeros(10), torch.tensor(place_m))
    return Surface(vertex_m, body.faces, torch.tensor(color).expand_as(vertex_m))


def _camera(eye_m: Sequence[float], target_m: Sequence[float], width_px: int, height_px: int) -> PinholeCamera:
    pose = camera_from_world_looking(torch.tensor(eye_m), torch.tensor(target_m))
    return replace(PinholeCamera.from_hfov(width_px, height_px, 45.0), camera_from_world=pose)


def scene_named(name: str) -> tuple[list[Surface], Backdrop]:
    if name == "bodies":  # the second is half behind the first, the third leaves the picture
        people = [
            _body((0.0, 0.93, 0.0), 1.1, (0.87, 0.8, 0.745)),
            _body((0.45, 0.93, -0.8), 0.3, (0.45, 0.6, 0.85)),
            _body((-1.6, 0.93, 0.4), 0.9, (0.6, 0.8, 0.5)),
        ]
        return people, make_backdrop(_camera((0.8, 1.3, 3.6), (0.0, 0.9, 0.0), 160, 120), torch.zeros(3))
    if name == "near":  # a long plank passes below the camera and behind it
        plank = _box((0.0, 0.0, 0.0), 1.0, (0.8, 0.5, 0.2))
        plank = replace(plank, vertex_m=plank.vertex_m * torch.tensor([0.4, 0.1, 8.0]) + torch.tensor([0, 0.4, 0]))
        red = _box((0.5, 0.3, -0.6), 0.6, (0.85, 0.25, 0.2))
        return [plank, red], make_backdrop(_camera((0.1, 0.8, 1.5), (0.0, 0.4, -1.0), 96, 72), torch.zeros(3))
    boxes = [_box((0.0, 0.6, 0.0), 0.8, (0.9, 0.3, 0.2)), _box((0.6, 0.4, 0.4), 0.4, (0.2, 0.4, 0.9))]
    camera = _camera((1.0, 1.5, 3.0), (0.1, 0.5, 0.0), 96, 72)
    return boxes, make_backdrop(camera, torch.zeros(3), behind="transparent")
