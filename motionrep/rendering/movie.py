"""A motion as a row of pictures: input keypoints, the camera's view, the view from the side."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm import tqdm

from motionrep.body import load_body_model
from motionrep.cameras import PinholeCamera
from motionrep.layouts import H36M_17, SMPL_24, to_h36m_17
from motionrep.rendering.scene import Backdrop, Surface, draw, make_backdrop
from motionrep.rendering.skeleton import draw_keypoints, stick_figure, stick_figure_vertices
from motionrep.rendering.video import check_video_path, write_video
from motionrep.rendering.views import Stage, fitted, make_stage, placed_camera, up_from_steps, up_in_camera
from motionrep.types import BodyMotion, JointMotion, Keypoints, MeshMotion

Given = TypeVar("Given")
Made = TypeVar("Made")
View = Literal["camera", "side"]
Motion = BodyMotion | MeshMotion | JointMotion

_BODY_COLOR = (0.87, 0.80, 0.745)
_LABEL_PX = 24
_GAP_PX = 2
_FRAMES_AT_ONCE = 4
_SAMPLES = 32
_FRONT_DEG, _SIDE_DEG = 28.0, 90.0
_LOWEST_EYE_M = 0.3


def render(
    motion: Motion,
    path: Path | str,
    *,
    keypoints: Keypoints | None = None,
    camera: PinholeCamera | None = None,
    views: Sequence[View] = ("camera", "side"),
    width_px: int | None = None,
    height_px: int = 480,
    fps: float | int | None = None,
    supersample: int = 2,
    device: str = "cpu",
    progress: bool = False,
) -> Path:
    """Writes a video of a motion: .mp4, .gif or, without a suffix, a folder of .png. Returns its path.

    The panels stand side by side: the input keypoints if given, then the views. `render_frames` explains them.

    Args:
        fps: Speed at which the frames are played; the motion's own when None.
        progress: Show a progress bar on a terminal.

    Raises:
        ValueError: Keypoints that do not belong to the motion, an unknown view, or a path `write_video` refuses.
        ImportError: .mp4 without PyAV.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = check_video_path(path)
    frames = render_frames(
        motion,
        keypoints=keypoints,
        camera=camera,
        views=views,
        width_px=width_px,
        height_px=height_px,
        supersample=supersample,
        device=device,
    )
    shown = tqdm(frames, total=_frame_count(motion), unit="frame", disable=None if progress else True)
    return write_video(iter(shown), path, motion.fps if fps is None else fps)


def render_frames(
    motion: Motion,
    *,
    keypoints: Keypoints | None = None,
    camera: PinholeCamera | None = None,
    views: Sequence[View] = ("camera", "side"),
    width_px: int | None = None,
    height_px: int = 480,
    supersample: int = 2,
    device: str = "cpu",
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The frames of `render`, one after the other; what is in memory does not grow with the length of the clip.

    View "camera" is the motion's own camera for a motion in camera axes, so it coincides with the keypoints; otherwise
    it stands in front. View "side" stands 90 degrees to the right of that. Cameras without a place of their own show
    the whole clip, or go along smoothly with a person who walks far.

    In a motion in camera axes, up is guessed (`views.up_in_camera`, `views.up_from_steps`), the floor is the 5th
    percentile of the lowest points, and the camera view shows the floor only if the camera is at least 0.3 m above it.

    Args:
        camera: Of the view "camera"; when None, a motion in camera axes is seen with a field of view of 50 degrees.
        width_px: Of each panel; when None, in the proportions of the keypoints' or the camera's image, or 4:3.
        height_px: Of each panel, without the line of text below.
        supersample: Samples per pixel along x and y: 1 is fast and jagged, 2 is smooth.

    Raises:
        ValueError: A motion without frames, keypoints that do not belong to it, or an unknown view.
    """
    count = _frame_count(motion)
    if count == 0:
        raise ValueError("the motion has no frames")
    if keypoints is not None and keypoints.frame_count != count:
        raise ValueError(f"keypoints have {keypoints.frame_count} frames, the motion has {count}; pass the same clip")
    if unknown := [view for view in views if view not in ("camera", "side")]:
        raise ValueError(f"unknown view {unknown[0]!r} (known: camera, side)")
    if not views and keypoints is None:
        raise ValueError("nothing to draw: no views and no keypoints")
    if supersample < 1 or height_px < 1 or (width_px is not None and width_px < 1):
        raise ValueError(f"sizes must be positive, got {width_px} x {height_px} px, supersample {supersample}")
    shape_of = camera or keypoints
    if width_px is None:
        width_px = round(height_px * (shape_of.width_px / shape_of.height_px if shape_of else 4 / 3))
    if camera is not None and motion.frame == "root":
        raise ValueError("a motion in frame 'root' has no place in a camera; leave camera= out")
    if camera is None and motion.frame == "camera":
        size = keypoints or PinholeCamera.from_hfov(width_px, height_px)
        camera = PinholeCamera.from_hfov(size.width_px, size.height_px)
    return _frames(motion, keypoints, camera, tuple(views), (width_px, height_px), supersample, torch.device(device))


def _frames(
    motion: Motion,
    keypoints: Keypoints | None,
    camera: PinholeCamera | None,
    views: tuple[View, ...],
    size_px: tuple[int, int],
    supersample: int,
    device: torch.device,
) -> Iterator[np.ndarray]:
    """The generator behind `render_frames`, which checks before the first frame is asked for."""
    with torch.no_grad():
        subject = _subject(motion, device)
        stage = _stage(motion, subject)
    transform = stage.world_from_motion.to(device)

    def backdrop(view: View, frame: int) -> Backdrop:
        seen_from = _camera(motion, stage, camera if view == "camera" else None, view, frame, size_px)
        eye_m = torch.linalg.inv(seen_from.camera_from_world)[1, 3]
        floor = view == "side" or float(eye_m) > _LOWEST_EYE_M
        return make_backdrop(seen_from, stage.center_m[frame] if floor else None, device)

    unmoved = {} if stage.follows else {view: backdrop(view, 0) for view in views}

    def draw_chunk(frames: range) -> list[np.ndarray]:
        with torch.no_grad():
            vertex_m = subject.vertices(frames) @ transform[:3, :3].T + transform[:3, 3]
            pictures = []
            for frame, surface_m in zip(frames, vertex_m, strict=True):
                panels = [("input keypoints", draw_keypoints(keypoints, frame, *size_px))] if keypoints else []
                for view in views:
                    behind = unmoved.get(view) or backdrop(view, frame)
                    picture = draw([Surface(surface_m, subject.faces, subject.color)], behind, supersample)
                    title = "front view" if view == "camera" and camera is None else f"{view} view"
                    panels.append((title, picture.cpu().numpy()))
                pictures.append(_side_by_side(panels))
            return pictures

    count = _frame_count(motion)
    chunks = [range(start, min(start + _FRAMES_AT_ONCE, count)) for start in range(0, count, _FRAMES_AT_ONCE)]
    for pictures in _in_order(draw_chunk, chunks, min(os.cpu_count() or 1, 8) if device.type == "cpu" else 1):
        yield from pictures


@dataclass(frozen=True)
class _Subject:
    """What is drawn: a surface that is made a few frames at a time, and which way it stands, in the motion's axes."""

    faces: Int[Tensor, "faces 3"]
    color: Float[Tensor, "vertices 3"]
    vertices: Callable[[Sequence[int]], Float[Tensor, "frames vertices 3"]]
    path_m: Float[Tensor, "frames 3"]
    up: Float[Tensor, "3"] | None
    front: Float[Tensor, "3"] | None


def _subject(motion: Motion, device: torch.device) -> _Subject:
    if isinstance(motion, BodyMotion):
        body = load_body_model(motion.body_model, len(motion.betas)).to(device)

        def vertices(frames: Sequence[int]) -> Tensor:
            rotmat, translation_m = motion.local_rotmat[frames].to(device), motion.translation_m[frames].to(device)
            expression = None if motion.expression is None else motion.expression[frames].to(device)
            return body.vertices(rotmat, motion.betas.to(device), translation_m, expression)

        some = torch.linspace(0, motion.frame_count - 1, min(motion.frame_count, _SAMPLES)).round().long()
        posed = (motion.local_rotmat[some].to(device), motion.betas.to(device), motion.translation_m[some].to(device))
        joint_m = body.joints(*posed).cpu().mean(0)
        # Whoever does not fall has the middle of the body above the feet, also bent or crouched.
        feet = [SMPL_24.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
        up = joint_m.mean(0) - joint_m[feet].mean(0)
        front = motion.local_rotmat[:, 0].mean(0).cpu()[:, 2]
        color = torch.tensor(_BODY_COLOR).expand(body.rest_vertices(motion.betas.to(device)).shape[0], 3)
        return _Subject(body.faces.long(), color.to(device), vertices, motion.translation_m.cpu(), up, front)
    if isinstance(motion, JointMotion):
        faces, color = stick_figure(motion.layout)
        h36m, _ = to_h36m_17(motion.position_m.cpu(), motion.position_m.cpu()[..., 0], motion.layout)
        pelvis, thorax, left, right = (
            h36m[:, H36M_17.index(name)] for name in ("pelvis", "thorax", "left_hip", "right_hip")
        )
        up = (thorax - pelvis).mean(0)
        return _Subject(
            faces.to(device),
            color.to(device),
            lambda frames: stick_figure_vertices(motion.position_m[frames].to(device), motion.layout),
            pelvis,
            up,
            torch.linalg.cross((left - right).mean(0), up),
        )
    color = torch.tensor(_BODY_COLOR).expand(motion.vertex_m.shape[1], 3)
    return _Subject(
        motion.faces.long().to(device),
        color.to(device),
        lambda frames: motion.vertex_m[frames].to(device),
        torch.stack([frame.mean(0) for frame in motion.vertex_m]).cpu(),
        None,
        None,
    )


def _stage(motion: Motion, subject: _Subject) -> Stage:
    count = _frame_count(motion)
    sampled = torch.linspace(0, count - 1, min(count, _SAMPLES)).round().long().tolist()
    sample_m = torch.cat([subject.vertices([frame]).cpu() for frame in sampled])
    up, front = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, -1.0])
    if motion.frame != "world":
        up = up_from_steps(up_in_camera(subject.up) if subject.up is not None else -up, sample_m)
    elif subject.front is not None and float(subject.front[[0, 2]].norm()) > 0.3 * float(subject.front.norm()):
        front = subject.front
    else:
        front = -front
    return make_stage(sample_m, sampled, subject.path_m, motion.fps, up, front, motion.frame == "world")


def _camera(
    motion: Motion, stage: Stage, camera: PinholeCamera | None, view: View, frame: int, size_px: tuple[int, int]
) -> PinholeCamera:
    """The camera of a view, in the stage's world."""
    if camera is not None:
        own = camera.camera_from_world.cpu() if motion.frame == "world" else torch.eye(4)
        return fitted(replace(camera, camera_from_world=own @ torch.linalg.inv(stage.world_from_motion)), *size_px)
    azimuth_deg = _SIDE_DEG if view == "side" else _FRONT_DEG if motion.frame == "world" else 0.0
    return placed_camera(stage, frame, azimuth_deg, *size_px)


def _frame_count(motion: Motion) -> int:
    if isinstance(motion, BodyMotion):
        return motion.frame_count
    return len(motion.vertex_m if isinstance(motion, MeshMotion) else motion.position_m)


def _side_by_side(panels: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """Panels in a row, each with its title below."""
    height, width = panels[0][1].shape[:2]
    row = np.full((height + _LABEL_PX, (width + _GAP_PX) * len(panels) - _GAP_PX, 3), 255, np.uint8)
    image = Image.fromarray(row)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for index, (title, picture) in enumerate(panels):
        left = index * (width + _GAP_PX)
        image.paste(Image.fromarray(picture), (left, 0))
        pen.text((left + width / 2, height + _LABEL_PX / 2), title, fill=(90, 95, 105), font=font, anchor="mm")
    return np.asarray(image)


def _in_order(make: Callable[[Given], Made], items: Iterable[Given], workers: int) -> Iterator[Made]:
    """`map` on several threads, a few items ahead. Drawing is many small operations: one thread for each is fastest."""
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    ahead: deque = deque()
    try:
        for item in items:
            ahead.append(executor.submit(make, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
