"""Predicts clips with an encoder and a head, in the form that published protocols score."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import load_body_model
from motionrep.body.model import BodyModel
from motionrep.embedding.encoding import embed
from motionrep.embedding.inputs import mirrored
from motionrep.encoders import Encoder
from motionrep.head_api.contract import representation_of
from motionrep.head_api.flip_averaging import flip_averaged
from motionrep.layouts import H36M_17
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding


@dataclass(frozen=True)
class Predictor:
    """An encoder, a head, and how they read a clip.

    Attributes:
        flip: Averages joints with those of the mirrored clip, mirrored back.
        overlap: Share of a window that the next one repeats. Published evaluations have 0; the last window is moved
            back to end with the clip.
        dtype: Arithmetic of the encoder.
    """

    encoder: Encoder
    head: Any = None
    flip: bool = True
    overlap: float = 0.0
    device: str | torch.device = "cpu"
    dtype: torch.dtype = torch.float32

    def embed(self, keypoints: Keypoints) -> MotionEmbedding:
        """The representation of one person, on the CPU."""
        return embed(keypoints, self.encoder, overlap=self.overlap, device=self.device, dtype=self.dtype)

    def motion(self, keypoints: Keypoints) -> Any:
        """What the head predicts for one person, without flip averaging."""
        return self.head.predict(self.embed(keypoints))

    def joints_m(
        self, keypoints: Keypoints, pelvis: Literal["as_predicted", "zero", "subtracted"] = "subtracted"
    ) -> Float[Tensor, "frames 17 3"]:
        """Human3.6M-17 joints in camera axes, relative to the pelvis.

        Args:
            pelvis: `subtracted` moves the pelvis to the origin. Of heads that predict where it is (`pelvis` of the head
                `pose3d`), `as_predicted` leaves it there, and `zero` puts it alone at the origin.

        Raises:
            ValueError: The head predicts no joints and no body, or not in camera axes.
        """
        joints = self._joints(keypoints, pelvis == "subtracted")
        if self.flip:
            joints = flip_averaged(joints, self._joints(mirrored(keypoints), pelvis == "subtracted"))
        position_m = joints.position_m
        return (
            torch.cat([torch.zeros_like(position_m[:, :1]), position_m[:, 1:]], 1) if pelvis == "zero" else position_m
        )

    def _joints(self, keypoints: Keypoints, subtracted: bool) -> JointMotion:
        if subtracted or getattr(self.head, "pelvis", "origin") == "origin":
            position_m = h36m_joints_m(self.motion(keypoints))
        else:
            with torch.no_grad():
                position_m = self.head(*representation_of(self.embed(keypoints)))["position_m"][0]
        return JointMotion(position_m, H36M_17, keypoints.fps, "root")

    def details(self) -> dict[str, Any]:
        """What of this decides over the numbers, for the `protocol` of a result."""
        return {
            "window_frames": self.encoder.frames,
            "window_overlap": self.overlap,
            "flip_averaging": self.flip,
            "precision": str(self.dtype).removeprefix("torch."),
        }


@lru_cache(maxsize=4)
def body_model(name: str) -> BodyModel:
    """`load_body_model` that reads the files of a body once, and not again for every clip."""
    return load_body_model(name)


def h36m_joints_m(motion: Any) -> Float[Tensor, "frames 17 3"]:
    """The Human3.6M-17 joints of a predicted motion, relative to the pelvis.

    Raises:
        ValueError: Neither joints in that layout nor a body, or in world axes.
    """
    if isinstance(motion, JointMotion) and motion.layout == H36M_17 and motion.frame != "world":
        joints_m = motion.position_m
    elif isinstance(motion, BodyMotion) and motion.frame == "camera":
        body = body_model(motion.body_model)
        joints_m = body.points(H36M_17, motion.local_rotmat, motion.betas, motion.translation_m)
    else:
        raise ValueError(
            f"the head predicts {type(motion).__name__}; a pose protocol scores joints of layout 'h36m_17' or a body, "
            "in camera axes or relative to the pelvis"
        )
    return joints_m - joints_m[:, :1]
