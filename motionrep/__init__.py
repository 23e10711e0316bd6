"""Keypoints in, motion representation, any head, something you can look at.

clips = motionrep.load_keypoints("dance.json", size_px=(1920, 1080))
embedding = motionrep.embed(clips[0], motionrep.load_encoder("ktpformer-s"))
motion = motionrep.load_head("mesh-ktpformer-s").predict(embedding)
motionrep.render(motion, "dance.mp4", keypoints=clips[0])
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionrep.body import BodyModel, BodyMotion, load_body_model
    from motionrep.body.smplx_parameters import motion_from_smplx
    from motionrep.deployment.latency import embed_with_latency
    from motionrep.deployment.stream import Stream, StreamedFrame
    from motionrep.detection import detect
    from motionrep.embedding import embed, mirrored
    from motionrep.encoders import load_encoder, load_published
    from motionrep.fitting.joints import fit_body
    from motionrep.fitting.keypoints import refine
    from motionrep.fitting.transfer import transfer
    from motionrep.geometry.camera_files import read_camera, write_camera
    from motionrep.geometry.cameras import PinholeCamera
    from motionrep.head_api.flip_averaging import flip_averaged
    from motionrep.head_api.loading import load_head, save_head
    from motionrep.keypoints import load_keypoints, save_keypoints
    from motionrep.layouts import JointLayout
    from motionrep.motion.axes import in_world
    from motionrep.motion.editing import resample
    from motionrep.motion.exporting import export_motion
    from motionrep.motion.joint_loading import load_joints
    from motionrep.motion.loading import load_joint_motion, load_motion, load_motions
    from motionrep.motion.rows import body_motion_from_rows, joint_motion_from_rows
    from motionrep.motion.saving import save_motion
    from motionrep.pipeline import Recovered, Recoverer, load_networks, recover
    from motionrep.rendering import RenderOptions, render, render_frames
    from motionrep.scale import embed_dataset, recover_dataset
    from motionrep.types import ActionScores, JointMotion, Keypoints, MeshMotion, MotionEmbedding
    from motionrep.viewing import ViewedMotion, Viewer, save_page, view

__version__ = version("motionrep")

# Where each public name lives. Nothing is imported before it is used: torch alone takes more than a second.
_NAMES = {
    "body": ("BodyModel", "BodyMotion", "load_body_model"),  # motions find their surface when bodies are loaded
    "body.smplx_parameters": ("motion_from_smplx",),
    "deployment.latency": ("embed_with_latency",),
    "deployment.stream": ("Stream", "StreamedFrame"),
    "detection": ("detect",),
    "embedding": ("embed", "mirrored"),
    "encoders": ("load_encoder", "load_published"),
    "fitting.joints": ("fit_body",),
    "fitting.keypoints": ("refine",),
    "fitting.transfer": ("transfer",),
    "geometry.camera_files": ("read_camera", "write_camera"),
    "geometry.cameras": ("PinholeCamera",),
    "head_api.flip_averaging": ("flip_averaged",),
    "head_api.loading": ("load_head", "save_head"),
    "keypoints": ("load_keypoints", "save_keypoints"),
    "layouts": ("JointLayout",),
    "motion.axes": ("in_world",),
    "motion.editing": ("resample",),
    "motion.exporting": ("export_motion",),
    "motion.joint_loading": ("load_joints",),
    "motion.loading": ("load_joint_motion", "load_motion", "load_motions"),
    "motion.rows": ("body_motion_from_rows", "joint_motion_from_rows"),
    "motion.saving": ("save_motion",),
    "pipeline": ("Recovered", "Recoverer", "load_networks", "recover"),
    "rendering": ("RenderOptions", "render", "render_frames"),
    "scale": ("embed_dataset", "recover_dataset"),
    "types": ("ActionScores", "JointMotion", "Keypoints", "MeshMotion", "MotionEmbedding"),
    "viewing": ("ViewedMotion", "Viewer", "save_page", "view"),
}
_MODULE_OF = {name: f"motionrep.{module}" for module, names in _NAMES.items() for name in names}
# Their modules are reached as attributes, as in motionrep.encoders.load_published.
_PACKAGES = (
    "body", "datasets", "deployment", "detection", "embedding", "encoders", "evaluation", "files", "fitting",
    "geometry", "head_api", "keypoints", "layouts", "motion", "pipeline", "rendering", "scale", "training", "types",
    "viewing", "weights", "windows",
)  # fmt: skip

__all__ = [
    "ActionScores", "BodyModel", "BodyMotion", "JointLayout", "JointMotion", "Keypoints", "MeshMotion",
    "MotionEmbedding", "PinholeCamera", "Recovered", "Recoverer", "RenderOptions", "Stream", "StreamedFrame",
    "ViewedMotion", "Viewer", "body_motion_from_rows", "detect", "embed", "embed_dataset", "embed_with_latency",
    "export_motion", "fit_body", "flip_averaged", "in_world", "joint_motion_from_rows", "load_body_model",
    "load_encoder", "load_head", "load_joint_motion", "load_joints", "load_keypoints", "load_motion", "load_motions",
    "load_networks", "load_published", "mirrored", "motion_from_smplx", "read_camera", "recover", "recover_dataset",
    "refine", "render", "render_frames", "resample", "save_head", "save_keypoints", "save_motion", "save_page",
    "transfer", "view", "write_camera",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name or a package, imported when it is first asked for."""
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    if name in _PACKAGES:
        return import_module(f"motionrep.{name}")
    raise AttributeError(f"module 'motionrep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
