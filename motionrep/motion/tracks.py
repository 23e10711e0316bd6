"""One person's motion as another system wrote it, and the body motion that it means."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.body.model import BodyModel
from motionrep.body.skeletons import BODY_SKELETONS
from motionrep.body.translation import translation_from_mid_hips
from motionrep.layouts import SMPL_24
from motionrep.motion.editing import _without_gaps
from motionrep.types import BodyMotion

Generation = Literal["smpl", "smplx"]

# Where the mean body has its pelvis (metres): what SMPL's translation is added to. Needed where the motion is put on
# another body than the one it was made for.
PELVIS_M: dict[str, tuple[float, float, float]] = {"smpl": (-0.002, -0.223, 0.028), "smplx": (0.003, -0.351, 0.012)}
_VERTEX_COUNT = {"smpl": 6890, "smplx": 10475}


@dataclass(frozen=True)
class Track:
    """Pose, place and shape of one person, in the conventions of SMPL, SMPL-H or SMPL-X.

    `rotvec` turns SMPL's first 22 or all 24 joints, or those of a body with fingers (axis-angle, radians). `place_m` is
    SMPL's translation ("vertices"), or where the middle of the two hip joints is ("hips"). The posed body is then
    turned by `turn` and shifted by `shift_m`, which lead to the axes that `frame` names; a world is "on_floor" when its
    floor is known to be y = 0, "shared" by all persons of the file, or the person's "own". `frame_numbers` increase; a
    gap is a time the person was not seen. Betas may change from frame to frame. `generation` says whose betas they are
    ("smpl" also for SMPL-H).
    """

    person: str
    rotvec: Float[Tensor, "frames joints 3"]
    place_m: Float[Tensor, "frames 3"]
    place_of: Literal["vertices", "hips"]
    betas: Float[Tensor, "frames betas"]
    generation: Generation
    fps: float
    frame: Literal["camera", "world"]
    world: Literal["on_floor", "shared", "own"]
    frame_numbers: Int[Tensor, " frames"]
    turn: Float[Tensor, "*frames 3 3"]
    shift_m: Float[Tensor, "*frames 3"]


def is_made_for(generation: Generation, body: BodyModel) -> bool:
    """Whether betas of a generation mean something on a body; a body that is neither's is taken at its user's word."""
    others = [count for name, count in _VERTEX_COUNT.items() if name != generation]
    return body.name != "open" and body.template_vertex_m.shape[0] not in others


def motion_from_track(track: Track, body: BodyModel) -> BodyMotion:
    """The motion of a body from its first to its last frame; where frames are missing, joints turn and move evenly.

    On a body that the track was made for, the betas are kept (their mean over time). On any other they are 0 and the
    pelvis is where it was.
    """
    made_for = is_made_for(track.generation, body)
    count = min(track.betas.shape[-1], body.beta_count)
    betas = track.betas.new_zeros(len(track.rotvec), body.beta_count)
    if made_for:
        betas[:, :count] = track.betas[:, :count]
    rest_joint_m = body.rest_joints(betas.mean(0))

    has_fingers = track.rotvec.shape[1] > SMPL_24.joint_count and body.joint_count > SMPL_24.joint_count
    local_rotmat = torch.eye(3).repeat(len(track.rotvec), body.joint_count if has_fingers else 24, 1, 1)
    joints = min(track.rotvec.shape[1], local_rotmat.shape[1])
    local_rotmat[:, :joints] = roma.rotvec_to_rotmat(track.rotvec[:, :joints].double()).float()
    local_rotmat[:, 0] = track.turn @ local_rotmat[:, 0]
    place_m = track.place_m
    if track.place_of == "vertices":  # the root turns about the pelvis, so that is the point to carry over
        place_m = place_m + (
            body.rest_joints(betas)[:, 0] if made_for else place_m.new_tensor(PELVIS_M[track.generation])
        )
    place_m = (track.turn @ place_m[..., None])[..., 0] + track.shift_m
    if track.place_of == "vertices":
        translation_m = place_m - rest_joint_m[0]
    else:
        translation_m = translation_from_mid_hips(place_m, local_rotmat[:, 0], rest_joint_m)
    motion = BodyMotion(
        local_rotmat, translation_m, betas.mean(0), body.name, track.fps, track.frame,
        first_frame=int(track.frame_numbers[0]),
    )  # fmt: skip
    return _without_gaps(motion, track.frame_numbers)


_Frame = Literal["camera", "world"]


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
