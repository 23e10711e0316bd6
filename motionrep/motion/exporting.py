"""Exports motion for other programs: GLB, BVH, meshes as OBJ or PLY, and AMASS's .npz."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch

from motionrep.body import BodyModel, load_body_model
from motionrep.motion.axes import TURN_TO_UP, in_axes
from motionrep.motion.editing import resample
from motionrep.motion.writers.scene import Person, Scene
from motionrep.motion.writers.table import WRITERS
from motionrep.types import BodyMotion

_UNITS_PER_M = {"m": 1.0, "cm": 100.0}
_UPRIGHT_FROM_CAMERA = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def export_motion(
    motions: BodyMotion | Sequence[BodyMotion],
    path: Path | str,
    *,
    unit: Literal["m", "cm"] = "m",
    up: Literal["y", "z"] = "y",
    fps: float | int | None = None,
    progress: bool = False,
) -> Path:
    """Writes motion to a file that other programs open, and returns its path, or that of the folder of files.

    The suffix says which kind of file (`writers.table.WRITERS`):

    * `.glb`: skinned, animated bodies, as many as given. Joints have the names of `SMPL_24`, or of all the body's
      joints when the motion has them (`BodyModel.joint_names`). The surface is the body's own, without SMPL's pose
      correctives and without expression. The earliest motion (`first_frame`) begins at time 0, the others as much later
      as in their video; until then they hold their first pose.
    * `.bvh`: the skeleton in its rest pose and its motion, joints as in .glb. `load_motion` reads it again when y is
      up; betas are lost.
    * `.obj`, `.ply`: a folder with a mesh for each frame: `walk.obj` becomes `walk/walk_000000.obj`,
      `walk/walk_000001.obj` ...
    * `.npz`: AMASS's layout, always in metres and z up. A body that is not SMPL's, such as the open one, becomes the
      mean SMPL body. Gender is that of a name such as smplh-male. Expression and the turn of `left_hand` and
      `right_hand` are lost; `save_motion` keeps everything.

    Motion in frame `camera` (x right, y down, z forward) is turned upright first, by half a turn about x: x right, y
    up, z backward, with the origin at the camera.

    Args:
        motions: The motion of one person, or of several in the same frame of reference; .glb alone holds several.
        unit: Length of 1 in the file. glTF's own is the metre.
        up: The axis that points up; the whole scene and the rest pose are turned. glTF's own is y.
        fps: Frame rate of the file, see `resample`; the motion's own when None.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        ValueError: Unknown suffix, unit or axis; no motion or no frames; several persons in a file for one; unit cm for
            .npz.
        OSError: The file cannot be written, or that of the motion's body is not there.
    """
    path = Path(path)
    people = [motions] if isinstance(motions, BodyMotion) else list(motions)
    _check(people, path, unit, up)
    bodies = {motion.body_model: load_body_model(motion.body_model, len(motion.betas)) for motion in people}
    begins_s = [motion.first_frame / motion.fps for motion in people]
    shown = tuple(
        Person(_prepared(motion, bodies[motion.body_model], fps), bodies[motion.body_model], begin_s - min(begins_s))
        for motion, begin_s in zip(people, begins_s, strict=True)
    )
    scene = Scene(shown, _UNITS_PER_M[unit], TURN_TO_UP[up], progress)
    made = path.with_suffix("") if WRITERS[path.suffix.lower()].file_per_frame else path
    import_module(WRITERS[path.suffix.lower()].module).write(scene, path if made == path else made / path.name)
    return made


def _check(people: list[BodyMotion], path: Path, unit: str, up: str) -> None:
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise ValueError(f"{path}: unknown kind of file {suffix!r}; motion is exported to {', '.join(WRITERS)}")
    if not people or not all(motion.frame_count for motion in people):
        raise ValueError(f"{path}: nothing to export, the motion has no frames")
    if len(people) > 1 and WRITERS[suffix].one_person:
        several = ", ".join(suffix for suffix, writer in WRITERS.items() if not writer.one_person)
        raise ValueError(f"{path}: {suffix} holds one person, got {len(people)}; use {several}, or one file for each")
    if len({motion.frame for motion in people}) > 1:
        raise ValueError(f"{path}: some motions are in frame 'camera', others in 'world'; they must share one")
    if WRITERS[suffix].file_per_frame and path.with_suffix("").is_file():
        raise ValueError(
            f"{path}: becomes a folder with a {suffix} for each frame, and {path.with_suffix('')} is a file; give "
            "another name"
        )
    if unit not in _UNITS_PER_M or up not in TURN_TO_UP:
        raise ValueError(f"unit must be m or cm and up must be y or z, got {unit!r} and {up!r}")
    if unit not in WRITERS[suffix].units:
        known = " or ".join(WRITERS[suffix].units)
        raise ValueError(f"{path}: {WRITERS[suffix].name} is always in {known}; leave out unit={unit!r}")


def _prepared(motion: BodyMotion, body: BodyModel, fps: float | int | None) -> BodyMotion:
    """On the CPU, at the wanted frame rate, y up."""
    names = ("local_rotmat", "translation_m", "betas") + (() if motion.expression is None else ("expression",))
    tensors = {name: getattr(motion, name).detach().cpu() for name in names}
    motion = resample(replace(motion, **tensors), motion.fps if fps is None else float(fps))
    return motion if motion.frame == "world" else in_axes(motion, body, _UPRIGHT_FROM_CAMERA)
