"""Action classification of a clip of one or several persons."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from motionrep.checks.values import labels as checked_labels
from motionrep.embedding.pooling import over_persons, over_time
from motionrep.head_api.actions import scores_of_clip, scores_over_time
from motionrep.head_api.contract import Batch
from motionrep.types import ActionScores, ActionTimeline, MotionEmbedding
from motionrep_heads.contrastive import supervised_contrastive

LABEL_SMOOTHING = 0.1
_NO_CLASS = -1


class ActionHead(nn.Module):
    """Mean and spread over time of each joint's representation, then a small perceptron over all joints.

    Output `logit` (batch classes). With several persons, the perceptron's inner layer is averaged over those who are
    present, which means that they have a valid frame.

    Args:
        labels: Names of the classes; saved with the head.
        contrastive: Weight of a supervised contrastive term of the loss (Khosla et al., NeurIPS 2020), which makes
            vectors of clips comparable (`few_shot.FewShotHead`). Above 0 there is also an output `projection`
            (batch 128).
        weight: Weight of the whole loss, next to those of other heads.
    """

    trained_on: str | None = None

    def __init__(
        self,
        channels: int,
        labels: Sequence[str],
        hidden: int = 256,
        dropout: float = 0.5,
        joint_channels: int = 32,
        contrastive: float = 0.0,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if contrastive < 0:
            raise ValueError(f"contrastive must be at least 0, got {contrastive}; it is the weight of a loss")
        self.labels = checked_labels("labels", labels)
        self.config: dict[str, Any] = {
            "channels": channels,
            "labels": list(self.labels),
            "hidden": hidden,
            "dropout": dropout,
            "joint_channels": joint_channels,
            "contrastive": contrastive,
            "weight": weight,
        }
        self.contrastive, self.weight = contrastive, weight
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Linear(channels, joint_channels)
        self.classify = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(17 * 2 * joint_channels, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, len(labels)),
        )
        if contrastive:
            self.project = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 128))

    def forward(
        self,
        representation: Float[Tensor, "batch *persons frames joints channels"],
        valid: Bool[Tensor, "batch *persons frames"],
    ) -> dict[str, Tensor]:
        vector = self.describe(representation, valid)
        output = {"logit": self.classify[3:](vector).float()}
        return output | ({"projection": self.project(vector).float()} if self.contrastive else {})

    def describe(
        self,
        representation: Float[Tensor, "batch *persons frames joints channels"],
        valid: Bool[Tensor, "batch *persons frames"],
    ) -> Float[Tensor, "batch hidden"]:
        """One vector for each clip, from which the classes are read."""
        if representation.ndim == 4:
            representation, valid = representation[:, None], valid[:, None]
        pooled = over_time(self.reduce(self.norm(representation)), valid).flatten(2)
        return over_persons(self.classify[:3](pooled), valid.any(-1))

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Cross entropy with label smoothing and, if the head has it, the contrastive term; clips with a class only."""
        label = batch["label"]
        known = label != _NO_CLASS
        total = cross_entropy(
            output["logit"], label, label_smoothing=LABEL_SMOOTHING, reduction="sum", ignore_index=_NO_CLASS
        )
        terms = {"cross_entropy": self.weight * total / known.sum().clamp(min=1)}
        if self.contrastive:
            contrastive = supervised_contrastive(output["projection"][known], label[known])
            terms["contrastive"] = self.weight * self.contrastive * contrastive
        return terms

    def predict(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> ActionScores:
        """Scores of a clip, of one person or of all its persons (`head_api.actions.scores_of_clip`).

        The head was trained on windows of two seconds. For much longer clips see `predict_over_time`.
        """
        return scores_of_clip(self, embedding)

    def predict_over_time(
        self, embedding: MotionEmbedding | Sequence[MotionEmbedding], window_s: float = 2.0, step_s: float = 0.5
    ) -> ActionTimeline:
        """Scores over time, for clips of any length (`head_api.actions.scores_over_time`)."""
        return scores_over_time(self, embedding, window_s, step_s)
