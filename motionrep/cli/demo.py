"""Runs the whole pipeline on example clips, from simulated detections to meshes, their errors, and a video."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from motionrep.body import BodyModel, load_body_model
from motionrep.datasets.authored.motions import AUTHORED, authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera, simulated_keypoints
from motionrep.embedding.tables import write_embeddings
from motionrep.evaluation.scores import errors
from motionrep.files.progress import progress_bar
from motionrep.files.writing import written_beside
from motionrep.keypoints.loading import load_keypoints
from motionrep.keypoints.saving import save_keypoints
from motionrep.layouts import HALPE_26
from motionrep.motion.axes import in_camera
from motionrep.motion.saving import save_motion
from motionrep.pipeline import Recoverer, load_networks
from motionrep.rendering import render_frames, write_video
from motionrep.types import BodyMotion, Keypoints

ENCODER = "ktpformer-s"
_FPS = 30.0
_SIZE_PX = (1280, 720)
_PANEL_PX = (288, 226)
_CAPTION_PX = 30
_INK, _PALE_INK = (36, 41, 47), (90, 95, 105)


@dataclass(frozen=True)
class _Clip:
    """One example: what the detector saw, what was recovered, what is true, and how far they are apart in mm."""

    name: str
    keypoints: Keypoints
    recovered: BodyMotion
    truth: BodyMotion
    errors: dict[str, float]


def run_demo(output: Path, clips: int = 8, seed: int = 0, seconds: float = 3.0, device: str = "cpu") -> str:
    """Fills a folder and returns a table of the clips with their errors against the known truth.

    The folder then holds `keypoints/NAME.json` (AlphaPose format), `embeddings.parquet` (one row per frame),
    `motion/NAME.npz` (recovered, camera axes), `demo.mp4` (input, recovered and true motion side by side), and
    `demo.png` with a frame of four clips.

    Args:
        output: The folder.
        clips: How many of the example motions.
        seed: Decides people, cameras and detections.
        seconds: Length of each clip.
        device: Where motions are recovered and drawn.

    Raises:
        ValueError: More clips than there are example motions.
    """
    if not 1 <= clips <= len(AUTHORED):
        raise ValueError(f"clips must be 1 to {len(AUTHORED)}, got {clips}")
    names = list(AUTHORED)[:clips]
    body = load_body_model("open")
    recover = Recoverer(*load_networks([f"mesh-{ENCODER}"], device=device), device=device)
    truth: dict[str, BodyMotion] = {}
    for name in progress_bar(names, "example clips", "clip"):
        truth[name], keypoints = _filmed(name, seed, seconds, body)
        save_keypoints([keypoints], output / "keypoints" / f"{name}.json")

    embeddings, shown = [], []
    for name in progress_bar(names, "embed and recover", "clip"):
        clip = load_keypoints(output / "keypoints" / f"{name}.json", fps=_FPS, size_px=_SIZE_PX)[0]
        recovered = recover(clip)
        motion = recovered.results[f"mesh-{ENCODER}"]
        save_motion(motion, output / "motion" / f"{name}.npz")
        embeddings.append(recovered.embedding)
        shown.append(_Clip(name, clip, motion, truth[name], errors(motion, truth[name], body)))
    write_embeddings(embeddings, output / "embeddings.parquet", "frame", names)

    pictures: list[np.ndarray] = []
    write_video(_frames(shown, pictures, device), output / "demo.mp4", _FPS)
    with written_beside(output / "demo.png") as beside:
        Image.fromarray(np.concatenate(pictures[:4])).save(beside)
    return _table(shown, output)


def _frames(shown: list[_Clip], pictures: list[np.ndarray], device: str) -> Iterator[np.ndarray]:
    """Yields the frames of all clips, one after the other, and adds one of each clip to `pictures`."""
    total = sum(clip.keypoints.frame_count for clip in shown)
    width_px, height_px = _PANEL_PX
    with progress_bar(None, "video", "frame", total=total) as bar:
        for clip in shown:
            frames = render_frames(
                [clip.recovered, clip.truth], names=["recovered", "true"], arrange="apart", keypoints=clip.keypoints,
                width_px=width_px, height_px=height_px, device=device,
            )  # fmt: skip
            caption = None
            for index, frame in enumerate(frames):
                caption = _caption(clip, frame.shape[1]) if caption is None else caption
                frame = np.concatenate([caption, frame])
                if index == clip.keypoints.frame_count // 3:
                    pictures.append(frame)
                bar.update()
                yield frame


def _caption(clip: _Clip, width_px: int) -> UInt8[np.ndarray, "height width 3"]:
    """Which motion it is, and how far the recovered one is from the truth."""
    picture = Image.new("RGB", (width_px, _CAPTION_PX), (255, 255, 255))
    pen, middle = ImageDraw.Draw(picture), _CAPTION_PX / 2
    errors = f"mean error: joints {clip.errors['mpjpe']:.0f} mm, surface {clip.errors['pve']:.0f} mm"
    pen.text((12, middle), clip.name.replace("_", " "), fill=_INK, font=ImageFont.load_default(17), anchor="lm")
    pen.text((width_px - 12, middle), errors, fill=_PALE_INK, font=ImageFont.load_default(15), anchor="rm")
    return np.asarray(picture)


def _filmed(name: str, seed: int, seconds: float, body: BodyModel) -> tuple[BodyMotion, Keypoints]:
    """The true motion in camera axes, and the keypoints that a simulated detector reports."""
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    motion = authored_motion(name, seed, seconds, _FPS)
    camera = random_camera(motion, body, rng, *_SIZE_PX)
    motion = in_camera(motion, body, camera)
    return motion, simulated_keypoints(motion, body, camera, HALPE_26, rng)


def _table(shown: list[_Clip], output: Path) -> str:
    rows = [(clip.name, clip.keypoints.frame_count, *clip.errors.values()) for clip in shown]
    head = f"{'clip':<14}{'frames':>7}{'MPJPE':>9}{'PA-MPJPE':>10}{'PVE':>8}{'accel':>9}"
    units = f"{'':<14}{'':>7}{'mm':>9}{'mm':>10}{'mm':>8}{'m/s^2':>9}"
    lines = [
        f"{name:<14}{frames:>7}{mpjpe:>9.0f}{pa:>10.0f}{pve:>8.0f}{accel / 1000:>9.1f}"
        for name, frames, mpjpe, pa, pve, accel in rows
    ]
    mean = np.mean([row[1:] for row in rows], axis=0)
    lines.append(f"{'mean':<14}{'':>7}{mean[1]:>9.0f}{mean[2]:>10.0f}{mean[3]:>8.0f}{mean[4] / 1000:>9.1f}")
    made = f"{output}/: keypoints/*.json, embeddings.parquet, motion/*.npz, demo.mp4, demo.png"
    return "\n".join([head, units, *lines, "", made])
