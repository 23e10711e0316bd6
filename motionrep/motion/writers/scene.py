"""What writers of motion files get: people with their bodies, and the unit and axes of the file."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from motionrep.body import BodyModel
from motionrep.types import BodyMotion

_MESHES_AT_ONCE = 32


@dataclass(frozen=True)
class Person:
    """A motion on the CPU with y up, its body, and when its first frame is shown, in seconds."""

    motion: BodyMotion
    body: BodyModel
    start_s: float


@dataclass(frozen=True)
class Scene:
    """People to write into one file, whose points are `scale * turn @ point_m`.

    With `progress`, writers that take long show a bar on a terminal.
    """

    people: tuple[Person, ...]
    scale: float
    turn: Float[np.ndarray, "3 3"]
    progress: bool = False


@dataclass(frozen=True)
class Figure:
    """A skinned body and its motion, in the unit of length and the axes of the file.

    Parents stand before their children, the root's is -1. `root_position` is where the root joint is. `start_s` is when
    the first frame is shown.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    rest_joint: Float[np.ndarray, "joints 3"]
    local_rotmat: Float[np.ndarray, "frames joints 3 3"]
    root_position: Float[np.ndarray, "frames 3"]
    rest_vertex: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    skin_weights: Float[np.ndarray, "vertices joints"]
    fps: float
    start_s: float = 0.0

    @property
    def offset(self) -> Float[np.ndarray, "joints 3"]:
        """Rest position of each joint relative to its parent; of the root, in the figure's own axes."""
        offset = self.rest_joint.copy()
        offset[1:] -= self.rest_joint[list(self.parents[1:])]
        return offset


def figure_of(person: Person, scene: Scene) -> Figure:
    """The body in its own joints and rest pose, turned with its motion, so that rotations are conjugated."""
    motion, body = person.motion, person.body

    def turned(position_m: torch.Tensor) -> np.ndarray:
        return scene.scale * position_m.double().numpy() @ scene.turn.T

    pose = body.own_pose(motion)
    skin_weights = body.skin_weights_for(len(pose.joints)) if body.own_joints is None else body.own_skin_weights
    return Figure(
        joints=pose.joints,
        parents=pose.parents,
        rest_joint=turned(pose.rest_joint_m),
        local_rotmat=scene.turn @ pose.local_rotmat.double().numpy() @ scene.turn.T,
        root_position=turned(pose.root_m),
        rest_vertex=turned(body.own_rest_vertices(motion.betas)),
        faces=body.faces.numpy(),
        skin_weights=skin_weights.double().numpy(),
        fps=motion.fps,
        start_s=person.start_s,
    )


def surfaces(person: Person, scene: Scene) -> Iterator[Float[np.ndarray, "vertices 3"]]:
    """The vertices of each frame, in the unit and axes of the file."""
    for start in range(0, person.motion.frame_count, _MESHES_AT_ONCE):
        mesh = person.body.mesh(person.motion.cut(start, start + _MESHES_AT_ONCE))
        for vertex_m in mesh.vertex_m.double().numpy():
            yield scene.scale * vertex_m @ scene.turn.T
