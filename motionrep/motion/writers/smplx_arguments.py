"""The arguments of a model of the package `smplx` (`BodyMotion.to_smplx`) in an .npz, with frame rate and axes."""

from pathlib import Path

import numpy as np
import torch

from motionrep.body.smplx_parameters import smplx_parameters
from motionrep.files.writing import written_beside
from motionrep.motion.axes import TURN_TO_UP, in_axes
from motionrep.motion.same_surface import gender_of_body
from motionrep.motion.writers.scene import Scene

MODEL_TYPES = {24: "smpl", 54: "smplh", 57: "smplx"}


def write(scene: Scene, path: Path) -> None:
    """`axes` is "camera", "y-up" or "z-up"; `model_type` and `gender` are what `smplx.create` takes."""
    (person,) = scene.people
    body, motion, axes = person.body, person.motion, "camera"
    if motion.frame == "world":
        axes = "z-up" if np.array_equal(scene.turn, TURN_TO_UP["z"]) else "y-up"
        motion = in_axes(motion, body, torch.from_numpy(scene.turn).float())
    arrays = {name: it.numpy() for name, it in smplx_parameters(motion, body).items()}
    gender = gender_of_body(body.name) or "neutral"
    with written_beside(path) as beside, beside.open("wb") as file:  # to a name in capitals NumPy would append .npz
        np.savez_compressed(
            file,
            **arrays,  # pyright: ignore[reportArgumentType]
            model_type=np.array(MODEL_TYPES[body.joint_count]),
            gender=np.array(gender),
            body_model=np.array(body.name),
            axes=np.array(axes),
            fps=np.array(float(motion.fps)),
            first_frame=np.array(motion.first_frame),
        )
