"""Where a body touches the floor: heels, toes, hands, knees, seat and back.

Some points of the body stand for its surface, each with the distance at which the surface lies around it. The gap of a
point is its height less that distance. A part touches the floor where one of its points has a small gap and is slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.checks.values import require_fps, require_shape
from motionrep.layouts import SMPL_24
from motionrep.motion.axes import require_frame
from motionrep.types import BodyMotion, as_float32

# Points of each part, and how far the surface lies around them in metres; None: as far as the sole of a standing foot.
_PARTS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "left_heel": (("left_heel",), None),
    "right_heel": (("right_heel",), None),
    "left_toe": (("left_big_toe", "left_small_toe"), None),
    "right_toe": (("right_big_toe", "right_small_toe"), None),
    "left_hand": (("left_hand_tip", "left_index", "left_pinky"), 0.01),
    "right_hand": (("right_hand_tip", "right_index", "right_pinky"), 0.01),
    "left_knee": (("left_knee",), 0.07),
    "right_knee": (("right_knee",), 0.07),
    "seat": (("left_hip", "right_hip"), 0.09),
    "back": (("spine3",), 0.06),
}
PARTS = tuple(_PARTS)
FEET = tuple(part for part in PARTS if part.endswith(("heel", "toe")))
# Index of each point among JOINTS_AND_LANDMARKS, and the part that it belongs to.
POINTS = tuple(JOINTS_AND_LANDMARKS.index(point) for points, _ in _PARTS.values() for point in points)
PART_OF_POINT = tuple(part for part, (points, _) in enumerate(_PARTS.values()) for _ in points)
MIRRORED_PARTS = tuple(  # of each part, the one that it becomes in a mirror
    PARTS.index(part.replace("left", "right") if "left" in part else part.replace("right", "left")) for part in PARTS
)
_NEAR_M, _SLOW_M_PER_S = 0.05, 0.35  # WHAM calls a foot standing that moves less than 1 cm in 1/30 s


@dataclass(frozen=True)
class Ground:
    """What is known of the ground from one person's clip.

    Attributes:
        up: Direction away from the ground in camera axes, of length 1.
        contact: Probability that a part (`PARTS`) touches the floor.
        first_frame: As in `Keypoints`.
    """

    up: Float[Tensor, "frames 3"]
    contact: Float[Tensor, "frames parts"]
    fps: float
    first_frame: int = 0

    def __post_init__(self) -> None:
        for name, last in (("up", 3), ("contact", len(PARTS))):
            object.__setattr__(self, name, as_float32(getattr(self, name)))
            require_shape(f"Ground.{name}", getattr(self, name), (len(self.up), last))
        require_fps("Ground", self.fps)

    def to(self, device: str | torch.device) -> "Ground":
        """The same on a device."""
        return Ground(self.up.to(device), self.contact.to(device), self.fps, self.first_frame)


def contact_weights(ground: Ground, least: float) -> Float[Tensor, "frames points"]:
    """Of `POINTS`, from 0 for one that touches the floor with a probability up to `least`, to 1."""
    return ((ground.contact[:, list(PART_OF_POINT)] - least) / (1 - least)).clamp(min=0)


def point_radii_m(body: BodyModel) -> Float[Tensor, " points"]:
    """Distance of the surface from each of `POINTS`."""
    rest_m = torch.cat([body.template_joint_m[: SMPL_24.joint_count], body.template_vertex_m[body.landmark_ids]])
    above_sole_m = rest_m[list(POINTS), 1] - body.template_vertex_m[:, 1].amin()
    fixed_m = [radius_m for points, radius_m in _PARTS.values() for _ in points]
    return torch.stack([a if r is None else torch.full_like(a, r) for a, r in zip(above_sole_m, fixed_m, strict=True)])


def contact_points_m(
    body: BodyModel,
    local_rotmat: Float[Tensor, "*#batch joints 3 3"],
    betas: Float[Tensor, "*#batch betas"],
    translation_m: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*batch points 3"]:
    """`POINTS` of posed bodies, in the axes of the pose."""
    point_m = body.points(JOINTS_AND_LANDMARKS, local_rotmat, betas, translation_m)
    return point_m[..., list(POINTS), :]


def floor_contacts(
    point_m: Float[Tensor, "*batch frames points 3"], radius_m: Float[Tensor, " points"], fps: float
) -> Bool[Tensor, "*batch frames parts"]:
    """Whether each of `PARTS` is within 5 cm of the floor and slower than 0.35 m/s.

    Args:
        point_m: `POINTS` in world axes.
    """
    gap_m = point_m[..., 1] - radius_m
    speed = speeds_m_per_s(point_m, fps)
    touching = (gap_m.abs() < _NEAR_M) & (speed < _SLOW_M_PER_S)
    return of_parts(touching.to(gap_m)) > 0


def speeds_m_per_s(
    point_m: Float[Tensor, "*batch frames points 3"], fps: float
) -> Float[Tensor, "*batch frames points"]:
    """Length of the central difference, one-sided at the ends; 0 for a single frame."""
    if point_m.shape[-3] < 2:
        return torch.zeros_like(point_m[..., 0])
    return torch.gradient(point_m, spacing=1 / fps, dim=-3)[0].norm(dim=-1)


def of_parts(values: Float[Tensor, "*batch points"]) -> Float[Tensor, "*batch parts"]:
    """The largest value among the points of each part."""
    part = torch.tensor(PART_OF_POINT, device=values.device).expand(values.shape)
    empty = values.new_full((*values.shape[:-1], len(PARTS)), -torch.inf)
    return empty.scatter_reduce(-1, part, values, "amax")


@torch.no_grad()
def motion_contacts(motion: BodyMotion, body: BodyModel) -> Bool[Tensor, "frames parts"]:
    """`floor_contacts` of a motion in world axes.

    Raises:
        ValueError: The motion is in other axes.
    """
    require_frame(motion, "world")
    point_m = contact_points_m(body, motion.local_rotmat, motion.betas, motion.translation_m)
    return floor_contacts(point_m, point_radii_m(body), motion.fps)


@torch.no_grad()
def true_ground(
    batch: Mapping[str, Tensor], body: BodyModel, fps: float
) -> tuple[Float[Tensor, "batch frames 3"], Bool[Tensor, "batch frames parts"]]:
    """Up in camera axes, and `floor_contacts`, of clips as `datasets.synthetic.clips` describes them."""
    rotmat, shift_m = batch["camera_from_world"].split([3, 1], -1)
    point_m = contact_points_m(body, batch["local_rotmat"], batch["betas"][:, None], batch["translation_m"])
    world_m = (point_m - shift_m.mT) @ rotmat
    return rotmat[..., 1], floor_contacts(world_m, point_radii_m(body), fps)
