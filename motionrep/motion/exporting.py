"""Motion for other programs: GLB, BVH, meshes as OBJ or PLY, and AMASS's .npz."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from motionrep.body import BodyModel, load_body_model
from motionrep.motion.axes import _TURN, _turned
from motionrep.motion.editing import resample
from motionrep.motion.writers.amass import _write_amass
from motionrep.motion.writers.bvh import write_bvh
from motionrep.motion.writers.gltf import Figure, write_glb
from motionrep.motion.writers.meshes import _obj_bytes, _ply_bytes, _write_sequence
from motionrep.types import BodyMotion

EXPORT_SUFFIXES = (".glb", ".bvh", ".obj", ".ply", ".npz")

_UNITS_PER_M = {"m": 1.0, "cm": 100.0}
_UPRIGHT_FROM_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
_MESHES_AT_ONCE = 32


def export_motion(
    motions: BodyMotion | Sequence[BodyMotion],
    path: Path | str,
    *,
    unit: Literal["m", "cm"] = "m",
    up: Literal["y", "z"] = "y",
    fps: float | int | None = None,
) -> None:
    """Writes motion to a file that other programs open; the suffix says which.

    * `.glb`: skinned, animated bodies, as many as given. Joints have the names of `SMPL_24`, or of all the body's
      joints when the motion has them (`BodyModel.joint_names`). At each frame the surface is the body's own, but for
      pose correctives of SMPL's files and expression, which are left out. The motion whose `first_frame` is earliest
      begins at time 0, the others as much later as they do in their video; until then they hold their first pose.
    * `.bvh`: the skeleton in its rest pose and its motion, joints as in .glb. `load_motion` reads it again when y is
      up; betas are lost.
    * `.obj`, `.ply`: one mesh for each frame, `out/walk.obj` becomes `out/walk_000000.obj`, `out/walk_000001.obj` ...;
      frames left there by a longer export are removed.
    * `.npz`: AMASS's layout (poses, trans, betas, gender, mocap_framerate), always in metres and z up. Poses have the
      joints of SMPL-X for its body and of SMPL-H for all others, with hands at rest for motions of 24 joints. A body
      of another kind, such as the open one, is written as the mean SMPL body with its pelvis in the same place. Gender
      is that of a name such as smplh-male. `save_motion` writes motionrep's own, which keeps everything, also turned
      `left_hand` and `right_hand` and the expression.

    Motion in frame `camera` (x right, y down, z forward) is turned upright first, by half a turn about x: x right, y
    up, z backward, and the origin stays at the camera.

    Args:
        motions: The motion of one person, or of several in the same frame of reference; .glb alone holds several.
        unit: Length of 1 in the file. glTF's own is the metre.
        up: The axis that points up; the whole scene and the rest pose are turned. glTF's own is y.
        fps: Frame rate of the file, see `resample`; the motion's own when None.

    Raises:
        ValueError: Unknown suffix, unit or axis; no motion or no frames; several persons in a file for one; unit cm for
            .npz.
        OSError: The file cannot be written, or that of the motion's body is not there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in EXPORT_SUFFIXES:
        raise ValueError(f"{path}: unknown kind of file {suffix!r}; motion is exported to {', '.join(EXPORT_SUFFIXES)}")
    people = [motions] if isinstance(motions, BodyMotion) else list(motions)
    _check(people, path, suffix)
    if unit not in _UNITS_PER_M or up not in _TURN:
        raise ValueError(f"unit must be m or cm and up must be y or z, got {unit!r} and {up!r}")
    if suffix == ".npz" and unit != "m":
        raise ValueError(f"{path}: AMASS's .npz is always in metres, leave out unit={unit!r}")
    bodies = {motion.body_model: load_body_model(motion.body_model, len(motion.betas)) for motion in people}
    begins_s = [motion.first_frame / motion.fps for motion in people]
    people = [_prepared(motion, bodies[motion.body_model], fps) for motion in people]

    scale, turn = _UNITS_PER_M[unit], _TURN[up]
    body = bodies[people[0].body_model]
    match suffix:
        case ".glb":
            figures = [_figure(motion, bodies[motion.body_model], scale, turn) for motion in people]
            starts_s = [start_s - min(begins_s) for start_s in begins_s]
            write_glb([replace(one, start_s=start_s) for one, start_s in zip(figures, starts_s, strict=True)], path)
        case ".bvh":
            write_bvh(_figure(people[0], body, scale, turn), path)
        case ".npz":
            _write_amass(people[0], body, path)
        case _:
            meshes = (scale * vertex_m @ turn.T for vertex_m in _meshes(people[0], body))
            _write_sequence(meshes, body.faces.numpy(), _obj_bytes if suffix == ".obj" else _ply_bytes, path)


def _check(people: list[BodyMotion], path: Path, suffix: str) -> None:
    if not people or not all(motion.frame_count for motion in people):
        raise ValueError(f"{path}: nothing to export, the motion has no frames")
    if len(people) > 1 and suffix != ".glb":
        raise ValueError(f"{path}: {suffix} holds one person, got {len(people)}; use .glb, or one file for each")
    if len({motion.frame for motion in people}) > 1:
        raise ValueError(f"{path}: some motions are in frame 'camera', others in 'world'; they must share one")


def _prepared(motion: BodyMotion, body: BodyModel, fps: float | int | None) -> BodyMotion:
    """On the CPU, at the wanted frame rate, y up."""
    names = ("local_rotmat", "translation_m", "betas") + (() if motion.expression is None else ("expression",))
    tensors = {name: getattr(motion, name).detach().cpu() for name in names}
    motion = resample(replace(motion, **tensors), motion.fps if fps is None else float(fps))
    return motion if motion.frame == "world" else _turned(motion, body, _UPRIGHT_FROM_CAMERA)


def _figure(motion: BodyMotion, body: BodyModel, scale: float, turn: np.ndarray) -> Figure:
    """The body and its motion in the file's unit and axes; body axes are turned along, so rotations are conjugated."""

    def turned(position_m: torch.Tensor) -> np.ndarray:
        return scale * position_m.double().numpy() @ turn.T

    joints = motion.local_rotmat.shape[1]
    skin_weights = body.skin_weights_for(joints)
    rest_joint_m = body.rest_joints(motion.betas, joint_count=joints)
    return Figure(
        joints=body.joint_names[:joints],
        parents=body.parents[:joints],
        rest_joint=turned(rest_joint_m),
        local_rotmat=turn @ motion.local_rotmat.double().numpy() @ turn.T,
        root_position=turned(rest_joint_m[0] + motion.translation_m),
        rest_vertex=turned(body.rest_vertices(motion.betas)),
        faces=body.faces.numpy(),
        skin_weights=skin_weights.double().numpy(),
        fps=motion.fps,
    )


def _meshes(motion: BodyMotion, body: BodyModel) -> Iterator[Float[np.ndarray, "vertices 3"]]:
    for start in range(0, motion.frame_count, _MESHES_AT_ONCE):
        yield from body.mesh(motion.cut(start, start + _MESHES_AT_ONCE)).vertex_m.double().numpy()
