"""What is drawn of a motion: a surface or a stick figure, made a few frames at a time, in the axes of the motion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.layouts import H36M_17, SMPL_24, JointLayout, to_h36m_17
from motionrep.rendering.looks import Show
from motionrep.rendering.skeleton import Color, stick_figure, stick_figure_vertices
from motionrep.types import BodyMotion, JointMotion, MeshMotion

Motion = BodyMotion | MeshMotion | JointMotion

_BODY_COLOR = (0.87, 0.80, 0.745)
_SAMPLES = 32


@dataclass(frozen=True)
class Drawable:
    """One person to draw.

    `vertices` makes the surface of some frames. `points` makes what is measured when motions are compared: the
    vertices, or the joints of a stick figure. `owner` says which of the points each vertex belongs to. `pelvis_m` is
    where the person is in every frame. `up` and `front` are the person's mean directions, None if they are not known.
    `there` is False in frames of the clip in which the person does not appear.
    """

    faces: Int[Tensor, "faces 3"]
    color: Float[Tensor, "vertices 3"]
    vertices: Callable[[Sequence[int]], Float[Tensor, "frames vertices 3"]]
    points: Callable[[Sequence[int]], Float[Tensor, "frames points 3"]]
    owner: Int[Tensor, " vertices"]
    pelvis_m: Float[Tensor, "frames 3"]
    up: Float[Tensor, "3"] | None
    front: Float[Tensor, "3"] | None
    there: Bool[Tensor, " frames"]


def in_clip(drawable: Drawable, begin: int, frame_count: int) -> Drawable:
    """The person in a clip of `frame_count` frames, who appears in the frame numbered `begin`."""
    frame = torch.arange(frame_count) - begin
    own = frame.clamp(0, len(drawable.pelvis_m) - 1)

    def at(made: Callable[[Sequence[int]], Tensor]) -> Callable[[Sequence[int]], Tensor]:
        return lambda frames: made(own[list(frames)].tolist())

    return replace(
        drawable, vertices=at(drawable.vertices), points=at(drawable.points), pelvis_m=drawable.pelvis_m[own],
        there=frame == own,
    )  # fmt: skip


def make_drawable(
    motion: Motion, show: Show, color: Color | None, device: torch.device, by_joints: bool = False
) -> Drawable:
    """What is drawn of a motion.

    Args:
        show: "skeleton" draws the 24 SMPL joints of a body as a stick figure. Joint motions always are stick figures.
        color: Of the surface or of the whole figure. None gives surfaces the colour of skin, and stick figures blue
            left and red right limbs.
        by_joints: Measures the surface of a body by its 24 SMPL joints, which all bodies have. Each vertex belongs to
            the joint that moves it most.

    Raises:
        ValueError: "skeleton" of a mesh, whose joints are not known.
    """
    if isinstance(motion, JointMotion):
        return _of_joints(motion, color, device)
    if isinstance(motion, BodyMotion):
        return _of_body(motion, show, color, device, by_joints)
    if show == "skeleton":
        raise ValueError("a MeshMotion has no joints to draw; pass the BodyMotion or JointMotion, or show='surface'")

    def vertices(frames: Sequence[int]) -> Tensor:
        return motion.vertex_m[frames].to(device)

    count = motion.vertex_m.shape[1]
    middle_m = torch.stack([frame.mean(0) for frame in motion.vertex_m]).cpu()
    flat = torch.tensor(color or _BODY_COLOR, device=device).expand(count, 3)
    owner = torch.arange(count, device=device)
    return Drawable(
        motion.faces.long().to(device), flat, vertices, vertices, owner, middle_m, None, None, _always(middle_m)
    )


def _of_body(motion: BodyMotion, show: Show, color: Color | None, device: torch.device, by_joints: bool) -> Drawable:
    body = load_body_model(motion.body_model, len(motion.betas)).to(device)
    betas = motion.betas.to(device)

    def posed(frames: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        expression = None if motion.expression is None else motion.expression[frames].to(device)
        return motion.local_rotmat[frames].to(device), betas, motion.translation_m[frames].to(device), expression

    def joints(frames: Sequence[int]) -> Tensor:
        return body.joints(*posed(frames))[:, : SMPL_24.joint_count]

    def surface(frames: Sequence[int]) -> Tensor:
        rotmat, shape, translation_m, expression = posed(frames)
        return body.vertices(rotmat, shape, translation_m, expression)

    # The middle of the body is above the feet of anybody who does not fall, also when bent or crouched.
    some = torch.linspace(0, motion.frame_count - 1, min(motion.frame_count, _SAMPLES)).round().long().tolist()
    joint_m = joints(some).cpu().mean(0)
    feet = [SMPL_24.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
    up = joint_m.mean(0) - joint_m[feet].mean(0)
    front = motion.local_rotmat[:, 0].mean(0).cpu()[:, 2]
    # the pelvis is the root of the kinematic tree, so its place needs no posing
    pelvis_m = motion.translation_m.cpu() + _rest_pelvis_m(body, motion).cpu()
    if show == "skeleton":
        faces, tint, owner = _figure(SMPL_24, color, device)

        def figure(frames: Sequence[int]) -> Tensor:
            return stick_figure_vertices(joints(frames), SMPL_24)

        return Drawable(faces, tint, figure, joints, owner, pelvis_m, up, front, _always(pelvis_m))
    count = len(body.template_vertex_m)
    flat = torch.tensor(color or _BODY_COLOR, device=device).expand(count, 3)
    points, owner = (joints, _moved_by(body)) if by_joints else (surface, torch.arange(count, device=device))
    return Drawable(body.faces.long(), flat, surface, points, owner, pelvis_m, up, front, _always(pelvis_m))


def _moved_by(body: BodyModel) -> Int[Tensor, " vertices"]:
    """The joint of SMPL's 24 that moves each vertex most; fingers and face belong to the hands and the head."""
    own = []
    for joint in range(body.joint_count):
        while joint >= SMPL_24.joint_count:
            joint = body.parents[joint]
        own.append(joint)
    return torch.tensor(own, device=body.faces.device)[body.skin_weights.argmax(1)]


def _rest_pelvis_m(body: BodyModel, motion: BodyMotion) -> Tensor:
    """Rest place of the pelvis (3,), or (frames, 3) if the expression of the face moves the regressed joints."""
    betas = motion.betas.to(body.template_vertex_m)
    if motion.expression is None:
        return body.rest_joints(betas)[0]
    return body.rest_joints(betas, motion.expression.to(betas))[:, 0]


def _of_joints(motion: JointMotion, color: Color | None, device: torch.device) -> Drawable:
    faces, tint, owner = _figure(motion.layout, color, device)
    position_m = motion.position_m.cpu()
    h36m, _ = to_h36m_17(position_m, position_m[..., 0], motion.layout)
    pelvis, thorax, left, right = (
        h36m[:, H36M_17.index(name)] for name in ("pelvis", "thorax", "left_hip", "right_hip")
    )
    up = (thorax - pelvis).mean(0)

    def points(frames: Sequence[int]) -> Tensor:
        return motion.position_m[frames].to(device)

    def figure(frames: Sequence[int]) -> Tensor:
        return stick_figure_vertices(points(frames), motion.layout)

    front = torch.linalg.cross((left - right).mean(0), up)
    return Drawable(faces, tint, figure, points, owner, pelvis, up, front, _always(pelvis))


def _always(path_m: Float[Tensor, "frames 3"]) -> Bool[Tensor, " frames"]:
    return torch.ones(len(path_m), dtype=torch.bool)


def _figure(layout: JointLayout, color: Color | None, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Faces, vertex colours and the joint of each vertex; in a person's colour, left limbs are lighter."""
    faces, tint = stick_figure(layout)
    owners = torch.tensor([*range(layout.joint_count), *(joint for joint, _ in layout.bones)])
    owner = owners.repeat_interleave(len(tint) // len(owners))
    if color is not None:
        shade = torch.tensor([_shade(name) for name in layout.joints])[owner, None]
        tint = torch.tensor(color) * (1 - shade.abs()) + shade.clamp(min=0)
    return faces.to(device), tint.to(device), owner.to(device)


def _shade(joint: str) -> float:
    return 0.35 if joint.startswith("left_") else -0.3 if joint.startswith("right_") else 0.0
