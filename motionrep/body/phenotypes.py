"""Shape by phenotypes, as Anny has it: a few parameters weight many blend shapes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Phenotype:
    """One parameter of the shape: `low + (high - low) * sigmoid(centre + scale * beta)`.

    Attributes:
        words: Names of the blend shapes' states from `low` to `high`, at equal distances.
    """

    name: str
    words: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0
    centre: float = 0.0
    scale: float = 1.2

    def value(self, beta: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The parameter of a beta; random betas from N(0, 1) give usual people."""
        return self.low + (self.high - self.low) * torch.sigmoid(self.centre + self.scale * beta)

    def weights(self, value: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch words"]:
        """How much each state counts: linear between neighbours."""
        anchor = torch.linspace(self.low, self.high, len(self.words)).to(value)
        return (1 - (value.unsqueeze(-1) - anchor).abs() / (anchor[1] - anchor[0])).clamp(min=0)


class PhenotypeShape(nn.Module):
    """Coefficients of blend shapes from betas; they are differences from those of betas of 0.

    Args:
        states: For each blend shape its state of each phenotype: the product of their weights is its coefficient. The
            number of words stands for "any".
    """

    _column: Tensor

    def __init__(self, phenotypes: tuple[Phenotype, ...], states: Int[Tensor, "coefficients phenotypes"]) -> None:
        super().__init__()
        self.phenotypes = phenotypes
        self.names = tuple(phenotype.name for phenotype in phenotypes)
        first = torch.tensor([0, *(len(phenotype.words) + 1 for phenotype in phenotypes[:-1])]).cumsum(0)
        self.register_buffer("_column", states + first, persistent=False)

    def values(self, betas: Float[Tensor, "*batch betas"]) -> dict[str, Float[Tensor, "*batch"]]:
        """The parameters of betas, by name."""
        return {it.name: it.value(betas[..., number]) for number, it in enumerate(self.phenotypes)}

    def forward(self, betas: Float[Tensor, "*batch betas"]) -> Float[Tensor, "*batch coefficients"]:
        return self.weights(betas) - self.weights(torch.zeros_like(betas[..., :1, :] if betas.ndim > 1 else betas))

    def weights(self, betas: Float[Tensor, "*batch betas"]) -> Float[Tensor, "*batch coefficients"]:
        """The coefficients themselves."""
        any_state = betas.new_ones(*betas.shape[:-1], 1)
        columns = [
            part
            for number, it in enumerate(self.phenotypes)
            for part in (it.weights(it.value(betas[..., number])), any_state)
        ]
        return torch.cat(columns, -1)[..., self._column].prod(-1)
