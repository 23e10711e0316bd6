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
from motionrep.motion.writers.table import WRITERS, Writer, writer_of
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
    format: Literal["smplx"] | None = None,
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
      mean SMPL body. Gender is that of a name such as smplh-male. SMPL's hands are in the first joints of the fingers
      (`body.smplx_parameters.hands_in_fingers`), from where `load_motion` takes them again. Expression is lost.
    * `.npz` with `format="smplx"`: the arrays of `BodyMotion.to_smplx`, of any of SMPL's bodies, with frame rate and
      axes. Motion in frame `camera` stays in it.

    Other motion in frame `camera` (x right, y down, z forward) is turned upright first, by half a turn about x: x
    right, y up, z backward, with the origin at the camera.

    Args:
        motions: The motion of one person, or of several in the same frame of reference; .glb alone holds several.
        unit: Length of 1 in the file. glTF's own is the metre.
        up: The axis that points up; the whole scene and the rest pose are turned. glTF's own is y.
        format: "smplx" for a .npz of that kind; None where the suffix says it.
        fps: Frame rate of the file, see `resample`; the motion's own when None.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        ValueError: Unknown suffix, unit or axis; no motion; several persons in a file for one; unit cm for .npz.
        OSError: The file cannot be written, or that of the motion's body is not there.
    """
    path = Path(path)
    people = [motions] if isinstance(motions, BodyMotion) else list(motions)
    writer = _checked_writer(people, path, unit, up, format)
    bodies = [load_body_model(motion.body_model, len(motion.betas)) for motion in people]
    begins_s = [motion.first_frame / motion.fps for motion in people]
    shown = tuple(
        Person(_prepared(motion, body, fps, writer), body, begin_s - min(begins_s))
        for motion, body, begin_s in zip(people, bodies, begins_s, strict=True)
    )
    scene = Scene(shown, _UNITS_PER_M[unit], TURN_TO_UP[up], progress)
    made = path.with_suffix("") if writer.file_per_frame else path
    import_module(writer.module).write(scene, path if made == path else made / path.name)
    return made


def _checked_writer(people: list[BodyMotion], path: Path, unit: str, up: str, kind: str | None) -> Writer:
    suffix = path.suffix.lower()
    try:
        writer = writer_of(suffix, kind)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not people:
        raise ValueError(f"{path}: nothing to export, there is no motion")
    if len(people) > 1 and writer.one_person:
        several = ", ".join(suffix for suffix, writer in WRITERS.items() if not writer.one_person)
        raise ValueError(f"{path}: {suffix} holds one person, got {len(people)}; use {several}, or one file for each")
    if len({motion.frame for motion in people}) > 1:
        raise ValueError(f"{path}: some motions are in frame 'camera', others in 'world'; they must share one")
    if writer.file_per_frame and path.with_suffix("").is_file():
        raise ValueError(
            f"{path}: becomes a folder with a {suffix} for each frame, and {path.with_suffix('')} is a file; give "
            "another name"
        )
    if unit not in _UNITS_PER_M or up not in TURN_TO_UP:
        raise ValueError(f"unit must be m or cm and up must be y or z, got {unit!r} and {up!r}")
    if unit not in writer.units:
        known = " or ".join(writer.units)
        raise ValueError(f"{path}: {writer.name} is always in {known}; leave out unit={unit!r}")
    if writer.keeps_axes and up == "z" and people[0].frame == "camera":
        raise ValueError(f"{path}: the motion is in the camera's axes, which {writer.name} keep; leave out up='z'")
    return writer


def _prepared(motion: BodyMotion, body: BodyModel, fps: float | int | None, writer: Writer) -> BodyMotion:
    """On the CPU, at the wanted frame rate, y up unless the format keeps the camera's axes."""
    names = ("local_rotmat", "translation_m", "betas") + (() if motion.expression is None else ("expression",))
    tensors = {name: getattr(motion, name).detach().cpu() for name in names}
    motion = resample(replace(motion, **tensors), motion.fps if fps is None else float(fps))
    return motion if motion.frame == "world" or writer.keeps_axes else in_axes(motion, body, _UPRIGHT_FROM_CAMERA)
