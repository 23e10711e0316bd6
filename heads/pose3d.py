"""3D pose: positions of the 17 joints relative to the pelvis."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from motionrep.geometry.cameras import PinholeCamera
from motionrep.head_api.contract import Batch, float32_inference, representation_of, require_same_encoder
from motionrep.layouts import H36M_17
from motionrep.types import JointMotion, MotionEmbedding
from motionrep_heads.losses import chosen_losses, posed_frames, reprojection_term
from motionrep_heads.placement import translation_to_keypoints

LOSSES = {"position": 1.0, "velocity": 2.0}
_KNOWN_LOSSES = ("position", "scale", "velocity", "acceleration", "smoothness", "reprojection")
_CHOICE_WEIGHT, _OTHERS_WEIGHT = 0.1, 0.05
# Of the published KTPFormer recipe: joints with larger errors count more.
_JOINT_WEIGHTS = {"knee": 2.5, "ankle": 2.5, "head": 1.5, "shoulder": 1.5, "elbow": 4.0, "wrist": 4.0}


class Pose3DHead(nn.Module):
    """LayerNorm and one linear map per joint, as the published lifting networks end.

    Output `position_m` (batch frames 17 3): metres, camera axes, pelvis at the origin. With several hypotheses, it is
    the likeliest of `hypothesis_m` (batch hypotheses frames 17 3) by `hypothesis_logit` (batch hypotheses).

    Args:
        hidden: Above 0 the map is a perceptron of that width over all joints of a frame. It suits encoders that were
            trained for another task, which spread what they know of a joint over the other joints.
        losses: Weight of each term of the loss, as `loss` explains them; LOSSES when None.
        joint_weights: `limbs` gives joints with larger errors more weight, as the published KTPFormer does; `equal`
            does not.
        pelvis: `origin` has the pelvis of the output at the origin. `predicted` leaves it where the map puts it, as
            published networks do: it then learns that it is at the origin. `predict` moves it there.
        hypotheses: How many poses to give for each clip, since images leave the depth open. The one nearest to the
            truth learns from a clip, the others only a little (Rupprecht et al., ICCV 2017).
    """

    trained_on: str | None = None
    joint_weight: Tensor

    def __init__(
        self,
        channels: int,
        hidden: int = 0,
        losses: Mapping[str, float] | None = None,
        joint_weights: Literal["limbs", "equal"] = "limbs",
        hypotheses: int = 1,
        pelvis: Literal["origin", "predicted"] = "origin",
    ) -> None:
        super().__init__()
        if hypotheses < 1:
            raise ValueError(f"hypotheses must be at least 1, got {hypotheses}")
        self.losses = chosen_losses(LOSSES if losses is None else losses, _KNOWN_LOSSES)
        if joint_weights not in ("limbs", "equal"):
            raise ValueError(f"joint_weights must be 'limbs' or 'equal', got {joint_weights!r}")
        self.config: dict[str, Any] = {"channels": channels, "hidden": hidden, "losses": self.losses}
        self.config |= {"joint_weights": joint_weights, "hypotheses": hypotheses}
        if pelvis not in ("origin", "predicted"):
            raise ValueError(f"pelvis must be 'origin' or 'predicted', got {pelvis!r}")
        self.config |= {"pelvis": pelvis} if pelvis == "predicted" else {}
        self.hypotheses, self.pelvis = hypotheses, pelvis
        self.norm = nn.LayerNorm(channels)
        self.position = (
            _over_all_joints(channels, hidden, hypotheses) if hidden else nn.Linear(channels, 3 * hypotheses)
        )
        if hypotheses > 1:
            self.choice = nn.Linear(channels, hypotheses)
        table = _JOINT_WEIGHTS if joint_weights == "limbs" else {}
        weight = [table.get(j.removeprefix("left_").removeprefix("right_"), 1.0) for j in H36M_17.joints]
        self.register_buffer("joint_weight", torch.tensor(weight), persistent=False)

    def forward(
        self, representation: Float[Tensor, "batch frames joints channels"], valid: Bool[Tensor, "batch frames"]
    ) -> dict[str, Tensor]:
        x = self.norm(representation)
        position_m = self.position(x).float().unflatten(-1, (self.hypotheses, 3))
        if self.pelvis == "origin":
            position_m = position_m - position_m[:, :, :1]
        position_m = position_m.movedim(-2, 1)  # batch hypotheses frames joints 3
        if self.hypotheses == 1:
            return {"position_m": position_m[:, 0]}
        logit = self.choice(_mean_over(x.mean(2), valid)).float()
        chosen = logit.argmax(-1)[:, None, None, None, None].expand(-1, 1, *position_m.shape[2:])
        likeliest = position_m.gather(1, chosen)[:, 0]
        return {"position_m": likeliest, "hypothesis_m": position_m, "hypothesis_logit": logit}

    def loss(self, output: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The weighted terms that `losses` names, means over the frames that are valid and whose pose is known.

        `position` is MPJPE in metres. `scale` is the same after each pose was scaled to fit best (N-MPJPE).
        `smoothness` is the mean square of the prediction's first difference in time (Zhang et al., MixSTE, CVPR 2022).
        These three weight joints by `joint_weights`; `limbs` makes them about twice as large. `velocity` and
        `acceleration` are the errors of the first and second difference in time. `reprojection` is for clips of
        keypoints without a pose (`has_pose` False): the distance on the image, in units of the person's size there.
        """
        if self.hypotheses == 1:
            return self._terms(output["position_m"], batch)
        hypothesis_m, logit = output["hypothesis_m"], output["hypothesis_logit"]
        distance = (hypothesis_m.detach() - batch["position_m"][:, None]).norm(dim=-1).mean(-1)
        best = _mean_over(distance.movedim(1, 2), posed_frames(batch)).argmin(-1)
        known = posed_frames(batch).amax(1)
        terms = self._terms(hypothesis_m[torch.arange(len(best)), best], batch)
        others = torch.stack([torch.stack(list(self._terms(m, batch).values())).sum() for m in hypothesis_m.unbind(1)])
        return terms | {
            "choice": _CHOICE_WEIGHT
            * (cross_entropy(logit, best, reduction="none") * known).sum()
            / known.sum().clamp(min=1),
            "other_hypotheses": _OTHERS_WEIGHT * others.mean(),
        }

    @float32_inference
    def predict(
        self, embedding: MotionEmbedding, frame: Literal["root", "camera"] = "root", camera: PinholeCamera | None = None
    ) -> JointMotion:
        """The 17 joints, in metres.

        Args:
            frame: `root` has the pelvis at the origin. `camera` places the person where the keypoints are; without
                `camera` the distance is right only up to a factor.
            camera: The camera that took the clip, for frame `camera`. Without it a horizontal field of view of 50
                degrees is assumed.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on, the camera takes
                pictures of another size than the keypoints', or one is given for frame `root`.
        """
        if frame not in ("root", "camera"):
            raise ValueError(f"frame must be 'root' or 'camera', got {frame!r}")
        if frame == "root" and camera is not None:
            raise ValueError("camera has no effect on a pose whose origin is the pelvis; pass frame='camera' too")
        require_same_encoder(self, embedding)
        position_m = self(*representation_of(embedding))["position_m"][0]
        return _placed(position_m, embedding, frame, camera)

    @float32_inference
    def predict_hypotheses(self, embedding: MotionEmbedding) -> list[tuple[float, JointMotion]]:
        """Every hypothesis in frame `root` with its probability, the likeliest first.

        Raises:
            ValueError: The embedding comes from another encoder than the head was trained on.
        """
        require_same_encoder(self, embedding)
        output = self(*representation_of(embedding))
        if self.hypotheses == 1:
            return [(1.0, _placed(output["position_m"][0], embedding, "root", None))]
        probability = output["hypothesis_logit"][0].softmax(-1)
        order = probability.argsort(descending=True).tolist()
        hypothesis_m = output["hypothesis_m"][0]
        return [(float(probability[k]), _placed(hypothesis_m[k], embedding, "root", None)) for k in order]

    def _terms(self, position_m: Tensor, batch: Batch) -> dict[str, Tensor]:
        valid = posed_frames(batch)
        predicted, target = position_m, batch["position_m"]
        terms = {}
        for name, weight in self.losses.items():
            if name == "reprojection":
                terms |= reprojection_term(weight, predicted, batch)
                continue
            order = {"position": 0, "scale": 0, "velocity": 1, "smoothness": 1, "acceleration": 2}[name]
            if target.shape[1] <= order:
                continue  # a window of one frame has no velocity
            if name == "smoothness":
                error = (predicted.diff(dim=1).square().mean(-1) * self.joint_weight).mean(-1)
            else:
                fitting = _scale(predicted, target) if name == "scale" else 1.0
                distance = (fitting * predicted - target).diff(n=order, dim=1).norm(dim=-1)
                error = (distance * self.joint_weight).mean(-1) if order == 0 else distance.mean(-1)
            counted = valid.unfold(1, order + 1, 1).amin(-1)
            terms[name] = weight * (error * counted).sum() / counted.sum().clamp(min=1)
        return terms


def _placed(
    position_m: Tensor, embedding: MotionEmbedding, frame: Literal["root", "camera"], camera: PinholeCamera | None
) -> JointMotion:
    position_m = position_m - position_m[:, :1]
    if frame == "camera":
        position_m = position_m + translation_to_keypoints(position_m, embedding.keypoints, camera)[:, None]
    return JointMotion(position_m, H36M_17, embedding.fps, frame, embedding.keypoints.first_frame)


def _mean_over(x: Float[Tensor, "batch frames channels"], valid: Tensor) -> Float[Tensor, "batch channels"]:
    """Mean over the valid frames."""
    weight = valid.float()[..., None]
    return (weight * x).sum(1) / weight.sum(1).clamp(min=1)


def _scale(predicted: Tensor, target: Tensor) -> Tensor:
    """The factor on each predicted pose that brings it nearest to the true one (Rhodin et al., CVPR 2018)."""
    product = (predicted * target).sum((2, 3), keepdim=True)
    return product / predicted.square().sum((2, 3), keepdim=True).clamp(min=1e-6)


def _over_all_joints(channels: int, hidden: int, hypotheses: int) -> nn.Module:
    joints = H36M_17.joint_count
    return nn.Sequential(
        nn.Linear(channels, 64),
        nn.Flatten(-2),
        nn.Linear(joints * 64, hidden),
        nn.GELU(),
        nn.Linear(hidden, hidden),
        nn.GELU(),
        nn.Linear(hidden, joints * 3 * hypotheses),
        nn.Unflatten(-1, (joints, 3 * hypotheses)),
    )
