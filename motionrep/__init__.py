"""Keypoints in, motion representation, any head, something you can look at.

clips = motionrep.load_keypoints("dance.json", size_px=(1920, 1080))
embedding = motionrep.embed(clips[0], motionrep.load_encoder("ktpformer-s"))
motion = motionrep.load_head("mesh-ktpformer-s").predict(embedding)
motionrep.render(motion, "dance.mp4", keypoints=clips[0])
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from motionrep.body import load_body_model
from motionrep.embedding import embed, mirrored
from motionrep.encoders import load_encoder
from motionrep.head_api import load_head
from motionrep.keypoint_io import load_keypoints, save_keypoints
from motionrep.rendering import render
from motionrep.streaming import Stream, StreamedFrame, embed_with_latency
from motionrep.types import ActionScores, BodyMotion, JointMotion, Keypoints, MeshMotion, MotionEmbedding

if TYPE_CHECKING:
    from motionrep.body.transfer import transfer
    from motionrep.export import export_motion
    from motionrep.fitting import fit_body
    from motionrep.flipping import flip_averaged
    from motionrep.joint_io import load_joints
    from motionrep.motion_io import load_joint_motion, load_motion, load_motions, save_motion

__version__ = version("motionrep")

__all__ = [
    "ActionScores", "BodyMotion", "JointMotion", "Keypoints", "MeshMotion", "MotionEmbedding",
    "Stream", "StreamedFrame",
    "embed", "embed_with_latency", "export_motion", "fit_body", "flip_averaged", "load_body_model", "load_encoder",
    "load_head", "load_joint_motion", "load_joints", "load_keypoints", "load_motion", "load_motions", "mirrored",
    "render", "save_keypoints", "save_motion", "transfer",
]  # fmt: skip


_LATE = {
    "export_motion": "motionrep.export",
    "fit_body": "motionrep.fitting",
    "flip_averaged": "motionrep.flipping",
    "load_joints": "motionrep.joint_io",
    "transfer": "motionrep.body.transfer",
} | dict.fromkeys(("load_joint_motion", "load_motion", "load_motions", "save_motion"), "motionrep.motion_io")


def __getattr__(name: str) -> Any:
    """Motion files need roma, whose import takes as long as torch's: it waits until they are used."""
    if name not in _LATE:
        raise AttributeError(f"module 'motionrep' has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
