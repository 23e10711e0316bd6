"""Mesh recovery: pose, shape and translation of a body."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motionrep.body import load_body_model
from motionrep.body.identity import body_digest as body_digest_of
from motionrep.body.identity import require_same_body
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.body.skeletons import HANDS
from motionrep.geometry.cameras import PinholeCamera
from motionrep.geometry.rotations import rotmat_from_sixd
from motionrep.head_api.contract import Batch, float32_inference, representation_of, require_same_encoder
from motionrep.layouts import H36M_17, HALPE_26, SMPL_24
from motionrep.types import BodyMotion, MotionEmbedding
from motionrep_heads.losses import chosen_losses, posed_frames, reprojection_term
from motionrep_heads.placement import translation_to_keypoints

LOSSES = {"position": 1.0, "velocity": 2.0, "rotation": 0.5, "betas": 0.02}
_KNOWN_LOSSES = (*LOSSES, "acceleration", "vertices", "reprojection")
_VERTEX_FRAME_STEP = 10


class MeshHead(nn.Module):
    """6D rotations (Zhou et al., CVPR 2019) of 24 joints for every frame, and one beta vector for the clip.

    Outputs `local_rotmat` (batch frames 24 3 3), the first in camera axes, and `betas` (batch betas) of the
    body. Bodies with fingers get hands at rest, since their files have no joint that turns a whole hand.

    Args:
        losses: Weight of each term of the loss, as `loss` explains them; LOSSES when None.
        body: What `load_body_model` takes.
        body_digest: That of the body that a saved head was trained on (`body.identity`); None for a new head.
        betas: How many of its shape directions are used; None for those that it usually has.

    Raises:
        FileNotFoundError: The body is not there.
        ValueError: It is another one than that of `body_digest`.
    """

    trained_on: str | None = None

    def __init__(
        self, channels: int, joint_channels: int = 64, hidden: int = 512, losses: Mapping[str, float] | None = None,
        *, body: str = "open", body_digest: str | None = None, betas: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.losses = chosen_losses(LOSSES if losses is None else losses, _KNOWN_LOSSES)
        self.config: dict[str, Any] = {"channels": channels, "joint_channels": joint_channels, "hidden": hidden}
        self.config["losses"] = self.losses
        self.body = load_body_model(body, betas)
        require_same_body(self.body, body_digest, "this head")
        self.body_model = self.body.name
        self.config |= {"body": body, "body_digest": body_digest or body_digest_of(self.body)}
        self.config["betas"] = self.body.beta_count
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
        rotmat = rotmat_from_sixd(sixd)
        if self.body.joint_count > SMPL_24.joint_count:
            still = torch.eye(3).to(rotmat).expand(*rotmat.shape[:2], len(HANDS), 3, 3)
            rotmat = torch.cat([rotmat[:, :, : HANDS[0]], still], 2)
        return {"local_rotmat": rotmat, "betas": betas}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The weighted terms that `losses` names, over the frames that are valid and whose pose is known.

        `position` is the error of points of skin and skeleton relative to the pelvis, in metres. `velocity` and
        `acceleration` are the errors of their first and second difference in time. `rotation` and `betas` are mean
        absolute differences. `vertices` is the error of the surface in every tenth frame, in metres. `reprojection` is
        for clips of keypoints without a pose, as in the 3D pose head.
        """
        weight, posed = self.losses, posed_frames(batch)
        predicted_m, target_m = self._points(output), self._points(batch)
        difference = predicted_m - target_m
        terms = {"position": _mean(difference.norm(dim=-1).mean(-1), posed)}
        for name, order in (("velocity", 1), ("acceleration", 2)):
            moving = posed.unfold(1, order + 1, 1).amin(-1) if posed.shape[1] > order else posed[:, :0]
            terms[name] = _mean(difference.diff(n=order, dim=1).norm(dim=-1).mean(-1), moving)
        terms["rotation"] = _mean((output["local_rotmat"] - batch["local_rotmat"]).abs().mean((-1, -2, -3)), posed)
        terms["betas"] = _mean((output["betas"] - batch["betas"]).abs().mean(-1), posed.amax(1))
        if "vertices" in weight:
            terms["vertices"] = self._vertex_error(output, batch, posed)
        terms = {name: weight[name] * value for name, value in terms.items() if name in weight}
        if "reprojection" in weight:
            terms |= reprojection_term(weight["reprojection"], predicted_m[:, :, : H36M_17.joint_count], batch)
        return terms

    @float32_inference
    def predict(
        self,
        embedding: MotionEmbedding,
        camera: PinholeCamera | None = None,
        betas: Float[Tensor, " betas"] | None = None,
    ) -> BodyMotion:
        """The person in camera axes, placed where the posed body best covers the keypoints.

        Args:
            camera: The camera that took the clip. Without it a horizontal field of view of 50 degrees is assumed, and
                distances are right only up to a factor.
            betas: Shape of the person if it is known, from other clips for example; None estimates it.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on, or the camera takes
                pictures of another size than the keypoints'.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        rotmat, shape = output["local_rotmat"][0], output["betas"][0] if betas is None else betas
        clip = embedding.keypoints
        points_m = self.body.points(H36M_17, rotmat, shape, rotmat.new_zeros(rotmat.shape[0], 3))
        translation_m = translation_to_keypoints(points_m, clip, camera)
        return BodyMotion(
            rotmat, translation_m, shape, self.body.name, embedding.fps, "camera", first_frame=clip.first_frame
        )

    def _points(self, pose: Batch) -> Float[Tensor, "batch frames points 3"]:
        """Human3.6M-17, SMPL-24 and Halpe-26 points relative to the middle of the hips."""
        rotmat, betas = pose["local_rotmat"], pose["betas"][:, None]
        still = rotmat.new_zeros(*rotmat.shape[:2], 3)
        regressor = torch.cat([self.body.point_regressor(layout) for layout in (H36M_17, SMPL_24, HALPE_26)])
        points = regressor @ self.body.points(JOINTS_AND_LANDMARKS, rotmat, betas, still)
        return points - points[:, :, :1]

    def _vertex_error(self, output: Batch, batch: Batch, posed: Tensor) -> Tensor:
        frames = slice(None, None, _VERTEX_FRAME_STEP)
        vertex_m = []
        for pose in (output, batch):
            rotmat, betas = pose["local_rotmat"][:, frames], pose["betas"][:, None]
            still = rotmat.new_zeros(*rotmat.shape[:2], 3)
            hips = self.body.points(H36M_17, rotmat, betas, still)[:, :, :1]
            vertex_m.append(self.body.vertices(rotmat, betas, still) - hips)
        return _mean((vertex_m[0] - vertex_m[1]).norm(dim=-1).mean(-1), posed[:, frames])


def _mean(error: Tensor, counted: Tensor) -> Tensor:
    return (error * counted).sum() / counted.sum().clamp(min=1)
