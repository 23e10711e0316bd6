"""Encodes the clips of many files together, and hands them on in pieces that fit into the memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from motionrep.embedding import encoder_input
from motionrep.embedding.batching import ClipInput, encode_clips
from motionrep.encoders import Encoder
from motionrep.types import Keypoints, MotionEmbedding

PIECE_FRAMES = 3000


@dataclass(frozen=True)
class NamedClip:
    """One person of a file, and perhaps the mirror image; all in the file's own layout."""

    file: str
    ways: list[Keypoints]


@dataclass(frozen=True)
class Piece:
    """Some successive frames of a clip: all of them, unless it is longer than `PIECE_FRAMES`.

    Attributes:
        clip: Their keypoints, in the file's own layout.
        ways: Embeddings of these frames and perhaps of their mirror image, on the encoder's device.
        number: Place among the pieces of the clip, from 0.
    """

    file: str
    clip: Keypoints
    ways: list[MotionEmbedding]
    number: int
    is_last: bool


def encoded_pieces(
    clips: Iterable[NamedClip],
    encoder: Encoder,
    refuse: Callable[[str, str], None],
    device: str,
    dtype: torch.dtype,
) -> Iterator[Piece]:
    """The pieces of the clips, in their order; windows of different clips share batches.

    Args:
        refuse: Takes the file of a clip that cannot be encoded, and why.
    """
    coming: dict[int, NamedClip] = {}

    def inputs() -> Iterator[ClipInput]:
        for key, named in enumerate(clips):
            try:
                ways = torch.stack([encoder_input(way, encoder) for way in named.ways])
            except ValueError as error:  # no conversion from the layout
                refuse(named.file, str(error))
                continue
            coming[key] = named
            yield ClipInput(key, ways, named.ways[0].fps)

    held: list[Tensor] = []
    first = number = 0
    for key, values in encode_clips(inputs(), encoder, device=device, dtype=dtype):
        held.append(values)
        frames = coming[key].ways[0].frame_count
        ends = _ends(frames, PIECE_FRAMES)
        while first + sum(it.shape[1] for it in held) >= ends[number]:
            joined, end = torch.cat(held, 1), ends[number]
            yield _piece(coming[key], joined[:, : end - first], first, encoder, number, end == frames)
            held, first, number = [joined[:, end - first :]], end, number + 1
            if end == frames:
                del coming[key]
                held, first, number = [], 0, 0
                break


def _ends(frames: int, most: int) -> list[int]:
    """The frames at which the pieces of a clip end; pieces are about equally long."""
    count = -(-frames // most)
    return [round(frames * (i + 1) / count) for i in range(count)]


def _piece(named: NamedClip, values: Tensor, first: int, encoder: Encoder, number: int, is_last: bool) -> Piece:
    ways = []
    for way, encoded in zip(named.ways, values, strict=True):
        seen = _cut(way, first, len(encoded)).as_h36m_17(encoder.coco_recipe)
        embedding = MotionEmbedding(encoded, seen, encoder.name, encoder.digest)
        ways.append(embedding.to(encoded.device))
    return Piece(named.file, _cut(named.ways[0], first, values.shape[1]), ways, number, is_last)


def _cut(clip: Keypoints, first: int, frames: int) -> Keypoints:
    there = slice(first, first + frames)
    return replace(
        clip, xy_px=clip.xy_px[there], confidence=clip.confidence[there], first_frame=clip.first_frame + first
    )
