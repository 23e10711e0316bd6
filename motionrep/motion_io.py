"""Motion from files: BVH, AMASS, and motionrep's own .npz; resampling and other body shapes."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from numpy.lib.npyio import NpzFile
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.bvh import BvhMotion, read_bvh
from motionrep.files import written_beside
from motionrep.floor import floor_height_m, put_on_floor, raised
from motionrep.layouts import JointLayout
from motionrep.retargeting import SkeletonMap, find_skeleton, retarget, translation_for_betas
from motionrep.types import BodyMotion, JointMotion

_FORMAT = "motionrep body motion 1"
_JOINT_FORMAT = "motionrep joint motion 1"
_AMASS_JOINTS = 22  # SMPL's 24 without the hands, which SMPL-H and SMPL-X give fingers instead
# AMASS has z up: x stays, z becomes y, y becomes -z.
_Y_UP_FROM_Z_UP = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


def load_motion(path: Path | str, body_model: str = "open", skeleton: SkeletonMap | None = None) -> BodyMotion:
    """Reads the motion of one body; y is up and the floor is y = 0.

    * `.bvh`: the skeleton's world rotations are copied to the body, see `retargeting.retarget`; betas are 0. All frames
      are kept, also a T-pose at the start. The floor is where the lower sole's 5th percentile is.
    * AMASS `.npz` (SMPL-H and SMPL-X generation): turned from z up to y up; 22 joints are read, hands stay flat. With
      `body_model="open"` the betas, which belong to SMPL and mean nothing on another body, become 0 and the soles
      are put on the floor; the path keeps its length, since the recorded person's size is not known. With the SMPL file
      that the recording belongs to, betas (the first ten) and the person's place are kept.
    * motionrep's own `.npz` (`save_motion`): exactly as saved, including body model and frame; the other arguments do
      not matter.

    Args:
        body_model: What `load_body_model` takes.
        skeleton: How a BVH skeleton drives the body; recognised by its joint names when None.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Unknown kind of file or skeleton, or a broken file; names the file and what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() == ".bvh":
        bvh = read_bvh(path)
        try:
            return motion_from_bvh(bvh, load_body_model(body_model), skeleton)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: unknown kind of motion file {path.suffix!r}; expected .bvh or .npz")
    with _opened(path) as file:
        if "local_rotmat" in file:
            return _from_own(path, file)
        if "position_m" in file:
            raise ValueError(f"{path}: holds joint positions and no body; read it with load_joint_motion")
        return _from_amass(path, file, load_body_model(body_model))


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
            return JointMotion(position_m, layout, fps, frame)
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


def save_motion(motion: BodyMotion | JointMotion, path: Path | str) -> None:
    """Writes a motion to motionrep's own .npz; `load_motion` or `load_joint_motion` gives back the same numbers.

    Raises:
        ValueError: The name does not end in .npz.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: save_motion writes .npz files, give the file that suffix")
    if isinstance(motion, JointMotion):
        layout, tensors = motion.layout, ("position_m",)
        fields = {"format": _JOINT_FORMAT, "layout": layout.name, "joints": layout.joints, "parents": layout.parents}
    else:
        tensors = ("local_rotmat", "translation_m", "betas")
        fields = {"format": _FORMAT, "body_model": motion.body_model}
    fields |= {name: getattr(motion, name).detach().cpu().numpy() for name in tensors}
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in fields.items()}
    with written_beside(path) as beside:
        np.savez_compressed(beside, fps=motion.fps, frame=motion.frame, **arrays)


def resample(motion: BodyMotion, fps: float) -> BodyMotion:
    """The motion at another frame rate: rotations along the shortest arc, translation linearly.

    The first frame stays; new frames follow every 1/fps seconds up to the last moment of the clip, so the duration
    between the first and the last frame shrinks by less than 1/fps. No smoothing when frames are dropped.

    Raises:
        ValueError: fps is not positive.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    if fps == motion.fps:
        return motion
    step = motion.fps / fps
    count = math.floor((motion.frame_count - 1) / step + 1e-6) + 1
    place = (torch.arange(count, dtype=torch.float64) * step).clamp(max=motion.frame_count - 1)
    before = place.long()
    after = (before + 1).clamp(max=motion.frame_count - 1)
    weight = (place - before).to(motion.translation_m)
    start, end = motion.local_rotmat[before], motion.local_rotmat[after]
    turn = roma.rotmat_to_rotvec(start.mT @ end) * weight[:, None, None]
    moved = torch.lerp(motion.translation_m[before], motion.translation_m[after], weight[:, None])
    return replace(motion, local_rotmat=start @ roma.rotvec_to_rotmat(turn), translation_m=moved, fps=float(fps))


def with_betas(motion: BodyMotion, body: BodyModel, betas: Float[Tensor, " betas"]) -> BodyMotion:
    """The same rotations on another shape of the same body; the path is scaled by the leg length.

    A world motion keeps the height above the floor at which its lower sole's 5th percentile was.

    Raises:
        ValueError: The motion was made for another body.
    """
    if motion.body_model != body.name:
        raise ValueError(f"the motion is for body {motion.body_model!r}, betas for {body.name!r} mean nothing on it")
    root_rotmat = motion.local_rotmat[:, 0]
    translation_m = translation_for_betas(motion.translation_m, root_rotmat, body, motion.betas, betas)
    shaped = replace(motion, translation_m=translation_m, betas=betas)
    if motion.frame == "camera":
        return shaped
    return raised(shaped, floor_height_m(motion, body) - floor_height_m(shaped, body))


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not a readable .npz file, it was cut off or is of another kind; get it again")
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}: not a readable .npz file ({error}); get it again") from error


def _from_own(path: Path, file: NpzFile) -> BodyMotion:
    if (found := str(_array(path, file, "format"))) != _FORMAT:
        raise ValueError(f"{path}: 'format' is {found!r}, this version reads {_FORMAT!r}")
    frame = str(_array(path, file, "frame"))
    if frame not in ("camera", "world"):
        raise ValueError(f"{path}: 'frame' must be camera or world, got {frame!r}")
    tensors = {name: torch.from_numpy(_array(path, file, name)) for name in ("local_rotmat", "translation_m", "betas")}
    body_model, fps = str(_array(path, file, "body_model")), float(_array(path, file, "fps"))
    try:
        return BodyMotion(**tensors, body_model=body_model, fps=fps, frame=frame)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_amass(path: Path, file: NpzFile, body: BodyModel) -> BodyMotion:
    rate = next((name for name in ("mocap_framerate", "mocap_frame_rate") if name in file), None)
    if rate is None or "poses" not in file or "trans" not in file:
        raise ValueError(
            f"{path}: no AMASS motion and none of motionrep's; expected poses, trans and mocap_framerate or "
            f"mocap_frame_rate, got {', '.join(file)} (AMASS's shape.npz and *_stagei.npz hold no motion)"
        )
    poses, trans = _array(path, file, "poses"), _array(path, file, "trans")
    if poses.ndim != 2 or poses.shape[1] < 3 * _AMASS_JOINTS or trans.shape != (len(poses), 3) or not len(poses):
        raise ValueError(
            f"{path}: expected poses (frames, 156 or 165) and trans (frames, 3), got {poses.shape} and {trans.shape}"
        )
    rotvec = torch.from_numpy(poses[:, : 3 * _AMASS_JOINTS]).double().unflatten(1, (_AMASS_JOINTS, 3))
    y_up_from_z_up = torch.tensor(_Y_UP_FROM_Z_UP)
    local_rotmat = torch.eye(3).repeat(len(poses), 24, 1, 1)
    local_rotmat[:, :_AMASS_JOINTS] = roma.rotvec_to_rotmat(rotvec).float()
    local_rotmat[:, 0] = y_up_from_z_up @ local_rotmat[:, 0]

    betas = torch.zeros(body.beta_count)
    if body.name != "open":
        recorded = torch.from_numpy(_array(path, file, "betas")).float().flatten()[: body.beta_count]
        betas[: len(recorded)] = recorded
    pelvis_m = body.rest_joints(betas)[0]  # the root turns about the pelvis, so that is the point to carry over
    translation_m = (torch.from_numpy(trans).float() + pelvis_m) @ y_up_from_z_up.T - pelvis_m
    try:
        motion = BodyMotion(local_rotmat, translation_m, betas, body.name, float(_array(path, file, rate)), "world")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return put_on_floor(motion, body) if body.name == "open" else motion


def _array(path: Path, file: NpzFile, name: str) -> np.ndarray:
    if name not in file:
        raise ValueError(f"{path}: no field {name!r} (fields: {', '.join(file)})")
    try:
        return file[name]
    except ValueError as error:
        raise ValueError(
            f"{path}: field {name!r} holds Python objects, which are never unpickled; save it again as plain numbers"
        ) from error
