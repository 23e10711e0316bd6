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
from motionrep.datasets.authored.films import film
from motionrep.datasets.authored.motions import AUTHORED
from motionrep.embedding.tables import write_embeddings
from motionrep.evaluation.scores import errors
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.keypoints.saving import save_keypoints
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
_CAPTION_PX = 30
_INK, _PALE_INK = (36, 41, 47), (90, 95, 105)


@dataclass(frozen=True)
class _Clip:
    """One example: the video, what was recovered from it, what is true in the same frames, and how far they are apart.

    Attributes:
        seen: Share of the video's frames in which the person was found.
        error_px: Mean distance of the detector's limb joints from the true ones.
    """

    name: str
    video: Path
    found: Recovered
    truth: BodyMotion
    seen: float
    error_px: float
    errors: dict[str, float]

    @property
    def motion(self) -> BodyMotion:
        return self.found.results[_HEAD]


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
            truth, pictures = film(name, seed, seconds, _FPS, device=device)
            video = write_video(_counted(pictures, bar), output / "videos" / f"{name}.mp4", _FPS)
            people = recover(video, [_HEAD], device=device)
            shown.append(_compared(name, video, people, truth, body))
            bar.update(frames)
        four: list[np.ndarray] = []
        write_video(_counted(_frames(shown, four, device), bar), output / "demo.mp4", _FPS)
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


def _compared(name: str, video: Path, people: list[Recovered], truth: BodyMotion, body: BodyModel) -> _Clip:
    """Compares the person who was seen in most frames with the truth in these frames."""
    found = max(people, key=lambda person: person.keypoints.frame_count)
    clip = found.keypoints
    own = slice(clip.first_frame, clip.first_frame + clip.frame_count)
    same = replace(
        truth, local_rotmat=truth.local_rotmat[own], translation_m=truth.translation_m[own],
        first_frame=clip.first_frame,
    )  # fmt: skip
    joints = [clip.layout.index(joint) for joint in _LIMBS]
    point_m = body.points(clip.layout, same.local_rotmat, same.betas, same.translation_m)[:, joints]
    true_px = project(point_m, PinholeCamera.from_hfov(clip.width_px, clip.height_px))
    there = clip.confidence[:, joints] > 0
    error_px = float((clip.xy_px[:, joints] - true_px).norm(dim=-1)[there].mean())
    seen = float((clip.confidence > 0).any(-1).sum()) / truth.frame_count
    return _Clip(name, video, found, same, seen, error_px, errors(found.results[_HEAD], same, body))


def _frames(shown: list[_Clip], pictures: list[np.ndarray], device: str) -> Iterator[np.ndarray]:
    """Yields the frames of all clips, one after the other, and adds one of each clip to `pictures`."""
    for clip in shown:
        on_video = render_frames(
            clip.motion, keypoints=clip.found.keypoints, video=clip.video, views=["keypoints", "overlay"],
            width_px=_VIDEO_PX[0], height_px=_VIDEO_PX[1], device=device,
        )  # fmt: skip
        aside = render_frames(
            [clip.motion, clip.truth], names=["recovered", "true"], arrange="apart", views=["side"],
            width_px=_SIDE_PX[0], height_px=_SIDE_PX[1], device=device,
        )  # fmt: skip
        caption = None
        for index, (left, right) in enumerate(zip(on_video, aside, strict=True)):
            row = np.concatenate([left, right], axis=1)
            caption = _caption(clip, row.shape[1]) if caption is None else caption
            frame = np.concatenate([caption, row])
            if index == clip.motion.frame_count // 2:
                pictures.append(frame)
            yield frame


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
Look at {output}/demo.mp4: each video with the keypoints found, the recovered body laid over it, and from the side the
recovered beside the true body. {output}/demo.png has a frame of four of them.
The videos, {output}/videos/*.mp4, show drawn people, whose true motion is known. {output}/ also has keypoints/*.npz,
motion/*.npz and embeddings.parquet.

Your own video:
  {program} detect my_video.mp4 --output my_video.npz
  {program} predict my_video.npz --output results"""
