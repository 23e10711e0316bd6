"""Draws the pictures of docs/gallery.md: python examples/gallery.py [FOLDER [NAME ...]]

The motions ship with motionrep. A virtual camera and a simulated detector see them, the shipped networks recover them
from the detections, and the results are drawn.
"""

import sys
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

import motionrep
from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import simulated_keypoints
from motionrep.geometry.cameras import PinholeCamera, camera_from_world_looking
from motionrep.layouts import HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.rendering import render, render_frames
from motionrep.types import BodyMotion, JointMotion, Keypoints, MotionEmbedding

FPS = 30.0
HEIGHT_PX = 300
SEED = 4
SIZE_PX = 960, 720


@dataclass(frozen=True)
class Clip:
    """The true motion in camera axes, what a detector saw of it, and what was recovered."""

    truth: BodyMotion
    keypoints: Keypoints
    embedding: MotionEmbedding
    mesh: BodyMotion
    joints: JointMotion


@cache
def filmed(name: str) -> Clip:
    """Four seconds of a shipped motion, seen from the front and recovered."""
    body, rng = load_body_model("open"), np.random.default_rng(SEED)
    world = standing_at(name, 0, 0, 35)
    pose = camera_from_world_looking(torch.tensor([0.0, 1.0, 3.3]), torch.tensor([0.0, 1.0, 0.0]))
    camera = replace(PinholeCamera.from_hfov(*SIZE_PX), camera_from_world=pose)
    truth = in_camera(world, body, camera)
    keypoints = simulated_keypoints(truth, body, camera, HALPE_26, rng)
    embedding = motionrep.embed(keypoints, motionrep.load_encoder("ktpformer-s"))
    mesh, joints = (motionrep.load_head(f"{head}-ktpformer-s").predict(embedding) for head in ("mesh", "pose3d"))
    return Clip(truth, keypoints, embedding, mesh, joints)


def standing_at(name: str, x_m: float, z_m: float, turn_deg: float) -> BodyMotion:
    """Four seconds of a shipped motion that starts at a place on the floor, turned about the vertical."""
    motion = authored_motion(name, SEED, 4.0, FPS)
    facing = motion.local_rotmat[0, 0, :, 2]
    angle = torch.deg2rad(torch.tensor(turn_deg)) - torch.atan2(facing[0], facing[2])
    turn = torch.eye(3)
    turn[0, 0], turn[0, 2], turn[2, 0], turn[2, 2] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
    rotmat = motion.local_rotmat.clone()
    rotmat[:, 0] = turn @ rotmat[:, 0]
    place_m = (motion.translation_m - motion.translation_m[0] * torch.tensor([1.0, 0, 1])) @ turn.T
    return replace(motion, local_rotmat=rotmat, translation_m=place_m + torch.tensor([x_m, 0, z_m]))


def shown(motion, at_s: int = 1, **options) -> np.ndarray:
    """The frame of a rendering at a whole second."""
    return next(islice(render_frames(motion, fps=1, height_px=HEIGHT_PX, **options), at_s, None))


def overlay() -> np.ndarray:
    """The source video is a rendering of the true motion, in place of a real video."""
    clip = filmed("wave")
    with TemporaryDirectory() as folder:
        video = Path(folder) / "source.mp4"
        filmed_by = PinholeCamera.from_hfov(*SIZE_PX)
        truth = clip.truth.cut(0, 45)
        render(truth, video, camera=filmed_by, views=["camera"], titles=False, height_px=360)
        keypoints = replace(clip.keypoints, xy_px=clip.keypoints.xy_px[:45], confidence=clip.keypoints.confidence[:45])
        return shown(
            clip.mesh.cut(0, 45), keypoints=keypoints, video=video, views=["video", "keypoints", "overlay", "side"]
        )


def persons() -> np.ndarray:
    people = [standing_at("wave", -0.9, 0, 20), standing_at("squat", 0, -0.3, 0), standing_at("punch", 0.9, 0, -20)]
    return shown(people, names=["Ada", "Ben", "Cleo"], views=["camera", "turntable"], at_s=3)


def compared() -> np.ndarray:
    clip = filmed("wave")
    return shown([clip.mesh, clip.truth], names=["recovered", "true"], keypoints=clip.keypoints)


def apart() -> np.ndarray:
    clip = filmed("wave")
    return shown([clip.mesh, clip.truth], names=["recovered", "true"], arrange="apart", views=["camera", "side"])


def error() -> np.ndarray:
    clip = filmed("wave")
    return shown(clip.mesh, compare_to=clip.truth, keypoints=clip.keypoints)


def skeleton() -> np.ndarray:
    clip = filmed("jumping_jack")
    return np.concatenate([
        shown(clip.mesh, show="skeleton", views=["camera", "side"]),
        np.full((HEIGHT_PX + 24, 2, 3), 255, np.uint8),
        shown(clip.joints, views=["camera", "side"]),
    ], axis=1)  # fmt: skip


def labels() -> np.ndarray:
    """The actions that the shipped head recognises in a clip, every half second."""
    clip = filmed("sit_down")  # a class that it knows
    timeline = motionrep.load_head("action-ktpformer-s").predict_over_time(clip.embedding, 1.0)
    segments = [astuple(segment) for segment in timeline.segments()]
    return shown(clip.mesh, at_s=2, labels=segments, keypoints=clip.keypoints)


def turntable() -> np.ndarray:
    motion = authored_motion("punch", SEED, 6.0, FPS)
    frames = render_frames(motion, fps=1, views=["turntable"], titles=False, width_px=220, height_px=HEIGHT_PX)
    return np.concatenate(list(frames)[:5], axis=1)


def backgrounds() -> np.ndarray:
    motion = authored_motion("wave", SEED, 4.0, FPS)
    options = {"views": ["camera"], "titles": False, "width_px": 240}
    seen = [shown(motion, background=name, **options) for name in ("studio", "white", "transparent")]
    return np.concatenate([*seen[:2], _over_tiles(seen[2])], axis=1)


def _over_tiles(picture: np.ndarray) -> np.ndarray:
    """The picture over a checkerboard, which shows what is transparent."""
    rows, columns = np.indices(picture.shape[:2]) // 10
    tiles = np.where((rows + columns) % 2, 200, 240)[..., None]
    opacity = picture[..., 3:] / 255
    return (picture[..., :3] * opacity + tiles * (1 - opacity)).round().astype(np.uint8)


def strip() -> np.ndarray:
    """Four of the pictures, cropped to the person, for the README."""
    clip = filmed("wave")
    options = {"width_px": 230, "titles": False}
    return np.concatenate([
        shown(clip.mesh, views=["side"], **options),
        shown(clip.mesh, show="skeleton", views=["side"], **options),
        shown([clip.mesh, clip.truth], views=["side"], **options),
        shown(clip.mesh, compare_to=clip.truth, views=["side"], **options)[:HEIGHT_PX],
    ], axis=1)  # fmt: skip


GALLERY: dict[str, Callable[[], np.ndarray]] = {
    picture.__name__: picture
    for picture in (overlay, persons, compared, apart, error, skeleton, labels, turntable, backgrounds, strip)
}


def main(folder: str = "docs/gallery", *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or GALLERY:
        picture = Image.fromarray(GALLERY[name]())
        path = Path(folder) / f"{name}.png"
        picture.save(path, optimize=True)
        print(f"{path}: {picture.width} x {picture.height} px, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
