"""Supervised contrastive loss: draws clips of one class together and others apart."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TEMPERATURE = 0.1


def supervised_contrastive(
    vector: Float[Tensor, "batch channels"], label: Int[Tensor, " batch"], temperature: float = TEMPERATURE
) -> Float[Tensor, ""]:
    """L_out of Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2, as a mean over the anchors.

    A clip that is the only one of its class in the batch is no anchor, but still a negative of others. Without any pair
    of one class the loss is 0.

    Args:
        vector: Vectors of any length above 0; they are compared by their cosines.

    Raises:
        ValueError: The temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    unit = torch.nn.functional.normalize(vector, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    log_share = similarity.log_softmax(-1).masked_fill(itself, 0.0)
    positive = (label[:, None] == label) & ~itself
    count = positive.sum(-1)
    of_anchor = -(log_share * positive).sum(-1) / count.clamp(min=1)
    return of_anchor.sum() / (count > 0).sum().clamp(min=1)
