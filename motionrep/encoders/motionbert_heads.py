"""The heads that MotionBERT publishes with its fine-tuned encoders (ICCV 2023, arXiv 2210.06551).

They read the representation of `DSTformer`. Heads that motionrep trains itself are in the package `motionrep_heads`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.architectures.layers import ChannelBatchNorm
from motionrep.geometry.rotations import rotmat_from_sixd


class MotionBERTAction(nn.Module):
    """Scores of action classes for a clip of several persons. An absent person is one whose input is all zeros.

    Published models always read two persons, cropped with one box.
    """

    def __init__(self, features: int, classes: int, hidden: int = 2048):
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)
        self.bn = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(
        self, representation: Float[Tensor, "batch persons frames joints channels"]
    ) -> Float[Tensor, "batch classes"]:
        return self.fc2(F.relu(self.bn(self.fc1(_of_clip(representation)))))


class MotionBERTEmbedding(nn.Module):
    """Unit vectors by which clips of the same action can be found (one-shot recognition)."""

    def __init__(self, features: int, hidden: int = 2048):
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)

    def forward(
        self, representation: Float[Tensor, "batch persons frames joints channels"]
    ) -> Float[Tensor, "batch hidden"]:
        return F.normalize(self.fc1(_of_clip(representation)), dim=-1)


class MotionBERTMesh(nn.Module):
    """Pose and shape of SMPL: `rotmat` (batch frames 24 3 3), and `betas` (batch frames 10), equal in all frames.

    `theta` (batch frames 82) has both in the form that published evaluations use: 24 axis-angles in radians, betas.
    """

    init_pose: Tensor
    init_shape: Tensor

    def __init__(self, features: int, hidden: int = 1024):
        super().__init__()
        self.register_buffer("init_pose", torch.zeros(1, 24 * 6))
        self.register_buffer("init_shape", torch.zeros(1, 10))
        self.fc1 = nn.Linear(features, hidden)
        self.fc2 = nn.Linear(features, hidden)
        self.bn1 = ChannelBatchNorm(hidden)
        self.bn2 = ChannelBatchNorm(hidden)
        self.head_pose = nn.Linear(hidden, 24 * 6)
        self.head_shape = nn.Linear(hidden, 10)

    def forward(self, representation: Float[Tensor, "batch frames joints channels"]) -> dict[str, Tensor]:
        x = representation.flatten(2)
        pose = self.head_pose(F.relu(self.bn1(self.fc1(x)))) + self.init_pose
        shape = self.head_shape(F.relu(self.bn2(self.fc2(x.mean(1))))) + self.init_shape
        columns = pose.unflatten(-1, (24, 3, 2)).transpose(-2, -1)  # published as 3 x 2 matrices
        rotmat = rotmat_from_sixd(columns.flatten(-2))
        betas = shape[:, None].expand(-1, x.shape[1], -1)
        import roma  # takes as long as torch to import, and only this head needs it

        theta = torch.cat([roma.rotmat_to_rotvec(rotmat).flatten(2), betas], -1)
        return {"rotmat": rotmat, "betas": betas, "theta": theta}


def published_head(weights: Mapping[str, Tensor]) -> nn.Module:
    """The one of the three heads that has these names and shapes, with initial weights.

    Args:
        weights: Their names without `head.`.

    Raises:
        KeyError: It is none of the three.
    """
    hidden, features = weights["fc1.weight"].shape
    if "head_pose.weight" in weights:
        return MotionBERTMesh(features, hidden)
    if "fc2.weight" in weights:
        return MotionBERTAction(features, weights["fc2.weight"].shape[0], hidden)
    return MotionBERTEmbedding(features, hidden)


def _of_clip(representation: Tensor) -> Tensor:
    """Mean over frames and persons, flattened joint by joint."""
    return representation.mean(2).flatten(2).mean(1)
