"""One person's motion in the conventions of SMPL, as other systems write it, and the body motion that it means."""

import logging
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.skeletons import BODY_SKELETONS, HANDS, SMPLX_57
from motionrep.body.translation import translation_from_mid_hips
from motionrep.files.limits import require_within
from motionrep.layouts import SMPL_24
from motionrep.motion.axes import in_axes
from motionrep.motion.editing import without_gaps
from motionrep.motion.floor import floor_height_m, raised
from motionrep.motion.same_surface import GENDERS, body_of_gender, gender_of_body, on_same_surface
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)

Generation = Literal["smpl", "smplx"]
PlaceOf = Literal["vertices", "hips", "pelvis"]

# Where the mean body has its pelvis (metres): what SMPL's translation is added to. Needed where the motion is put on
# another body than the one it was made for.
PELVIS_M: dict[str, tuple[float, float, float]] = {"smpl": (-0.002, -0.223, 0.028), "smplx": (0.003, -0.351, 0.012)}
_LAST_FRAME = 2**31
_LARGEST_RAD = 1000.0
_VERTEX_COUNT = {"smpl": 6890, "smplx": 10475}


@dataclass(frozen=True)
class TrackAxes:
    """The axes that a track is wanted in, and how its posed body gets there: turned, then shifted.

    A world is "on_floor" when its floor is known to be y = 0, "shared" by all persons of the file, or the person's
    "own". `turn` and `shift_m` are for all frames, or one for each.
    """

    frame: Literal["camera", "world"]
    world: Literal["on_floor", "shared", "own"]
    turn: Float[Tensor, "*frames 3 3"] = field(default_factory=lambda: torch.eye(3))
    shift_m: Float[Tensor, "*frames 3"] = field(default_factory=lambda: torch.zeros(3))


@dataclass(frozen=True)
class TrackArrays:
    """The numbers of one person as a file has them; their shapes are not checked yet.

    `poses` are axis-angles in radians, (frames, 3 for each joint). `place` (frames, 3), in metres, is SMPL's
    translation ("vertices"), the middle of the two hip joints ("hips"), or the pelvis joint. `betas` are one vector, or
    one per frame.
    """

    poses: np.ndarray
    place: np.ndarray
    betas: np.ndarray
    place_of: PlaceOf = "vertices"


@dataclass(frozen=True)
class Track:
    """Pose, place and shape of one person, in the conventions of SMPL, SMPL-H or SMPL-X.

    `rotvec` turns SMPL's first 22 or all 24 joints, or those of a body with fingers (axis-angle, radians). `place_m` is
    as in `TrackArrays`. `frame_numbers` increase; a gap is a time in which the person was not seen. Betas may change
    from frame to frame. `generation` says whose betas they are ("smpl" also for SMPL-H), and `gender`
    of which body, in small letters; None where the file does not say.
    """

    person: str
    rotvec: Float[Tensor, "frames joints 3"]
    place_m: Float[Tensor, "frames 3"]
    place_of: PlaceOf
    betas: Float[Tensor, "frames betas"]
    generation: Generation
    fps: float
    axes: TrackAxes
    frame_numbers: Int[Tensor, " frames"]
    gender: str | None = None


def checked_track(
    path: Path,
    person: str,
    arrays: TrackArrays,
    generation: Generation,
    fps: float,
    axes: TrackAxes,
    frame_numbers: np.ndarray | None = None,
    gender: str | None = None,
) -> Track:
    """A track of what a file holds.

    Args:
        frame_numbers: 0, 1, 2 ... when None.
        gender: Of the body that the betas are for.

    Raises:
        ValueError: Wrong shapes, frame numbers that do not increase, NaN; names the file and the person.
    """
    poses, place, betas = arrays.poses, arrays.place, np.atleast_2d(arrays.betas)
    frames = len(poses) if poses.ndim else 0
    numbers = np.arange(frames) if frame_numbers is None else frame_numbers.ravel()
    require_within(path, "frames", max(frames, len(numbers)))
    numbers_of_a_pose = (66, 72, *(3 * count for count in BODY_SKELETONS))
    if not frames or poses.ndim != 2 or poses.shape[1] not in numbers_of_a_pose or place.shape != (frames, 3):
        raise ValueError(
            f"{path}: person {person}: expected poses (frames, 72 or 66) and translations (frames, 3), "
            f"got {poses.shape} and {place.shape}"
        )
    if len(numbers) != frames or numbers.dtype.kind not in "fiu" or (np.diff(numbers.astype(float)) <= 0).any():
        raise ValueError(f"{path}: person {person}: expected {frames} increasing frame numbers, got {len(numbers)}")
    if not (numbers >= 0).all() or not (numbers < _LAST_FRAME).all() or (numbers % 1).any():
        raise ValueError(
            f"{path}: person {person}: frame numbers should be whole and not negative, got {numbers[0]:g} to "
            f"{numbers[-1]:g}; number the frames from 0"
        )
    if betas.shape[0] not in (1, frames) or betas.ndim != 2:
        raise ValueError(f"{path}: person {person}: expected betas (10) or (frames, 10), got {betas.shape}")
    if any(array.dtype.kind not in "fiub" for array in (poses, place, betas)):
        raise ValueError(f"{path}: person {person}: poses, translations and betas should be numbers")
    if not (np.isfinite(poses).all() and np.isfinite(place).all() and np.isfinite(betas).all()):
        raise ValueError(f"{path}: person {person}: poses, translations or betas hold NaN or infinite values")
    if np.abs(poses).max() > _LARGEST_RAD:
        raise ValueError(
            f"{path}: person {person}: poses should be axis-angles in radians, got {np.abs(poses).max():g}"
        )
    rotvec = torch.from_numpy(poses.astype(np.float32)).unflatten(1, (-1, 3))
    place_m, shape = (torch.from_numpy(values.astype(np.float32)) for values in (place, betas))
    frame_numbers_ = torch.from_numpy(numbers.astype(np.int64))
    shapes = shape.expand(frames, -1)
    return Track(person, rotvec, place_m, arrays.place_of, shapes, generation, fps, axes, frame_numbers_, gender)


def fps_or_usual(path: Path, fps: float | None, usual: float) -> float:
    """The frame rate that was given; the usual one, with a warning, where nobody says."""
    if fps is None:
        logger.warning("%s does not say its frame rate; taking %g frames per second", path, usual)
    return usual if fps is None else fps


def is_made_for(generation: Generation, body: BodyModel) -> bool:
    """Whether betas of a generation mean something on a body; a body that is neither's is taken at its user's word."""
    others = [count for name, count in _VERTEX_COUNT.items() if name != generation]
    has_face = body.joint_count == SMPLX_57.joint_count
    if body.own_joints is not None or (has_face and generation == "smpl"):
        return False
    return body.name != "open" and body.template_vertex_m.shape[0] not in others


def motions_from_tracks(path: Path, tracks: list[Track], body: BodyModel) -> list[BodyMotion]:
    """The motions of all persons of a file on a body; in a world, with the floor at y = 0.

    Persons who share a world are shifted together. Where the floor is known, the body it is known for stays in place.
    """
    dropped = [track.betas[:, body.beta_count :] for track in tracks if is_made_for(track.generation, body)]
    if any(bool(betas.any()) for betas in dropped):
        logger.warning(
            "%s: only the first %d of its %d betas are kept, though others are not 0; its shape is a little different",
            path, body.beta_count, tracks[0].betas.shape[-1],
        )  # fmt: skip
    motions = [_on_body(path, track, body) for track in tracks]
    axes, generation = tracks[0].axes, tracks[0].generation
    if axes.frame == "camera" or (axes.world == "on_floor" and is_made_for(generation, body)):
        return motions
    heights_m = [floor_height_m(motion, body) for motion in motions]
    if axes.world == "shared":
        heights_m = [torch.stack(heights_m).min()] * len(motions)
    return [raised(motion, -height_m) for motion, height_m in zip(motions, heights_m, strict=True)]


def _on_body(path: Path, track: Track, body: BodyModel) -> BodyMotion:
    """The motion; betas of a body of another gender become those with which the body has the same surface."""
    gender = gender_of_body(body.name)
    if track.gender not in GENDERS or gender in (None, track.gender) or not is_made_for(track.generation, body):
        return motion_from_track(track, body)
    name = body_of_gender(track.generation, track.gender)
    if name is None:
        if bool(track.betas.any()):
            logger.warning(
                "%s: its betas are those of a %s body, which is not here, so its people get the mean shape on %s; pass "
                "body_model=%r, as for load_body_model, or get that body's file to have the shape fitted",
                path, track.gender, body.name, f"{track.generation}-{track.gender}",
            )  # fmt: skip
        return motion_from_track(replace(track, betas=torch.zeros_like(track.betas)), body)
    try:
        source = load_body_model(name, track.betas.shape[-1])
    except ValueError:  # older files have 10 betas
        source = load_body_model(name)
    moved, error_mm = on_same_surface(motion_from_track(track, source), source, body)
    _tell(path.parent, body.name, name, round(error_mm, 1))
    return moved


@lru_cache  # once for the files of a person, who has a folder in AMASS
def _tell(folder: Path, body: str, source: str, error_mm: float) -> None:
    logger.info("%s: on %s the surface is %.1f mm from that of %s", folder, body, error_mm, source)


def motion_from_track(track: Track, body: BodyModel) -> BodyMotion:
    """The motion of a body from its first to its last frame; where frames are missing, joints turn and move evenly.

    On a body that the track was made for, the betas are kept (their mean over time). On any other they are 0 and the
    pelvis is where it was.
    """
    import roma  # takes as long as torch to import, and files of motionrep's own need it not

    from motionrep.body.smplx_parameters import rigid_hands

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
    if not has_fingers and track.rotvec.shape[1] > SMPL_24.joint_count:
        local_rotmat[:, list(HANDS)] = rigid_hands(track.rotvec)
    if track.place_of == "hips":
        translation_m = translation_from_mid_hips(track.place_m, local_rotmat[:, 0], rest_joint_m)
    elif track.place_of == "pelvis":
        translation_m = track.place_m - rest_joint_m[0]
    else:  # the root turns about the pelvis, so that is the point to carry over
        pelvis_m = body.rest_joints(betas)[:, 0] if made_for else track.place_m.new_tensor(PELVIS_M[track.generation])
        translation_m = track.place_m + pelvis_m - rest_joint_m[0]
    motion = BodyMotion(
        local_rotmat, translation_m, betas.mean(0), body.name, track.fps, track.axes.frame,
        first_frame=int(track.frame_numbers[0]),
    )  # fmt: skip
    return without_gaps(in_axes(motion, body, track.axes.turn, track.axes.shift_m), track.frame_numbers)
