"""What a head is, and which encoder it fits."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.encoders import Encoder
from motionrep.encoders.loading import shipped_encoder
from motionrep.types import MotionEmbedding

Batch = Mapping[str, Tensor]
R = TypeVar("R")


@runtime_checkable
class Head(Protocol):
    """An `nn.Module` built as `HeadClass(channels=..., **config)`; `channels` is the encoder's output width.

    The evaluation knows outputs of these names: `position_m` (batch frames 17 3: Human3.6M-17 points in metres relative
    to the pelvis, camera axes), `local_rotmat` (batch frames 24 3 3) with `betas` (batch 10), and `logit` (batch
    classes). A head with other outputs trains just as well, and is judged by its validation loss.
    """

    config: dict[str, Any]

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        """Named outputs.

        Args:
            valid: False for frames that only pad a short clip to the encoder's window. What `representation_of` gives
                is also False for frames in which nobody was seen.
        """
        ...

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Named, weighted scalar terms; training minimises their sum. `datasets.synthetic.clips` describes batches."""
        ...

    def predict(self, embedding: MotionEmbedding) -> Any:
        """The head's result for one clip: one of the types in `motionrep.types`, or a type of its own."""
        ...


def representation_of(
    embedding: MotionEmbedding,
) -> tuple[Float[Tensor, "1 frames joints channels"], Bool[Tensor, "1 frames"]]:
    """An embedding as a batch of one: the two arguments of `Head.forward`.

    Frames in which the person was not seen are not valid. If the person was never seen, all frames are valid.
    """
    seen = embedding.seen_frames().to(embedding.values.device)
    return embedding.values[None], (seen | ~seen.any())[None]


def float32_inference(predict: Callable[..., R]) -> Callable[..., R]:
    """Decorates a head's `predict` to compute in float32 and without gradients, also where `torch.autocast` is on."""

    @functools.wraps(predict)
    def run(head: Any, embedding: MotionEmbedding, *args: Any, **options: Any) -> R:
        with torch.no_grad(), torch.autocast(embedding.values.device.type, enabled=False):
            return predict(head, embedding, *args, **options)

    return run


def require_same_encoder(head: nn.Module, given: Encoder | MotionEmbedding) -> None:
    """Raises ValueError unless a trained head was trained on this encoder, or on the one that made this embedding.

    Name and weights have to agree. Weights are compared by their digests where both are known: those of an encoder that
    was not loaded from a file are not, and those of some older heads.
    """
    if isinstance(given, MotionEmbedding):
        name, digest = given.encoder, given.encoder_digest
    else:
        name, digest = given.name, given.digest
    wanted, wanted_digest = trained_on(head)
    kind = type(head).__name__
    if wanted not in (None, name):
        raise ValueError(
            f"{kind} was trained on encoder {wanted!r}, got {name!r}; load {wanted!r} (--encoder {wanted}) or, unless "
            "it ships, the folder it was saved in"
        )
    if wanted_digest is not None and digest is not None and wanted_digest != digest:
        version = shipped_encoder(name, wanted_digest)
        remedy = "the encoder that was saved with the head" if version is None else f"{version!r} (--encoder {version})"
        raise ValueError(
            f"{kind} was trained on other weights of encoder {name!r} (sha256 {wanted_digest[:12]}...) than these "
            f"({digest[:12]}...); load {remedy}, or set its attribute trained_on_digest to None to use it nevertheless"
        )


def trained_on(head: nn.Module) -> tuple[str | None, str | None]:
    """Name and digest of the encoder that a head was trained on; None where it does not say."""
    return getattr(head, "trained_on", None), getattr(head, "trained_on_digest", None)
