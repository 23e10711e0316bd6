"""Skeletons: keypoints drawn on an image, and joints in space as a mesh of balls and rods."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import normalize

from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

Color = tuple[float, float, float]

LEFT, RIGHT, MIDDLE = (0.13, 0.47, 0.75), (0.87, 0.36, 0.24), (0.36, 0.40, 0.45)

_PERSON_COLORS = (
    (0.36, 0.60, 0.84), (0.93, 0.58, 0.30), (0.42, 0.70, 0.46), (0.80, 0.50, 0.72), (0.93, 0.80, 0.36),
    (0.42, 0.76, 0.80), (0.78, 0.38, 0.36), (0.60, 0.56, 0.50),
)  # fmt: skip
_PAPER, _IMAGE = (0.90, 0.905, 0.915), (0.965, 0.97, 0.975)
_BALL_RADIUS_M, _ROD_RADIUS_M = 0.032, 0.02
_SIDES, _RINGS = 12, 7


def joint_color(joint: str) -> Color:
    """Colour of a joint and of its bone: blue on the left, red on the right, grey in the middle."""
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE


def person_color(index: int) -> Color:
    """Colour of one of several persons, by place in the list: the same in every frame, view and run."""
    return _PERSON_COLORS[index % len(_PERSON_COLORS)]


def draw_keypoints(
    keypoints: Keypoints | Sequence[Keypoints],
    frame: int | Sequence[int],
    width_px: int,
    height_px: int,
    behind: UInt8[np.ndarray, "height width 3"] | None = None,
    colors: Sequence[Color | None] = (None,),
) -> UInt8[np.ndarray, "height width 3"]:
    """The skeletons of one frame, scaled to fit a picture; the lighter part of the picture is the image of the clip.

    Joints with confidence 0 are left out with their bones. Less confident ones are paler.

    Args:
        frame: Of the clip, or one for each of several clips. A person who has no such frame is left out.
        behind: A picture of that size with the image of the clip in the middle, instead of plain paper.
        colors: One for each person; None is blue on the left and red on the right.
    """
    people = [keypoints] if isinstance(keypoints, Keypoints) else keypoints
    sharp = 2  # drawn large and shrunk, for smooth edges
    paper = np.array([width_px, height_px]) * sharp
    size = np.array([people[0].width_px, people[0].height_px])
    scale = (paper / size).min()
    size = size * scale
    origin = (paper - size) / 2
    if behind is None:
        picture = Image.new("RGB", (width_px * sharp, height_px * sharp), _rgb(_PAPER))
        ImageDraw.Draw(picture).rectangle([*origin, *(origin + size)], fill=_rgb(_IMAGE))
    else:
        picture = Image.fromarray(behind).resize((width_px * sharp, height_px * sharp), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    moments = [frame] * len(people) if isinstance(frame, int) else frame
    for person, moment, color in zip(people, moments, colors, strict=True):
        if not 0 <= moment < person.frame_count:
            continue
        xy = person.xy_px[moment].cpu().numpy() * scale + origin
        _draw_person(pen, person, moment, xy, sharp * min(width_px, height_px) / 480, color)
    return np.asarray(picture.reduce(sharp))


def _draw_person(
    pen: ImageDraw.ImageDraw,
    person: Keypoints,
    frame: int,
    xy: np.ndarray,
    unit: float,
    one_color: Color | None,
) -> None:
    confidence = person.confidence[frame].clamp(max=1).tolist()
    names = person.layout.joints
    for joint, parent in person.layout.bones:
        certain = min(confidence[joint], confidence[parent])
        if certain > 0:
            color = _paler(one_color or joint_color(names[joint]), certain)
            pen.line([*xy[joint], *xy[parent]], fill=color, width=max(1, round(4.5 * unit)))
    for joint in sorted(range(len(names)), key=confidence.__getitem__):
        if confidence[joint] > 0:
            color = _paler(one_color or joint_color(names[joint]), confidence[joint])
            pen.circle(tuple(xy[joint]), 4.2 * unit, fill=color)


def stick_figure(layout: JointLayout) -> tuple[Int[Tensor, "faces 3"], Float[Tensor, "vertices 3"]]:
    """Faces and vertex colours of `stick_figure_vertices`."""
    grid = torch.arange((_RINGS - 1) * _SIDES).reshape(_RINGS - 1, _SIDES)
    after = grid - grid % _SIDES + (grid + 1) % _SIDES
    tube = torch.stack([grid, after, grid + _SIDES, after, after + _SIDES, grid + _SIDES], -1).reshape(-1, 3)
    owners = [*range(layout.joint_count), *(joint for joint, _ in layout.bones)]
    faces = torch.cat([tube + i * _RINGS * _SIDES for i in range(len(owners))])
    color = torch.tensor([joint_color(layout.joints[joint]) for joint in owners])
    return faces, color.repeat_interleave(_RINGS * _SIDES, 0)


def stick_figure_vertices(
    position_m: Float[Tensor, "frames joints 3"], layout: JointLayout
) -> Float[Tensor, "frames vertices 3"]:
    """A ball at every joint and a rod along every bone; all of them are tubes of rings with closed ends."""
    child, parent = (list(ends) for ends in zip(*layout.bones, strict=True))
    start, end = position_m[:, parent], position_m[:, child]
    up = torch.zeros_like(position_m)
    up[..., 1] = 1
    like = {"dtype": position_m.dtype, "device": position_m.device}
    latitude = torch.linspace(-math.pi / 2, math.pi / 2, _RINGS, **like)
    ball = _tubes(position_m, up, _BALL_RADIUS_M * latitude.sin(), _BALL_RADIUS_M * latitude.cos())
    along = torch.linspace(0, 1, _RINGS, **like) * (end - start).norm(dim=-1, keepdim=True)
    width = torch.full_like(along, _ROD_RADIUS_M)
    return torch.cat([ball, _tubes(start, normalize(end - start, dim=-1), along, width)], 1).flatten(1, 3)


def _tubes(base_m: Tensor, axis: Tensor, along_m: Tensor, radius_m: Tensor) -> Tensor:
    """Rings of points around axes: frames items rings sides 3."""
    x, _, z = torch.eye(3, dtype=axis.dtype, device=axis.device)
    helper = torch.where(axis[..., :1].abs() < 0.7, x, z)
    side = normalize(torch.linalg.cross(axis, helper), dim=-1)
    angle = torch.arange(_SIDES, dtype=axis.dtype, device=axis.device) * (2 * math.pi / _SIDES)
    other = torch.linalg.cross(axis, side)
    circle = side[..., None, :] * angle.cos()[:, None] + other[..., None, :] * angle.sin()[:, None]
    center = base_m[..., None, :] + axis[..., None, :] * along_m[..., None]
    return center[..., None, :] + circle[..., None, :, :] * radius_m[..., None, None]


def _paler(color: Color, certain: float) -> tuple[int, int, int]:
    strength = 0.25 + 0.75 * certain
    return _rgb(tuple(1 - strength * (1 - part) for part in color))


def _rgb(color: tuple[float, ...]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in color)
    return red, green, blue
