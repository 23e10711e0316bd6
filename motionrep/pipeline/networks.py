"""Loads heads together with the encoder that they were trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from motionrep.encoders import Encoder, load_encoder
from motionrep.head_api.contract import require_same_encoder
from motionrep.head_api.loading import encoder_of
from motionrep.pipeline.on_body import head_on
from motionrep.weights import DEFAULT_HEAD


def load_networks(
    heads: Sequence[str | Path | nn.Module],
    encoder: Encoder | str | Path | None = None,
    device: str | torch.device = "cpu",
    body: str | Path | None = None,
) -> tuple[Encoder, dict[str, Any]]:
    """An encoder and, by their names, heads, on a device and in evaluation mode.

    Args:
        heads: What `load_head` takes, or heads that are loaded already.
        encoder: What `load_encoder` takes, or an encoder that is loaded already. None takes the shipped one that the
            heads were trained on, or the published checkpoint that holds both.
        body: The body to give results on, for `load_body_model`: the heads' own under another name or path, or one that
            `motionrep adapt` has mapped the open body to.

    Raises:
        ValueError: No heads, a body that they were not trained on or have no use for, heads of different encoders, or
            of another encoder than the one given.
    """
    if not heads:
        raise ValueError(f"heads is empty; name at least one, such as {DEFAULT_HEAD!r}")
    trained = {_name(head): head if isinstance(head, nn.Module) else head_on(head, body) for head in heads}
    if body is not None and not any(hasattr(head, "body") for head in trained.values()):
        raise ValueError(f"body {body}: {', '.join(trained)} recover no body; leave it out")
    if encoder is None:
        names = {encoder_name(head, name) for name, head in trained.items()}
        if len(names) > 1:
            raise ValueError(
                f"the heads were trained on different encoders ({', '.join(sorted(names))}); run one after the other"
            )
        encoder = names.pop()
    network = encoder if isinstance(encoder, Encoder) else load_encoder(encoder)
    for head in trained.values():
        require_same_encoder(head, network)
        if isinstance(head, nn.Module):
            head.to(device)
    return network.to(device), trained


def encoder_name(trained: Any, head: str) -> str:
    """The shipped encoder that a head was trained on, or the published checkpoint that holds both.

    Args:
        trained: The head, loaded.
        head: What `load_head` took.

    Raises:
        ValueError: The encoder does not ship.
    """
    if Path(head).is_file():
        return head
    if (name := encoder_of(trained)) is None:
        raise ValueError(
            f"{head}: trained on encoder {trained.trained_on!r}, which does not ship; pass its folder or Hub id as "
            "encoder"
        )
    return name


def endings(heads: Mapping[str, Any]) -> dict[str, str]:
    """What tells the files of several heads apart: the heads' names, numbered where two are alike."""
    if len(heads) == 1:
        return dict.fromkeys(heads, "")
    names = [Path(head).name for head in heads]
    return {
        head: f"_{name}" + (f"_{i}" if names.count(name) > 1 else "")
        for i, (head, name) in enumerate(zip(heads, names, strict=True))
    }


def _name(head: str | Path | nn.Module) -> str:
    return type(head).__name__ if isinstance(head, nn.Module) else str(head)
