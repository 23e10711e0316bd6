"""The ground: which way is up in the camera, and which parts of the body touch the floor."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from motionrep.body import load_body_model
from motionrep.head_api.contract import Batch, float32_inference, representation_of, require_same_encoder
from motionrep.motion.contacts import PARTS, Ground, true_ground
from motionrep.types import MotionEmbedding
from motionrep_heads.losses import chosen_losses, posed_frames

LOSSES = {"up": 2.0, "contact": 1.0}


class GroundHead(nn.Module):
    """Up in camera axes for every frame, and whether each part of the body touches the floor.

    Outputs `up` (batch frames 3), of length 1, and `contact` (batch frames parts), unnormalised scores of the parts of
    `motion.contacts.PARTS`. True contacts follow from the true motion (`motion.contacts.floor_contacts`).

    Args:
        losses: Weight of each term of the loss, `up` and `contact`; LOSSES when None.
        fps: Frame rate of training clips.
    """

    trained_on: str | None = None

    def __init__(
        self, channels: int, joint_channels: int = 32, hidden: int = 128, fps: float = 30.0,
        losses: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.losses = chosen_losses(LOSSES if losses is None else losses, tuple(LOSSES))
        self.config: dict[str, Any] = {"channels": channels, "joint_channels": joint_channels, "hidden": hidden}
        self.config |= {"fps": fps, "losses": self.losses}
        self.body, self.fps = load_body_model("open"), fps
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Linear(channels, joint_channels)
        self.mix = nn.Sequential(nn.Linear(17 * joint_channels, hidden), nn.GELU())
        self.refine = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU())
        self.up = nn.Linear(hidden, 3)
        self.contact = nn.Linear(hidden, len(PARTS))
        nn.init.normal_(self.up.weight, std=0.01)
        nn.init.zeros_(self.up.bias)
        self.register_buffer("level", torch.tensor([0.0, -1.0, 0.0]), persistent=False)  # y points down

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        x = self.mix(self.reduce(self.norm(representation)).flatten(2))
        x = (x + self.refine(x)).float()
        return {"up": normalize(self.up(x) + self.level, dim=-1), "contact": self.contact(x)}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """`up` is the mean distance of the directions' ends, `contact` the mean cross entropy over parts."""
        posed = posed_frames(batch)
        up, contact = true_ground(batch, self.body, self.fps)
        off = (output["up"] - up).norm(dim=-1)
        entropy = binary_cross_entropy_with_logits(output["contact"], contact.float(), reduction="none").mean(-1)
        terms = {"up": off, "contact": entropy}
        weight, count = self.losses, posed.sum().clamp(min=1)
        return {name: weight[name] * (terms[name] * posed).sum() / count for name in weight}

    @float32_inference
    def predict(self, embedding: MotionEmbedding) -> Ground:
        """What the clip says of the ground.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        contact = output["contact"][0].sigmoid()
        return Ground(output["up"][0], contact, embedding.fps, embedding.keypoints.first_frame)
