"""Views: the random choices behind one training sample, and the cameras that a batch of them has."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.datasets.synthetic.augmentation import Augmentation
from motionrep.datasets.synthetic.clip_changes import CameraMove
from motionrep.datasets.synthetic.filming import Filming, cut_distance_m
from motionrep.datasets.synthetic.runs import Run
from motionrep.layouts import MEDIAPIPE_33, JointLayout

_FARTHER, _MOST_STEPS = 1.2, 12
_NEAREST_DEPTH_M = 0.3


@dataclass(frozen=True)
class View:
    """Everything random about one sample.

    Attributes:
        start_s: Where in the run the sample starts.
        speed: Factor on the speed of the motion.
        aim_m: What the camera points at, relative to the mean of the hips.
        legs: Run whose legs and path are played instead, and where they start in it, in seconds.
        filming: Cuts, pans, distortion and what stands in front.
        bones_m: Change of the body's bones (`OtherBones.draw`); zeros for the open body's own.
        rng: Draws the detector's errors.
        augmentation_rng: Draws turns of limbs and hidden keypoints.
    """

    run: Run
    start_s: float
    speed: float
    mirror: bool
    betas: np.ndarray
    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    distance_m: float
    hfov_rad: float
    aim_m: np.ndarray
    size_px: tuple[int, int]
    layout: JointLayout
    camera_move: CameraMove
    legs: tuple[Run, float] | None
    filming: Filming
    bones_m: np.ndarray
    rng: np.random.Generator
    augmentation_rng: np.random.Generator


def as_filmed(view: View, augmentation: Augmentation, any_layout: bool) -> View:
    """The view with the distance, the picture and the joints that its filming asks for.

    Args:
        any_layout: Whether the detector may report other joints than were drawn.
    """
    filming, size_px = view.filming, view.size_px
    if filming.upright:
        size_px = min(size_px), max(size_px)
    distance_m = filming.distance_m(view.hfov_rad, size_px, view.distance_m, *augmentation.distance_m)
    learned = filming.learned and any_layout
    layout = MEDIAPIPE_33 if learned else view.layout
    return replace(
        view, distance_m=distance_m, size_px=size_px, layout=layout, filming=replace(filming, learned=learned)
    )


def cameras(
    views: list[View], world_m: Float[Tensor, "batch frames joints 3"]
) -> tuple[Float[Tensor, "batch frames 3 3"], Float[Tensor, "batch frames 3"], Float[Tensor, " batch"]]:
    """Rotation and translation from the world to the camera, and the focal length over half the image width.

    Each camera steps back from its drawn distance until every joint is in the picture and more than 1 m away, except
    where the picture is to cut the person off.

    Args:
        world_m: Joints in the world, the pelvis first.
    """

    def column(values: list[Any]) -> Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32)

    move = [view.camera_move for view in views]
    angles = column([[v.pitch_rad, v.yaw_rad, v.roll_rad] for v in views])[:, None] + column([m.turn_rad for m in move])
    # World axes to camera axes, y still up.
    facing = roma.euler_to_rotmat("ZXY", angles[..., [2, 0, 1]])
    rotation = torch.tensor([1.0, -1.0, -1.0])[:, None] * facing
    center = world_m[:, :, 0].mean(1) + column([v.aim_m for v in views])
    center = center[:, None] + column([m.follow for m in move])[:, None, None] * _straight_path(world_m[:, :, 0])
    focal = 1 / torch.tan(column([v.hfov_rad for v in views]) / 2)
    aspect = column([v.size_px[1] / v.size_px[0] for v in views])
    half_size = torch.stack([torch.ones_like(aspect), aspect], dim=-1)
    distance = column([v.distance_m for v in views])
    farther = torch.exp(-column([m.closer for m in move]))
    cut = torch.tensor([v.filming.cut is not None for v in views])
    for row in cut.nonzero()[:, 0].tolist():
        distance[row], center[row] = _cut_off(views[row], world_m[row], center[row], rotation[row], float(focal[row]))
    relative = (world_m - center[:, :, None]) @ rotation.mT
    for _ in range(_MOST_STEPS):
        depth = relative[..., 2] + (distance[:, None] * farther)[..., None]
        xy = relative[..., :2] / depth.clamp(min=0.1)[..., None] * focal[:, None, None, None]
        inside = (xy.abs() < half_size[:, None, None]).all(-1).all(-1).all(-1)
        nearest_m = depth.amin((1, 2))
        fits = torch.where(cut, nearest_m > _NEAREST_DEPTH_M, (nearest_m > 1) & inside)
        if bool(fits.all()):
            break
        distance = torch.where(fits, distance, distance * _FARTHER)
    translation = -(rotation @ center.expand(-1, world_m.shape[1], 3)[..., None])[..., 0]
    translation[..., 2] += distance[:, None] * farther
    for row, view in enumerate(views):
        if view.filming.pans and view.filming.cut is None:
            rotation[row], translation[row] = _panned(view, world_m[row], rotation[row], translation[row])
    return rotation, translation, focal


def _cut_off(
    view: View, world_m: Float[Tensor, "frames joints 3"], center_m: Tensor, rotation: Tensor, focal: float
) -> tuple[float, Float[Tensor, "frames 3"]]:
    """Distance, and what the camera points at in each frame, so that the picture shows what `view.filming.cut` says."""
    cut, aspect = view.filming.cut, view.size_px[1] / view.size_px[0]
    assert cut is not None
    distance_m = cut_distance_m(cut, focal, aspect)
    place = world_m @ rotation[0].T  # y down, as the middle frame's camera sees it
    place_m = (place - (center_m[:1] @ rotation[0].T)).median(0).values
    half_m = distance_m * aspect / focal  # what half the picture's height covers
    if cut.end == 1:
        down_m = float(place_m[:, 1].min()) - cut.margin_m + half_m
    elif cut.end == -1:
        down_m = float(place_m[:, 1].max()) + cut.margin_m - half_m
    else:
        down_m = float(place_m[:, 1].mean())
    aside_m = float(place_m[0, 0]) - torch.from_numpy(cut.aside).float() * half_m / aspect
    moved = torch.stack([aside_m, torch.full_like(aside_m, down_m), torch.zeros_like(aside_m)], -1)
    return distance_m, center_m + moved @ rotation[0]


def _panned(
    view: View, world_m: Float[Tensor, "frames joints 3"], rotation: Tensor, translation: Tensor
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """The camera stays where it is in the middle frame and turns after the person, late and not exactly."""
    middle = len(rotation) // 2
    eye_m = -(rotation[middle].T @ translation[middle])
    pelvis_m = world_m[:, 0]
    aim_m = pelvis_m.mean(0) + view.camera_move.follow * _straight_path(pelvis_m[None])[0]
    aim_m = aim_m + torch.from_numpy(view.aim_m).float()
    x, y, z = torch.nn.functional.normalize(aim_m - eye_m, dim=-1).unbind(-1)
    turn = torch.from_numpy(view.camera_move.turn_rad).float()
    yaw, pitch = torch.atan2(x, -z), torch.asin(-y)
    roll = view.roll_rad + turn[:, 2]
    facing = roma.euler_to_rotmat("ZXY", torch.stack([roll, pitch, yaw], -1))
    turned = torch.tensor([1.0, -1.0, -1.0])[:, None] * facing
    return turned, -(turned @ eye_m)


def _straight_path(path_m: Float[Tensor, "batch frames 3"]) -> Float[Tensor, "batch frames 3"]:
    """Least-squares line through a path at constant speed, relative to its middle."""
    at = torch.linspace(-1, 1, path_m.shape[1]) if path_m.shape[1] > 1 else torch.zeros(1)
    slope = (at[:, None] * path_m).sum(1) / (at**2).sum().clamp(min=1e-6)
    return at[:, None] * slope[:, None]
