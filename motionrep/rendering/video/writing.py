"""Frames to a file: .mp4 and .webm (PyAV), .gif (Pillow) or a folder of .png files."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import GifImagePlugin, Image

from motionrep.files.writing import written_beside
from motionrep.rendering.video.sound import Sound, SoundTrack

Picture = UInt8[np.ndarray, "height width channels"]

_BT709 = 1  # FFmpeg's number for the colour matrix, primaries and transfer curve of HD video
_GIF_MAX_FPS = 50  # viewers play frames shorter than 1/50 s far too slowly
_CODECS = {
    ".mp4": ("libx264", "aac", {"crf": "18", "preset": "veryfast"}),
    # alternate reference frames have no alpha; row-mt and cpu-used are speed
    ".webm": ("libvpx-vp9", "libopus", {"crf": "24", "deadline": "good", "cpu-used": "5", "row-mt": "1",
                                        "auto-alt-ref": "0"}),
}  # fmt: skip


def write_video(frames: Iterable[Picture], path: Path | str, fps: float | int, sound: Sound | None = None) -> Path:
    """Writes RGB or RGBA frames of equal size, one at a time as they come, and returns the path.

    The suffix chooses the format. `.mp4` is H.264 and `.webm` is VP9; both pad an odd width or height by a pixel.
    `.gif` drops frames above 50 per second. Without a suffix, a folder of `000000.png`, `000001.png`, ... is written.
    The file gets its name only when it is complete; nothing is left if writing fails or is interrupted.

    Args:
        frames: A fourth channel is opacity, for all formats but .mp4; in a .gif a pixel is either opaque or not.
        sound: What is heard while the frames last; .mp4 (AAC) and .webm (Opus) only.

    Raises:
        ValueError: An unknown suffix, no frames, frames of different sizes, a folder that holds other files, opacity
            in .mp4, or sound in a format that has none.
        ImportError: .mp4 or .webm without PyAV.
        OSError: The file cannot be written.
    """
    path = check_video_path(path, with_sound=sound is not None)
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    with written_beside(path) as beside:
        pictures = _of_one_size(frames, path)
        if path.suffix.lower() == ".gif":
            _write_gif(pictures, beside, float(fps))
        elif path.suffix:
            _write_with_pyav(pictures, beside, float(fps), sound)
        else:
            _write_folder(pictures, beside)
    return path


def check_video_path(path: Path | str, with_alpha: bool = False, with_sound: bool = False) -> Path:
    """The path, if `write_video` can write to it. Raises what `write_video` would, before any frame is made."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_CODECS, ".gif", ""):
        raise ValueError(
            f"{path}: unknown video format {suffix!r}; use .mp4, .webm, .gif, or no suffix for a folder of .png"
        )
    if suffix == ".mp4" and with_alpha:
        raise ValueError(f"{path}: .mp4 cannot be transparent; use .webm, .gif, or no suffix for a folder of .png")
    if suffix not in _CODECS and with_sound:
        raise ValueError(f"{path}: only .mp4 and .webm can have sound; leave audio out")
    if suffix in _CODECS:
        _import_av()
    if suffix and path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file")
    if not suffix and path.exists():
        names = sorted(p.name for p in path.iterdir()) if path.is_dir() else []
        others = [name for number, name in enumerate(names) if name != f"{number:06d}.png"]
        if not path.is_dir() or others:
            what = f"holds other files than 000000.png and so on ({others[0]!r})" if others else "is a file"
            raise ValueError(f"{path} {what} and is not replaced; choose another folder")
    return path


def _import_av():
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'writing .mp4 or .webm needs PyAV: pip install "motionrep[video]"; .gif and folders of .png work without it'
        ) from error
    return av


def _of_one_size(frames: Iterable[Picture], path: Path) -> Iterator[Picture]:
    shape = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape or frame.shape[2] not in (3, 4):
            raise ValueError(f"frame {index} has shape {frame.shape}, the first has {shape}; 3 or 4 channels")
        if index == 0:
            check_video_path(path, with_alpha=shape[2] == 4)
        yield np.ascontiguousarray(frame)
    if shape is None:
        raise ValueError("no frames to write")


def _write_with_pyav(frames: Iterator[Picture], path: Path, fps: float, sound: Sound | None) -> None:
    av = _import_av()
    from av.error import FFmpegError

    video_codec, audio_codec, options = _CODECS[path.suffix.lower()]
    first = next(frames)
    height, width = first.shape[0] + first.shape[0] % 2, first.shape[1] + first.shape[1] % 2
    given, written = ("rgba", "yuva420p") if first.shape[2] == 4 else ("rgb24", "yuv420p")
    container_options = {"movflags": "+faststart"} if path.suffix.lower() == ".mp4" else {}
    with av.open(str(path), "w", options=container_options) as container:
        stream: Any = container.add_stream(video_codec, rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, written, options
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        try:
            codec.open(strict=False)
        except FFmpegError as error:
            raise ValueError(
                f"{path.suffix} of {width} x {height} px at {fps:g} fps: {video_codec} cannot start; too large "
                "for it, or out of memory or threads"
            ) from error
        if written == "yuva420p":
            stream.metadata["alpha_mode"] = "1"
        track = None if sound is None else SoundTrack(container, audio_codec, sound)
        for index, picture in enumerate(chain([first], frames)):
            padding = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
            frame = av.VideoFrame.from_ndarray(np.pad(picture, padding, mode="edge"), format=given)
            container.mux(stream.encode(frame.reformat(format=written, dst_colorspace="ITU709")))
            if track is not None:
                track.write_until((index + 1) / fps)
        container.mux(stream.encode())
        if track is not None:
            track.finish()


def _write_gif(frames: Iterator[Picture], path: Path, fps: float) -> None:
    """Frame by frame, since `Image.save` would first collect them all."""
    keep_every = math.ceil(fps / _GIF_MAX_FPS)
    fps = fps / keep_every
    with path.open("wb") as file:
        kept = (picture for index, picture in enumerate(frames) if index % keep_every == 0)
        for index, picture in enumerate(kept):
            image = Image.fromarray(picture[..., :3].copy())
            image = image.quantize(255, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            options: dict = {"disposal": 1, "include_color_table": True}
            if picture.shape[2] == 4:
                image.paste(255, mask=Image.fromarray(picture[..., 3] < 128))
                options |= {"disposal": 2, "transparency": 255}  # 2: cleared before the next frame
            if index == 0:
                header, _ = GifImagePlugin.getheader(image, info={"loop": 0})
                file.writelines(header)
            # durations are whole hundredths of a second; rounding the times keeps the mean exact
            hundredths = round((index + 1) * 100 / fps) - round(index * 100 / fps)
            file.writelines(GifImagePlugin.getdata(image, duration=hundredths * 10, **options))
        file.write(b";")


def _write_folder(frames: Iterator[Picture], path: Path) -> None:
    path.mkdir()
    for index, picture in enumerate(frames):
        Image.fromarray(picture).save(path / f"{index:06d}.png", compress_level=3)
