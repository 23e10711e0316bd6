"""What is made of the clips of a data set: their embeddings, or what heads make of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import torch

from motionrep.embedding import mirrored
from motionrep.embedding.tables import Level, clip_row, embedding_rows
from motionrep.encoders import Encoder, load_encoder
from motionrep.files.parquet import pyarrow_and_parquet
from motionrep.layouts import H36M_17, flip_index_tensor
from motionrep.pipeline.networks import load_networks
from motionrep.pipeline.people import chosen
from motionrep.pipeline.pieces import NamedClip, Piece, encoded_pieces
from motionrep.pipeline.recovery import Recoverer
from motionrep.pipeline.result import Recovered
from motionrep.scale.reading import ReadFile
from motionrep.scale.results import row_of, schema_of
from motionrep.scale.unseen import recovered_pieces
from motionrep.types import Keypoints, MotionEmbedding

Refuse = Callable[[str, str], None]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class EmbeddingTask:
    """Embeds every person; arguments as those of `embed_dataset`."""

    encoder: str
    level: Level = "clip"
    flip: bool = False
    device: str = "cpu"
    precision: Precision = "float32"

    @property
    def settings(self) -> dict[str, Any]:
        """What the result depends on, as JSON can hold it."""
        options = asdict(self) | {"encoder": self._network.name, "encoder_digest": self._network.digest}
        return {"makes": "embeddings"} | {name: value for name, value in options.items() if name != "device"}

    @property
    def channels(self) -> int:
        return self._network.channels

    @cached_property
    def schema(self) -> Any:
        return self._rows("", _still_embedding(self._network)).schema

    def tables(self, files: Iterable[ReadFile], refuse: Refuse) -> Iterator[Any]:
        """The rows of the clips, in their order."""
        clips = (NamedClip(file.path, self._ways(clip)) for file in files for clip in file.clips)
        mean = _ClipMean()
        for piece in encoded_pieces(clips, self._network, refuse, self.device, getattr(torch, self.precision)):
            embedding = self._averaged(piece)
            if self.level != "clip":
                yield self._rows(piece.file, embedding)
                continue
            mean.add(embedding)
            if piece.is_last:
                yield clip_row(piece.file, embedding, mean.taken().numpy())

    @cached_property
    def _network(self) -> Encoder:
        return load_encoder(self.encoder).to(self.device)

    def _ways(self, clip: Keypoints) -> list[Keypoints]:
        return [clip, mirrored(clip)] if self.flip else [clip]

    def _averaged(self, piece: Piece) -> MotionEmbedding:
        one = piece.ways[0]
        if self.flip:
            index = flip_index_tensor(H36M_17, one.values.device)
            one = replace(one, values=(one.values + piece.ways[1].values[:, index]) / 2)
        return one.to("cpu")

    def _rows(self, file: str, embedding: MotionEmbedding) -> Any:
        return embedding_rows(file, embedding, self.level)


@dataclass(frozen=True)
class RecoveryTask:
    """Runs heads on every person; arguments as those of `recover_dataset`."""

    heads: tuple[str, ...]
    encoder: str | None = None
    body: str | None = None
    camera: str | None = None
    flip: bool = False
    refine: bool = False
    device: str = "cpu"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.camera == "fit":
            raise ValueError("camera 'fit': is fitted to one video; for a data set give a .json, 'weak', or none")

    @property
    def settings(self) -> dict[str, Any]:
        """What the result depends on, as JSON can hold it."""
        encoder = self._recoverer.encoder
        options = asdict(self) | {"heads": list(self.heads), "encoder": encoder.name, "encoder_digest": encoder.digest}
        return {"makes": "results of heads"} | {name: value for name, value in options.items() if name != "device"}

    @cached_property
    def schema(self) -> Any:
        """That of the results for a person who stands still."""
        still = _still_embedding(self._recoverer.encoder).to(self.device)
        ways = [replace(still, keypoints=way) for way in self._recoverer.ways(still.keypoints)]
        return schema_of(replace(self._recoverer, refine=False).of_embeddings(still.keypoints.to("cpu"), ways))

    def tables(self, files: Iterable[ReadFile], refuse: Refuse) -> Iterator[Any]:
        """The rows of the clips, in their order; several for a clip of more than `PIECE_FRAMES`."""
        pa, _ = pyarrow_and_parquet()
        recoverer = self._recoverer
        clips = (NamedClip(file.path, recoverer.ways(clip)) for file in files for clip in _chosen(file, refuse))
        pieces = encoded_pieces(clips, recoverer.encoder, refuse, self.device, recoverer.dtype)
        for file, recovered in recovered_pieces(pieces, partial(self._of, refuse), recoverer.encoder, refuse):
            yield pa.Table.from_pylist([row_of(file, recovered)], schema=self.schema)

    def _of(self, refuse: Refuse, piece: Piece) -> Recovered | None:
        """What the heads make of a piece; None if they refuse it."""
        recoverer = self._recoverer
        try:
            placed = recoverer if self.camera is None else recoverer.with_camera(self.camera, [piece.clip])
            if placed.camera is not None and placed.camera.moves:
                raise ValueError(f"{self.camera}: a camera that moves belongs to one video; give one that stands")
            return placed.of_embeddings(piece.clip, piece.ways, piece.number)
        except ValueError as error:
            first, frames = piece.clip.first_frame, piece.clip.frame_count
            refuse(piece.file, f"person {piece.clip.person}, frames {first} to {first + frames - 1}: {error}")
            return None

    @cached_property
    def _recoverer(self) -> Recoverer:
        networks = load_networks(self.heads, self.encoder, self.device, self.body)
        dtype = getattr(torch, self.precision)
        return Recoverer(*networks, flip=self.flip, refine=self.refine, device=self.device, dtype=dtype)


Task = EmbeddingTask | RecoveryTask


class _ClipMean:
    """Mean over joints and the frames in which the person was seen, or over all frames if there are none."""

    def __init__(self) -> None:
        self._sums: list[tuple[torch.Tensor, int]] = []

    def add(self, embedding: MotionEmbedding) -> None:
        of_frames, seen = embedding.per_frame().double(), embedding.seen_frames()
        self._sums += [(of_frames[seen].sum(0), int(seen.sum())), (of_frames.sum(0), len(seen))]

    def taken(self) -> torch.Tensor:
        """The mean of what was added since the last time."""
        for parity in (0, 1):
            sums = self._sums[parity::2]
            if count := sum(frames for _, frames in sums):
                self._sums = []
                return (torch.stack([total for total, _ in sums]).sum(0) / count).float()
        raise AssertionError("no frames were added")


def _chosen(file: ReadFile, refuse: Refuse) -> Sequence[Keypoints]:
    if not file.clips:
        return []
    try:
        return list(chosen(file.clips).values())
    except ValueError as error:
        refuse(file.path, str(error))
        return []


def _still_embedding(encoder: Encoder) -> MotionEmbedding:
    """Of somebody who stands still for a few frames, to find out what a table of results looks like."""
    frame = torch.arange(17)[:, None] * torch.tensor([5.0, 20.0])
    keypoints = Keypoints(frame.expand(4, -1, -1), torch.ones(4, 17), H36M_17, 30.0, 640, 480)
    return MotionEmbedding(torch.zeros(4, 17, encoder.channels), keypoints, encoder.name, encoder.digest)
