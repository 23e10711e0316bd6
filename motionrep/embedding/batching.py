"""Encodes many clips at once: windows of different clips share batches, and long clips come out piece by piece."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.embedding.frame_rates import frame_stride, moving_average, upsampled
from motionrep.encoders.base import Encoder
from motionrep.encoders.inference import for_inference
from motionrep.windows import OVERLAP, blend_weights, padded, window_starts

# Numbers in the representation of the windows that a CPU encodes at a time. With more, caches overflow, and the widest
# layers take more than 32 MB, which C libraries give back to the system after every layer.
_CPU_NUMBERS = 2**21

# The GNU C library gives large arrays back to the system at once: those larger than any that it has seen freed, up to
# 32 MB. Freeing one just below that before the first layer makes it keep most memory for the next layers.
_FREED_FIRST_BYTES = 31 * 2**20

# Encoders whose window is not fixed read short clips as they are, and windows of one length share a batch. So many
# batches of windows wait until there are more of their length.
_BATCHES_WAITING = 4

# The blended results of a long clip grow by at least so many frames, since they are copied when they grow.
_GROWN_FRAMES = 1024


@dataclass(frozen=True)
class ClipInput:
    """A clip as an encoder reads it.

    Attributes:
        key: By which its representation is told from those of other clips.
        inputs: What `encoder_input` gives of the clip; ways are the clip itself and perhaps its mirror image.
    """

    key: int
    inputs: Float[Tensor, "ways frames 17 inputs"]
    fps: float


class Stretch(NamedTuple):
    """Representation of some successive frames of a clip, on the encoder's device."""

    key: int
    values: Float[Tensor, "ways frames 17 channels"]


def encode_clips(
    clips: Iterable[ClipInput],
    encoder: Encoder,
    *,
    overlap: float = OVERLAP,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    compile: bool = False,
) -> Iterator[Stretch]:
    """The representation of every frame of the clips, in the order of the clips and of their frames.

    Each clip is cut into windows, whose results are blended, as `embed` describes it. A clip comes in one or several
    stretches, each as soon as its frames have been encoded. So the memory needed does not grow with a clip's length,
    nor with the number of clips, which are taken one by one as batches have room.

    Args:
        overlap, batch_size, dtype, compile: As in `embed`.

    Raises:
        ValueError: An option out of range.
        RuntimeError: `compile` without a C++ compiler.
    """
    device = torch.device(device)
    fast = for_inference(encoder.to(device), dtype, compile)
    if device.type == "cpu":
        torch.empty(_FREED_FIRST_BYTES, dtype=torch.uint8)
    unfinished: deque[_Clip] = deque()
    waiting: dict[int, list[tuple[_Clip, int]]] = {}  # by length of the window

    def run(group: list[tuple[_Clip, int]]) -> None:
        with torch.no_grad():
            encoded = fast(torch.stack([clip.window(number) for clip, number in group]).to(device))
        for (clip, number), values in zip(group, encoded, strict=True):
            clip.add(number, values)
        group.clear()

    for given in clips:
        clip = _Clip(given, encoder, overlap, device)
        unfinished.append(clip)
        for number, place in enumerate(clip.places):
            full = _full_batch(batch_size, place.frames, encoder.channels, device)
            group = waiting.setdefault(place.frames, [])
            group.append((clip, number))
            if len(group) == full:
                run(group)
            elif sum(map(len, waiting.values())) >= _BATCHES_WAITING * full:
                for some in filter(None, waiting.values()):
                    run(some)
            else:
                continue
            yield from _finished(unfinished)
    for group in filter(None, waiting.values()):
        run(group)
    yield from _finished(unfinished)


def _full_batch(batch_size: int, frames: int, channels: int, device: torch.device) -> int:
    if device.type != "cpu":
        return batch_size
    return min(batch_size, max(1, _CPU_NUMBERS // (frames * 17 * channels)))


def _finished(unfinished: "deque[_Clip]") -> Iterator[Stretch]:
    """What is ready of the clips, in their order; takes away those that are finished."""
    while unfinished:
        values = unfinished[0].ready()
        if values.shape[1]:
            yield Stretch(unfinished[0].key, values)
        if not unfinished[0].is_finished:
            return
        unfinished.popleft()


class _Place(NamedTuple):
    """Where a window of a clip lies: in which way, from which frame of the clip on, which of its frames, how many."""

    way: int
    phase: int
    start: int
    frames: int


class _Clip:
    """A clip that is being encoded: its windows, in order of time, and the blended results that are not handed on yet.

    A clip that is read at a stride of n is n clips, one from each of the first n frames on, which are its phases.
    """

    def __init__(self, clip: ClipInput, encoder: Encoder, overlap: float, device: torch.device) -> None:
        self.key = clip.key
        self.times, stride = frame_stride(clip.fps, encoder)
        self.inputs = upsampled(clip.inputs.cpu(), self.times)
        ways, self.frames = self.inputs.shape[:2]
        self.stride = min(stride, self.frames)
        found: list[tuple[_Place, Tensor]] = []
        for phase in range(self.stride):
            length = len(range(phase, self.frames, self.stride))
            window = encoder.frames if encoder.fixed_window else min(encoder.frames, length)
            starts = window_starts(length, window, overlap)
            weights = blend_weights(starts, window).to(device)
            found += [
                (_Place(way, phase, start, window), weight)
                for start, weight in zip(starts, weights, strict=True)
                for way in range(ways)
            ]
        found.sort(key=lambda it: (self._first(it[0]), it[0].way))
        self.places = [place for place, _ in found]
        self._weights = [weight for _, weight in found]
        self._encoded = [False] * len(found)
        self._next = 0  # the first window that has not been encoded
        self._sum = torch.zeros(ways, 0, self.inputs.shape[2], encoder.channels, device=device)
        self._base = 0  # frame of the clip that the sum starts with
        self._given = 0  # frames that were handed on

    @property
    def is_finished(self) -> bool:
        return self._given == self.frames

    def window(self, number: int) -> Float[Tensor, "window 17 inputs"]:
        way, phase, start, frames = self.places[number]
        return padded(self.inputs[way, phase :: self.stride][start : start + frames], frames)

    def add(self, number: int, values: Float[Tensor, "window 17 channels"]) -> None:
        """Blends in what the encoder gave for a window."""
        place = self.places[number]
        first = self._first(place) - self._base
        there = len(range(self._first(place), self.frames, self.stride)[: place.frames])
        if (missing := first + (there - 1) * self.stride + 1 - self._sum.shape[1]) > 0:
            room = self.frames - self._base - self._sum.shape[1]
            more = self._sum.new_zeros(self._sum.shape[0], min(max(missing, _GROWN_FRAMES), room), *self._sum.shape[2:])
            self._sum = torch.cat([self._sum, more], 1)
        weight = self._weights[number][:there, None, None]
        self._sum[place.way, first :: self.stride][:there].addcmul_(values[:there], weight)
        self._encoded[number] = True

    def ready(self) -> Float[Tensor, "ways frames 17 channels"]:
        """The frames that no further window changes and that were not given yet."""
        while self._next < len(self.places) and self._encoded[self._next]:
            self._next += 1
        reach = self.stride // 2
        known = self.frames if self._next == len(self.places) else self._first(self.places[self._next])
        end = self.frames if known == self.frames else max(known - reach, self._given)
        summed = self._sum[:, : known - self._base]
        averaged = torch.stack([moving_average(way, self.stride) for way in summed]) if self.stride > 1 else summed
        values = averaged[:, self._given - self._base : end - self._base]
        values = values[:, -self._given % self.times :: self.times]  # upsampled clips have frames in between
        self._given = end
        kept = max(end - reach, 0)
        self._sum, self._base = self._sum[:, kept - self._base :], kept
        return values

    def _first(self, place: _Place) -> int:
        """Frame of the clip that a window starts with."""
        return place.phase + place.start * self.stride
