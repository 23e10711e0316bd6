"""What a head is, and how one is found, saved and loaded.

A head turns an encoder's representation into something a person wants. Any installed package may add heads through
the entry point group "motionrep.heads" (name -> class); those of motionrep itself come the same way.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.types import MotionEmbedding

Batch = Mapping[str, Tensor]
R = TypeVar("R")


@runtime_checkable
class Head(Protocol):
    """An `nn.Module` built as `HeadClass(channels=..., **config)`; `channels` is the encoder's output width.

    Output names that the evaluation knows: `position_m` (batch frames 17 3: Human3.6M-17 points relative to the pelvis,
    camera axes), `local_rotmat` (batch frames 24 3 3) with `betas` (batch 10), and `logit` (batch classes).
    A head with other outputs trains just as well and is judged by its validation loss.
    """

    config: dict[str, Any]

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        """Named outputs. `valid` is False for frames that only pad a short clip to the encoder's window, and, where
        `representation_of` gives it, for those in which nobody was seen."""
        ...

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Named, weighted scalar terms; training minimises their sum. Batches are described in `datasets.synthesis`."""
        ...

    def predict(self, embedding: MotionEmbedding) -> Any:
        """What the head has to say about one clip, as one of the types in `motionrep.types` or its own."""
        ...


def representation_of(
    embedding: MotionEmbedding,
) -> tuple[Float[Tensor, "1 frames joints channels"], Bool[Tensor, "1 frames"]]:
    """An embedding as a batch of one: the two arguments of `Head.forward`.

    Frames in which the person was not seen are not valid, unless the person never was.
    """
    seen = embedding.seen_frames().to(embedding.values.device)
    return embedding.values[None], (seen | ~seen.any())[None]


def float32_inference(predict: Callable[..., R]) -> Callable[..., R]:
    """Makes a head's `predict` compute in float32 and without gradients, also where `torch.autocast` is on."""

    @functools.wraps(predict)
    def run(head: Any, embedding: MotionEmbedding, *args: Any, **options: Any) -> R:
        with torch.no_grad(), torch.autocast(embedding.values.device.type, enabled=False):
            return predict(head, embedding, *args, **options)

    return run


def require_same_encoder(head: nn.Module, embedding: MotionEmbedding) -> None:
    """Raises ValueError when a trained head is given embeddings of another encoder than its own."""
    require_encoder(head, embedding.encoder, embedding.encoder_digest)


def require_encoder(head: nn.Module, name: str, digest: str | None) -> None:
    """Raises ValueError when a trained head would get embeddings of another encoder, or other weights, than its own."""
    wanted = getattr(head, "trained_on", None)
    if wanted is not None and wanted != name:
        raise ValueError(
            f"{type(head).__name__} was trained on embeddings of encoder {wanted!r}, got one of {name!r}; "
            f"embed the clip with load_encoder({wanted!r})"
        )
    require_same_weights(head, name, digest)


def require_same_weights(head: nn.Module, encoder: str, digest: str | None) -> None:
    """Raises ValueError when the encoder has the right name and other weights than the head was trained on.

    Nothing is said where one of the two is not known: of encoders that were not loaded but made, and of heads that were
    saved without it.
    """
    wanted = getattr(head, "trained_on_digest", None)
    if None not in (wanted, digest) and wanted != digest:
        raise ValueError(
            f"{type(head).__name__} was trained on other weights of encoder {encoder!r} (sha256 {str(wanted)[:12]}...) "
            f"than these ({str(digest)[:12]}...): load the encoder that was saved with the head, or, to use it "
            "nevertheless, set its attribute trained_on_digest to None"
        )


def require_trained_together(head: nn.Module, encoder: nn.Module) -> None:
    """Raises ValueError when a trained head belongs to another encoder, or to other weights of it."""
    wanted = getattr(head, "trained_on", None)
    if wanted not in (None, encoder.name):
        raise ValueError(
            f"the head was trained on encoder {wanted!r}, got {encoder.name!r}; pass --encoder {wanted}, or, unless it "
            "ships, the folder it was saved in"
        )
    require_same_weights(head, str(encoder.name), getattr(encoder, "digest", None))
