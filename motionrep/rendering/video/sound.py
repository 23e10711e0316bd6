"""The sound of a source video, cut to a clip, for the video that is written."""

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from motionrep.rendering.video.reading import open_container

_RATE_HZ = 48_000
_BITS_PER_S = 160_000


@dataclass(frozen=True)
class Sound:
    """The first audio track of a file, from `start_s` on, on the clock of the file."""

    path: Path
    start_s: float


class SoundTrack:
    """The audio stream of a PyAV container that is being written, filled as far as the pictures have come.

    The sound is decoded, cut to the sample and encoded again. It therefore fits any container and starts exactly with
    the clip. Only a moment of it is in memory. If the sound of the source begins later, the video is silent until then.
    """

    def __init__(self, container, codec: str, sound: Sound) -> None:
        """Args: `codec` is FFmpeg's name of an encoder, "aac" or "libopus"."""
        self._container = container
        self._stream = container.add_stream(codec, rate=_RATE_HZ, layout="stereo")
        self._stream.bit_rate = _BITS_PER_S
        self._frames = _from_the_start(sound)
        self._next = next(self._frames, None)

    def write_until(self, time_s: float) -> None:
        """Encodes the sound up to a time of the written video."""
        while self._next is not None and self._next.time < time_s:
            self._container.mux(self._stream.encode(self._next))
            self._next = next(self._frames, None)

    def finish(self) -> None:
        """Ends the track; the rest of the source is left out."""
        self._frames.close()
        self._container.mux(self._stream.encode())


def _from_the_start(sound: Sound) -> Generator:
    """Audio frames with time stamps in samples since the start of the clip, where the first one is cut."""
    import av

    with open_container(sound.path) as container:
        source = container.streams.audio[0]
        if source.time_base is not None:
            container.seek(max(0, int((sound.start_s - 1) / source.time_base)), stream=source)
        resampler = av.AudioResampler("fltp", "stereo", _RATE_HZ)
        for decoded in container.decode(source):
            for frame in resampler.resample(decoded):
                sample = frame.to_ndarray()  # channels samples
                place = round(((frame.time or 0.0) - sound.start_s) * _RATE_HZ)
                if place + sample.shape[1] <= 0:
                    continue
                early = max(0, -place)
                kept = av.AudioFrame.from_ndarray(sample[:, early:].copy(), format="fltp", layout="stereo")
                kept.sample_rate, kept.time_base, kept.pts = _RATE_HZ, Fraction(1, _RATE_HZ), place + early
                yield kept
