"""What heads make of a long clip, piece by piece: its embedding is never in memory as a whole."""

import inspect
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, NoReturn

import torch
from torch import Tensor

from motionrep.files.progress import progress_bar
from motionrep.motion.contacts import Ground
from motionrep.pipeline.pieces import NamedClip, Piece, encoded_pieces
from motionrep.types import ActionScores, ActionTimeline, BodyMotion, JointMotion, Keypoints, MotionEmbedding

_JOINABLE = (BodyMotion, JointMotion, Ground, ActionScores)


@dataclass(frozen=True)
class HeadsOnWays:
    """What is done with the embeddings of a piece and perhaps of its mirror image.

    Attributes:
        heads: By name.
        predict: What a head says of them, and of which betas, if those are known.
        over_time: What an action head says over time; None where clips get no timeline.
    """

    heads: dict[str, Any]
    predict: Callable[[Any, Sequence[MotionEmbedding], Tensor | None], Any]
    over_time: Callable[[Any, Sequence[MotionEmbedding]], ActionTimeline] | None


def found_in_pieces(
    pieces: NamedClip, encoder: Any, used: HeadsOnWays, device: Any, dtype: torch.dtype, progress: bool
) -> tuple[dict[str, Any], dict[str, ActionTimeline]] | None:
    """Results and timelines of the heads for a whole clip, of which a piece is in memory at a time.

    Poses are those of the whole clip. So is the shape of a body: the mean over the frames in which the person was seen.
    A body is then placed with it, for which a temporary file keeps the embedding. The action is the mean of what the
    head says of the pieces, and windows of the timeline end where a piece does. Pieces are placed one by one, so the
    path may have a step of centimetres between them. In a piece in which the person was never seen, the pose before it
    stays.

    Returns:
        None where a head gives something that cannot be put together from pieces, and where nobody was ever seen.

    Raises:
        ValueError: As the heads' `predict`.
    """
    parts: list[_Part] = []
    shaped = [name for name, head in used.heads.items() if "betas" in inspect.signature(head.predict).parameters]
    with tempfile.TemporaryFile() as kept, progress_bar(
        None, "embed", "frame", progress, total=pieces.ways[0].frame_count
    ) as bar:  # fmt: skip
        for piece in encoded_pieces([pieces], encoder, _refused, device, dtype):
            part = _part(piece, used)
            if not all(result is None or isinstance(result, _JOINABLE) for result in part.results.values()):
                return None
            parts.append(part)
            if shaped:
                _write(piece, kept)
            bar.update(piece.clip.frame_count)
        if not any(part.seen for part in parts):
            return None
        results = _joined(parts)
        kept.seek(0)
        again = [name for name in shaped if isinstance(results[name], BodyMotion)]
        for part in parts if again else ():
            ways = _read(part, encoder.channels, device, kept)
            for name in again if part.seen else ():
                part.results[name] = used.predict(used.heads[name], ways, results[name].betas)
    return (_joined(parts) if again else results), _timelines(parts)


@dataclass(frozen=True)
class _Part:
    """A piece without its embedding: the keypoints of its ways, and what the heads said of it."""

    ways: list[MotionEmbedding]
    seen: int
    results: dict[str, Any]
    timelines: dict[str, ActionTimeline]


def _part(piece: Piece, used: HeadsOnWays) -> _Part:
    seen = int(piece.ways[0].seen_frames().sum())
    results, timelines = dict.fromkeys(used.heads), {}
    for name, head in used.heads.items() if seen else ():
        results[name] = used.predict(head, piece.ways, None)
        if used.over_time is not None and hasattr(head, "predict_over_time"):
            timelines[name] = used.over_time(head, piece.ways).to("cpu")
    empty = [replace(way, values=way.values.new_zeros(*way.values.shape[:2], 0)) for way in piece.ways]
    return _Part(empty, seen, results, timelines)


def _write(piece: Piece, kept: IO[bytes]) -> None:
    for way in piece.ways:
        kept.write(way.values.cpu().numpy().tobytes())


def _read(part: _Part, channels: int, device: Any, kept: IO[bytes]) -> list[MotionEmbedding]:
    """The embeddings of a piece, as they were written."""
    ways = []
    for way in part.ways:
        shape = (*way.values.shape[:2], channels)
        content = bytearray(kept.read(4 * shape[0] * shape[1] * channels))
        ways.append(replace(way, values=torch.frombuffer(content, dtype=torch.float32).reshape(shape).to(device)))
    return ways


def _joined(parts: Sequence[_Part]) -> dict[str, Any]:
    """The results of all pieces as those of one clip."""
    return {name: _one([part.results[name] for part in parts], parts) for name in parts[0].results}


def _one(results: Sequence[Any], parts: Sequence[_Part]) -> Any:
    known, first_frame = next(it for it in results if it is not None), parts[0].ways[0].keypoints.first_frame
    share = [part.seen / sum(part.seen for part in parts) for part in parts]

    def mean(of: Callable[[Any], Tensor]) -> Any:
        return sum(weight * of(it) for it, weight in zip(results, share, strict=True) if it is not None)

    def frames(name: str) -> Tensor:
        return _in_all_frames([None if it is None else getattr(it, name) for it in results], parts)

    if isinstance(known, ActionScores):
        return replace(known, logit=mean(lambda it: it.probability()).log())
    if isinstance(known, JointMotion):
        return replace(known, position_m=frames("position_m"), first_frame=first_frame)
    if isinstance(known, Ground):
        return replace(known, up=frames("up"), contact=frames("contact"), first_frame=first_frame)
    return replace(
        known,
        local_rotmat=frames("local_rotmat"),
        translation_m=frames("translation_m"),
        betas=mean(lambda it: it.betas),
        expression=None if known.expression is None else frames("expression"),
        first_frame=first_frame,
    )


def _in_all_frames(values: Sequence[Tensor | None], parts: Sequence[_Part]) -> Tensor:
    """The pieces' values one after the other; a piece without any has those of the frame before, or of the first."""
    held, found = next(value for value in values if value is not None)[:1], []
    for value, part in zip(values, parts, strict=True):
        count = part.ways[0].keypoints.frame_count
        found.append(held.expand(count, *held.shape[1:]) if value is None else value)
        held = found[-1][-1:]
    return torch.cat(found)


def _timelines(parts: Sequence[_Part]) -> dict[str, ActionTimeline]:
    """Those of the pieces one after the other; 0 where a piece has none, since nobody was seen there."""
    joined = {}
    for name, known in {name: one for part in parts for name, one in part.timelines.items()}.items():
        probability = []
        for part in parts:
            frames = part.ways[0].keypoints.frame_count
            one = part.timelines.get(name)
            probability.append(
                known.probability.new_zeros(frames, len(known.labels)) if one is None else one.probability
            )
        joined[name] = replace(known, probability=torch.cat(probability))
    return joined


def _refused(_file: str, sentence: str) -> NoReturn:
    raise ValueError(sentence)


def without_values(clip: Keypoints, encoder: Any) -> MotionEmbedding:
    """The embedding of a clip that was not kept: it has no channels."""
    seen = clip.as_h36m_17(encoder.coco_recipe)
    return MotionEmbedding(torch.zeros(*seen.xy_px.shape[:2], 0), seen, encoder.name, encoder.digest)
