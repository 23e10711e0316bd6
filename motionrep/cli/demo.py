"""Runs the whole way from videos to meshes on films of example motions, and measures errors against the known truth."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from motionrep.body import BodyModel, load_body_model
from motionrep.datasets.authored.films import Film, film
from motionrep.datasets.authored.motions import AUTHORED
from motionrep.embedding.tables import write_embeddings
from motionrep.evaluation.scores import errors
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.fitting.keypoints import refine
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.keypoints.saving import save_keypoints
from motionrep.motion.axes import in_camera, in_world
from motionrep.motion.saving import save_motion
from motionrep.pipeline import Recovered, recover
from motionrep.rendering import render_frames, write_video
from motionrep.types import BodyMotion

_HEAD = "mesh-ktpformer-s"
_FPS = 30.0
_LIMBS = [
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]
_COLUMNS = ("mpjpe", "pa_mpjpe", "pve", "accel_error")
_VIDEO_PX, _SIDE_PX = (400, 225), (240, 225)
_FLOOR_QUANTILE = 0.05  # as in drawing: the soles are a little below the floor at times
_CAPTION_PX = 30
_INK, _PALE_INK = (36, 41, 47), (90, 95, 105)


@dataclass(frozen=True)
class _Clip:
    """One example: the video, what was recovered from it, what is true in the same frames, and how far they are apart.

    Attributes:
        motion: The recovered body, refined, in camera axes.
        truth: In world axes.
        seen: Share of the video's frames in which the person was found.
        error_px: Mean distance of the detector's limb joints from the true ones.
    """

    name: str
    video: Path
    found: Recovered
    motion: BodyMotion
    truth: BodyMotion
    camera: PinholeCamera
    seen: float
    error_px: float
    errors: dict[str, float]


def run_demo(output: Path, clips: int = 8, seed: int = 0, seconds: float = 2.0, device: str = "cpu") -> str:
    """Fills a folder and returns a table of the clips with their errors against the known truth, and what to do next.

    The folder then holds `videos/NAME.mp4`, the input; what was made of them, `keypoints/NAME.npz`,
    `embeddings.parquet` (one row per frame) and `motion/NAME.npz` (camera axes); `demo.mp4` (keypoints and recovered
    body on the video, recovered and true body from the side), and `demo.png` with a frame of four clips.

    Args:
        output: The folder.
        clips: How many of the example motions.
        seed: Decides people and cameras.
        seconds: Length of each video.
        device: Where people are found, recovered and drawn.

    Raises:
        ValueError: More clips than there are example motions.
    """
    if not 1 <= clips <= len(AUTHORED):
        raise ValueError(f"clips must be 1 to {len(AUTHORED)}, got {clips}")
    names = list(AUTHORED)[:clips]
    frames = round(seconds * _FPS)
    body = load_body_model("open")
    with progress_bar(None, "demo", "frame", total=3 * frames * clips) as bar:  # film, recover, draw
        shown = []
        for name in names:
            filmed = film(name, seed, seconds, _FPS, device=device)
            video = write_video(_counted(filmed.pictures, bar), output / "videos" / f"{name}.mp4", _FPS)
            people = recover(video, [_HEAD], device=device)
            shown.append(_compared(name, video, people, filmed, body))
            bar.update(frames)
        four: list[np.ndarray] = []
        write_video(_counted(_frames(shown, four, body, device), bar), output / "demo.mp4", _FPS)
    for clip in shown:
        save_keypoints([clip.found.keypoints], output / "keypoints" / f"{clip.name}.npz")
        save_motion(clip.motion, output / "motion" / f"{clip.name}.npz")
    write_embeddings([clip.found.embedding for clip in shown], output / "embeddings.parquet", "frame", names)
    with written_beside(output / "demo.png") as beside:
        Image.fromarray(np.concatenate(four[:4])).save(beside)
    return f"{_table(shown)}\n\n{_next_steps(output)}"


def _counted(pictures: Iterable[np.ndarray], bar: Any) -> Iterator[np.ndarray]:
    for picture in pictures:
        yield picture
        bar.update()


def _compared(name: str, video: Path, people: list[Recovered], filmed: Film, body: BodyModel) -> _Clip:
    """Refines the person who was seen in most frames, and compares them with the truth in these frames."""
    found = max(people, key=lambda person: person.keypoints.frame_count)
    clip = found.keypoints
    own = slice(clip.first_frame, clip.first_frame + clip.frame_count)
    whole = filmed.motion
    truth = replace(
        whole, local_rotmat=whole.local_rotmat[own], translation_m=whole.translation_m[own],
        first_frame=clip.first_frame,
    )  # fmt: skip
    seen = in_camera(truth, body, filmed.camera)
    joints = [clip.layout.index(joint) for joint in _LIMBS]
    point_m = body.points(clip.layout, seen.local_rotmat, seen.betas, seen.translation_m)[:, joints]
    there = clip.confidence[:, joints] > 0
    error_px = float((clip.xy_px[:, joints] - project(point_m, filmed.camera)).norm(dim=-1)[there].mean())
    share = float((clip.confidence > 0).any(-1).sum()) / whole.frame_count
    motion = refine(found.results[_HEAD], clip)
    return _Clip(name, video, found, motion, truth, filmed.camera, share, error_px, errors(motion, seen, body))


def _frames(shown: list[_Clip], pictures: list[np.ndarray], body: BodyModel, device: str) -> Iterator[np.ndarray]:
    """Yields the frames of all clips, one after the other, and adds one of each clip to `pictures`."""
    for clip in shown:
        on_video = render_frames(
            clip.motion, keypoints=clip.found.keypoints, video=clip.video, views=["keypoints", "overlay"],
            width_px=_VIDEO_PX[0], height_px=_VIDEO_PX[1], device=device,
        )  # fmt: skip
        aside = render_frames(
            [_beside(in_world(clip.motion, clip.camera), clip.truth, body), clip.truth], names=["recovered", "true"],
            arrange="apart", views=["side"], width_px=_SIDE_PX[0], height_px=_SIDE_PX[1], device=device,
        )  # fmt: skip
        caption = None
        for index, panels in enumerate(zip(on_video, aside, strict=True)):
            row = np.concatenate(panels, axis=1)
            caption = _caption(clip, row.shape[1]) if caption is None else caption
            frame = np.concatenate([caption, row])
            if index == clip.motion.frame_count // 2:
                pictures.append(frame)
            yield frame


def _beside(motion: BodyMotion, truth: BodyMotion, body: BodyModel) -> BodyMotion:
    """The motion on the floor and at the place of the true one; its depth, and so its place, is not known exactly."""
    lowest_m = body.vertices(motion.local_rotmat, motion.betas, motion.translation_m)[..., 1].amin(1)
    moved_m = (truth.translation_m - motion.translation_m).mean(0)
    moved_m[1] = -lowest_m.quantile(_FLOOR_QUANTILE)
    return replace(motion, translation_m=motion.translation_m + moved_m)


def _caption(clip: _Clip, width_px: int) -> UInt8[np.ndarray, "height width 3"]:
    """Which motion it is, and how far what was found and recovered are from the truth."""
    picture = Image.new("RGB", (width_px, _CAPTION_PX), (255, 255, 255))
    pen, middle = ImageDraw.Draw(picture), _CAPTION_PX / 2
    mean = (
        f"mean error: keypoints {clip.error_px:.0f} px, joints {clip.errors['mpjpe']:.0f} mm, "
        f"surface {clip.errors['pve']:.0f} mm"
    )
    pen.text((12, middle), clip.name.replace("_", " "), fill=_INK, font=ImageFont.load_default(17), anchor="lm")
    pen.text((width_px - 12, middle), mean, fill=_PALE_INK, font=ImageFont.load_default(15), anchor="rm")
    return np.asarray(picture)


def _table(shown: list[_Clip]) -> str:
    rows = [(100 * clip.seen, clip.error_px, *(clip.errors[name] for name in _COLUMNS)) for clip in shown]
    lines = [
        f"{'clip':<14}{'frames':>7}{'found':>7}{'2D':>6}{'MPJPE':>8}{'PA-MPJPE':>10}{'PVE':>6}{'accel':>8}",
        f"{'':<14}{'':>7}{'%':>7}{'px':>6}{'mm':>8}{'mm':>10}{'mm':>6}{'m/s^2':>8}",
        *(_line(clip.name, str(clip.motion.frame_count), row) for clip, row in zip(shown, rows, strict=True)),
        _line("mean", "", np.mean(rows, axis=0)),
    ]
    return "\n".join(lines)


def _line(name: str, frames: str, values: Iterable[float]) -> str:
    seen, error_px, mpjpe, pa, pve, accel = values
    return f"{name:<14}{frames:>7}{seen:>7.0f}{error_px:>6.1f}{mpjpe:>8.0f}{pa:>10.0f}{pve:>6.0f}{accel:>8.1f}"


def _next_steps(output: Path) -> str:
    program = "motionrep" if which("motionrep") else os.path.relpath(Path(sys.executable).with_name("motionrep"))
    return f"""\
Look at {output / "demo.mp4"}: the keypoints found in each video, the recovered body laid over it,
and, from the side, the recovered beside the true body. demo.png has a frame of four videos.
The people in videos/*.mp4 are drawn; that is why the truth is known. keypoints/*.npz, motion/*.npz
and embeddings.parquet are what was made of them.

Your own video, with the recovered people over it:
  {program} predict my_video.mp4 --refine --render"""
