"""Mesh recovery: pose, shape and place of the open body."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.body import load_body_model
from motionrep.cameras import PinholeCamera, translation_from_keypoints
from motionrep.head_api import Batch, representation_of, require_same_encoder
from motionrep.layouts import H36M_17, HALPE_26, SMPL_24
from motionrep.rotations import rotmat_from_sixd
from motionrep.types import BodyMotion, MotionEmbedding

ROTATION_WEIGHT = 0.5
VELOCITY_WEIGHT = 2.0
BETAS_WEIGHT = 0.02


class MeshHead(nn.Module):
    """6D rotations (Zhou et al., CVPR 2019) of 24 joints for every frame, and one beta vector for the clip.

    Outputs `local_rotmat` (batch frames 24 3 3), the first in camera axes, and `betas` (batch 10) of the open body.
    """

    trained_on: str | None = None

    def __init__(self, channels: int, joint_channels: int = 64, hidden: int = 512) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "joint_channels": joint_channels, "hidden": hidden}
        self.body = load_body_model("open")
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Linear(channels, joint_channels)
        self.mix = nn.Sequential(nn.Linear(17 * joint_channels, hidden), nn.GELU())
        self.refine = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden)
        )
        self.pose = nn.Linear(hidden, 24 * 6)
        self.shape = nn.Linear(hidden, self.body.beta_count)
        for layer in (self.pose, self.shape):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        rest = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(24, 1)
        rest[0] = torch.tensor([1.0, 0, 0, 0, -1, 0])  # upright and facing a camera whose y axis points down
        self.register_buffer("rest_sixd", rest, persistent=False)

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        x = self.mix(self.reduce(self.norm(representation)).flatten(2))
        x = (x + self.refine(x)).float()
        sixd = self.pose(x).float().unflatten(-1, (24, 6)) + self.rest_sixd
        weight = valid.float() / valid.sum(1, keepdim=True)
        betas = self.shape((x * weight[..., None]).sum(1)).float()
        return {"local_rotmat": rotmat_from_sixd(sixd), "betas": betas}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Points of skin and skeleton relative to the pelvis (metres), their first difference, rotations, betas."""
        valid = batch["valid"].float()
        moving = valid[:, 1:] * valid[:, :-1]
        difference = self._points(output) - self._points(batch)
        error = difference.norm(dim=-1).mean(-1)
        velocity = (difference[:, 1:] - difference[:, :-1]).norm(dim=-1).mean(-1)
        rotation = (output["local_rotmat"] - batch["local_rotmat"]).abs().mean((-1, -2, -3))
        return {
            "position": (error * valid).sum() / valid.sum(),
            "velocity": VELOCITY_WEIGHT * (velocity * moving).sum() / moving.sum().clamp(min=1),
            "rotation": ROTATION_WEIGHT * (rotation * valid).sum() / valid.sum(),
            "betas": BETAS_WEIGHT * (output["betas"] - batch["betas"]).abs().mean(),
        }

    @torch.no_grad()
    def predict(
        self,
        embedding: MotionEmbedding,
        camera: PinholeCamera | None = None,
        betas: Float[Tensor, " betas"] | None = None,
    ) -> BodyMotion:
        """The person in the camera's frame, placed where the posed body best covers the keypoints.

        Args:
            camera: The camera that took the clip; without it, one with a horizontal field of view of 50 degrees
                is assumed, so that distances are right only up to a factor.
            betas: Shape of the person where it is known, from other clips for example; None estimates it from this one.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        rotmat, shape = output["local_rotmat"][0], output["betas"][0] if betas is None else betas
        clip = embedding.keypoints
        camera = camera or PinholeCamera.from_hfov(clip.width_px, clip.height_px)
        points_m = self.body.points(H36M_17, rotmat, shape, rotmat.new_zeros(rotmat.shape[0], 3))
        translation_m = translation_from_keypoints(points_m, clip.xy_px, clip.confidence, camera)
        return BodyMotion(rotmat, translation_m, shape, self.body.name, embedding.fps, "camera")

    def _points(self, pose: Batch) -> Float[Tensor, "batch frames points 3"]:
        """Human3.6M-17, SMPL-24 and Halpe-26 points relative to the middle of the hips."""
        rotmat, betas = pose["local_rotmat"], pose["betas"][:, None]
        still = rotmat.new_zeros(*rotmat.shape[:2], 3)
        points = torch.cat(
            [self.body.points(layout, rotmat, betas, still) for layout in (H36M_17, SMPL_24, HALPE_26)], 2
        )
        return points - points[:, :, :1]
