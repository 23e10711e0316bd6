"""Several networks together: the mean of the probabilities that each gives to the classes of a clip."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.encoders import load_encoder
from motionrep.evaluation.predictor import Predictor
from motionrep.head_api.contract import require_same_encoder
from motionrep.head_api.loading import load_head
from motionrep.pipeline.run_folders import run_networks


def members_of(predictor: Predictor, runs: str | None) -> dict[str, Predictor]:
    """The predictor and those of further runs, which read clips as it does, by what tables call them.

    Args:
        runs: Folders of training runs, separated by commas; None for the predictor alone.

    Raises:
        FileNotFoundError, ValueError: A folder is no finished run.
    """
    members = {predictor.encoder.name: predictor}
    for folder in filter(None, (runs or "").split(",")):
        found, heads = run_networks(Path(folder))
        encoder, head = load_encoder(found), load_head(heads[0])
        require_same_encoder(head, encoder)
        name = folder if Path(folder).name in members else Path(folder).name
        members[name] = Predictor(encoder, head, predictor.flip, predictor.overlap, predictor.device, predictor.dtype)
    return members


def mean_score(scores: Sequence[Float[Tensor, "clips classes"]]) -> Float[Tensor, "clips classes"]:
    """Logits of the mean of the members' probabilities; the scores of a single member as they are."""
    if len(scores) == 1:
        return scores[0]
    return torch.stack([score.double().softmax(-1) for score in scores]).mean(0).log()


def inputs_of(members: Mapping[str, Predictor]) -> str:
    """What each member reads, for the `protocol` of a result."""
    return " + ".join(f"{name} ({member.encoder.reads})" for name, member in members.items())
