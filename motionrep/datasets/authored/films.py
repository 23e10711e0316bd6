"""Example motions as films: pictures of a drawn person whose true motion is known."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from motionrep.body import load_body_model
from motionrep.datasets.authored.motions import authored_motion
from motionrep.datasets.synthetic.virtual_camera import random_camera
from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering import render_frames
from motionrep.types import BodyMotion

_LABEL = "drawn by motionrep"
_INK = (90, 95, 105)


@dataclass(frozen=True)
class Film:
    """A drawn film.

    Attributes:
        motion: The true one, in world axes.
        camera: Where it stands in the world.
        pictures: One after the other; they can be read once.
    """

    motion: BodyMotion
    camera: PinholeCamera
    pictures: Iterator[UInt8[np.ndarray, "height width 3"]]


def film(
    name: str, seed: int = 0, seconds: float = 2.0, fps: float = 30.0, size_px: tuple[int, int] = (640, 360),
    device: str | torch.device = "cpu",
) -> Film:  # fmt: skip
    """Films an example motion with a still camera, whose horizontal field of view is 50 degrees.

    Each picture says in its top left corner that it is drawn.

    Args:
        name: One of the motions of `AUTHORED`.
        seed: Decides the person and the camera.

    Raises:
        ValueError: As `authored_motion`.
    """
    body, rng = load_body_model("open"), np.random.default_rng((seed, zlib.crc32(name.encode())))
    motion = authored_motion(name, seed, seconds, fps)
    camera = random_camera(motion, body, rng, *size_px)
    frames = render_frames(
        motion, camera=camera, views=["camera"], titles=False, width_px=size_px[0], height_px=size_px[1],
        backend="raster", device=str(device),
    )  # fmt: skip
    return Film(motion, camera, _labelled(frames, f"{name.replace('_', ' ')} ({_LABEL})"))


def _labelled(frames: Iterator[np.ndarray], text: str) -> Iterator[np.ndarray]:
    letters = None
    for frame in frames:
        picture = frame[..., :3].copy()
        if letters is None:
            letters = _letters(text, picture.shape[1], round(picture.shape[0] / 24))
        top = picture[: len(letters)]
        top[:] = top + (np.array(_INK) - top) * letters
        yield picture


def _letters(text: str, width_px: int, size_px: int) -> np.ndarray:
    """How much of each pixel of a strip at the top is covered by letters, from 0 to 1."""
    strip = Image.new("L", (width_px, 2 * size_px))
    ImageDraw.Draw(strip).text((size_px, size_px), text, fill=255, font=ImageFont.load_default(size_px), anchor="lm")
    return np.asarray(strip)[..., None] / 255
