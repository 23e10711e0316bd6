"""Scores of an encoder and a head under a published protocol, and whether two results may be compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from motionrep.encoders import load_encoder
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.registry import PROTOCOLS, Protocol
from motionrep.files.naming import did_you_mean
from motionrep.files.writing import write_json
from motionrep.head_api.contract import require_same_encoder
from motionrep.head_api.loading import load_head


def evaluate_protocol(
    protocol: str,
    data: Path | str,
    encoder: str,
    head: str | None = None,
    output: Path | None = None,
    *,
    flip: bool = True,
    overlap: float = 0.0,
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Scores of an encoder and a head under a published protocol.

    Args:
        protocol: One of `PROTOCOLS`; docs/protocols.md says what each computes, and of which files.
        data: The file or folder that the protocol reads.
        encoder: What `load_encoder` takes.
        head: What `load_head` takes. Protocols that compare embeddings need none.
        output: A JSON file to write the result to.
        flip: Averages joints with those of the mirrored clip, as the field does; without effect on actions.
        overlap: Share of a window that the next one repeats.
        options: Options of this protocol; `PROTOCOLS` has their names, the evaluating functions explain them.

    Returns:
        `metrics`, `units`, `protocol` (its `id` and all that decides over the numbers), `encoder` and `head`; some
        protocols add more. `require_comparable` tells whether two results may be compared.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: An unknown protocol or option, broken data, or a head that does not fit.
    """
    if protocol not in PROTOCOLS:
        hint = did_you_mean(protocol, PROTOCOLS)
        raise ValueError(f"unknown protocol {protocol!r}{hint} (known: {', '.join(PROTOCOLS)})")
    chosen, given = PROTOCOLS[protocol], dict(options or {})
    _require_usable(protocol, chosen, head, given)
    network, trained = load_encoder(encoder), None if head is None else load_head(head)
    if trained is not None:
        require_same_encoder(trained, network)
    predictor = Predictor(network, trained, flip, overlap, device, getattr(torch, precision))
    result = chosen.load()(Path(data), predictor, **given)
    result |= {"encoder": encoder, "encoder_digest": network.digest, "head": head}
    if output is not None:
        write_json(result, output)
    return result


def require_comparable(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raises ValueError, naming what differs, when two results were not measured under the same protocol.

    Flip averaging and the overlap of windows are part of the protocol.
    """
    one, other = ({**(result.get("protocol") or {})} for result in (first, second))
    if "id" not in one or "id" not in other:
        raise ValueError("a result without a protocol id cannot be compared; measure it again")
    differing = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if differing:
        told = "; ".join(f"{key}: {one.get(key)!r} and {other.get(key)!r}" for key in differing)
        raise ValueError(f"measured under different protocols, so the numbers cannot be compared: {told}")


def _require_usable(name: str, protocol: Protocol, head: str | None, options: Mapping[str, str]) -> None:
    if protocol.needs_head and head is None:
        raise ValueError(f"protocol {name!r} needs a head (--head)")
    if unknown := [option for option in options if option not in protocol.options]:
        known = f"it takes {', '.join(protocol.options)}" if protocol.options else "it takes none"
        raise ValueError(f"protocol {name!r} takes no option {unknown[0]!r}; {known}")
