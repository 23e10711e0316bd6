"""3D pose: where the 17 joints are, relative to the pelvis."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.head_api import Batch, representation_of, require_same_encoder
from motionrep.layouts import H36M_17
from motionrep.types import JointMotion, MotionEmbedding

VELOCITY_WEIGHT = 2.0
# Wrists, ankles and elbows err most; weights of the published KTPFormer recipe.
_JOINT_WEIGHTS = {"knee": 2.5, "ankle": 2.5, "nose": 1.5, "elbow": 4.0, "wrist": 4.0, "head": 1.5}


class Pose3DHead(nn.Module):
    """LayerNorm and one linear map per joint, as the published lifting networks end.

    An encoder that was trained for another task spreads what it knows of a joint over the others: with `hidden` the map
    is a perceptron of that width over all joints of a frame.

    Output `position_m` (batch frames 17 3): metres, camera axes, pelvis at the origin.
    """

    trained_on: str | None = None
    joint_weight: Tensor

    def __init__(self, channels: int, hidden: int = 0) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "hidden": hidden}
        self.norm = nn.LayerNorm(channels)
        self.position = _over_all_joints(channels, hidden) if hidden else nn.Linear(channels, 3)
        weight = [_JOINT_WEIGHTS.get(j.removeprefix("left_").removeprefix("right_"), 1.0) for j in H36M_17.joints]
        self.register_buffer("joint_weight", torch.tensor(weight), persistent=False)

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        position_m = self.position(self.norm(representation)).float()
        return {"position_m": position_m - position_m[:, :, :1]}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Weighted MPJPE and the error of its first difference, in metres and metres per frame."""
        difference = output["position_m"] - batch["position_m"]
        valid = batch["valid"].float()
        error = (difference.norm(dim=-1) * self.joint_weight).mean(-1)
        moving = valid[:, 1:] * valid[:, :-1]
        velocity = (difference[:, 1:] - difference[:, :-1]).norm(dim=-1).mean(-1)
        return {
            "position": (error * valid).sum() / valid.sum(),
            "velocity": VELOCITY_WEIGHT * (velocity * moving).sum() / moving.sum().clamp(min=1),
        }

    @torch.no_grad()
    def predict(self, embedding: MotionEmbedding) -> JointMotion:
        """The 17 joints in frame "root".

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        return JointMotion(output["position_m"][0], H36M_17, embedding.fps, "root")


def _over_all_joints(channels: int, hidden: int) -> nn.Module:
    joints = H36M_17.joint_count
    return nn.Sequential(
        nn.Linear(channels, 64),
        nn.Flatten(-2),
        nn.Linear(joints * 64, hidden),
        nn.GELU(),
        nn.Linear(hidden, hidden),
        nn.GELU(),
        nn.Linear(hidden, joints * 3),
        nn.Unflatten(-1, (joints, 3)),
    )
