"""Folders of images as the video that they are, and images as they are shown."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from motionrep.files.reading import require_file
from motionrep.rendering.video.reading import SourceVideo, open_source_video

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class SourceImages(SourceVideo):
    """The images of a folder, evenly spaced in time."""

    images: tuple[Path, ...]

    def pictures(
        self, numbers: Iterable[int], width_px: int, height_px: int
    ) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """As `SourceVideo.pictures`.

        Raises:
            ValueError: An image cannot be read, or has another size than the first one.
        """
        shown, picture = None, np.zeros((0, 0, 3), np.uint8)
        for number in numbers:
            if number != shown:
                image = open_image(self.images[number])
                if image.size != (self.width_px, self.height_px):
                    raise ValueError(
                        f"{self.images[number]}: is {image.width} x {image.height} px, {self.images[0].name} is "
                        f"{self.width_px} x {self.height_px} px; the images of a folder must have one size"
                    )
                size_px = width_px, height_px
                picture = np.array(image if image.size == size_px else image.resize(size_px, Image.Resampling.BOX))
                shown = number
            yield picture


def open_source(path: Path | str, fps: float) -> SourceVideo:
    """A video, or an image or a folder of images, which are shown at a rate.

    Raises:
        FileNotFoundError, ValueError, ImportError: As `open_source_video` and `open_source_images`.
    """
    path = Path(path)
    if path.is_dir() or (path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()):
        return open_source_images(path, fps)
    return open_source_video(path)


def open_source_images(path: Path, fps: float) -> SourceImages:
    """An image, or the images of a folder in the order of the numbers in their names.

    Raises:
        ValueError: A folder without images, or the first one cannot be read.
    """
    images = [path]
    if path.is_dir():
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        images = sorted((file for file in files if file.suffix.lower() in IMAGE_SUFFIXES), key=_numbered)
        if not images:
            raise ValueError(f"{path}: a folder without images ({', '.join(IMAGE_SUFFIXES)})")
    width_px, height_px = open_image(images[0]).size
    return SourceImages(path, width_px, height_px, np.arange(len(images)) / fps, False, tuple(images))


def open_image(path: Path) -> Image.Image:
    """An image as it is shown, turned upright by its orientation tag; what is transparent is black.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        require_file(path)
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
                upright = Image.fromarray((np.asarray(upright).clip(0, 65535) // 256).astype(np.uint8))
            if upright.has_transparency_data:
                clear = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
            return upright.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as an image: {error}") from error


def _numbered(file: Path) -> list[tuple[int, str]]:
    """Sorts names by the numbers in them, 2 before 10."""
    parts = re.findall(r"\d+|\D+", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
