"""The pictures of a video, an image or a folder of images, evenly spaced in time and one at a time in memory."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from motionrep.rendering.video.reading import SourceVideo, open_source_video
from motionrep.types import DEFAULT_FPS

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_LONGEST_PX = 1920
_UNEVEN = 0.25  # of a frame: how far a frame may be from its place in an even rate
_SAME_RATE = 0.02  # `SourceVideo.times_of_motion_s` takes rates within 1 % for the frames of the video themselves


@dataclass(frozen=True)
class PictureSource:
    """Where pictures come from.

    Attributes:
        width_px, height_px: Of the source, upright.
        shown_px: Width and height of what `pictures` gives; smaller where the source is very large.
        resampled: Whether the source's own frames are unevenly spaced, so that some are repeated or left out.
    """

    path: Path
    width_px: int
    height_px: int
    shown_px: tuple[int, int]
    fps: float
    count: int
    resampled: bool
    pictures: Callable[[], Iterator[UInt8[np.ndarray, "height width 3"]]]


def open_pictures(path: Path | str, fps: float | None = None) -> PictureSource:
    """Opens a video, an image or a folder of images.

    Args:
        fps: Of a folder of images; 30 when None. A video has its own.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not a video or image, one without pictures, or `fps` for a video.
        ImportError: A video, and PyAV is missing.
    """
    if re.match(r"[a-z0-9+]+://", str(path)):
        raise ValueError(f"{path}: is an address; download the video first, and give the file")
    path = Path(path)
    if path.is_dir():
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        images = sorted((file for file in files if file.suffix.lower() in _IMAGES), key=_numbered)
        if not images:
            raise ValueError(f"{path}: a folder without images ({', '.join(_IMAGES)})")
        return _of_images(path, images, fps)
    if path.suffix.lower() in _IMAGES and path.is_file():
        return _of_images(path, [path], fps)
    if fps is not None:
        raise ValueError(f"{path}: a video says its frame rate itself; fps is for folders of images")
    return _of_video(open_source_video(path))


def even_frames(time_s: Float64[np.ndarray, " frames"]) -> tuple[float, Int[np.ndarray, " shown"] | None]:
    """The frame rate of a video, and which of its frames to show at that rate; None for each of them once.

    Frames that are unevenly spaced are shown at their usual rate, each moment with the frame that is nearest in time.
    """
    steps_s = np.diff(time_s)
    if not len(steps_s) or time_s[-1] <= time_s[0]:
        return DEFAULT_FPS, None
    mean = len(steps_s) / float(time_s[-1] - time_s[0])
    late = np.abs((time_s - time_s[0]) * mean - np.arange(len(time_s)))
    if late.max() <= _UNEVEN:
        return mean, None
    fps = max(1 / max(float(np.median(steps_s)), 1e-3), mean * (1 + _SAME_RATE))
    shown_s = time_s[0] + np.arange(int((time_s[-1] - time_s[0]) * fps + 1e-6) + 1) / fps
    middles_s = np.concatenate([time_s[:1], (time_s[1:] + time_s[:-1]) / 2])
    return fps, (np.searchsorted(middles_s, shown_s, side="right") - 1).clip(0)


def _of_video(video: SourceVideo) -> PictureSource:
    fps, shown = even_frames(video.frame_time_s)
    numbers = np.arange(len(video.frame_time_s)) if shown is None else shown
    size_px = _smaller(video.width_px, video.height_px)

    def pictures() -> Iterator[np.ndarray]:
        from av.error import FFmpegError

        given = 0
        try:
            for picture in video.pictures(numbers.tolist(), *size_px):
                yield picture
                given += 1
        except FFmpegError as error:
            raise ValueError(
                f"{video.path}: cannot be decoded beyond frame {given}: {error.strerror}; is it damaged?"
            ) from error

    return PictureSource(
        video.path, video.width_px, video.height_px, size_px, fps, len(numbers), shown is not None, pictures
    )


def _of_images(path: Path, images: list[Path], fps: float | None) -> PictureSource:
    width_px, height_px = _image(images[0]).size
    size_px = _smaller(width_px, height_px)

    def pictures() -> Iterator[np.ndarray]:
        for file in images:
            image = _image(file)
            if image.size != (width_px, height_px):
                raise ValueError(
                    f"{file}: is {image.width} x {image.height} px, {images[0].name} is {width_px} x {height_px} px; "
                    "the images of a folder must have one size"
                )
            yield np.array(image if image.size == size_px else image.resize(size_px, Image.Resampling.BOX))

    rate = DEFAULT_FPS if fps is None else fps
    return PictureSource(path, width_px, height_px, size_px, rate, len(images), False, pictures)


def _image(path: Path) -> Image.Image:
    """An image as it is shown, turned upright by its orientation tag; what is transparent is black."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
                upright = Image.fromarray((np.asarray(upright).clip(0, 65535) // 256).astype(np.uint8))
            if upright.has_transparency_data:
                clear = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
            return upright.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as an image: {error}") from error


def _numbered(file: Path) -> list[tuple[int, str]]:
    """Sorts names by the numbers in them, 2 before 10."""
    parts = re.findall(r"\d+|\D+", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _smaller(width_px: int, height_px: int) -> tuple[int, int]:
    scale = min(1.0, _LONGEST_PX / max(width_px, height_px))
    return max(round(width_px * scale), 1), max(round(height_px * scale), 1)
