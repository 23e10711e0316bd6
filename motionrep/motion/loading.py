"""Loads motion files: of a body, or of joint positions as `save_motion` writes them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

import torch

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import require_kind
from motionrep.files.reading import reading
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.readers import own_joints
from motionrep.motion.records import JointOptions, MotionOptions, Up
from motionrep.motion.retargeting.skeletons import SkeletonMap
from motionrep.motion.same_surface import GENDERS, body_of_gender
from motionrep.motion.tracks import Track, is_made_for, motions_from_tracks
from motionrep.types import BodyMotion, JointMotion

_READ_ON_ANY_BODY = ("BVH", "DeepMimic", "motionrep body motion")
Motion = TypeVar("Motion", BodyMotion, JointMotion, BodyMotion | JointMotion)


def load_motion(
    path: Path | str,
    body_model: str = "open",
    skeleton: SkeletonMap | None = None,
    *,
    person: int | None = None,
    frame: Literal["camera", "world"] | None = None,
    fps: float | int | None = None,
    up: Up | None = None,
) -> BodyMotion:
    """The motion of one body from a file; for what is read and how, see `load_motions`.

    Args:
        person: Which of the file's persons, from 0; must be said when there are several.

    Raises:
        FileNotFoundError: No such file.
        ValueError: As `load_motions`; or several persons and none chosen, or no such person.
    """
    return one_motion(load_motions(path, body_model, skeleton, frame=frame, fps=fps, up=up), person, path)


def one_motion(motions: Sequence[Motion], person: int | None, path: Path | str) -> Motion:
    """The motion of the person that was chosen, or of the only one. Raises ValueError as `load_motion`."""
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
    up: Up | None = None,
) -> list[BodyMotion]:
    """The motion of every person in a file; in the world, y is up and the floor is y = 0.

    The kind of file is recognised by content (`files.kinds`):

    * BVH: one person. The skeleton is retargeted to the body (`retargeting.to_body.retarget`); betas are 0. All frames
      are kept, also a T-pose at the start. The floor is where the lower sole's 5th percentile is.
    * AMASS .npz (66, 72, 156 or 165 numbers a pose: SMPL without hands, SMPL, SMPL-H, SMPL-X): one person, turned from
      z up to y up. Fingers and face are read for a body that has them.
    * 3DPW .pkl: one or two persons at 30 frames/s in one world, or in the moving camera.
    * WHAM `wham_output.pkl` (`--save_pkl`): each person in a world of its own, or in the camera, from the person's
      `first_frame` on. Frames without the person are interpolated. The file does not tell the frame rate.
    * GVHMR `hmr4d_results.pt`, or the same in a .pkl: one person at 30 frames/s, in the world or in the camera.
    * PHALP and 4D-Humans .pkl, and ROMP `video_results.npz`: everybody who was followed, in the camera. The files do
      not tell the frame rate.
    * VIBE (and TCMR, PARE) .pkl, TRAM `hps_track_0.npy`, CLIFF .npz and HybrIK `res.pk`: likewise in the camera.
    * PromptHMR `results.pkl`: everybody in one world or in the camera. EasyMocap's .json, or a folder of them:
      everybody in a world with z up, or in the camera for who stands along -y.
    * MotionBERT's mesh files: everybody in a world of a level camera, or in the camera; the pelvis stays in place.
    * GLAMR .pkl: everybody at 30 frames/s, in one world or in the camera. AIST++ .pkl: one person at 60 frames/s.
    * root_orient and pose_body in an .npz (SMPL-X in parts): one person, in AMASS's axes.
    * global_orient and body_pose in an .npz (arguments of the package smplx): one person. On the body that it is for
      everything is kept, hands, face and expression too.
    * A dict with global_orient and body_pose (.pkl, .pt, .npy, .json), or of persons with them: in the camera for who
      stands along -y, else in a world with y up.
    * DeepMimic's .txt: one person, whose bones point as those of its humanoid do; betas are 0.
    * motionrep's own .npz (`save_motion`): exactly as saved; `body_model` and `skeleton` do not matter.

    Betas belong to the body they were made for (`tracks.motion_from_track`): SMPL's to SMPL and SMPL-H, SMPL-X's to
    SMPL-X. There the first 10 are kept, averaged over time. On any other body they become 0. Warnings tell when other
    betas are not 0, and when an AMASS file means a body of another gender.

    The pelvis stays where it was in the camera. In the world, the soles are put on the floor, except for AMASS on its
    own body, whose floor is known. Persons who share a world are shifted together. Paths keep their length.

    Args:
        body_model: What `load_body_model` takes. 3DPW and AMASS mean SMPL of the person's gender.
        skeleton: How a BVH skeleton drives the body; recognised by its joint names when None.
        frame: Axes to read where a file holds both (3DPW, WHAM, GVHMR, GLAMR); world when None. Other files must agree.
        fps: Frame rate of the video, where the file does not tell it (None is 30 or 24, with a warning); 60 for the
            poses of 3DPW at 60 Hz. Other files have one already.
        up: The file's axis that points up, where the file means another one than is read from it: BVH tells it by its
            zero pose, 3DPW by its cameras, other formats by what they agreed on.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file holds no motion of a body (the message says what it holds), is broken, asks to import
            something, or has an unknown skeleton or other axes or frame rate than those asked for.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    options = MotionOptions(body_model, skeleton, frame, None if fps is None else float(fps), up)
    return read_motions(look(path), options)


def read_motions(contents: Contents, options: MotionOptions) -> list[BodyMotion]:
    """`load_motions` for a file that was looked at already."""
    with reading(contents.path):
        return _motions(contents, options)


def _motions(contents: Contents, options: MotionOptions) -> list[BodyMotion]:
    path = contents.path
    kind = require_kind(contents, "motion")
    found: list[BodyMotion] | list[Track] = kind.read(contents, options)
    tracks = [_with_up(track, options) for track in found if isinstance(track, Track)]
    motions = [motion for motion in found if isinstance(motion, BodyMotion)]
    motions += motions_from_tracks(path, tracks, load_body_model(options.body_model)) if tracks else []
    if options.up is not None and kind.name != "BVH" and not any(track.axes.frame == "world" for track in tracks):
        raise ValueError(f"{path}: says itself which way is up; remove up={options.up!r} (--up)")
    for motion in motions:
        if not kind.takes_fps and options.fps not in (None, motion.fps):
            raise ValueError(
                f"{path}: already has a frame rate ({motion.fps:g} fps); remove fps={options.fps:g} (--fps)"
            )
        if options.frame not in (None, motion.frame):
            raise ValueError(f"{path}: is in {motion.frame} axes, and {options.frame} axes were asked for")
    return motions


def body_meant(path: Path, body: BodyModel, fps: float | None = None) -> str | None:
    """The name of the body that a file of SMPL's is for, if the user has it and its betas mean nothing on `body`."""
    contents = look(path)
    kind = require_kind(contents, "motion")
    if kind.name in _READ_ON_ANY_BODY:
        return None
    options = MotionOptions(body.name, fps=fps if kind.takes_fps else None)
    track = next((it for it in kind.read(contents, options) if isinstance(it, Track)), None)
    if track is None or is_made_for(track.generation, body):
        return None
    return body_of_gender(track.generation, track.gender if track.gender in GENDERS else "neutral")


def _with_up(track: Track, options: MotionOptions) -> Track:
    """The track with another axis of its file for up, if the user names one."""
    if options.up is None or track.axes.frame != "world":
        return track
    return replace(track, axes=replace(track.axes, turn=y_up_turn(torch.eye(3)["xyz".index(options.up)])))


def load_joint_motion(path: Path | str) -> JointMotion:
    """Reads joint positions from the .npz of `save_motion`, exactly as saved; for other files see `load_joints`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A broken file, or one of another kind; names the file and what is wrong.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    contents = look(path)
    kind = require_kind(contents, "joints")
    if kind.reader != own_joints.__name__:
        raise ValueError(
            f"{path}: holds {kind.name}, not joints as save_motion writes them; motionrep.load_joints reads it, and "
            f"motionrep fit {path} --output body.npz makes a body motion of it"
        )
    return own_joints.read(contents, JointOptions())
