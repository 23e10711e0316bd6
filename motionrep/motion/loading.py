"""Motion from files: BVH, AMASS, 3DPW, WHAM, GVHMR, motionrep's own .npz; resampling and other body shapes."""

import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.lib.npyio import NpzFile

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.registry import BODIES
from motionrep.files.arrays import BROKEN_NPZ
from motionrep.layouts import JointLayout
from motionrep.motion.floor import floor_height_m, put_on_floor, raised
from motionrep.motion.readers.amass import amass_gender, amass_track
from motionrep.motion.readers.bvh import BvhMotion, read_bvh
from motionrep.motion.readers.results import read_result
from motionrep.motion.retargeting.skeletons import SkeletonMap, find_skeleton
from motionrep.motion.retargeting.to_body import retarget
from motionrep.motion.saving import _FORMAT, _JOINT_FORMAT
from motionrep.motion.tracks import Track, is_made_for, motion_from_track
from motionrep.types import BodyMotion, JointMotion

logger = logging.getLogger(__name__)


def load_motion(
    path: Path | str,
    body_model: str = "open",
    skeleton: SkeletonMap | None = None,
    *,
    person: int | None = None,
    frame: Literal["camera", "world"] | None = None,
    fps: float | int | None = None,
) -> BodyMotion:
    """The motion of one body from a file; for what is read and how, see `load_motions`.

    Args:
        person: Which of the file's persons, from 0; must be said when there are several.

    Raises:
        FileNotFoundError: No such file.
        ValueError: As `load_motions`; or several persons and none chosen, or no such person.
    """
    motions = load_motions(path, body_model, skeleton, frame=frame, fps=fps)
    if person is None and len(motions) > 1:
        raise ValueError(f"{path}: holds {len(motions)} persons; choose one, 0 to {len(motions) - 1}, or load_motions")
    if person is not None and not 0 <= person < len(motions):
        raise ValueError(f"{path}: holds {len(motions)} person(s), so person must be 0 to {len(motions) - 1}")
    return motions[person or 0]


def load_motions(
    path: Path | str,
    body_model: str = "open",
    skeleton: SkeletonMap | None = None,
    *,
    frame: Literal["camera", "world"] | None = None,
    fps: float | int | None = None,
) -> list[BodyMotion]:
    """The motion of every person in a file; in the world, y is up and the floor is y = 0.

    * `.bvh`: one person; the skeleton's world rotations are copied to the body, see `retargeting.retarget`; betas are
      0. All frames are kept, also a T-pose at the start. The floor is where the lower sole's 5th percentile is.
    * AMASS `.npz` (66, 72, 156 or 165 numbers a pose: SMPL without hands, SMPL, SMPL-H, SMPL-X): one person,
      turned from z up to y up. Fingers and face are read for a body that has them.
    * 3DPW `.pkl`: one or two persons at 30 frames/s in one world, or in the moving camera.
    * WHAM `wham_output.pkl` (`--save_pkl`): each person in a world of its own, or in the camera, from the person's
      `first_frame` on; frames without the person are filled in evenly. The file does not tell the frame rate.
    * GVHMR `hmr4d_results.pt`: one person at 30 frames/s, in the world or in the camera.
    * motionrep's own `.npz` (`save_motion`): exactly as saved; `body_model` and `skeleton` do not matter.

    Betas belong to the body they were made for (SMPL's to SMPL and SMPL-H, SMPL-X's to SMPL-X) and mean nothing on
    another. On their own body the first 10 are kept, the mean over time where they change, and a warning tells when
    others are not 0; on any other body they become 0. A warning also tells when an AMASS file means a body of another
    gender than the one asked for.

    The pelvis stays where it was in the camera. In the world, the soles are put on the floor as with BVH, except for
    AMASS on its own body, whose floor is known; persons who share a world are shifted together. Paths keep their
    length.

    Pickles are read without running anything in them; a file that asks to import what it does not need is refused.

    Args:
        body_model: What `load_body_model` takes. 3DPW and AMASS mean SMPL of the person's gender.
        skeleton: How a BVH skeleton drives the body; recognised by its joint names when None.
        frame: Axes to read where a file holds both (3DPW, WHAM, GVHMR); world when None. Other files must agree.
        fps: Frame rate of the video, for WHAM (None is 30, with a warning); 60 for the poses of 3DPW at 60 Hz; nothing
            else takes it.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Unknown kind of file or skeleton, or a broken file; names the file and what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix in (".pkl", ".pt"):
        tracks = read_result(path, frame, None if fps is None else float(fps))
        return _from_tracks(path, tracks, load_body_model(body_model))
    if fps is not None:
        raise ValueError(f"{path}: the file tells its frame rate, so fps={fps:g} is not for it; see resample")
    if suffix == ".bvh":
        bvh = read_bvh(path)
        try:
            motion = motion_from_bvh(bvh, load_body_model(body_model), skeleton)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    elif suffix == ".npz":
        motion = _from_npz(path, body_model)
    else:
        raise ValueError(f"{path}: unknown kind of motion file {path.suffix!r}; expected .bvh, .npz, .pkl or .pt")
    if frame not in (None, motion.frame):
        raise ValueError(f"{path}: is in {motion.frame} axes, and {frame} axes were asked for")
    return [motion]


def load_joint_motion(path: Path | str) -> JointMotion:
    """Reads joint positions from the .npz of `save_motion`, exactly as saved.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, or one of another kind; names the file and what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with _opened(path) as file:
        if (found := str(_array(path, file, "format"))) != _JOINT_FORMAT:
            raise ValueError(f"{path}: 'format' is {found!r}, this version reads {_JOINT_FORMAT!r}")
        joints, parents = (tuple(_array(path, file, name).tolist()) for name in ("joints", "parents"))
        frame = str(_array(path, file, "frame"))
        if frame not in ("root", "camera", "world"):
            raise ValueError(f"{path}: 'frame' must be root, camera or world, got {frame!r}")
        position_m, fps = torch.from_numpy(_array(path, file, "position_m")), float(_array(path, file, "fps"))
        try:
            layout = JointLayout(str(_array(path, file, "layout")), joints, parents)
            return JointMotion(position_m, layout, fps, frame, _first_frame(path, file))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def motion_from_bvh(bvh: BvhMotion, body: BodyModel, skeleton: SkeletonMap | None = None) -> BodyMotion:
    """Motion of the body (betas 0) from a BVH file's, with the soles on the floor; see `load_motion`.

    Raises:
        ValueError: The skeleton is not known or does not fit `skeleton`.
    """
    local_rotmat, translation_m = retarget(bvh, skeleton or find_skeleton(bvh.joints), body)
    motion = BodyMotion(local_rotmat, translation_m, torch.zeros(body.beta_count), body.name, bvh.fps, "world")
    return put_on_floor(motion, body)


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not a readable .npz file, it was cut off or is of another kind; get it again")
    try:
        file = np.load(path, allow_pickle=False)
    except BROKEN_NPZ as error:
        raise ValueError(f"{path}: not a readable .npz file ({error}); get it again") from error
    with file:
        yield file


def _from_own(path: Path, file: NpzFile) -> BodyMotion:
    if (found := str(_array(path, file, "format"))) != _FORMAT:
        raise ValueError(f"{path}: 'format' is {found!r}, this version reads {_FORMAT!r}")
    frame = str(_array(path, file, "frame"))
    if frame not in ("camera", "world"):
        raise ValueError(f"{path}: 'frame' must be camera or world, got {frame!r}")
    names = ("local_rotmat", "translation_m", "betas") + (("expression",) if "expression" in file else ())
    tensors = {name: torch.from_numpy(_array(path, file, name)) for name in names}
    body_model, fps = str(_array(path, file, "body_model")), float(_array(path, file, "fps"))
    try:
        return BodyMotion(**tensors, body_model=body_model, fps=fps, frame=frame, first_frame=_first_frame(path, file))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_npz(path: Path, body_model: str) -> BodyMotion:
    with _opened(path) as file:
        if "local_rotmat" in file:
            return _from_own(path, file)
        if "position_m" in file:
            raise ValueError(
                f"{path}: holds joint positions and no body; make one with motionrep fit {path} --output body.npz, or "
                "read the joints with load_joint_motion"
            )
        fields, names = partial(_array, path, file), list(file)
        track, gender = amass_track(path, fields, names), amass_gender(fields, names)
    _warn_of_another_gender(path, gender, body_model)
    return _from_tracks(path, [track], load_body_model(body_model))[0]


def _warn_of_another_gender(path: Path, gender: str | None, body_model: str) -> None:
    kind, _, named = body_model.partition("-")
    wanted = f"{kind}-{gender}"
    if {body_model, wanted} <= BODIES.keys() and named.partition("-")[0] != gender:
        logger.warning(
            "%s: its betas are those of the %s body and mean another shape on %s; pass body_model=%r, as for "
            "load_body_model",
            path, gender, body_model, wanted,
        )  # fmt: skip


def _from_tracks(path: Path, tracks: list[Track], body: BodyModel) -> list[BodyMotion]:
    dropped = [track.betas[:, body.beta_count :] for track in tracks if is_made_for(track.generation, body)]
    if any(bool(betas.any()) for betas in dropped):
        logger.warning(
            "%s: only the first %d of its %d betas are kept, though others are not 0; its shape is a little different",
            path, body.beta_count, tracks[0].betas.shape[-1],
        )  # fmt: skip
    motions = [motion_from_track(track, body) for track in tracks]
    if tracks[0].frame == "camera" or (tracks[0].world == "on_floor" and is_made_for(tracks[0].generation, body)):
        return motions
    heights_m = [floor_height_m(motion, body) for motion in motions]
    if tracks[0].world == "shared":
        heights_m = [torch.stack(heights_m).min()] * len(motions)
    return [raised(motion, -height_m) for motion, height_m in zip(motions, heights_m, strict=True)]


def _first_frame(path: Path, file: NpzFile) -> int:
    if "first_frame" not in file:  # of a motion saved before there was one
        return 0
    number = _array(path, file, "first_frame")
    if number.ndim or number.dtype.kind not in "iu":
        raise ValueError(f"{path}: 'first_frame' must be a whole number, got {number.dtype} of shape {number.shape}")
    return int(number)


def _array(path: Path, file: NpzFile, name: str) -> np.ndarray:
    if name not in file:
        raise ValueError(f"{path}: no field {name!r} (fields: {', '.join(file)})")
    try:
        return file[name]
    except ValueError as error:
        raise ValueError(
            f"{path}: field {name!r} holds Python objects, which are never unpickled; save it again as plain numbers"
        ) from error
    except (OSError, *BROKEN_NPZ) as error:
        raise ValueError(f"{path}: field {name!r} cannot be read ({error}); get the file again") from error
