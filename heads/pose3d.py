"""3D pose: where the 17 joints are, relative to the pelvis."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.head_api import Batch, representation_of, require_same_encoder
from motionrep.layouts import H36M_17
from motionrep.types import JointMotion, MotionEmbedding

LOSSES = {"position": 1.0, "velocity": 2.0}
_KNOWN_LOSSES = ("position", "scale", "velocity", "acceleration", "smoothness", "reprojection")
# Wrists, ankles and elbows err most; weights of the published KTPFormer recipe.
_JOINT_WEIGHTS = {"knee": 2.5, "ankle": 2.5, "nose": 1.5, "elbow": 4.0, "wrist": 4.0, "head": 1.5}


class Pose3DHead(nn.Module):
    """LayerNorm and one linear map per joint, as the published lifting networks end.

    An encoder that was trained for another task spreads what it knows of a joint over the others: with `hidden` the map
    is a perceptron of that width over all joints of a frame.

    Output `position_m` (batch frames 17 3): metres, camera axes, pelvis at the origin.

    Args:
        losses: Weight of each term of the loss (`loss` explains them); LOSSES when None.
        joint_weights: `limbs` counts what errs most more, as the published KTPFormer does; `equal` does not.
    """

    trained_on: str | None = None
    joint_weight: Tensor

    def __init__(
        self,
        channels: int,
        hidden: int = 0,
        losses: Mapping[str, float] | None = None,
        joint_weights: Literal["limbs", "equal"] = "limbs",
    ) -> None:
        super().__init__()
        self.losses = dict(LOSSES if losses is None else losses)
        if unknown := [name for name in self.losses if name not in _KNOWN_LOSSES]:
            raise ValueError(f"unknown loss {unknown[0]!r} (known: {', '.join(_KNOWN_LOSSES)})")
        if joint_weights not in ("limbs", "equal"):
            raise ValueError(f"joint_weights must be 'limbs' or 'equal', got {joint_weights!r}")
        self.config: dict[str, Any] = {"channels": channels, "hidden": hidden, "losses": self.losses}
        self.config["joint_weights"] = joint_weights
        self.norm = nn.LayerNorm(channels)
        self.position = _over_all_joints(channels, hidden) if hidden else nn.Linear(channels, 3)
        table = _JOINT_WEIGHTS if joint_weights == "limbs" else {}
        weight = [table.get(j.removeprefix("left_").removeprefix("right_"), 1.0) for j in H36M_17.joints]
        self.register_buffer("joint_weight", torch.tensor(weight), persistent=False)

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        position_m = self.position(self.norm(representation)).float()
        return {"position_m": position_m - position_m[:, :, :1]}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The weighted terms that `losses` names, means over the frames that are valid and whose pose is known.

        `position` is MPJPE in metres, `scale` the same after each clip was scaled to fit best (N-MPJPE), `velocity` and
        `acceleration` the errors of the first and second difference in time, `smoothness` the mean square of the
        prediction's first difference (Zhang et al., MixSTE, CVPR 2022). `reprojection` is for clips of which only
        keypoints are known (`has_pose` False, see `datasets.observed`): the distance on the image, in units of the
        person's size there.
        """
        valid = batch["valid"].float()
        if "has_pose" in batch:
            valid = valid * batch["has_pose"][:, None].float()
        predicted, target = output["position_m"], batch["position_m"]
        terms = {}
        for name, weight in self.losses.items():
            if name == "reprojection":
                if "has_pose" in batch:
                    seen = batch["observed"] * (batch["valid"] & ~batch["has_pose"][:, None])[..., None, None]
                    terms[name] = weight * reprojection_error(predicted, seen, batch["focal"])
                continue
            if name == "smoothness":
                error, order = (predicted.diff(dim=1).square().sum(-1) * self.joint_weight).mean(-1), 1
            else:
                order = {"position": 0, "scale": 0, "velocity": 1, "acceleration": 2}[name]
                fitting = _scale(predicted, target, valid) if name == "scale" else 1.0
                distance = (fitting * predicted - target).diff(n=order, dim=1).norm(dim=-1)
                error = (distance * self.joint_weight).mean(-1) if order == 0 else distance.mean(-1)
            counted = valid.unfold(1, order + 1, 1).amin(-1)
            terms[name] = weight * (error * counted).sum() / counted.sum().clamp(min=1)
        return terms

    @torch.no_grad()
    def predict(self, embedding: MotionEmbedding) -> JointMotion:
        """The 17 joints in frame "root".

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        return JointMotion(output["position_m"][0], H36M_17, embedding.fps, "root")


def reprojection_error(
    position_m: Float[Tensor, "batch frames joints 3"],
    observed: Float[Tensor, "batch frames joints 3"],
    focal: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """How far poses are from their keypoints when each frame is moved to where it fits them best.

    The place is the least-squares solution of the equations of `cameras.translation_from_keypoints`, for every frame by
    itself. Distances are divided by the spread of the frame's keypoints, so that a smaller pose gains nothing, and
    weighted by confidence.

    Args:
        observed: x and y (units of half the image width, origin in the middle) and confidence, 0 where not seen.
        focal: Focal length in the same unit.
    """
    ray, weight = observed[..., :2] / focal[:, None, None, None], observed[..., 2:]
    total = weight.sum(2).clamp(min=1e-6)
    rows = torch.cat([torch.eye(2).to(ray).expand(*ray.shape[:-1], 2, 2), -ray[..., None]], -1)  # joints 2 3
    right = ray * position_m[..., 2:] - position_m[..., :2]
    weighted = (weight[..., None] * rows).transpose(-1, -2)
    normal = (weighted @ rows).sum(2) + 1e-6 * torch.eye(3).to(ray)
    moved = (weighted @ right[..., None]).sum(2)
    place = torch.linalg.solve(normal, moved)[..., 0]
    point = position_m + place[:, :, None]
    error = (point[..., :2] / point[..., 2:].clamp(min=0.3) - ray).norm(dim=-1)
    middle = ((weight * ray).sum(2) / total)[:, :, None]
    spread = ((weight[..., 0] * (ray - middle).square().sum(-1)).sum(2) / total[..., 0]).sqrt()
    seen = (weight[..., 0] > 0).sum(2) >= 3  # fewer say nothing about the place
    share = error / spread[..., None].clamp(min=1e-3)
    per_frame = (weight[..., 0] * share).sum(2) / total[..., 0]
    return (per_frame * seen).sum() / seen.sum().clamp(min=1)


def _scale(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """The factor on each clip's prediction that brings it nearest to the truth (Rhodin et al., CVPR 2018)."""
    weight = valid[..., None, None]
    product = (weight * predicted * target).sum((1, 2, 3), keepdim=True)
    return product / (weight * predicted.square()).sum((1, 2, 3), keepdim=True).clamp(min=1e-6)


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
