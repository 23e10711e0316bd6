"""Where motions stand on the floor, and where the cameras stand that look at them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d, normalize

from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking, up_in_camera
from motionrep.rendering.drawables import Drawable
from motionrep.types import Frame

_STEEPEST_DEG = 25.0
_FOLLOW_M = 1.2
_FOLLOW_SIGMA_S = 0.6
_FLOOR_QUANTILE = 0.05
_FIELD_OF_VIEW_DEG = 32.0
_MARGIN = 1.1
_ELEVATION_DEG = 9.0
_SAMPLES = 32
_FRONT_DEG, _SIDE_DEG = 28.0, 90.0
_TURN_S = 6.0


@dataclass(frozen=True)
class Stage:
    """A motion placed in a world whose y axis points up and whose floor is y = 0.

    The viewer in front of the person stands in the direction +z. `center_m` is the point that placed cameras look at,
    one per frame; it is the same for all frames if the person stays in place. Everything lies within `radius_m` of it,
    and within `across_m` of the vertical line through it.
    """

    world_from_motion: Float[Tensor, "4 4"]
    center_m: Float[Tensor, "frames 3"]
    radius_m: float
    across_m: float

    @property
    def follows(self) -> bool:
        """Whether the person walks so far that the cameras go along."""
        return bool((self.center_m != self.center_m[0]).any())


def up_from_steps(up: Float[Tensor, "3"], sample_m: Float[Tensor, "samples points 3"]) -> Float[Tensor, "3"]:
    """The direction up, corrected so that a person who walks some way stays on one level.

    A plane is fitted to the lowest point of each sample, with a small penalty on its slope. A person who stays within
    1.2 m does not determine the slope, and slopes beyond 25 degrees are implausible: both leave `up` as it is.
    """
    across = normalize(torch.linalg.cross(up, torch.eye(3)[up.abs().argmin()]), dim=0)
    axes = torch.stack([across, torch.linalg.cross(up, across)])
    height_m = sample_m @ up
    lowest = sample_m[torch.arange(len(sample_m)), height_m.argmin(1)]
    place_m = lowest @ axes.T
    place_m = place_m - place_m.mean(0)
    if float((place_m.amax(0) - place_m.amin(0)).norm()) < _FOLLOW_M:
        return up
    rise_m = lowest @ up - (lowest @ up).mean()
    slope = torch.linalg.solve(place_m.T @ place_m + 0.1 * torch.eye(2), place_m.T @ rise_m)
    if float(slope.norm()) > math.tan(math.radians(_STEEPEST_DEG)):
        return up
    return normalize(up - slope @ axes, dim=0)


def make_stage(
    sample_m: Float[Tensor, "samples points 3"],
    sample_frame: list[int],
    path_m: Float[Tensor, "frames 3"],
    fps: float,
    up: Float[Tensor, "3"],
    front: Float[Tensor, "3"],
    floor_is_zero: bool,
) -> Stage:
    """Finds the floor and the extent of a motion from some of its frames.

    Args:
        sample_m: Surface or joints at the frames `sample_frame`, in the axes of the motion.
        path_m: About the middle of the person in every frame.
        front: Towards the viewer in front, not parallel to `up`.
        floor_is_zero: Whether the floor of the motion is y = 0. Otherwise the floor is put at the 5th percentile of
            the lowest points.
    """
    side = normalize(torch.linalg.cross(up, front), dim=0)
    rotation = torch.stack([side, up, torch.linalg.cross(side, up)])
    world_from_motion = torch.eye(4)
    world_from_motion[:3, :3] = rotation
    sample_m, path_m = sample_m @ rotation.T, path_m @ rotation.T
    if not floor_is_zero:
        floor = torch.quantile(sample_m[..., 1].amin(1), _FLOOR_QUANTILE)
        world_from_motion[1, 3] = -floor
        shift = torch.stack([torch.zeros(()), floor, torch.zeros(())])
        sample_m, path_m = sample_m - shift, path_m - shift
    low, high = sample_m.amin((0, 1)), sample_m.amax((0, 1))
    center_m = ((low + high) / 2).expand(len(path_m), 3)
    if float((path_m.amax(0) - path_m.amin(0))[[0, 2]].max()) > _FOLLOW_M:
        center_m = center_m.clone()
        center_m[:, [0, 2]] = _smooth(path_m[:, [0, 2]], _FOLLOW_SIGMA_S * fps)
    away_m = sample_m - center_m[sample_frame][:, None]
    return Stage(
        world_from_motion, center_m, float(away_m.norm(dim=-1).max()), float(away_m[..., [0, 2]].norm(dim=-1).max())
    )


def stage_for(people: Sequence[Drawable], frame: Frame, frame_count: int, fps: float) -> Stage:
    """The stage of persons that share the axes `frame`, from some of their frames.

    The front is the mean direction in which they look. If they look at each other, the viewer stands beside them.
    """
    sampled = sampled_frames(frame_count)
    sample_m = [torch.cat([person.vertices([at]).cpu() for at in sampled]) for person in people]
    path_m = torch.stack([person.pelvis_m for person in people]).mean(0)
    up, front = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, -1.0])
    if frame != "world":
        guesses = [
            up_from_steps(-up if person.up is None else up_in_camera(person.up), one_m)
            for person, one_m in zip(people, sample_m, strict=True)
        ]
        up = normalize(torch.stack(guesses).mean(0), dim=0)
    else:
        fronts = [normalize(person.front, dim=0) for person in people if person.front is not None]
        ahead = torch.stack(fronts).mean(0) if fronts else torch.zeros(3)
        apart = (people[-1].pelvis_m - people[0].pelvis_m).mean(0)[[0, 2]]
        if float(ahead[[0, 2]].norm()) > 0.3:
            front = ahead
        elif len(people) > 1 and float(apart.norm()) > 0.1:
            front = torch.stack([-apart[1], torch.zeros(()), apart[0]])
        else:
            front = -front
    return make_stage(torch.cat(sample_m, 1), sampled, path_m, fps, up, front, frame == "world")


def sampled_frames(frame_count: int) -> list[int]:
    """At most 32 frames, spread evenly over a clip, that represent all of it."""
    return torch.linspace(0, frame_count - 1, min(frame_count, _SAMPLES)).round().long().tolist()


def azimuth_deg(view: str, frame: int, frame_count: int, fps: float, of_world: bool) -> float:
    """How far the camera of a view stands to the right of the front. A turntable goes round once in about 6 s."""
    if view == "turntable":
        turns = max(1, round(frame_count / fps / _TURN_S))
        return 360.0 * turns * frame / frame_count
    return _SIDE_DEG if view == "side" else _FRONT_DEG if of_world else 0.0


def placed_camera(stage: Stage, frame: int, azimuth_deg: float, width_px: int, height_px: int) -> PinholeCamera:
    """A camera that sees the whole person, at an angle about the vertical from the front."""
    half_angle = math.radians(_FIELD_OF_VIEW_DEG) / 2
    focal_px = height_px / 2 / math.tan(half_angle)
    across_angle = math.atan(width_px / 2 / focal_px)
    distance_m = _MARGIN * max(stage.radius_m / math.sin(half_angle), stage.across_m / math.sin(across_angle))
    azimuth, elevation = math.radians(azimuth_deg), math.radians(_ELEVATION_DEG)
    flat = math.cos(elevation)
    direction = torch.tensor([flat * math.sin(azimuth), math.sin(elevation), flat * math.cos(azimuth)])
    center_m = stage.center_m[frame]
    transform = camera_from_world_looking(center_m + distance_m * direction, center_m)
    return PinholeCamera(focal_px, (width_px / 2, height_px / 2), width_px, height_px, transform)


def fitted(camera: PinholeCamera, width_px: int, height_px: int) -> PinholeCamera:
    """The camera with its image scaled to fit a picture of another size, in the middle of it."""
    scale = min(width_px / camera.width_px, height_px / camera.height_px)
    x = camera.center_px[0] * scale + (width_px - camera.width_px * scale) / 2
    y = camera.center_px[1] * scale + (height_px - camera.height_px * scale) / 2
    return replace(camera, focal_px=camera.focal_px * scale, center_px=(x, y), width_px=width_px, height_px=height_px)


def _smooth(path: Tensor, sigma_frames: float) -> Tensor:
    """Gaussian mean over time (frames, channels). Beyond its ends, the path continues as its point reflection."""
    radius = min(math.ceil(3 * sigma_frames), len(path) - 1)
    before = 2 * path[:1] - path[1 : radius + 1].flip(0)
    after = 2 * path[-1:] - path[-radius - 1 : -1].flip(0)
    weight = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma_frames) ** 2)
    return conv1d(torch.cat([before, path, after]).T[:, None], (weight / weight.sum())[None, None])[:, 0].T
