"""The problem behind refinement: changes of the predicted bodies of several people, solved side by side."""

import math
from dataclasses import dataclass, fields, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.fitting.minimising import geman_mcclure, minimise
from motionrep.layouts import SMPL_24

_EVALUATIONS, _SHAPE_EVALUATIONS = 16, 10
_JOINTS = SMPL_24.joint_count
_CHANGES = 3 * _JOINTS + 3
# Standard deviations. They were chosen with other cameras than those of the reported numbers (benchmarks/refine.md).
_KEYPOINT_M = 0.03  # of a keypoint from the body, at the person's distance; large since errors last over frames
_OUTLIER_M = 0.1
_ROTATION_RAD = 0.15  # of the prediction from the truth
_BETA = 0.5
_TRANSLATION_M = 0.5
_ACCELERATION = 20.0  # m/s^2; of the pelvis, and of the other joints relative to it and to the prediction
_GAP_M = 0.03  # between the floor and what touches it
_FAR_FROM_FLOOR_M = 0.1
_HOLD_M_PER_S = 0.1  # of what touches the floor
_SLIPPING_M_PER_S = 0.6


@dataclass(frozen=True)
class Floor:
    """A floor, at y = 0 of a world in which the camera stands or moves, and what touches it.

    Attributes:
        turn: From camera axes to the world.
        eye_m: The camera's place in the world.
        camera_moves: Otherwise turn and place are the same in all frames.
        radius_m: Of the surface about each of `motion.contacts.POINTS`.
        points: Index of each of them among the joints and landmarks.
        contact: From 0 for a point that does not touch the floor to 1.
    """

    turn: Float[Tensor, "people frames 3 3"]
    eye_m: Float[Tensor, "people frames 3"]
    camera_moves: bool
    radius_m: Float[Tensor, " points"]
    points: Tensor
    contact: Float[Tensor, "people frames points"]

    def in_world(self, point_m: Float[Tensor, "people frames points 3"]) -> Float[Tensor, "people frames points 3"]:
        """Points in camera axes, in the world."""
        return point_m @ self.turn.mT + self.eye_m[:, :, None]

    def gap_m(self, world_m: Float[Tensor, "people frames points 3"]) -> Float[Tensor, "people frames points"]:
        """Between the surface and the floor."""
        return world_m[..., 1] - self.radius_m

    def at(self, person: Tensor, frames: Tensor) -> "Floor":
        """Other frames of every person, as `People.at`."""
        named = ("turn", "eye_m", "contact")
        return replace(self, **{name: getattr(self, name)[person, frames] for name in named})

    def holds(self) -> Float[Tensor, "people steps points"]:
        """How surely a point touches the floor in a frame and in the next one."""
        return torch.minimum(self.contact[:, 1:], self.contact[:, :-1])


@dataclass(frozen=True)
class People:
    """Frames of several people before one camera; shorter clips are padded by their last frame, with weight 0.

    Attributes:
        ray: Keypoints as x / z and y / z.
        depth_m: Of the predicted body.
        real: 1 for frames that are no padding.
    """

    body: BodyModel
    regressor: Float[Tensor, "joints sources"]
    fps: float
    local_rotmat: Float[Tensor, "people frames rotations 3 3"]
    translation_m: Float[Tensor, "people frames 3"]
    betas: Float[Tensor, "people betas"]
    expression: Float[Tensor, "people frames expressions"] | None
    ray: Float[Tensor, "people frames joints 2"]
    weight: Float[Tensor, "people frames joints"]
    depth_m: Float[Tensor, "people frames"]
    real: Float[Tensor, "people frames"]
    floor: Floor | None = None

    def at(self, frames: Tensor) -> "People":
        """Other frames of every person, by their numbers (people, frames)."""
        person = torch.arange(len(frames), device=frames.device)[:, None]
        named = ("local_rotmat", "translation_m", "expression", "ray", "weight", "depth_m", "real")
        values = {name: value[person, frames] for name in named if (value := getattr(self, name)) is not None}
        return replace(self, floor=self.floor and self.floor.at(person, frames), **values)

    def moved(self, rotvec: Tensor, moved_m: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations and translations after changes."""
        given, others = self.local_rotmat.split([_JOINTS, self.local_rotmat.shape[2] - _JOINTS], 2)
        turned = given @ roma.rotvec_to_rotmat(rotvec)
        others = others.expand(*turned.shape[:2], -1, 3, 3)
        return torch.cat([turned, others], 2), self.translation_m + moved_m

    def points(self, rotvec: Tensor, moved_m: Tensor, betas: Tensor) -> Float[Tensor, "people frames sources 3"]:
        """SMPL's joints and the landmarks after changes."""
        pose = self.moved(rotvec, moved_m)
        return self.body.points(JOINTS_AND_LANDMARKS, pose[0], betas[:, None], pose[1], self.expression)

    def steadied(self, point_m: Float[Tensor, "people frames points 3"]) -> Float[Tensor, "people frames points 3"]:
        """Points as a camera that does not move would see them, where its way is known."""
        return self.floor.in_world(point_m) if self.floor is not None and self.floor.camera_moves else point_m


def joined(people: list[People]) -> People:
    """People who are solved side by side, each of one row, with the same body, joints, frame rate and floor."""
    longest = max(one.real.shape[1] for one in people)
    values = {}
    for field in fields(People):
        parts = [getattr(one, field.name) for one in people]
        if isinstance(parts[0], Tensor) and field.name not in ("regressor", "betas"):
            parts = [_lengthened(part, longest, field.name in ("weight", "real")) for part in parts]
        values[field.name] = torch.cat(parts) if isinstance(parts[0], Tensor) else parts[0]
    values["regressor"] = people[0].regressor
    if people[0].floor is not None:
        floors = [one.floor for one in people if one.floor is not None]
        per_frame = {
            name: torch.cat([_lengthened(getattr(floor, name), longest, name == "contact") for floor in floors])
            for name in ("turn", "eye_m", "contact")
        }
        values["floor"] = replace(floors[0], **per_frame)
    return People(**values)


def solve_shape(people: People) -> Float[Tensor, "people betas"]:
    """Betas that suit frames far apart."""
    return _solve(people, people.betas, with_shape=True)[2]


def solve_changes(people: People, betas: Float[Tensor, "people betas"]) -> tuple[Tensor, Tensor]:
    """Changes of the rotations of SMPL's joints, as rotation vectors, and of the translations."""
    return _solve(people, betas)[:2]


def _solve(people: People, betas: Tensor, with_shape: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Minimises over coefficients of smooth changes, scaled so that the cost is about equally curved in all of them.

    With the shape, frames are far apart, so nothing is smoothed and nothing holds.
    """
    count, frames = people.real.shape
    smooth = frames > 2 and not with_shape
    basis, slowness = _cosines(frames, people.real) if smooth else (None, None)
    scale = _curvature(people, betas, slowness).rsqrt()
    coefficient = torch.zeros_like(scale.expand(count, frames, _CHANGES)).requires_grad_()
    shape = torch.zeros_like(betas).requires_grad_()
    lasting = people.real.sum(1)
    # Frames whose neighbours are real, too.
    inner = people.real[:, 2:, None, None]
    expected = _without_jitter(_acceleration(_predicted_m(people, betas), people.fps)) if smooth else None

    def current() -> tuple[Tensor, Tensor, Tensor]:
        change = scale * coefficient
        change = change if basis is None else basis @ change
        shaped = betas + _BETA * (lasting**-0.5)[:, None] * shape if with_shape else betas
        return change[..., :-3].unflatten(-1, (_JOINTS, 3)), change[..., -3:], shaped

    def cost() -> Tensor:
        rotvec, moved_m, shaped = current()
        source_m = people.points(rotvec, moved_m, shaped)
        seen_m = people.regressor @ source_m
        off_m = (seen_m[..., :2] / seen_m[..., 2:] - people.ray) * people.depth_m[..., None, None]
        terms = [people.weight * geman_mcclure(off_m.square().sum(-1), _OUTLIER_M) / _KEYPOINT_M**2]
        terms += [(rotvec / _ROTATION_RAD).square(), (moved_m / _TRANSLATION_M).square()]
        if with_shape:
            terms.append(lasting[:, None] * ((shaped - betas) / _BETA).square())
        if expected is not None:
            unexpected = _acceleration(people.steadied(source_m[:, :, :_JOINTS]), people.fps) - expected
            terms.append((inner * unexpected / _ACCELERATION).square())
        if people.floor is not None:
            terms += _floor_terms(people, people.floor, source_m.index_select(2, people.floor.points), smooth)
        return torch.stack([term.flatten(1).sum(1) for term in terms]).sum(0)

    minimise(
        cost, [coefficient, shape] if with_shape else [coefficient], _SHAPE_EVALUATIONS if with_shape else _EVALUATIONS
    )
    with torch.no_grad():
        return current()


def _floor_terms(people: People, floor: Floor, point_m: Tensor, smooth: bool) -> list[Tensor]:
    """What touches the floor is on it and holds; nothing is below it."""
    world_m = floor.in_world(point_m)
    gap_m = floor.gap_m(world_m)
    terms = [floor.contact * geman_mcclure(gap_m.square(), _FAR_FROM_FLOOR_M) / _GAP_M**2]
    terms.append(people.real[..., None] * (gap_m.clamp(max=0) / _GAP_M).square())
    if smooth:
        speed = (world_m.diff(dim=1) * people.fps).square().sum(-1)
        terms.append(floor.holds() * geman_mcclure(speed, _SLIPPING_M_PER_S) / _HOLD_M_PER_S**2)
    return terms


def _acceleration(joint_m: Float[Tensor, "people frames joints 3"], fps: float) -> Tensor:
    return (joint_m[:, 2:] - 2 * joint_m[:, 1:-1] + joint_m[:, :-2]) * fps**2


def _without_jitter(acceleration: Float[Tensor, "people frames joints 3"]) -> Tensor:
    """Accelerations of the joints, of which large ones are reduced: they are jitter rather than motion."""
    size = acceleration.norm(dim=-1, keepdim=True)
    return acceleration / (1 + (size / _ACCELERATION).square())


@torch.no_grad()
def _predicted_m(people: People, betas: Tensor) -> Float[Tensor, "people frames joints 3"]:
    """The predicted joints relative to the pelvis, for bodies of that shape."""
    still = people.translation_m.new_zeros(*people.real.shape, _JOINTS, 3)
    joint_m = people.steadied(people.points(still, still[:, :, 0], betas)[:, :, :_JOINTS])
    return joint_m - joint_m[:, :, :1]


@torch.no_grad()
def _curvature(people: People, betas: Tensor, slowness: Tensor | None) -> Float[Tensor, "people frames 75"]:
    """About half the curvature of the cost in each coefficient; only the speed of the solution depends on it.

    It is found by finite differences in the middle frame.
    """
    step, allowed = 0.01, people.real.new_full((_CHANGES,), _ROTATION_RAD)
    allowed[-3:] = _TRANSLATION_M
    one = people.at((people.real.sum(1, keepdim=True) / 2).long())
    moves = torch.cat([torch.zeros_like(allowed)[None], step * torch.eye(_CHANGES).to(allowed)])[None]
    alone = replace(one, floor=None)
    source_m = alone.points(moves[..., :-3].unflatten(-1, (_JOINTS, 3)), moves[..., -3:], betas)
    change_m = (source_m[:, 1:] - source_m[:, :1]) / step
    seen_m = one.regressor @ source_m
    xy_m = seen_m[..., :2] / seen_m[..., 2:] * one.depth_m[..., None, None]
    moved = ((xy_m[:, 1:] - xy_m[:, :1]) / step).square().sum(-1)
    share = 1 / people.real.sum(1)[:, None]
    curvature = (moved @ (people.weight.sum(1) * share)[..., None])[..., 0] / _KEYPOINT_M**2 + allowed**-2
    curvature = curvature[:, None]
    joint_m2 = change_m[:, :, :_JOINTS].square().sum((-1, -2))[:, None]
    if slowness is not None:
        curvature = curvature + (slowness * people.fps**2).square()[:, None] * joint_m2 / _ACCELERATION**2
    if people.floor is not None and one.floor is not None:
        floor, touching = people.floor, (people.floor.contact.sum(1) * share)[:, None]
        point_m = change_m.index_select(2, floor.points)
        raised_m = (point_m * one.floor.turn[:, :, None, 1]).sum(-1)
        curvature = curvature + (raised_m.square() * touching).sum(-1)[:, None] / _GAP_M**2
        if slowness is not None:
            held_m2 = (point_m.square().sum(-1) * touching).sum(-1)[:, None]
            curvature = curvature + (slowness * people.fps**2)[:, None] * held_m2 / _HOLD_M_PER_S**2
    return curvature


def _cosines(frames: int, like: Tensor) -> tuple[Float[Tensor, "frames frames"], Float[Tensor, " frames"]]:
    """Smooth functions of time as columns, and by how much their second difference is smaller than they are."""
    at = torch.arange(frames, device=like.device, dtype=like.dtype)
    angle = math.pi * at / frames
    basis = torch.cos((at[:, None] + 0.5) * angle) * (2 / frames) ** 0.5
    basis[:, 0] = frames**-0.5
    return basis, 2 - 2 * torch.cos(angle)


def _lengthened(values: Tensor, frames: int, empty: bool) -> Tensor:
    """One person's values, padded by the last frame, or by 0."""
    last = torch.zeros_like(values[:, -1:]) if empty else values[:, -1:]
    more = last.expand(-1, frames - values.shape[1], *values.shape[2:])
    return torch.cat([values, more], 1)
