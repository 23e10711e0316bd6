"""Action classification from a few labelled clips, without training: the class of the nearest exemplar."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from motionrep.checks.values import labels as checked_labels
from motionrep.embedding.pooling import over_persons, over_time, side_by_side
from motionrep.head_api.actions import scores_of_clip, scores_over_time
from motionrep.head_api.contract import Batch, require_same_encoder
from motionrep.types import ActionScores, ActionTimeline, MotionEmbedding
from motionrep_heads.action import ActionHead

TEMPERATURE = 0.1


class FewShotHead(nn.Module):
    """Compares a clip with one or a few labelled clips of each class by the cosine between their vectors.

    Output `logit` (batch classes): the cosine with the nearest exemplar of each class, divided by a temperature of 0.1.
    It ranks the classes; as probabilities it is not calibrated.

    A clip's vector is the mean and the spread over time of each joint's representation. With a `describer` it is the
    vector from which that trained `ActionHead` reads its classes. Build the head with `from_clips` and save it with
    `head_api.save_head` under the name "few_shot".

    Args:
        channels: Width of the encoder.
        labels: Names of the classes.
        exemplars: Index of the class of each exemplar.
        describer: Configuration of the `ActionHead`, whose weights are saved with the exemplars; None for none.
    """

    trained_on: str | None = None
    trained_on_digest: str | None = None
    exemplar: Tensor
    exemplar_class: Tensor

    def __init__(
        self,
        channels: int,
        labels: Sequence[str],
        exemplars: Sequence[int],
        describer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if set(exemplars) != set(range(len(labels))):
            raise ValueError(
                f"each of the {len(labels)} classes needs an exemplar, got classes {sorted(set(exemplars))}"
            )
        self.labels = checked_labels("labels", labels)
        self.config: dict[str, Any] = {
            "channels": channels,
            "labels": list(self.labels),
            "exemplars": list(exemplars),
            "describer": None if describer is None else dict(describer),
        }
        self.describer = None if describer is None else ActionHead(**describer)
        width = 17 * 2 * channels if self.describer is None else self.describer.classify[1].out_features
        self.register_buffer("exemplar", torch.zeros(len(exemplars), width))
        self.register_buffer("exemplar_class", torch.tensor(list(exemplars)), persistent=False)

    @classmethod
    @torch.no_grad()
    def from_clips(
        cls,
        clips: Sequence[MotionEmbedding | Sequence[MotionEmbedding]],
        labels: Sequence[str],
        describer: ActionHead | None = None,
    ) -> "FewShotHead":
        """A head with these clips as exemplars; one clip of each class is enough.

        Args:
            clips: An embedding for each clip, or a list of those of its persons. They work best when they are about as
                long as the clips to classify.
            labels: The class of each clip.
            describer: A trained head whose vectors are compared.

        Raises:
            ValueError: No clips, not as many labels, clips of several encoders, or a clip in which nobody was seen.
        """
        if not clips or len(clips) != len(labels):
            raise ValueError(f"expected clips and a label for each, got {len(clips)} clips and {len(labels)} labels")
        first = [clip if isinstance(clip, MotionEmbedding) else clip[0] for clip in clips]
        if len(encoders := {(one.encoder, one.encoder_digest) for one in first}) > 1:
            raise ValueError(f"exemplars of several encoders: {', '.join(sorted(str(name) for name, _ in encoders))}")
        classes = sorted(set(labels))
        head = cls(
            first[0].values.shape[-1], classes, [classes.index(label) for label in labels],
            None if describer is None else describer.config,
        )  # fmt: skip
        if head.describer is not None and describer is not None:
            require_same_encoder(describer, first[0])
            head.describer.load_state_dict(describer.state_dict())
        head.eval().trained_on, head.trained_on_digest = first[0].encoder, first[0].encoder_digest
        head.exemplar = torch.cat([head.describe(*side_by_side(clip)) for clip in clips])
        return head

    def forward(
        self,
        representation: Float[Tensor, "batch *persons frames joints channels"],
        valid: Bool[Tensor, "batch *persons frames"],
    ) -> dict[str, Tensor]:
        cosine = self.describe(representation, valid) @ self.exemplar.T
        of_class = [cosine[:, self.exemplar_class == i].amax(-1) for i in range(len(self.labels))]
        return {"logit": torch.stack(of_class, -1) / TEMPERATURE}

    def describe(
        self,
        representation: Float[Tensor, "batch *persons frames joints channels"],
        valid: Bool[Tensor, "batch *persons frames"],
    ) -> Float[Tensor, "batch width"]:
        """The vector of each clip, of length 1; with several persons, the mean over those who are present."""
        if self.describer is not None:
            return normalize(self.describer.describe(representation, valid), dim=-1)
        if representation.ndim == 4:
            representation, valid = representation[:, None], valid[:, None]
        pooled = over_time(representation, valid).flatten(2)
        return normalize(over_persons(pooled, valid.any(-1)), dim=-1)

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Cross entropy, for validation; the exemplars are not trained."""
        return {"cross_entropy": cross_entropy(output["logit"], batch["label"])}

    def predict(self, embedding: MotionEmbedding | Sequence[MotionEmbedding]) -> ActionScores:
        """Scores of a clip, of one person or of all its persons (`head_api.actions.scores_of_clip`)."""
        return scores_of_clip(self, embedding)

    def predict_over_time(
        self, embedding: MotionEmbedding | Sequence[MotionEmbedding], window_s: float = 2.0, step_s: float = 0.5
    ) -> ActionTimeline:
        """Scores over time, for clips of any length (`head_api.actions.scores_over_time`)."""
        return scores_over_time(self, embedding, window_s, step_s)
