"""A published protocol by its name, for an encoder and a head by theirs."""

import difflib
import json
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import torch

from motionrep.encoders import load_encoder
from motionrep.evaluation.predictor import Predictor
from motionrep.evaluation.protocols.h36m import evaluate_h36m
from motionrep.evaluation.protocols.mpi_inf_3dhp import evaluate_3dhp
from motionrep.evaluation.protocols.ntu import (
    evaluate_ntu60_xsub,
    evaluate_ntu60_xview,
    evaluate_ntu120_oneshot,
)
from motionrep.evaluation.protocols.threedpw import evaluate_3dpw
from motionrep.files.writing import written_beside
from motionrep.head_api.contract import require_trained_together
from motionrep.head_api.loading import load_head

# What a protocol takes besides data and predictor: `detector`, `annotation`, `regressor`, and so on.
PROTOCOLS: dict[str, Callable[..., dict[str, Any]]] = {
    "h36m": evaluate_h36m,
    "3dhp": evaluate_3dhp,
    "3dpw": evaluate_3dpw,
    "ntu60-xsub": evaluate_ntu60_xsub,
    "ntu60-xview": evaluate_ntu60_xview,
    "ntu120-oneshot": evaluate_ntu120_oneshot,
}
WITHOUT_HEAD = ("ntu120-oneshot",)


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
        encoder: A shipped name or a folder.
        head: A shipped name or a folder; None for protocols that compare embeddings.
        output: A JSON file to write the result to.
        flip: Averages joints with those of the mirrored clip, as the field does; of no effect on actions.
        overlap: Share of a window that the next one repeats.
        options: What this protocol takes besides; the evaluating functions explain it.

    Returns:
        `metrics`, `units`, `protocol` (its `id` and all that decides over the numbers), `encoder` and `head`; some
        protocols add more. `require_comparable` tells whether two results may stand side by side.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: An unknown protocol or option, broken data, or a head that does not fit.
    """
    if protocol not in PROTOCOLS:
        near = difflib.get_close_matches(protocol, PROTOCOLS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown protocol {protocol!r}{hint} (known: {', '.join(PROTOCOLS)})")
    if (head is None) != (protocol in WITHOUT_HEAD):
        needs = "compares embeddings and takes no head" if protocol in WITHOUT_HEAD else "needs a head (--head)"
        raise ValueError(f"protocol {protocol!r} {needs}")
    taken = [name for name in signature(PROTOCOLS[protocol]).parameters if name not in ("data", "predictor")]
    if unknown := [name for name in options or {} if name not in taken]:
        known = f"it takes {', '.join(taken)}" if taken else "it takes none"
        raise ValueError(f"protocol {protocol!r} takes no option {unknown[0]!r}; {known}")
    network, trained = load_encoder(encoder), None if head is None else load_head(head)
    if trained is not None:
        require_trained_together(trained, network)
    predictor = Predictor(network, trained, flip, overlap, device, getattr(torch, precision))
    result = PROTOCOLS[protocol](Path(data), predictor, **(options or {}))
    result |= {"encoder": encoder, "encoder_digest": getattr(network, "digest", None), "head": head}
    if output is not None:
        with written_beside(output) as beside:
            beside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def require_comparable(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raises ValueError that names what differs when two results were not measured under the same protocol.

    Whether outputs were averaged with the mirrored clip's and how windows overlap is part of the protocol.
    """
    one, other = ({**(result.get("protocol") or {})} for result in (first, second))
    if "id" not in one or "id" not in other:
        raise ValueError("a result without a protocol id cannot be compared; measure it again")
    differing = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if differing:
        told = "; ".join(f"{key}: {one.get(key)!r} and {other.get(key)!r}" for key in differing)
        raise ValueError(f"measured under different protocols, so the numbers cannot be compared: {told}")
