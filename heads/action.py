"""Action classification: what a person does in a clip."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from motionrep.head_api import Batch, representation_of, require_same_encoder
from motionrep.types import ActionScores, MotionEmbedding

LABEL_SMOOTHING = 0.1


class ActionHead(nn.Module):
    """Mean and spread over time of each joint's representation, then a small perceptron over all joints.

    Output `logit` (batch classes). The class names are part of the head's configuration and are saved with it.
    """

    trained_on: str | None = None

    def __init__(
        self, channels: int, labels: Sequence[str], hidden: int = 256, dropout: float = 0.5, joint_channels: int = 32
    ) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.config: dict[str, Any] = {
            "channels": channels,
            "labels": list(labels),
            "hidden": hidden,
            "dropout": dropout,
            "joint_channels": joint_channels,
        }
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Linear(channels, joint_channels)
        self.classify = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(17 * 2 * joint_channels, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, len(labels)),
        )

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        x = self.reduce(self.norm(representation))
        weight = valid[:, :, None, None].to(x) / valid.sum(1)[:, None, None, None].to(x)
        mean = (x * weight).sum(1)
        spread = (((x - mean[:, None]) ** 2 * weight).sum(1) + 1e-6).sqrt()
        return {"logit": self.classify(torch.cat([mean, spread], dim=-1).flatten(1)).float()}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Cross entropy with label smoothing."""
        return {"cross_entropy": cross_entropy(output["logit"], batch["label"], label_smoothing=LABEL_SMOOTHING)}

    @torch.no_grad()
    def predict(self, embedding: MotionEmbedding) -> ActionScores:
        """Scores of the whole clip; trained on windows of two seconds, it is less sure of much longer clips.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        return ActionScores(self(*representation_of(embedding))["logit"][0], self.labels)
