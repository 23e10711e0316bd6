"""Pieces of a long clip in which the person was never seen: the pose beside them stays."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from motionrep.encoders import Encoder
from motionrep.pipeline.long_clips import without_values
from motionrep.pipeline.pieces import Piece
from motionrep.pipeline.result import Recovered
from motionrep.types import BodyMotion, JointMotion, Keypoints

_OF_FRAMES = ("local_rotmat", "translation_m", "expression", "position_m")


def recovered_pieces(
    pieces: Iterable[Piece],
    recovered_of: Callable[[Piece], Recovered | None],
    encoder: Encoder,
    refuse: Callable[[str, str], None],
) -> Iterator[tuple[str, Recovered]]:
    """The file and the results of each piece, in their order.

    In a piece in which the person was never seen, the pose before it stays, or the first one if there is none before.
    Such a piece has no actions. Heads are not asked about it, since those that place a body cannot.

    Args:
        recovered_of: Asks the heads; None where they refuse a piece.
        refuse: Takes the file of pieces without any pose beside them, and why there is none.
    """
    beside: Recovered | None = None
    waiting: list[Piece] = []
    for piece in pieces:
        if piece.number == 0:
            beside, waiting = None, []
        if bool(piece.ways[0].seen_frames().any()) or (piece.number == 0 and piece.is_last):
            recovered = recovered_of(piece)
            if recovered is not None:
                yield from ((piece.file, _standing(recovered, 0, early, encoder)) for early in waiting)
                yield piece.file, recovered
                beside, waiting = recovered, []
        elif beside is not None:
            yield piece.file, _standing(beside, -1, piece, encoder)
        else:
            waiting.append(replace(piece, ways=[]))  # without its embedding, which is large
        if piece.is_last and waiting:
            first, last = waiting[0].clip, waiting[-1].clip
            frames = f"frames {first.first_frame} to {last.first_frame + last.frame_count - 1}"
            refuse(piece.file, f"person {first.person}, {frames}: the person was not seen")


def _standing(beside: Recovered, frame: int, piece: Piece, encoder: Encoder) -> Recovered:
    """A piece in all frames of which the motions of a piece beside it are as in one of its frames."""
    motions = {head: it for head, it in beside.results.items() if isinstance(it, BodyMotion | JointMotion)}
    results = {head: _repeated(motion, frame, piece.clip) for head, motion in motions.items()}
    return Recovered(piece.number, piece.clip, without_values(piece.clip, encoder), results, camera=beside.camera)


def _repeated(motion: BodyMotion | JointMotion, frame: int, clip: Keypoints) -> BodyMotion | JointMotion:
    values = {name: value for name in _OF_FRAMES if (value := getattr(motion, name, None)) is not None}
    held: dict[str, Any] = {
        name: value[frame].expand(clip.frame_count, *value.shape[1:]) for name, value in values.items()
    }
    return replace(motion, first_frame=clip.first_frame, **held)
