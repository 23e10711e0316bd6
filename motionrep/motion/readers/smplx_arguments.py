"""Arguments of a model of the package `smplx` (.npz with global_orient and body_pose): one person."""

import logging
from typing import Literal

import numpy as np
import torch

from motionrep.body.loading import load_body_model
from motionrep.body.smplx_parameters import motion_from_smplx
from motionrep.files.arrays import Arrays, open_npz
from motionrep.files.contents import Contents
from motionrep.geometry.rotations import y_up_turn
from motionrep.motion.readers.amass import gender_of, on_body
from motionrep.motion.readers.frame_rates import fps_of
from motionrep.motion.readers.own import first_frame_of
from motionrep.motion.records import MotionOptions
from motionrep.motion.same_surface import GENDERS, gender_of_body
from motionrep.motion.tracks import (
    Generation,
    Track,
    TrackArrays,
    TrackAxes,
    checked_track,
    is_made_for,
)
from motionrep.types import BodyMotion

logger = logging.getLogger(__name__)

_ROTATIONS = (
    "global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose", "left_hand_pose", "right_hand_pose",
)  # fmt: skip
_JOINTS = {"smpl": 24, "smplh": 54, "smplx": 57}


def read(contents: Contents, options: MotionOptions) -> list[Track] | list[BodyMotion]:
    """The motion exactly, with expression, on the body that the file is for; on any other as a track of SMPL's.

    A file that does not say its axes is in the camera's if the user says so, and else in a world with y up.

    Raises:
        ValueError: An array is missing, has another number of frames, or does not fit the file's model.
    """
    path = contents.path
    with open_npz(path) as arrays:
        model_type, fps = _model_type(arrays), fps_of(path, arrays, options)
        axes = str(arrays["axes"]) if "axes" in arrays else ("camera" if options.frame == "camera" else "y-up")
        made_for = str(arrays["body_model"]) if "body_model" in arrays else None
        first_frame = first_frame_of(path, arrays)
        names = (*_ROTATIONS, "transl", "betas", "expression")
        values = {name: arrays[name] for name in names if name in arrays}
        gender = gender_of(arrays)
    if axes not in ("camera", "y-up", "z-up"):
        raise ValueError(f"{path}: field 'axes' must be camera, y-up or z-up, got {axes!r}")
    frame: Literal["camera", "world"] = "camera" if axes == "camera" else "world"
    betas = np.atleast_2d(values.get("betas", np.zeros(10)))
    same_gender = gender_of_body(options.body_model) in (None, gender) or gender not in GENDERS
    for_body = same_gender and _is_for(options.body_model, made_for, model_type, betas.shape[-1])
    if for_body and axes != "z-up" and options.up is None:
        try:
            return [motion_from_smplx(values, options.body_model, fps, frame, first_frame)]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    frames = len(values["global_orient"])
    parts = [values[name].reshape(frames, -1) for name in _ROTATIONS if name in values]
    poses, place = np.concatenate(parts, 1), values.get("transl", np.zeros((frames, 3)))
    up = torch.tensor([0.0, 0.0, 1.0] if axes == "z-up" else [0.0, 1.0, 0.0])
    track_axes = TrackAxes(frame, "on_floor", y_up_turn(up)) if frame == "world" else TrackAxes(frame, "own")
    generation: Generation = "smplx" if model_type == "smplx" else "smpl"
    numbers = first_frame + np.arange(frames)
    track = TrackArrays(on_body(poses), place, betas)
    return [checked_track(path, "0", track, generation, fps, track_axes, numbers, gender)]


def _is_for(body_model: str, made_for: str | None, model_type: str, betas: int) -> bool:
    """Whether the body that was asked for is the file's own, joints and betas."""
    if body_model == made_for:
        return True
    body = load_body_model(body_model)
    generation: Generation = "smplx" if model_type == "smplx" else "smpl"
    same_betas = is_made_for(generation, body) and betas <= body.beta_count
    return same_betas and body.joint_count == _JOINTS[model_type]


def _model_type(arrays: Arrays) -> str:
    """What the file says, or what its arrays are for."""
    said = str(arrays["model_type"]).lower() if "model_type" in arrays else ""
    if said in _JOINTS:
        return said
    if "jaw_pose" in arrays or "expression" in arrays:
        return "smplx"
    return "smplh" if "left_hand_pose" in arrays else "smpl"
