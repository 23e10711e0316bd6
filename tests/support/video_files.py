"""Video files with sound, frames at given times, and a rotation tag."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

_RATE_HZ = 8000


def filmed(
    path: Path, pictures: Sequence[np.ndarray], time_s: Sequence[float] | np.ndarray, sound: bool = True,
    rotation: int = 0,
) -> Path:  # fmt: skip
    """A video whose pictures appear at these times, with a tone that is louder in every second half of a second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        track = container.add_stream("aac", rate=_RATE_HZ, layout="mono") if sound else None
        for picture, at_s in zip(pictures, time_s, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            second = np.arange(int((time_s[-1] + 0.1) * _RATE_HZ)) / _RATE_HZ
            loud = np.where(second % 1 < 0.5, 0.1, 0.6)
            samples = (loud * np.sin(2 * np.pi * 440 * second)).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = _RATE_HZ
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return turned(path, rotation) if rotation else path


def turned(path: Path, degrees: int) -> Path:
    """The same file with a rotation tag, as phones write it: a display matrix in the head of the video's track."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4
    begin = place + (40 if content[place] == 0 else 52)
    matrices = {90: (0, 65536, 0, -65536, 0, 0), 180: (-65536, 0, 0, 0, -65536, 0), 270: (0, -65536, 0, 65536, 0, 0)}
    for index, value in enumerate((*matrices[degrees], 0, 0, 1 << 30)):
        content[begin + 4 * index : begin + 4 * index + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path
