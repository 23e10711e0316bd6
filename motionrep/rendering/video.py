"""Frames to a file: .mp4 (PyAV), .gif (Pillow) or a folder of .png files."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import GifImagePlugin, Image

from motionrep.files import written_beside

Picture = UInt8[np.ndarray, "height width 3"]

_BT709 = 1  # FFmpeg's number for the colour matrix, primaries and transfer curve of HD video
_GIF_MAX_FPS = 50  # viewers play frames shorter than 1/50 s far too slowly


def write_video(frames: Iterable[Picture], path: Path | str, fps: float | int) -> Path:
    """Writes RGB frames of equal size, one at a time as they come, and returns the path.

    The suffix chooses the format: `.mp4` is H.264 (an odd width or height is padded by a pixel), `.gif` drops frames
    above 50 per second, no suffix makes a folder of `000000.png`, `000001.png`, ... Nothing is left when it fails.

    Raises:
        ValueError: Unknown suffix, no frames, frames of different sizes, or a folder that holds something else.
        ImportError: .mp4 without PyAV.
        OSError: The file cannot be written.
    """
    path = check_video_path(path)
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    with written_beside(path) as beside:
        write = {".mp4": _write_mp4, ".gif": _write_gif, "": _write_folder}[path.suffix.lower()]
        write(_of_one_size(frames), beside, float(fps))
    return path


def check_video_path(path: Path | str) -> Path:
    """The path, if `write_video` can write to it. Raises what `write_video` would, before any frame is made."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".mp4", ".gif", ""):
        raise ValueError(f"{path}: unknown kind of video {suffix!r}; use .mp4, .gif, or no suffix for a folder of .png")
    if suffix == ".mp4":
        _import_av()
    if suffix and path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file")
    if not suffix and path.exists():
        others = path.is_dir() and [p.name for p in path.iterdir() if p.suffix != ".png" or not p.stem.isdigit()]
        if not path.is_dir() or others:
            what = f"holds more than numbered .png frames ({others[0]!r})" if others else "is a file"
            raise ValueError(f"{path} {what} and is not replaced; choose another folder")
    return path


def _import_av():
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'writing .mp4 needs PyAV: pip install "motionrep[video]"; .gif and folders of .png work without it'
        ) from error
    return av


def _of_one_size(frames: Iterable[Picture]) -> Iterator[Picture]:
    shape = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(f"frame {index} has shape {frame.shape}, the first has {shape}")
        yield np.ascontiguousarray(frame)
    if shape is None:
        raise ValueError("no frames to write")


def _write_mp4(frames: Iterator[Picture], path: Path, fps: float) -> None:
    av = _import_av()
    first = next(frames)
    height, width = first.shape[0] + first.shape[0] % 2, first.shape[1] + first.shape[1] % 2
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        for picture in chain([first], frames):
            padding = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
            frame = av.VideoFrame.from_ndarray(np.pad(picture, padding, mode="edge"), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode())


def _write_gif(frames: Iterator[Picture], path: Path, fps: float) -> None:
    """Frame by frame, since `Image.save` would first collect them all."""
    keep_every = math.ceil(fps / _GIF_MAX_FPS)
    fps = fps / keep_every
    with path.open("wb") as file:
        kept = (picture for index, picture in enumerate(frames) if index % keep_every == 0)
        for index, picture in enumerate(kept):
            image = Image.fromarray(picture).quantize(255, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            if index == 0:
                header, _ = GifImagePlugin.getheader(image, info={"loop": 0})
                file.writelines(header)
            # durations are whole hundredths of a second; rounding the times keeps the mean exact
            hundredths = round((index + 1) * 100 / fps) - round(index * 100 / fps)
            file.writelines(
                GifImagePlugin.getdata(image, duration=hundredths * 10, disposal=1, include_color_table=True)
            )
        file.write(b";")


def _write_folder(frames: Iterator[Picture], path: Path, fps: float) -> None:
    path.mkdir()
    for index, picture in enumerate(frames):
        Image.fromarray(picture).save(path / f"{index:06d}.png", compress_level=3)
