"""Motion files of other systems, each read into tracks: AMASS, 3DPW, WHAM, GVHMR. Pickles are never run."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body.skeletons import BODY_SKELETONS, FILE_ORDERS
from motionrep.pickles import MALFORMED, as_array, read_pickle
from motionrep.retargeting import y_up_turn
from motionrep.tracks import Generation, Track
from motionrep.unpickling import read_checkpoint

logger = logging.getLogger(__name__)

_Frame = Literal["camera", "world"]
_BETAS = 10
# Whose betas an AMASS file has, and of which body its poses are, by how many numbers (axis-angle) a pose has.
_AMASS_POSES: dict[int, tuple[Generation, str]] = {
    66: ("smpl", "the body without hands"),
    72: ("smpl", "SMPL"),
    156: ("smpl", "SMPL-H"),
    165: ("smplx", "SMPL-X"),
}
_WHAM_FPS = 30.0  # taken when nobody says
_GVHMR_FPS = 30.0  # its program resamples every video to that


def read_result(path: Path, frame: _Frame | None, fps: float | None) -> list[Track]:
    """The persons of a 3DPW sequence (.pkl), of WHAM's wham_output.pkl or of GVHMR's hmr4d_results.pt.

    Args:
        frame: Axes to read where the file holds both; world when None.
        fps: Frame rate of the video, for WHAM, whose file does not tell (None is 30, with a warning); 60 for the poses
            of 3DPW at 60 Hz.

    Raises:
        ValueError: Another kind of file, a broken one, or one that asks to import what none of these needs.
    """
    if path.suffix.lower() == ".pt":
        content: Any = read_checkpoint(path, unknown="refused")
        if "smpl_params_global" in content:
            return [_gvhmr(path, content, frame or "world", fps)]
    else:
        content = read_pickle(path, "motion of 3DPW or WHAM")
        if isinstance(content, dict) and {"poses", "trans", "cam_poses"} <= content.keys():
            return _threedpw(path, content, frame or "world", fps)
        if isinstance(content, dict) and content and all(isinstance(value, dict) for value in content.values()):
            if fps is None:
                logger.warning("%s does not say its frame rate; taking %g frames per second", path, _WHAM_FPS)
                fps = _WHAM_FPS
            return [_wham(path, key, value, frame or "world", fps) for key, value in content.items()]
    held = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
    raise ValueError(
        f"{path}: expected a 3DPW sequence (poses, trans, cam_poses), WHAM's wham_output.pkl (persons with pose, "
        f"trans) or GVHMR's hmr4d_results.pt (smpl_params_global), the file holds {held or 'nothing'}"
    )


def amass_track(path: Path, field: Callable[[str], np.ndarray], names: list[str]) -> Track:
    """The one person of an AMASS .npz of the SMPL-H or SMPL-X generation, turned from z up to y up.

    Args:
        field: Gives a named array of the file.
        names: The arrays that the file has.

    Raises:
        ValueError: Fields are missing, of the wrong shape, or no positive frame rate.
    """
    rate = next((name for name in ("mocap_framerate", "mocap_frame_rate") if name in names), None)
    if rate is None or "poses" not in names or "trans" not in names:
        raise ValueError(
            f"{path}: no AMASS motion and none of motionrep's; expected poses, trans and mocap_framerate or "
            f"mocap_frame_rate, got {', '.join(names)} (AMASS's shape.npz and *_stagei.npz hold no motion)"
        )
    poses, trans = field("poses"), field("trans")
    if poses.ndim != 2 or poses.shape[1] not in _AMASS_POSES or trans.shape != (len(poses), 3) or not len(poses):
        accepted = ", ".join(f"{count} ({what})" for count, (_, what) in _AMASS_POSES.items())
        raise ValueError(
            f"{path}: expected poses (frames, numbers) with as many numbers as one of {accepted}, and "
            f"trans (frames, 3), got {poses.shape} and {trans.shape}"
        )
    generation, _ = _AMASS_POSES[poses.shape[1]]
    joints = poses.shape[1] // 3
    order = FILE_ORDERS.get(joints + 2)  # where the file's joints stand on a body, which has SMPL's two hands as well
    if order is not None:
        on_body = np.zeros((len(poses), joints + 2, 3))
        on_body[:, order] = poses.reshape(len(poses), joints, 3)
        poses = on_body.reshape(len(poses), -1)
    betas = field("betas") if "betas" in names else np.zeros(_BETAS)
    turn = y_up_turn(torch.tensor([0.0, 0.0, 1.0]))
    return _track(
        path,
        "0",
        poses,
        trans,
        betas,
        generation,
        _rate(path, rate, field(rate)),
        "world",
        "on_floor",
        turn=turn,
    )


def amass_gender(field: Callable[[str], np.ndarray], names: list[str]) -> str | None:
    """The gender of the body that an AMASS file means, in small letters; None when it does not say."""
    try:
        gender = field("gender").ravel() if "gender" in names else np.zeros(0)
        return gender.astype("U").item().lower() if gender.dtype.kind in "SU" and gender.size == 1 else None
    except ValueError:  # a Python object, or text that is none; the motion can be read without it
        return None


def _rate(path: Path, name: str, value: np.ndarray) -> float:
    """Frames per second, also when they are text or an array of one number."""
    try:
        fps = float(value.item()) if value.size == 1 else math.nan
    except (ValueError, TypeError):
        fps = math.nan
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{path}: field {name!r} must be one positive number, frames per second, got {value}")
    return fps


def _threedpw(path: Path, content: dict[str, Any], frame: _Frame, fps: float | None) -> list[Track]:
    """Poses at 30 frames/s go with the images and cameras; those at 60 Hz have no cameras."""
    if fps not in (None, 30, 60) or (fps == 60 and frame == "camera"):
        raise ValueError(f"{path}: 3DPW has 30 frames/s, and 60 in the world, got fps={fps:g} and {frame} axes")
    suffix = "_60Hz" if fps == 60 else ""
    all_poses, all_trans, all_betas = (
        _listed(path, content, name) for name in (f"poses{suffix}", f"trans{suffix}", "betas")
    )
    if not len(all_poses) == len(all_trans) == len(all_betas):
        raise ValueError(
            f"{path}: {len(all_poses)} persons in poses, {len(all_trans)} in trans, {len(all_betas)} in betas"
        )
    if frame == "camera":
        camera_from_world = torch.from_numpy(_array(path, "cam_poses", content["cam_poses"]).astype(np.float64))
        if camera_from_world.shape != (len(all_poses[0]), 4, 4):
            raise ValueError(
                f"{path}: expected cam_poses ({len(all_poses[0])} frames, 4, 4), got {tuple(camera_from_world.shape)}"
            )
        turn, shift_m = camera_from_world[:, :3, :3], camera_from_world[:, :3, 3]
    else:  # the file does not say which way is up
        roots = torch.from_numpy(np.concatenate([poses[:, :3] for poses in all_poses])).double()
        turn, shift_m = y_up_turn(roma.rotvec_to_rotmat(roots)[..., 1].mean(0)), torch.zeros(3)
    return [
        _track(
            path,
            str(person),
            *arrays,
            "smpl",
            30.0 if fps is None else fps,
            frame,
            "shared",
            turn=turn,
            shift_m=shift_m,
        )
        for person, arrays in enumerate(zip(all_poses, all_trans, all_betas, strict=True))
    ]


def _wham(path: Path, person: Any, content: dict[str, Any], frame: _Frame, fps: float) -> Track:
    """Each person has a world of its own. There, `trans_world` is the middle of the hips; `trans` is SMPL's."""
    names = ("pose", "trans") if frame == "camera" else ("pose_world", "trans_world")
    if lacking := [name for name in (*names, "betas", "frame_ids") if name not in content]:
        raise ValueError(
            f"{path}: person {person!r} lacks {', '.join(lacking)}, which WHAM's --save_pkl writes; "
            f"it has {', '.join(map(str, content))}"
        )
    pose, trans, betas, frame_ids = (_array(path, name, content[name]) for name in (*names, "betas", "frame_ids"))
    name = str(person if isinstance(person, str | int) else _array(path, "the person's number", person))
    return _track(
        path, name, pose, trans, betas, "smpl", fps, frame, "own",
        place_of="vertices" if frame == "camera" else "hips", frame_numbers=frame_ids,
    )  # fmt: skip


def _gvhmr(path: Path, content: dict[str, Any], frame: _Frame, fps: float | None) -> Track:
    """Gravity-view coordinates have y up; their height and heading mean nothing."""
    if fps not in (None, _GVHMR_FPS):
        raise ValueError(f"{path}: GVHMR's results have {_GVHMR_FPS:g} frames/s, got fps={fps:g}; leave it out")
    key = "smpl_params_incam" if frame == "camera" else "smpl_params_global"
    fields = content.get(key)
    names = ("global_orient", "body_pose", "transl", "betas")
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), Tensor) for name in names):
        raise ValueError(f"{path}: expected {key!r} with tensors {', '.join(names)}")
    root, pose, transl, betas = (fields[name].detach().float().numpy() for name in names)
    if root.ndim != 2 or pose.ndim != 2 or len(root) != len(pose):
        raise ValueError(
            f"{path}: expected global_orient (frames, 3), body_pose (frames, 63), got {root.shape}, {pose.shape}"
        )
    return _track(path, "0", np.concatenate([root, pose], 1), transl, betas, "smplx", _GVHMR_FPS, frame, "own")


def _track(
    path: Path, person: str, poses: np.ndarray, place: np.ndarray, betas: np.ndarray, generation: Generation,
    fps: float, frame: _Frame, world: Literal["on_floor", "shared", "own"], *,
    place_of: Literal["vertices", "hips"] = "vertices", frame_numbers: np.ndarray | None = None,
    turn: Float[Tensor, "*frames 3 3"] | None = None, shift_m: Float[Tensor, "*frames 3"] | None = None,
) -> Track:  # fmt: skip
    """A track, once the shapes of what the file holds are checked; betas may be one vector or one for each frame."""
    frames = len(poses) if poses.ndim else 0
    numbers = np.arange(frames) if frame_numbers is None else frame_numbers.ravel()
    numbers_of_a_pose = (66, 72, *(3 * count for count in BODY_SKELETONS))
    if not frames or poses.ndim != 2 or poses.shape[1] not in numbers_of_a_pose or place.shape != (frames, 3):
        raise ValueError(
            f"{path}: person {person}: expected poses (frames, 72 or 66) and translations (frames, 3), "
            f"got {poses.shape} and {place.shape}"
        )
    if len(numbers) != frames or (np.diff(numbers) <= 0).any():
        raise ValueError(f"{path}: person {person}: expected {frames} increasing frame numbers, got {len(numbers)}")
    betas = np.atleast_2d(betas)
    if betas.shape[0] not in (1, frames) or betas.ndim != 2:
        raise ValueError(f"{path}: person {person}: expected betas (10) or (frames, 10), got {betas.shape}")
    if not (np.isfinite(poses).all() and np.isfinite(place).all() and np.isfinite(betas).all()):
        raise ValueError(f"{path}: person {person}: poses, translations or betas hold NaN or infinite values")
    return Track(
        person,
        torch.from_numpy(poses.astype(np.float32)).unflatten(1, (-1, 3)),
        torch.from_numpy(place.astype(np.float32)),
        place_of,
        torch.from_numpy(betas.astype(np.float32)).expand(frames, -1),
        generation,
        fps,
        frame,
        world,
        torch.from_numpy(numbers.astype(np.int64)),
        torch.eye(3) if turn is None else turn.float(),
        torch.zeros(3) if shift_m is None else shift_m.float(),
    )


def _listed(path: Path, content: dict[str, Any], name: str) -> list[np.ndarray]:
    """One array for each person."""
    if not isinstance(content.get(name), list) or not content[name]:
        raise ValueError(f"{path}: expected {name!r} to list an array for each person")
    return [_array(path, name, value) for value in content[name]]


def _array(path: Path, name: str, value: Any) -> np.ndarray:
    try:
        return as_array(value)
    except MALFORMED as error:
        raise ValueError(f"{path}: field {name!r} is no array that can be read: {error}") from error
